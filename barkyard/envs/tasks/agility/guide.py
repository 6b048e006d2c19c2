"""Velocity commands that lead over an agility course, as a navigation layer gives them to a walking robot.

The published robot had such a layer above its specialists and its generalist (Barkour, arXiv 2305.14654).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.agility.way import JUMP, READY, Path
from barkyard.envs.tasks.locomotion.quadruped import Quadruped
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS

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
"""The nearest point is looked for in so many."""
_HIGHEST = np.array(COMMAND_LIMITS)
_LOWEST = -_HIGHEST


class PointLayout(NamedTuple):
    """Columns of a point of a path."""

    X: int = 0
    Y: int = 1
    HEADING: int = 2
    SPEED: int = 3
    LOOKAHEAD: int = 4
    PRECISE: int = 5
    SKILL: int = 6


POINT: Final = PointLayout()


class Guide:
    """Where each of N robots is on its path, and what velocity it is to have. Final.

    Args:
        quadruped: the robots.
        memory: `(N, MEMORY)` live; all that changes from step to step.
    """

    def __init__(self, quadruped: Quadruped, memory: Array) -> None:
        self._robot, self._memory = quadruped, memory
        self._points = np.zeros((len(memory), 1, len(POINT)))
        self._last = np.zeros(len(memory), dtype=np.intp)

    def lead(self, ids: Ids, paths: Sequence[Path]) -> None:
        """Robots `ids` are to follow these paths."""
        self._last[ids] = [len(path.xy) - 1 for path in paths]
        lacking = int(self._last.max()) + 1 - self._points.shape[1]
        if lacking > 0:
            self._points = np.pad(self._points, ((0, 0), (0, lacking), (0, 0)))
        for i, path in zip(ids, paths, strict=True):
            columns = [path.xy, path.heading, path.speed, path.lookahead, path.precise, path.skill]
            self._points[i, : len(path.xy)] = np.column_stack(columns)

    def begin(self, ids: Ids) -> None:
        """Robots `ids` are at the beginning of their paths."""
        self._memory[ids] = 0.0

    def advance(self) -> None:
        """A control period has passed."""
        _advance(self._memory, self._robot.base_pos, self._points, self._last, self._robot.simulation.control_dt)

    def arrived(self) -> NDArray[np.bool_]:
        """`(N,)` who is at the end of the path."""
        return np.asarray(self._memory[:, 0] == self._last)

    def skill(self) -> NDArray[np.intp]:
        """`(N,)` what is to be done, one of the skills of `agility.way`; before a jump, for `STILL`, READY."""
        at = self._memory[:, 0].astype(np.intp)
        skill = self._points[np.arange(len(at)), at, POINT.SKILL].astype(np.intp)
        return np.where((skill == JUMP) & (self._memory[:, 1] < STILL), READY, skill)

    def command(self) -> Array:
        """`(N, 3)` in the heading frame [m/s, m/s, rad/s]: along the path, and back to it; before a jump, zero."""
        command = _command(self._memory, self._robot.base_pos, self._robot.heading(), self._points, self._last)
        return np.clip(command, _LOWEST, _HIGHEST)


@njit(cache=True, error_model="numpy")
def _advance(memory: Array, base: Array, points: Array, last: NDArray[np.intp], dt: float) -> None:
    for n in range(len(memory)):
        at, nearest = int(memory[n, 0]), np.inf
        for k in range(int(memory[n, 0]), min(int(memory[n, 0]) + _SEARCH, last[n] + 1)):
            distance = (points[n, k, POINT.X] - base[n, 0]) ** 2 + (points[n, k, POINT.Y] - base[n, 1]) ** 2
            if distance < nearest:
                at, nearest = k, distance
        memory[n, 0] = at
        if points[n, at, POINT.SKILL] == JUMP and memory[n, 1] < STILL:
            memory[n, 1] += dt


@njit(cache=True, error_model="numpy")
def _command(memory: Array, base: Array, heading: Array, points: Array, last: NDArray[np.intp]) -> Array:
    out = np.zeros((len(memory), 3))
    for n in range(len(memory)):
        at = int(memory[n, 0])
        here = points[n, at]
        if here[POINT.SKILL] == JUMP and memory[n, 1] < STILL:
            continue
        ahead, end = points[n, min(at + int(here[POINT.LOOKAHEAD]), last[n])], points[n, last[n]]
        turn = (ahead[POINT.HEADING] - heading[n] + math.pi) % (2 * math.pi) - math.pi
        along_x, along_y = ahead[POINT.X] - here[POINT.X], ahead[POINT.Y] - here[POINT.Y]
        length = max(math.hypot(along_x, along_y), 1e-6)
        along_x, along_y = along_x / length, along_y / length
        back_x, back_y = here[POINT.X] - base[n, 0], here[POINT.Y] - base[n, 1]
        behind = back_x * along_x + back_y * along_y
        back_x, back_y = back_x - behind * along_x, back_y - behind * along_y
        left = math.hypot(end[POINT.X] - base[n, 0], end[POINT.Y] - base[n, 1])
        speed, gain = here[POINT.SPEED] * min(1.0, left / 0.3 + 0.1), HOMING_GAIN
        if here[POINT.PRECISE]:
            away = (turn / ALIGNED) ** 2 + (back_x**2 + back_y**2) / BESIDE**2
            speed, gain = speed * max(CREEP, math.exp(-away)), PRECISE_GAIN
        x, y = speed * along_x + gain * back_x, speed * along_y + gain * back_y
        cos, sin = math.cos(heading[n]), math.sin(heading[n])
        out[n, 0], out[n, 1], out[n, 2] = cos * x + sin * y, cos * y - sin * x, HEADING_GAIN * turn
    return out
