"""The way over the course: through every gate, clear of the poles, and commands that follow it."""

import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from barkyard.agility import FAULTS, OBSTACLES, Course, completed, faults, follow, gate_times, new_state, stack, tracker
from barkyard.envs.tasks.agility.guide import MEMORY, STILL, Guide
from barkyard.envs.tasks.agility.way import (
    JUMP,
    LAND,
    READY,
    RUN_UP,
    SLOPE,
    SPACING,
    WALK,
    WEAVE,
    Path,
    Pose,
    interpolate,
    plan,
)
from barkyard.envs.tasks.locomotion.quadruped import Quadruped
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS

HALF_LENGTH, HALF_WIDTH = 0.30, 0.215
"""Of the robot seen from above, feet included [m]."""


def _course(difficulty: float = 0.0, seed: int = 0) -> Course:
    return Course.standard().varied(difficulty, np.random.default_rng(seed))


def _way(course: Course) -> Path:
    start = course.start_table
    return plan(course, (*start.centre, start.heading), OBSTACLES)


def _judge(course: Course, xy: np.ndarray, dt: float, first: str = OBSTACLES[0]) -> np.ndarray:
    """The tracker's state after a strict run along points, high up, in flight, then six seconds at the last."""
    points = np.concatenate([xy, np.repeat(xy[-1:], 7, axis=0)])
    times = np.concatenate([dt * np.arange(len(xy)), dt * len(xy) + np.arange(7)])
    positions = np.column_stack([points, np.ones(len(points))])[:, None]
    state, never = new_state(1), np.zeros((len(points), 1), dtype=bool)
    tracker.begin(state, slice(None), "strict", first)
    follow(state, *stack([course]), positions, times[:, None], never, never, ~never)
    return state


def _to_poles(course: Course, xy: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """(K, 5) distance of the robot's outline from the poles' axes [m]."""
    offset = np.array(course.weave_poles.centres)[None] - xy[:, None]
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    ahead, left = cos * offset[..., 0] + sin * offset[..., 1], cos * offset[..., 1] - sin * offset[..., 0]
    return np.hypot(np.maximum(np.abs(ahead) - HALF_LENGTH, 0.0), np.maximum(np.abs(left) - HALF_WIDTH, 0.0))


def _gates_in_order(state: np.ndarray) -> None:
    times = gate_times(state)[0]
    assert (times >= 0.0).all() and (np.diff(times) >= 0.0).all()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("difficulty", [0.0, 0.3])
def test_the_way_passes_every_gate_in_order_and_direction(difficulty: float, seed: int) -> None:
    course = _course(difficulty, seed)
    state = _judge(course, _way(course).xy, 0.05)
    _gates_in_order(state)
    assert completed(state).all() and not faults(state).any()


@pytest.mark.xfail(reason="at full difficulty the way misses a gate on two of forty courses", strict=True)
def test_the_way_is_without_a_fault_on_every_varied_course() -> None:
    found = {}
    for seed in range(40):
        course = _course(1.0, seed)
        state = _judge(course, _way(course).xy, 0.05)
        found[seed] = [name for name, fault in zip(FAULTS, faults(state)[0], strict=True) if fault]
    assert {seed: names for seed, names in found.items() if names} == {}


def test_the_way_is_as_clear_of_the_poles_as_their_gaps_allow() -> None:
    """The last gap is 0.539 m between axes; straight through its middle leaves 54 mm to either, 34 mm to the poles."""
    course, way = _course(), _way(_course())
    distance = _to_poles(course, way.xy, way.heading)
    gap = math.dist(course.weave_poles.centres[-2], course.weave_poles.centres[-1])
    assert distance.min() == pytest.approx(gap / 2 - HALF_WIDTH, abs=1e-6)
    assert distance.min() - course.weave_poles.radius > 0.034


@pytest.mark.parametrize("seed", range(10))
def test_the_way_keeps_four_centimetres_from_varied_poles(seed: int) -> None:
    course = _course(0.25, seed)
    way = _way(course)
    assert _to_poles(course, way.xy, way.heading).min() > 0.04


@pytest.mark.xfail(reason="the turn round the last pole is planned from that pole alone", strict=True)
def test_the_way_is_clear_of_every_varied_pole() -> None:
    """At full difficulty the outline keeps 3 cm from the axes wherever half of the gap does."""
    found = {}
    for seed in range(20):
        course = _course(1.0, seed)
        way, centres = _way(course), np.array(course.weave_poles.centres)
        gaps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
        possible = min(0.03, gaps.min() / 2 - HALF_WIDTH)
        found[seed] = _to_poles(course, way.xy, way.heading).min() > possible - 1e-6
    assert all(found.values()), found


@pytest.mark.parametrize("name", ["weave_poles", "a_frame", "broad_jump", "end_table"])
def test_a_way_over_one_obstacle_passes_its_gates(name: str) -> None:
    course = _course()
    starts = {"weave_poles": (0.9, -0.25, 0.0), "a_frame": (4.4, -1.3, -2.5), "broad_jump": (0.8, -4.5, 0.0)}
    way = plan(course, starts.get(name, (3.0, -4.5, 0.0)), (name,))
    state = _judge(course, way.xy, 0.05, first=name)
    assert completed(state)[0, OBSTACLES.index(name)]


def test_what_is_done_where() -> None:
    way, board = _way(_course()), _course().broad_jump
    ahead = way.xy[way.skill == JUMP, 0] - board.centre[0]
    assert -RUN_UP - 0.1 <= ahead.min() < -RUN_UP and 0.7 < ahead.max() <= 0.75 + 1e-9
    assert (np.abs(way.xy[way.skill == JUMP, 1] - board.centre[1]) < 1e-9).all()
    assert way.skill[-1] == LAND
    for gate, skill in {**dict.fromkeys(range(1, 7), WEAVE), 8: SLOPE, 10: JUMP}.items():
        middle = _course().gates[gate].mean(axis=0)
        nearest = np.linalg.norm(way.xy - middle, axis=1).argmin()
        assert way.skill[nearest] == skill, f"at gate {gate}"
    assert np.abs(np.diff(way.heading)).max() < 0.5, "headings do not jump"
    assert np.linalg.norm(np.diff(way.xy, axis=0), axis=1).max() < 1.5 * SPACING


def test_headings_turn_the_short_way() -> None:
    path = interpolate([Pose(0, 0, 3.0), Pose(1, 0, -3.0), Pose(2, 0, 3.0)])
    assert path.heading.max() == pytest.approx(2 * math.pi - 3.0) and path.heading.min() > 3.0 - 1e-9
    assert path.heading[-1] == pytest.approx(3.0) and len(path.xy) == 40


class Robots:
    """As much of `Quadruped` as a guide looks at."""

    def __init__(self, xy: np.ndarray, heading: np.ndarray) -> None:
        self.base_pos, self._heading = np.column_stack([xy, np.zeros(len(xy))]), heading.astype(float)
        self.simulation = SimpleNamespace(control_dt=0.02)

    def heading(self) -> np.ndarray:
        return self._heading

    def obey(self, command: np.ndarray) -> None:
        cos, sin = np.cos(self._heading), np.sin(self._heading)
        forward, left, turn = command.T
        self.base_pos[:, :2] += 0.02 * np.stack([cos * forward - sin * left, sin * forward + cos * left], axis=1)
        self._heading += 0.02 * turn


def _guided(robots: Robots, path: Path) -> Guide:
    count = len(robots.base_pos)
    guide = Guide(cast(Quadruped, robots), np.ones((count, MEMORY)))
    guide.lead(np.arange(count), [path] * count)
    guide.begin(np.arange(count))
    return guide


def test_commands_lead_along_the_way() -> None:
    """To the left of a line along x, and turned: back to it, forward, and round, in the robot's own frame."""
    robots = Robots(np.array([[1.0, 0.1], [1.0, 0.0], [5.0, 0.2]]), np.array([0.0, -math.pi / 2, 0.0]))
    guide = _guided(robots, interpolate([Pose(0, 0, 0.0), Pose(5, 0, 0.0, 0.8)]))
    for _ in range(40):
        guide.advance()
    command = guide.command()
    np.testing.assert_allclose(command[0], [0.8, -0.3, 0.0], atol=1e-9)
    np.testing.assert_allclose(command[1], [0.0, 0.8, COMMAND_LIMITS[2]], atol=1e-9)
    np.testing.assert_allclose(command[2], [0.0, -0.6, 0.0], atol=1e-9)
    assert guide.arrived().tolist() == [False, False, True] and (guide.skill() == WALK).all()


def test_paths_of_different_lengths_stand_side_by_side() -> None:
    robots = Robots(np.zeros((2, 2)), np.zeros(2))
    guide = _guided(robots, interpolate([Pose(0, 0, 0.0), Pose(0.3, 0, 0.0, 0.5)]))
    guide.lead(np.array([1]), [interpolate([Pose(0, 0, 0.0), Pose(0, 9, 0.0, 0.7)])])
    for _ in range(800):
        robots.obey(guide.command())
        guide.advance()
    assert guide.arrived().all()
    np.testing.assert_allclose(robots.base_pos[:, :2], [[0.3, 0.0], [0.0, 9.0]], atol=0.02)


def test_a_robot_stands_still_before_it_jumps() -> None:
    robots = Robots(np.array([[0.0, 0.0]]), np.zeros(1))
    guide = _guided(robots, interpolate([Pose(0, 0, 0.0), Pose(1, 0, 0.0), Pose(3, 0, 0.0, 1.5, skill=JUMP)]))
    seen = []
    for _ in range(200):
        seen.append((int(guide.skill()[0]), float(guide.command()[0, 0])))
        robots.obey(guide.command())
        guide.advance()
    skills = [skill for skill, _ in seen]
    assert list(dict.fromkeys(skills)) == [WALK, READY, JUMP]
    assert abs(skills.count(READY) - STILL / 0.02) < 1.5
    assert all(speed == 0.0 for skill, speed in seen if skill == READY)
    assert max(speed for skill, speed in seen if skill == JUMP) == pytest.approx(1.5)


@pytest.mark.parametrize(("difficulty", "seed"), [(0.0, 0), (0.25, 3)])
def test_a_robot_that_obeys_completes_the_course(difficulty: float, seed: int) -> None:
    """Commands followed exactly, at 50 Hz: every gate, no pole, within the limits, in less than 40 s."""
    course = _course(difficulty, seed)
    robots = Robots(np.array([course.start_table.centre]), np.array([course.start_table.heading]))
    guide = _guided(robots, _way(course))
    places, headings = [robots.base_pos[:, :2].copy()], [robots.heading().copy()]
    for _ in range(2000):
        command = guide.command()
        assert (np.abs(command) <= COMMAND_LIMITS).all()
        robots.obey(command)
        guide.advance()
        places.append(robots.base_pos[:, :2].copy())
        headings.append(robots.heading().copy())
        if guide.arrived()[0]:
            break
    state = _judge(course, np.concatenate(places), 0.02)
    _gates_in_order(state)
    assert completed(state).all() and not faults(state).any()
    distance = _to_poles(course, np.concatenate(places), np.concatenate(headings))
    assert distance.min() > course.weave_poles.radius, "the outline clears the poles"
