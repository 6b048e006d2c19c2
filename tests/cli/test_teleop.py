"""`barkyard teleop` with a keyboard in a pseudo-terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.cli import teleop as teleop_module
from barkyard.cli.main import main
from barkyard.cli.opening import open_environment
from barkyard.cli.teleop import KEY_SPEED
from barkyard.datasets import Dataset
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS
from barkyard.experts.hand.gait import find_gait
from barkyard.teleop.pace import Pace
from barkyard.teleop.terminal import TerminalKeyboard
from tests.teleop.scripted import hand, typed

LIFT = "barkyard/Lift-v0"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal that the command reads; yields the end that a person types at."""
    person, program = pty.openpty()
    real = TerminalKeyboard.__init__

    def on_this_terminal(self: TerminalKeyboard, keys: Any, full: Any, speed: float) -> None:
        real(self, keys, full, speed, program)

    monkeypatch.setattr(TerminalKeyboard, "__init__", on_this_terminal)
    yield person
    os.close(person)
    os.close(program)


Script = Callable[[Any, int], list[str]]


def noting_environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The environment that the command opens, under `env`."""
    made: dict[str, Any] = {}

    @contextmanager
    def opening(*words: Any) -> Iterator[Any]:
        with open_environment(*words) as env:
            made["env"] = env
            yield env

    monkeypatch.setattr(teleop_module, "open_environment", opening)
    return made


def type_at_every_look(monkeypatch: pytest.MonkeyPatch, terminal: int, script: Script) -> None:
    """At every look at the screen, `script` is asked, with the environment and the step, what to type.

    A key counts for one step, so that what is driven does not depend on how busy the machine is.
    """
    monkeypatch.setattr("barkyard.teleop.keys.MOTION_HOLD", 0.0)
    made = noting_environment(monkeypatch)

    def show(self: object, status: Any, picture: object) -> None:
        step = -1 if status.phase == "waiting" else round(status.seconds / made["env"].control_dt)
        os.write(terminal, typed(script(made["env"], step)))

    monkeypatch.setattr(teleop_module.StatusLine, "show", show)


def lifter() -> Script:
    """Lifts the cube of every episode."""
    press: list[Callable[[], list[str]]] = []

    def script(env: Any, step: int) -> list[str]:
        if step < 0:
            press.clear()
            return ["enter"]
        if not press:
            press.append(hand(lambda: (env.simulation.robot.tcp_pos_world[0], env.task.grasping.object.pos[0])))
        return press[0]()

    return script


def test_a_person_lifts_the_cube_with_the_keys_of_a_terminal(
    terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d"
    type_at_every_look(monkeypatch, terminal, lifter())
    assert main(["teleop", LIFT, "--out", str(out), "--episodes", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recorded"] == 1 and report["warnings"] == []
    dataset = Dataset.open(out)
    episode = dataset.episode(0)
    assert episode.success and set(episode.acted_by) == {"human:keyboard"}
    assert report["pace"]["rate_hz"] < 20.5  # wall-clock pace; a busy machine may be slower
    assert main(["replay", str(out), "--verify", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--episodes", "0"], "--episodes is 0"),
        (["--view", "nowhere"], "unknown camera 'nowhere'"),
        (["--speed", "2"], "speed is 2.0"),
        (["--dead-zone", "1"], "dead_zone is 1.0"),
        (["--scale", "1", "-1"], "scale is (1.0, -1.0); give six finite numbers"),
        (["--device", "keyboard"], "the keyboard needs a terminal"),
    ],
)
def test_wrong_words_are_said_before_anything_is_written(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "input").open("w+") as standard_input, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", standard_input)
        assert main(["teleop", LIFT, "--out", str(tmp_path / "d"), *words]) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


STEERING = (("down", "up"), ("right", "left"), ("p", "o"))


@pytest.mark.parametrize("course", ["AFrame-v0", pytest.param("AgilityCourse-v0", marks=pytest.mark.slow)])
def test_the_a_frame_is_climbed_with_the_keys_and_scored(
    course: str, terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = np.zeros(3)

    def script(env: Any, step: int) -> list[str]:
        if step < 0:
            return ["enter"]
        wanted = env.task.guide.command()[0]  # a person sees where to go; the script is told
        owed[:] = np.clip(owed + wanted / KEY_SPEED / COMMAND_LIMITS, -2.0, 2.0)
        taps = np.sign(owed) * (np.abs(owed) > 0.5)  # as often as the mean is to be
        owed[:] -= taps
        return [keys[int(tap > 0)] for keys, tap in zip(STEERING, taps, strict=True) if tap]

    type_at_every_look(monkeypatch, terminal, script)
    monkeypatch.setattr(Pace, "wait", lambda self: None)
    out = tmp_path / "d"
    assert main(["teleop", f"barkyard/{course}", "--out", str(out), "--episodes", "1", "--keep-failures"]) == 0
    episode = Dataset.open(out).episode(0)
    print(course, episode.end, f"{episode.length * episode.dt:.1f} s", episode.metrics)
    assert episode.metrics["completed_a_frame"] == 1.0 and episode.metrics["score"] > 0.0
    assert set(episode.acted_by) == {"human:keyboard"}


@pytest.mark.parametrize(("key", "side"), [("o", 1.0), ("p", -1.0)])
def test_a_key_turns_the_cube_in_a_hand(
    key: str, side: float, terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, speed = 5.0, 0.6

    def script(env: Any, step: int) -> list[str]:
        if step < 0:
            return ["enter"]
        return [key] if step < round(seconds / env.control_dt) else ["n"]

    type_at_every_look(monkeypatch, terminal, script)
    out = tmp_path / "d"
    words = ["--env-kwargs", "randomization=none", "--speed", str(speed), "--episodes", "1"]
    assert main(["teleop", "barkyard/HandRotate-v0", "--out", str(out), *words]) == 0
    episode = Dataset.open(out).episode(0)
    full = find_gait("i1234-m1234-r1234-t1234").measured["yaw_rate"]
    assert episode.metrics["dropped"] == 0.0 and side * episode.metrics["yaw_rate"] > 0.5 * speed * full
    assert set(episode.acted_by) == {"human:keyboard"}


# Where the tests run in the background, SIGINT is ignored, and their children inherit that.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from barkyard.cli import main
sys.exit(main())
"""


@contextmanager
def running(out: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """The command in a process of its own, and the person's end of its terminal."""
    person, program = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "teleop", LIFT, "--out", str(out)],
        env=environment, stdin=program, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield child, person
    finally:
        child.kill()
        child.communicate()
        os.close(person)
        os.close(program)


def until_shown(child: subprocess.Popen, words: str) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        if words in line:
            return
    raise AssertionError(f"{words!r} was not shown")


def keep_one(child: subprocess.Popen, person: int) -> None:
    """Start, drive a little, end and keep."""
    os.write(person, b"\r")
    until_shown(child, "[running]")
    os.write(person, b"\x1b[An")
    until_shown(child, "[waiting]")


@pytest.mark.slow
def test_a_kill_in_the_third_episode_costs_the_third_alone(tmp_path: Path) -> None:
    out = tmp_path / "d"
    with running(out) as (child, person):
        until_shown(child, "[waiting]")
        keep_one(child, person)
        keep_one(child, person)
        os.write(person, b"\r")
        until_shown(child, "[running]")
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert Dataset.open(out).num_episodes == 2
    with running(out) as (child, person):
        until_shown(child, "[waiting] 2/50")
        keep_one(child, person)
        os.write(person, b"u")
        until_shown(child, "is removed")
        keep_one(child, person)
        child.send_signal(signal.SIGINT)
        until_shown(child, "keeps 3 finished episodes; the same command goes on from there")
    dataset = Dataset.open(out)
    assert dataset.num_episodes == 3 and len(set(dataset.seeds.tolist())) == 3
