"""`barkyard teleop` with a keyboard in a pseudo-terminal."""

import json
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from barkyard.cli import teleop as teleop_module
from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.teleop.terminal import TerminalKeyboard
from tests.teleop.scripted import hand, typed

LIFT = "barkyard/Lift-v0"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal that the command reads; yields the end that a person types at."""
    person, program = pty.openpty()
    real = TerminalKeyboard.__init__
    monkeypatch.setattr(TerminalKeyboard, "__init__", lambda self, *words: real(self, *words, descriptor=program))
    yield person
    os.close(person)
    os.close(program)


Script = Callable[[Any, int], list[str]]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, terminal: int, script: Script) -> Iterator[None]:
    """At every look at the screen, `script` is asked, with the environment and the step, what to type."""
    made: dict[str, Any] = {}
    open_environment = teleop_module.open_environment

    @contextmanager
    def opening(*words: Any) -> Iterator[Any]:
        with open_environment(*words) as env:
            made["env"] = env
            yield env

    def show(self: object, status: Any, picture: object) -> None:
        step = -1 if status.phase == "waiting" else round(status.seconds / 0.05)
        os.write(terminal, typed(script(made["env"], step)))

    monkeypatch.setattr(teleop_module, "open_environment", opening)
    monkeypatch.setattr(teleop_module.StatusLine, "show", show)
    yield


def lifter() -> Script:
    """Lifts the cube of every episode."""
    press: list[Callable[[], list[str]]] = []

    def script(env: Any, step: int) -> list[str]:
        if step < 0:
            press.clear()
            return ["enter"]
        if not press:
            press.append(hand(lambda: (env.simulation.robot.tcp_pos_world[0], env.task.grasping.object_pos[0])))
        return press[0]()

    return script


def test_a_person_lifts_the_cube_with_the_keys_of_a_terminal(
    terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d"
    with watched(monkeypatch, terminal, lifter()):
        assert main(["teleop", LIFT, "--out", str(out), "--episodes", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recorded"] == 1 and report["warnings"] == []
    dataset = Dataset.open(out)
    episode = dataset.episode(0)
    assert episode.success and set(episode.acted_by) == {"human:keyboard"}
    assert report["pace"]["rate_hz"] < 20.5  # wall-clock pace; a busy machine may be slower
    assert main(["replay", str(out), "--verify", "--quiet"]) == 0
