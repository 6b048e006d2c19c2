"""The way over an agility course: a path of poses.

The path knows the true course (privileged). Through the poles the robot keeps its heading across the line of
each pair, because it is longer than the last gaps are wide: it walks forward and backward through them and crabs
between, as the published robot did at the last poles.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from barkyard.agility.layout import Course
from barkyard.envs.simulation import Array
from barkyard.rotation import wrap_angle

WALK, WEAVE, SLOPE, READY, JUMP, LAND = range(6)
"""What is done at a point of the path."""
SPACING = 0.05
"""Between points of the path [m]."""
BESIDE_POLES = 0.40
"""How far the base goes beyond the line of two poles before it crabs [m]."""
CRAB_SPEED, CROSS_SPEED = 1.1, 0.9
"""Between the gaps and through them [m/s]."""
RUN_UP = 2.0
"""From where the robot stands still before the jump to the middle of the board [m]."""
SETTLE, BRAKE = 0.2, 0.1
"""Walked straight towards the board before standing still, and what that takes [m]."""
LANDED = 0.75
"""The jump is over when the base is this far behind the middle of the board [m]."""
RUN_OUT = 1.0
"""Behind the middle of the board, 5 cm beyond its last gate, the way to the next obstacle begins [m]."""


class Pose(NamedTuple):
    """A point of the way, and how it is reached.

    Attributes:
        x: place [m].
        y: place [m].
        heading: there [rad].
        speed: towards it [m/s].
        lookahead: how far to look ahead [m].
        precise: whether to wait, nearly, until heading and place are right.
        skill: one of WALK, WEAVE, SLOPE, READY, JUMP, LAND.
    """

    x: float
    y: float
    heading: float
    speed: float = 0.9
    lookahead: float = 0.2
    precise: bool = False
    skill: int = WALK


@dataclass(frozen=True)
class Path:
    """A way as arrays over its points.

    Attributes:
        xy: `(K, 2)` [m].
        heading: `(K,)` unwrapped [rad].
        speed: `(K,)` [m/s].
        lookahead: `(K,)` in points.
        precise: `(K,)` as of `Pose`.
        skill: `(K,)` one of WALK, WEAVE, SLOPE, READY, JUMP, LAND.
    """

    xy: Array
    heading: Array
    speed: Array
    lookahead: NDArray[np.intp]
    precise: NDArray[np.bool_]
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
    return interpolate([*poses, last._replace(x=last.x + 0.01)])


def interpolate(poses: Sequence[Pose]) -> Path:
    """A path through poses: straight between places, headings turning the short way."""
    xy, heading, speed, lookahead, precise, skill = [], [], [], [], [], []
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
        precise += [b.precise] * count
        skill += [b.skill] * count
        turned = target
    return Path(
        np.array(xy), np.array(heading), np.array(speed), np.array(lookahead, np.intp), np.array(precise),
        np.array(skill, np.intp),
    )  # fmt: skip


def _pose(at: Array, heading: float, speed: float = 0.9, **how: Any) -> Pose:
    return Pose(float(at[0]), float(at[1]), heading, speed, **how)


def _weave(course: Course) -> list[Pose]:
    """Across the line of each pair of poles, facing to one side all the time, and round the last pole."""
    poles = np.array(course.weave_poles.centres)
    along = np.array([np.cos(course.weave_poles.heading), np.sin(course.weave_poles.heading)])
    side = course.weave_poles.side
    away = side * np.array([-along[1], along[0]])
    facing = float(np.arctan2(-away[1], -away[0]))
    ways = [_pose((poles[0] - 0.45 * along + 0.54 * away), course.weave_poles.heading, 0.9, skill=WEAVE)]
    ways.append(_pose((poles[0] + 0.1 * along + 0.54 * away), facing + side * 0.25, 0.7, skill=WEAVE))
    for i in range(len(poles) - 1):
        line = poles[i + 1] - poles[i]
        line = line / np.linalg.norm(line)
        across = side * np.array([line[1], -line[0]])
        middle, heading = (poles[i] + poles[i + 1]) / 2, float(np.arctan2(across[1], across[0]))
        way = 1.0 if i % 2 == 0 else -1.0
        before, behind = middle - way * BESIDE_POLES * across, middle + way * BESIDE_POLES * across
        ways.append(_pose(before, heading, CRAB_SPEED, lookahead=0.1, precise=True, skill=WEAVE))
        ways.append(_pose(behind, heading, CROSS_SPEED, lookahead=0.15, precise=True, skill=WEAVE))
    last = poles[-1]
    ways.append(_pose((last + 0.36 * along + 0.40 * away), facing, 0.7, lookahead=0.15, skill=WEAVE))
    ways.append(_pose((last + 0.38 * along - 0.15 * away), facing - side * 0.1, 0.8, lookahead=0.15, skill=WEAVE))
    return ways


def _climb(course: Course) -> list[Pose]:
    """Straight over the A-frame."""
    frame = course.a_frame
    direction = np.array([np.cos(frame.heading), np.sin(frame.heading)])
    centre = np.array(frame.centre)
    before, after = centre - (frame.half_base + 0.45) * direction, centre + (frame.half_base + 0.55) * direction
    return [
        _pose(before, frame.heading, 0.9, skill=WEAVE),
        _pose(after, frame.heading, 0.8, lookahead=0.3, skill=SLOPE),
    ]


def _leap(course: Course) -> list[Pose]:
    """Run up, jump, land."""
    board = course.broad_jump
    direction = np.array([np.cos(board.heading), np.sin(board.heading)])
    centre = np.array(board.centre)
    return [
        _pose((centre - (RUN_UP + BRAKE + SETTLE) * direction), board.heading, 1.0, lookahead=0.15),
        _pose((centre - (RUN_UP + BRAKE) * direction), board.heading, 0.8, lookahead=0.15),
        _pose((centre + LANDED * direction), board.heading, 1.5, lookahead=0.3, skill=JUMP),
        _pose((centre + RUN_OUT * direction), board.heading, 0.6, lookahead=0.1, skill=LAND),
    ]


def _halt(course: Course) -> list[Pose]:
    """Up to the middle of the end table."""
    table = course.end_table
    direction = np.array([np.cos(table.heading), np.sin(table.heading)])
    centre = np.array(table.centre)
    return [
        _pose((centre - 0.75 * direction), table.heading, 0.8, skill=LAND),
        _pose(centre, table.heading, 1.0, skill=LAND),
    ]
