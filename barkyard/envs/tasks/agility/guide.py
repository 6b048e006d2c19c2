"""Velocity commands that lead over an agility course, as a navigation layer gives them to a walking robot.

The published robot had such a layer above its specialists and its generalist (Barkour, arXiv 2305.14654, section V).
"""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.agility.way import JUMP, READY, Path
from barkyard.envs.tasks.locomotion.quadruped import Quadruped
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS
from barkyard.rotation import wrap_angle

HOMING_GAIN, PRECISE_GAIN = 3.0, 9.0
"""Velocity towards a path, and towards a precise one, for a distance from it [1/s]."""
HEADING_GAIN = 5.0
"""Yaw rate for a heading error [1/s]."""
ALIGNED, BESIDE, CREEP = 0.2, 0.045, 0.45
"""Heading error [rad] and distance beside a precise path [m] at which a third of the speed is left, and the part of it
that is left at least."""
STILL = 0.4
"""Stood still before a jump [s]."""
MEMORY = 2
"""Numbers kept for each robot: the point of the path that it has reached, and how long it has stood still [s]."""
_SEARCH = 8
"""Points ahead in which the nearest is looked for."""


class _Ways:
    """N paths side by side: the arrays of `Path` with a leading axis, beyond a path's end at infinity."""

    def __init__(self, count: int) -> None:
        self.xy = np.full((count, _SEARCH, 2), np.inf)
        self.heading, self.speed = np.zeros((2, count, _SEARCH))
        self.lookahead, self.skill = np.zeros((2, count, _SEARCH), dtype=np.intp)
        self.precise = np.zeros((count, _SEARCH), dtype=bool)

    def write(self, i: int, path: Path) -> None:
        """Set path `i`."""
        length, room = len(path.xy), self.xy.shape[1]
        for field in fields(Path):
            array = getattr(self, field.name)
            if length + _SEARCH > room:
                rest = ((0, 0), (0, length + _SEARCH - room), (0, 0))[: array.ndim]
                array = np.pad(array, rest, constant_values=np.inf if field.name == "xy" else 0)
                setattr(self, field.name, array)
            array[i, :length] = getattr(path, field.name)
        self.xy[i, length:] = np.inf


class Guide:
    """Where each of N robots is on its path, and what velocity it is to have. Final.

    Args:
        quadruped: the robots.
        memory: `(N, MEMORY)` live; all that changes from step to step.
    """

    def __init__(self, quadruped: Quadruped, memory: Array) -> None:
        self._robot, self._memory = quadruped, memory
        self._ways = _Ways(len(memory))
        self._last = np.zeros(len(memory), dtype=np.intp)
        self._rows = np.arange(len(memory))

    def lead(self, ids: Ids, paths: Sequence[Path]) -> None:
        """Robots `ids` are to follow these paths."""
        self._last[ids] = [len(path.xy) - 1 for path in paths]
        for i, path in zip(ids, paths, strict=True):
            self._ways.write(int(i), path)

    def begin(self, ids: Ids) -> None:
        """Robots `ids` are at the beginning of their paths."""
        self._memory[ids] = 0.0

    def advance(self) -> None:
        """A control period has passed."""
        at = self._at()
        near = self._ways.xy[self._rows[:, None], at[:, None] + np.arange(_SEARCH)]
        xy = self._robot.base_pos[:, :2]
        at = np.minimum(at + np.argmin(((near - xy[:, None]) ** 2).sum(axis=2), axis=1), self._last)
        self._memory[:, 0] = at
        waits = (self._ways.skill[self._rows, at] == JUMP) & (self._memory[:, 1] < STILL)
        self._memory[:, 1] += waits * self._robot.simulation.control_dt

    def arrived(self) -> NDArray[np.bool_]:
        """`(N,)` who is at the end of the path."""
        return self._at() == self._last

    def skill(self) -> NDArray[np.intp]:
        """`(N,)` what is to be done, one of the skills of `agility.way`; before a jump, for `STILL`, READY."""
        skill = self._ways.skill[self._rows, self._at()]
        return np.where((skill == JUMP) & (self._memory[:, 1] < STILL), READY, skill)

    def command(self) -> Array:
        """`(N, 3)` in the heading frame [m/s, m/s, rad/s]: along the path, and back to it."""
        way, rows, at = self._ways, self._rows, self._at()
        ahead = np.minimum(at + way.lookahead[rows, at], self._last)
        heading = self._robot.heading()
        turn = wrap_angle(way.heading[rows, ahead] - heading)
        world = self._velocity(at, ahead, turn)
        cos, sin = np.cos(heading), np.sin(heading)
        x, y = cos * world[:, 0] + sin * world[:, 1], cos * world[:, 1] - sin * world[:, 0]
        command = np.clip(np.stack([x, y, HEADING_GAIN * turn], axis=1), -np.array(COMMAND_LIMITS), COMMAND_LIMITS)
        waits = (way.skill[rows, at] == JUMP) & (self._memory[:, 1] < STILL)
        return np.where(waits[:, None], 0.0, command)

    def _at(self) -> NDArray[np.intp]:
        return self._memory[:, 0].astype(np.intp)

    def _velocity(self, at: NDArray[np.intp], ahead: NDArray[np.intp], turn: Array) -> Array:
        """`(N, 2)` wanted velocity in the world frame [m/s]."""
        way, rows = self._ways, self._rows
        here = way.xy[rows, at]
        tangent = way.xy[rows, ahead] - here
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
        beside = here - self._robot.base_pos[:, :2]
        across = beside - tangent * (beside * tangent).sum(axis=1, keepdims=True)
        away = (turn / ALIGNED) ** 2 + (across**2).sum(axis=1) / BESIDE**2
        precise = way.precise[rows, at]
        left = np.linalg.norm(way.xy[rows, self._last] - self._robot.base_pos[:, :2], axis=1)
        speed = way.speed[rows, at] * np.where(precise, np.maximum(CREEP, np.exp(-away)), 1.0)
        speed *= np.minimum(1.0, left / 0.3 + 0.1)
        gain = np.where(precise, PRECISE_GAIN, HOMING_GAIN)
        return np.asarray(speed[:, None] * tangent + gain[:, None] * across)
