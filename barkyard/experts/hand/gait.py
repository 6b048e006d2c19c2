"""Finger gaits: joint targets that follow one harmonic of the task's clock, found by search for each hand.

An expert looks at the clock and the joint targets alone, so it can label any state that a learner comes into.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots.leap_hand.variant import HandVariant
from barkyard.control.joint_step import LONGEST_STEP
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.dexterity.hand_rotate import CYCLE, HandRotate
from barkyard.episode import Observations
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

SCHEMA = 1
GAITS_FILE, RIGHT_FILE = (Path(__file__).with_name(name) for name in ("gaits.json", "gaits_right.json"))
"""Gaits that turn the cube to the left, as the task wants it, and to the right."""
HARMONIC = 3
"""Numbers of a joint: its offset from the home pose, and the amplitudes of sine and cosine [rad]."""


@dataclass(frozen=True)
class Gait:
    """A gait of one hand.

    Attributes:
        joints: their names.
        numbers: `(J, 3)` offset from the home pose, sine and cosine amplitude [rad].
    """

    joints: tuple[str, ...]
    numbers: Array

    def targets(self, sine: Array, cosine: Array) -> Array:
        """`(N, J)` targets, as offsets from the home pose [rad], at sine and cosine (N,) of the phase."""
        return self.numbers[:, 0] + np.outer(sine, self.numbers[:, 1]) + np.outer(cosine, self.numbers[:, 2])

    def for_joints(self, joints: Sequence[str]) -> "Gait":
        """The gait for another hand: joints of one name move as they do here, others rest at home."""
        numbers = np.zeros((len(joints), HARMONIC))
        for row, joint in enumerate(joints):
            if joint in self.joints:
                numbers[row] = self.numbers[self.joints.index(joint)]
        return Gait(tuple(joints), numbers)

    def to_json(self) -> dict[str, list[float]]:
        """Numbers by joint, to a tenth of a milliradian."""
        return {joint: [round(float(x), 4) for x in row] for joint, row in zip(self.joints, self.numbers, strict=True)}

    @classmethod
    def from_json(cls, values: Mapping[str, Sequence[float]]) -> "Gait":
        """Inverse of `to_json`."""
        return cls(tuple(values), np.array([list(row) for row in values.values()], dtype=np.float64))


class GaitActor:
    """Steers joint targets along gaits; see `barkyard.episode.Actor`.

    Args:
        gaits: one for each environment, or one for all.
        home: `(J,)` home pose [rad].
        control_dt: control period [s]. Targets are those of its end.
    """

    name = "expert"

    def __init__(self, gaits: Gait | Sequence[Gait], home: Sequence[float], control_dt: float) -> None:
        each = [gaits] if isinstance(gaits, Gait) else gaits
        numbers = np.stack([gait.numbers for gait in each])
        self._offset, self._sine, self._cosine = np.moveaxis(numbers, 2, 0)
        self._home = np.asarray(home)
        angle = 2 * np.pi * control_dt / CYCLE
        self._ahead = np.cos(angle), np.sin(angle)

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Nothing is remembered."""

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """`(N, J)` actions."""
        (cos, sin), clock = self._ahead, observations["clock"].astype(np.float64)
        sine, cosine = clock[:, 0] * cos + clock[:, 1] * sin, clock[:, 1] * cos - clock[:, 0] * sin
        wanted = self._home + self._offset + sine[:, None] * self._sine + cosine[:, None] * self._cosine
        steps = (wanted - observations["joint_target"]) / LONGEST_STEP
        return np.clip(steps, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class GaitEntry:
    """A gait that ships, and what it was measured to do.

    Attributes:
        hand: name of the hand it was found for.
        gait: itself.
        measured: rates and drops on seeds that the search did not see.
    """

    hand: str
    gait: Gait
    measured: Mapping[str, Any]


def read_gaits(path: Path) -> Mapping[str, GaitEntry]:
    """The gaits in a file, by hand. Raises InvalidInput if there is none, or it is of another version."""
    if not path.exists():
        words = " --right" if path == RIGHT_FILE else ""
        raise InvalidInput(f"no gaits have been found yet: {path} is absent; type: ./scripts/train_hand_experts{words}")
    content = json.loads(path.read_text())
    if content.get("schema") != SCHEMA:
        raise InvalidInput(f"{path}: schema is {content.get('schema')!r}; this version reads {SCHEMA}")
    return {
        hand: GaitEntry(hand, Gait.from_json(entry["gait"]), entry["measured"])
        for hand, entry in content["hands"].items()
    }


@lru_cache
def load_gaits(path: Path = GAITS_FILE) -> Mapping[str, GaitEntry]:
    """As `read_gaits`; a file is read once."""
    return read_gaits(path)


def difference(one: str, other: str) -> float:
    """How unlike two hands are: links that only one has, and the difference in the others' lengths, 30 mm being one."""
    first, second = (
        {(link.finger, link.number): link.longer_mm for link in HandVariant.from_name(name).links}
        for name in (one, other)
    )
    lengths = sum(abs(first[place] - second[place]) for place in first.keys() & second.keys())
    return len(first.keys() ^ second.keys()) + lengths / 30


def nearest(hand: str, among: Sequence[str]) -> str:
    """The hand of `among` that is most like `hand`; the first of several. Raises InvalidInput where there is none."""
    if not among:
        raise InvalidInput("there is no hand with a gait; find some with ./scripts/train_hand_experts")
    return min(among, key=lambda name: difference(hand, name))


def find_gait(hand: str, path: Path = GAITS_FILE) -> GaitEntry:
    """The hand's own gait in a file, or that of the most similar hand there, for the joints of this one."""
    gaits = load_gaits(path)
    entry = gaits[nearest(hand, list(gaits))]
    return replace(entry, gait=entry.gait.for_joints(HandVariant.from_name(hand).joints))


def gait_expert(env: RobotVectorEnv) -> GaitActor:
    """The hand's own gait, or that of the most similar hand that has one."""
    assert isinstance(env.task, HandRotate)
    gait = find_gait(env.task.choices.embodiment).gait
    return GaitActor(gait, env.simulation.robot.robot.home, env.control_dt)
