"""The scripts a person types, as far as that can be tried without installing anything."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]


def shell(code: str, path: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs `code` after sourcing the shared part, with `path` as PATH."""
    return subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", f'source "{root}/scripts/environment.sh"\n{code}'],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )


def stub(folder: Path, name: str, code: str) -> None:
    """A command that runs `code`."""
    file = folder / name
    file.write_text(f"#!/bin/bash\n{code}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(
    "script", [file for file in SCRIPTS if file.is_file() and file.suffix != ".py"], ids=lambda file: file.name
)
def test_scripts_parse(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.name == "environment.sh" or os.access(script, os.X_OK)


def test_without_rights_the_line_to_type_is_printed(tmp_path: Path) -> None:
    stub(tmp_path, "id", "echo 1000")
    stub(tmp_path, "sudo", "exit 1")
    stub(tmp_path, "apt-get", "touch $(dirname $0)/called")
    done = shell("install_system_packages libosmesa6 gcc", f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "    sudo apt-get install -y --no-install-recommends libosmesa6 gcc\n" in done.stderr
    assert not (tmp_path / "called").exists()


def test_with_rights_the_packages_are_installed(tmp_path: Path) -> None:
    stub(tmp_path, "id", "echo 0")
    stub(tmp_path, "apt-get", 'echo "$@" >>$(dirname $0)/called')
    done = shell("install_system_packages libosmesa6", f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "called").read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends libosmesa6")


def test_a_failed_installation_ends_the_script_with_the_line(tmp_path: Path) -> None:
    stub(tmp_path, "id", "echo 0")
    stub(tmp_path, "apt-get", "exit 100")
    done = shell("install_system_packages libosmesa6; echo went on", f"{tmp_path}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "apt-get install -y" in done.stderr and "went on" not in done.stdout


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    for name in ("python3.11", "python3"):
        stub(tmp_path, name, "exit 1")
    stub(tmp_path, "python3.12", "exit 0")
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    assert shell("find_python", str(tmp_path)).stdout.strip() == str(tmp_path / "python3.12")
    (tmp_path / "python3.12").unlink()
    missing = shell("find_python || fail none", str(tmp_path))
    assert (missing.returncode, missing.stderr) == (1, "barkyard: none\n")


def test_the_stamp_changes_with_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/environment.sh", "setup.cfg", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())

    def stamp() -> str:
        return shell("stamp_of true", os.environ["PATH"], tmp_path).stdout

    first = stamp()
    assert stamp() == first != ""
    with (tmp_path / "constraints.txt").open("a") as file:
        file.write("another==1\n")
    assert stamp() != first


def test_an_unknown_benchmark_is_refused() -> None:
    done = subprocess.run([str(ROOT / "scripts/bench"), "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "no benchmark named 'nonsense'" in done.stderr
