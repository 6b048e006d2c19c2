"""The way over an agility course: a path of poses, and velocity commands that follow it.

The path knows the true course and robot (privileged). Through the poles the robot keeps its heading across the line of
each pair, because it is longer than the last gaps are wide: it walks forward and backward through them and crabs
between, as the published robot did at the last poles.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS
from barkyard.rotation import wrap_angle

WALK, SLOPE, JUMP, STAY = 0, 1, 2, 3
"""What is done at a point of the path."""
SPACING = 0.05
"""Between points of the path [m]."""
HOMING_GAIN = 3.0
"""Velocity towards the path for a distance from it [1/s]."""
HEADING_GAIN = 5.0
"""Yaw rate for a heading error [1/s]."""
PRECISE = 0.15
"""Where the way looks ahead no farther than this [m], it is followed slowly until the heading is right."""
ALIGNED, BESIDE, CREEP = 0.12, 0.03, 0.15
"""Heading error [rad] and distance beside the path [m] at which a third of the speed is left there, and the least."""
BESIDE_POLES = 0.46
"""How far the base goes beyond the line of two poles before it crabs [m]."""
SETTLE = 0.35
"""Walked straight towards the board before the jump starts [m]."""
RUN_UP = 1.95
"""From the jump's start to the middle of the board [m]."""
LANDED = 0.75
"""The jump is over when the base is this far behind the middle of the board [m]."""
RUN_OUT = 1.0
"""Behind the middle of the board, 5 cm beyond its last gate, the way to the next obstacle begins [m]."""
_SEARCH = 8
"""Points ahead in which the nearest is looked for."""


class Pose(NamedTuple):
    """A point of the way: place [m], heading [rad], the speed towards it [m/s], how far to look ahead [m], and what."""

    x: float
    y: float
    heading: float
    speed: float = 0.9
    lookahead: float = 0.2
    skill: int = WALK


@dataclass(frozen=True)
class Path:
    """A way as arrays over its points.

    Attributes:
        xy: `(K, 2)` [m].
        heading: `(K,)` unwrapped [rad].
        speed: `(K,)` [m/s].
        lookahead: `(K,)` in points.
        skill: `(K,)` one of WALK, SLOPE, JUMP, STAY.
    """

    xy: Array
    heading: Array
    speed: Array
    lookahead: NDArray[np.intp]
    skill: NDArray[np.intp]


def plan(course: Course, start: tuple[float, float, float], obstacles: Sequence[str]) -> Path:
    """The way from `start`, x, y [m] and heading [rad], over `obstacles` in the course's order."""
    ways = {"weave_poles": _weave, "a_frame": _climb, "broad_jump": _leap, "end_table": _halt}
    poses = [Pose(*start)]
    taken = [name for name in course.order if name in obstacles and name in ways]
    for i, name in enumerate(taken):
        from_the_board = name == "end_table" and i > 0 and taken[i - 1] == "broad_jump"
        poses += ways[name](course)[from_the_board:]
    last = poses[-1]
    return interpolate([*poses, last._replace(x=last.x + 0.01, skill=STAY)])


def interpolate(poses: Sequence[Pose]) -> Path:
    """A path through poses: straight between places, headings turning the short way."""
    xy, heading, speed, lookahead, skill = [], [], [], [], []
    turned = poses[0].heading
    for a, b in itertools.pairwise(poses):
        count = max(1, round(float(np.hypot(b.x - a.x, b.y - a.y)) / SPACING))
        target = turned + float(wrap_angle(np.array(b.heading - turned)))
        for i in range(1, count + 1):
            part = i / count
            xy.append((a.x + part * (b.x - a.x), a.y + part * (b.y - a.y)))
            heading.append(turned + part * (target - turned))
        speed += [b.speed] * count
        lookahead += [max(1, round(b.lookahead / SPACING))] * count
        skill += [b.skill] * count
        turned = target
    return Path(
        np.array(xy), np.array(heading), np.array(speed), np.array(lookahead, np.intp), np.array(skill, np.intp)
    )


def _pose(at: Array, heading: float, speed: float = 0.9, lookahead: float = 0.2, skill: int = WALK) -> Pose:
    return Pose(float(at[0]), float(at[1]), heading, speed, lookahead, skill)


def _weave(course: Course) -> list[Pose]:
    """Across the line of each pair of poles, facing to one side all the time, and round the last pole."""
    poles = np.array(course.weave_poles.centres)
    along = np.array([np.cos(course.weave_poles.heading), np.sin(course.weave_poles.heading)])
    side = course.weave_poles.side
    away = side * np.array([-along[1], along[0]])
    facing = float(np.arctan2(-away[1], -away[0]))
    ways = [_pose((poles[0] - 0.45 * along + 0.48 * away), facing + side * 0.9, 0.9)]
    ways.append(_pose((poles[0] + 0.1 * along + 0.48 * away), facing + side * 0.25, 0.7))
    for i in range(len(poles) - 1):
        line = poles[i + 1] - poles[i]
        line = line / np.linalg.norm(line)
        across = side * np.array([line[1], -line[0]])
        middle, heading = (poles[i] + poles[i + 1]) / 2, float(np.arctan2(across[1], across[0]))
        way = 1.0 if i % 2 == 0 else -1.0
        ways.append(_pose((middle - way * BESIDE_POLES * across), heading, 0.8, 0.12))
        ways.append(_pose((middle + way * BESIDE_POLES * across), heading, 0.8, 0.15))
    last = poles[-1]
    ways.append(_pose((last + 0.36 * along + 0.40 * away), facing, 0.7, 0.15))
    ways.append(_pose((last + 0.38 * along - 0.15 * away), facing - side * 0.1, 0.8, 0.15))
    return ways


def _climb(course: Course) -> list[Pose]:
    """Straight over the A-frame."""
    frame = course.a_frame
    direction = np.array([np.cos(frame.heading), np.sin(frame.heading)])
    centre = np.array(frame.centre)
    before, after = centre - (frame.half_base + 0.45) * direction, centre + (frame.half_base + 0.55) * direction
    return [_pose(before, frame.heading, 0.9), _pose(after, frame.heading, 1.2, 0.3, SLOPE)]


def _leap(course: Course) -> list[Pose]:
    """Run up, jump, land."""
    board = course.broad_jump
    direction = np.array([np.cos(board.heading), np.sin(board.heading)])
    centre = np.array(board.centre)
    return [
        _pose((centre - (RUN_UP + SETTLE) * direction), board.heading, 0.9, PRECISE),
        _pose((centre - RUN_UP * direction), board.heading, 0.7, PRECISE),
        _pose((centre + LANDED * direction), board.heading, 1.5, 0.3, JUMP),
        _pose((centre + RUN_OUT * direction), board.heading, 0.7),
    ]


def _halt(course: Course) -> list[Pose]:
    """Up to the middle of the end table."""
    table = course.end_table
    direction = np.array([np.cos(table.heading), np.sin(table.heading)])
    centre = np.array(table.centre)
    return [_pose((centre - 0.75 * direction), table.heading, 0.7), _pose(centre, table.heading, 0.7)]


class Navigator:
    """Where each of N robots is on its path, and what velocity it is to have. Final."""

    def __init__(self, count: int) -> None:
        self._at = np.zeros(count, dtype=np.intp)
        self._paths: list[Path | None] = [None] * count

    def begin(self, i: int, path: Path) -> None:
        """Robot `i` starts on a path."""
        self._at[i], self._paths[i] = 0, path

    def follow(self, xy: Array, heading: Array) -> tuple[Array, NDArray[np.intp]]:
        """Advance along the paths.

        Args:
            xy: `(N, 2)` where the robots are [m].
            heading: `(N,)` [rad].

        Returns:
            Commands `(N, 3)` in the heading frame [m/s, m/s, rad/s] and what is to be done `(N,)`.
        """
        command, skill = np.zeros((len(xy), 3)), np.full(len(xy), STAY, dtype=np.intp)
        for i, path in enumerate(self._paths):
            if path is None:
                continue
            near = path.xy[self._at[i] : self._at[i] + _SEARCH]
            self._at[i] += int(np.argmin(((near - xy[i]) ** 2).sum(axis=1)))
            at = int(self._at[i])
            ahead = min(at + int(path.lookahead[at]), len(path.xy) - 1)
            skill[i] = path.skill[at]
            error = float(wrap_angle(path.heading[ahead] - heading[i]))
            world = self._velocity(path, at, ahead, xy[i], error)
            cos, sin = np.cos(heading[i]), np.sin(heading[i])
            command[i] = cos * world[0] + sin * world[1], cos * world[1] - sin * world[0], HEADING_GAIN * error
        return np.clip(command, -np.array(COMMAND_LIMITS), COMMAND_LIMITS), skill

    def _velocity(self, path: Path, at: int, ahead: int, xy: Array, error: float) -> Array:
        """`(2,)` wanted velocity in the world frame [m/s]: along the path, and back to it."""
        if ahead == at:
            return HOMING_GAIN * (path.xy[at] - xy)
        tangent = path.xy[ahead] - path.xy[at]
        tangent = tangent / max(float(np.hypot(*tangent)), 1e-6)
        speed, gain = float(path.speed[at]), HOMING_GAIN
        beside = path.xy[at] - xy
        across = beside - tangent * float(beside @ tangent)
        if path.lookahead[at] * SPACING <= PRECISE:
            away = (error / ALIGNED) ** 2 + float(across @ across) / BESIDE**2
            speed, gain = speed * max(CREEP, float(np.exp(-away))), 2.0 * gain
        speed *= min(1.0, float(np.hypot(*(path.xy[-1] - xy))) / 0.3 + 0.1)
        return np.asarray(speed * tangent + gain * across)
