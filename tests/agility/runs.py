"""Runs over the course, made by hand."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from barkyard.agility import Course, Trajectory
from barkyard.agility.kernels import APEX_GATE

Array = NDArray[np.float64]

STANDING = 0.3
SPACING = 0.03
RATE = 50.0
STAY = 5.1

PUBLISHED_GATES = np.array(
    [
        [(1.4, 0), (1.4, -0.7)],
        [(1.7, 0), (1.7, -0.7)],
        [(2.5, -0.5), (1.7, -0.7)],
        [(2.5, -0.5), (3.2, -0.7)],
        [(3.8, -0.5), (3.2, -0.7)],
        [(3.8, -0.5), (4.3, -0.7)],
        [(5, -0.7), (4.3, -0.7)],
        [(4.35, -2.0), (3.65, -1.1)],
        [(2.92, -3.0), (2.22, -2.1)],
        [(1.5, -4.0), (0.8, -3.1)],
        [(1.7, -4), (1.7, -5)],
        [(3.7, -4), (3.7, -5)],
        [(4.1, -4), (4.1, -5)],
    ]
)


def waypoints(course: Course) -> Array:
    """(13, 3) the middle of every gate; at the apex as high as a robot on the ridge."""
    height = np.full((13, 1), STANDING)
    height[APEX_GATE] += course.a_frame.apex_height
    return np.hstack([course.gates.mean(axis=1), height])


def sampled(points: Array | Sequence[Array | Sequence[float]]) -> Array:
    """Positions (T, 3) at most SPACING apart along the straight lines between points (K, 3), the points among them."""
    corners = np.asarray(points, dtype=np.float64)
    pieces = [corners[:1]]
    for start, end in itertools.pairwise(corners):
        count = max(math.ceil(float(np.linalg.norm(end - start)) / SPACING), 1)
        pieces.append(start + (end - start) * np.linspace(0.0, 1.0, count + 1)[1:, None])
    return np.concatenate(pieces)


def run_over(
    course: Course,
    middle: Array | Sequence[Sequence[float]] | None = None,
    seconds: float = 10.0,
    stay: float = STAY,
    feet: bool = False,
) -> Trajectory:
    """A run that crosses the start gate 1 s after its first sample and reaches the end table `seconds` later.

    Args:
        course: where.
        middle: (K, 3) points between the start gate and the end table; by default the middles of the gates between.
        seconds: run time.
        stay: how long it stays on the end table.
        feet: whether a foot is on the ground all the time; otherwise none is while the base is over the board.
    """
    points = waypoints(course)
    middle = points[1:12] if middle is None else np.asarray(middle, dtype=np.float64)
    end = course.end_table
    along = np.array([math.cos(end.heading), math.sin(end.heading), 0.0])
    goal = np.array([*end.centre, STANDING])
    start = np.array([*course.start_table.centre, STANDING])
    before_gate = points[0] - SPACING * np.array([*course.directions[0], 0.0])
    edge = goal - (end.length / 2) * along
    leave = sampled([start, before_gate])
    way = sampled([points[0], *middle, edge - 0.01 * along])
    arrive = sampled([edge + 0.01 * along, goal])
    arrive = np.concatenate([arrive, np.repeat(arrive[-1:], max(math.ceil(stay * RATE) - len(arrive), 0) + 1, axis=0)])
    times = [
        np.linspace(0.0, 1.0, len(leave), endpoint=False),
        1.0 + np.linspace(0.0, seconds, len(way), endpoint=False),
        1.0 + seconds + np.arange(len(arrive)) / RATE,
    ]
    positions = np.concatenate([leave, way, arrive])
    none = np.zeros(len(positions), dtype=np.bool_)
    grounded = np.full((len(positions), 4), True)
    if not feet:
        grounded[over_board(course, positions)] = False
    return Trajectory(
        np.concatenate(times), positions, foot_contact=grounded, board_contact=none, pole_contact=none.copy()
    )


def over_board(course: Course, positions: Array) -> NDArray[np.bool_]:
    """(T,) whether a position is over the board's length."""
    board = course.broad_jump
    along = np.array([math.cos(board.heading), math.sin(board.heading)])
    over: NDArray[np.bool_] = np.abs((positions[:, :2] - np.array(board.centre)) @ along) <= board.length / 2
    return over


def loopholes(course: Course) -> dict[str, tuple[Trajectory, str]]:
    """Runs over the standard course that cheat, and the obstacle that each must lose."""
    way = waypoints(course)[1:12]
    low = way.copy()
    low[:, 2] = STANDING
    z = STANDING
    beside = [*way[:10], [1.75, -3.9, z], [3.65, -3.9, z], way[10]]
    jump_first = [*way[:6], [4.7, -3.6, z], [1.4, -3.6, z], [1.4, -4.5, z], *way[9:11], [3.8, -3.8, z], *way[6:9]]
    backwards = [*way[:10], [3.5, -4.5, z], [3.5, -3.8, z], [3.85, -3.8, z], [3.85, -4.5, z], [3.5, -4.5, z]]
    backwards += [[3.5, -3.8, z], [3.85, -3.8, z], [3.85, -4.5, z]]
    poled = run_over(course)
    poled.pole_contact[len(poled.time) // 3] = True  # type: ignore[index]
    return {
        "round the board": (run_over(course, beside), "broad_jump"),
        "wrong order": (run_over(course, jump_first), "a_frame"),
        "gate backwards": (run_over(course, backwards), "broad_jump"),
        "round the A-frame's height": (run_over(course, low), "a_frame"),
        "over the board on foot": (run_over(course, feet=True), "broad_jump"),
        "a pole touched": (poled, "weave_poles"),
    }
