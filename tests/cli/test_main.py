"""Words in, exit codes out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barkyard.cli import main as main_module_function
from barkyard.cli.main import COMMANDS, main
from barkyard.errors import DatasetError, InvalidInput

HEAVY = ("torch", "robosuite", "mujoco", "pyarrow", "matplotlib", "numba", "scipy")
PROBE = """
import sys, time
from barkyard.cli import main
try:
    main(["--help"])
except SystemExit as leaving:
    assert leaving.code == 0
print("LOADED", time.process_time(), *sorted({name.split(".")[0] for name in sys.modules}))
"""


def run_probe() -> str:
    return subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True, text=True).stdout


def test_help_is_light_and_quick() -> None:
    seconds, *loaded = run_probe().rpartition("LOADED")[2].split()
    assert "tyro" in loaded
    assert set(loaded).isdisjoint(HEAVY)
    assert float(seconds) < 1.0


def test_the_door_is_the_same_from_the_package() -> None:
    assert main_module_function is main


@pytest.mark.parametrize("words", [["colect"], ["evaluate"], ["evaluate", "barkyard/Lift-v0", "--episodes", "many"]])
def test_wrong_words_exit_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(words)
    assert leaving.value.code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("seed -1 is not one"), 2),
        (DatasetError("file is truncated"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt("3 episodes are kept"), 130),
    ],
)
def test_errors_become_exit_codes_and_one_line(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        """Fails."""
        raise error

    monkeypatch.setitem(COMMANDS, "envs", command)
    assert main(["envs"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("barkyard: ") and captured.err.count("\n") == 1
    assert str(error) in captured.err


def test_a_programming_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> int:
        """Is wrong."""
        raise AttributeError("a mistake")

    monkeypatch.setitem(COMMANDS, "envs", command)
    with pytest.raises(AttributeError):
        main(["envs"])


def test_envs_lists_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", "--json"]) == 0
    ids = [entry["id"] for entry in json.loads(capsys.readouterr().out)]
    assert "barkyard/Lift-v0" in ids
    assert main(["envs"]) == 0
    assert all(name in capsys.readouterr().out for name in ids[:1])


@pytest.mark.parametrize("command", ["collect", "evaluate"])
def test_an_unknown_environment_is_refused_with_the_nearest(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "barkyard/Lft-v0", "--actor", "random", "--out", str(tmp_path / "x.json")]
    assert main(words) == 2
    message = capsys.readouterr().err
    assert "barkyard/Lft-v0" in message and "did you mean barkyard/Lift-v0" in message
    assert list(tmp_path.iterdir()) == []


def test_python_m_barkyard(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "barkyard", "inspect", "nothing"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "nothing does not exist" in done.stderr
