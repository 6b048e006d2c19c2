"""What ten corrected episodes do for a weak policy that lifts a cube.

Ten demonstrations make a weak policy. It acts, and where it has not lifted the cube in time a person takes over: a
script, recorded as `human:script`, whose twists take the way of any device through the session, in real time. Episodes
that need no person are left out. The policy then learns on, from demonstrations and corrections, and for comparison for
as long from the demonstrations alone. All three run the same held-out episodes. What is there is not made again.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from barkyard.cli.collect import Recording
from barkyard.cli.main import main as barkyard
from barkyard.cli.opening import make_actor, open_environment
from barkyard.episode import Episode
from barkyard.evaluation import EvalResult, text_table
from barkyard.experts.driving import make_operator
from barkyard.teleop import Command, Device, Session
from barkyard.teleop.command import START

ENV: Final = "barkyard/Lift-v0"
DEMONSTRATIONS, CORRECTIONS, EPISODES = 10, 10, 100
DEMONSTRATION_SEED, CORRECTION_SEED = 1000, 2000
PATIENCE_S: Final = 3.0
"""The person waits this long for the policy; demonstrations take about 2 s."""
WEAK = ("--policy", "mip-unet", "--steps", "600", "--batch-size", "64", "--override", "network.widths=[32,64]")
ON = ("--steps", "300", "--batch-size", "64", "--override", "training.learning_rate=5e-4", "training.warmup_steps=20")
GAIN, FASTEST = 4.0, 0.25
"""Speed asked for at a distance [1/s], and at most [m/s]."""

Point = NDArray[np.float64]


class ScriptedPerson(Device):
    """Starts every episode, waits, and then opens, goes above the cube, down, closes and lifts. Final.

    Args:
        look: gives tool point and cube in the world, each `(3,)` [m].
        steps: gives the steps of the episode so far.
        control_dt: seconds a step.
    """

    name = "script"

    def __init__(self, look: Callable[[], tuple[Point, Point]], steps: Callable[[], int], control_dt: float) -> None:
        self._look, self._steps, self._dt = look, steps, control_dt
        self._stage, self._closing, self._begun = "above", 0, False

    def open(self) -> None:
        """Nothing is to be opened."""

    def close(self) -> None:
        """Nothing is to be closed."""

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        self._stage, self._closing, self._begun = "above", 0, False

    def set_gripper(self, gripper: float) -> None:
        """See `Device`; the script knows what it wants."""

    def read(self, now: float) -> Command:
        """See `Device`."""
        if not self._begun:
            self._begun = True
            return Command(events=(START,))
        if self._steps() * self._dt < PATIENCE_S:
            return Command()
        if self._stage == "close":
            self._closing += 1
            self._stage = "close" if self._closing * self._dt < 0.4 else "lift"
            return Command(gripper=1.0, changed=True, since=now)
        if self._stage == "lift":
            return Command((0.0, 0.0, FASTEST, 0.0, 0.0, 0.0), gripper=1.0, since=now)
        tcp, cube = self._look()
        off = cube - tcp
        aside = float(np.hypot(off[0], off[1]))
        if self._stage == "above":
            off[2] += 0.08
            self._stage = "down" if aside < 0.008 else "above"
        elif abs(off[2]) < 0.008 and aside < 0.008:
            self._stage = "close"
        velocity = GAIN * off
        velocity *= min(1.0, FASTEST / max(float(np.linalg.norm(velocity)), 1e-9))
        ahead = (-velocity[0], -velocity[1], velocity[2])  # the camera looks along the world's -x
        return Command((*map(float, ahead), 0.0, 0.0, 0.0), gripper=0.0, since=now)

    def usage(self) -> str:
        """See `Device`."""
        return "a script"


class Corrected:
    """Keeps the episodes in which the person acted; see `barkyard.teleop.session.Recorder`. Final."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @property
    def kept(self) -> int:
        """Episodes that are there."""
        return self._recording.kept

    def take(self, episode: Episode, *, always: bool = False) -> bool:
        """Leave out what the policy did alone, and go on with the next seed."""
        if f"human:{ScriptedPerson.name}" not in episode.acted_by:
            return True
        return self._recording.take(episode, always=always)

    def undo(self) -> str:
        """The script never asks for it."""
        return self._recording.undo()


class Nothing:
    """A screen that nobody looks at. Final."""

    def show(self, status: Any, picture: Any) -> None:
        """See `barkyard.teleop.session.Screen`."""


def run(words: Sequence[object]) -> None:
    """Type a command. Raises SystemExit where it fails."""
    code = barkyard([*map(str, words), "--quiet"])
    if code:
        raise SystemExit(f"barkyard {' '.join(map(str, words))} ended with {code}")


def correct(policy: Path, out: Path) -> None:
    """Record the corrected episodes."""
    with closing(Recording(out, ENV, False)) as recording, open_environment(ENV, 1, {}) as env:
        if recording.kept >= CORRECTIONS:
            return
        env.reset(seed=0)
        operator = make_operator(env)
        tool, task = env.simulation.robot, env.task
        session: Session

        def look() -> tuple[Point, Point]:
            return tool.tcp_pos_world[0].copy(), task.grasping.object.pos[0].copy()  # type: ignore[attr-defined]

        person = ScriptedPerson(look, lambda: session.steps, env.control_dt)
        session = Session(
            env, person, operator, Corrected(recording), Nothing(), policy=make_actor(str(policy), env)[0]
        )
        session.run(recording.next_seed(CORRECTION_SEED), CORRECTIONS)
        pace = session.pace.report()
    sys.stdout.write(f"corrected at {pace['rate_hz']:.1f} Hz, {pace['late']:.1%} of the periods late\n")


def evaluated(out: Path, name: str) -> EvalResult:
    """How the policy does on the held-out episodes."""
    file = out / f"{name}.json"
    if not file.exists():
        run(["evaluate", ENV, "--actor", out / name, "--episodes", EPISODES, "--num-envs", 10, "--out", file])
    return EvalResult.load(file)


def trained(out: Path, name: str, *words: object) -> None:
    """Train unless it is done."""
    if not (out / name / "last").exists():
        run(["train", *words, "--out", out / name])


def main() -> int:
    """Everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=Path("runs/interventions"))
    out = parser.parse_args().out
    demonstrations, corrections = out / "demonstrations", out / "corrections"
    words = ["--episodes", DEMONSTRATIONS, "--seed", DEMONSTRATION_SEED, "--num-envs", 5]
    run(["collect", ENV, "--out", demonstrations, *words])
    trained(out, "weak", demonstrations, *WEAK)
    correct(out / "weak", corrections)
    trained(out, "corrected", demonstrations, corrections, "--init", out / "weak", *ON)
    trained(out, "longer", demonstrations, "--init", out / "weak", *ON)
    sys.stdout.write(text_table([evaluated(out, name) for name in ("weak", "longer", "corrected")]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
