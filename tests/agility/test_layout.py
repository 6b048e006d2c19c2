"""Gates follow the obstacles."""

import math
from dataclasses import replace

import numpy as np
import pytest

from barkyard.agility import GATE_OBSTACLES, OBSTACLES, AFrame, Board, Circle, Course, Table, WeavePoles, stack
from barkyard.agility.kernels import GEOMETRY
from barkyard.errors import InvalidInput
from tests.agility.runs import PUBLISHED_GATES

COURSE = Course.standard()


def turned(points: np.ndarray, angle: float, offset: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved: np.ndarray = points @ turn.T + np.array(offset)
    return moved


def test_the_standard_gates_are_the_published_ones() -> None:
    np.testing.assert_allclose(COURSE.gates, PUBLISHED_GATES, atol=1e-12)


def test_directions_lead_from_table_to_table() -> None:
    assert np.linalg.norm(COURSE.directions, axis=1) == pytest.approx(np.ones(13))
    along = COURSE.gates[:, 0] - COURSE.gates[:, 1]
    assert (along * COURSE.directions).sum(axis=1) == pytest.approx(np.zeros(13))
    way = np.vstack([[0.5, -0.5], COURSE.gates.mean(axis=1), [4.5, -4.5]])
    arriving, leaving = (COURSE.directions * np.diff(way, axis=0)[k : k + 13] for k in (0, 1))
    assert (arriving.sum(axis=1) > 0).all() and (leaving.sum(axis=1)[[0, 1, 7, 8, 10, 11, 12]] > 0).all()


def test_the_weave_goes_from_side_to_side() -> None:
    assert np.sign(COURSE.directions[1:7, 1]).tolist() == [0, -1, 1, -1, 1, -1]
    np.testing.assert_allclose(COURSE.directions[[1, 6]], [[1, 0], [0, -1]], atol=1e-12)


def test_a_mirrored_weave_has_mirrored_gates() -> None:
    mirrored = WeavePoles(tuple((x, -y) for x, y in COURSE.weave_poles.centres))
    course = replace(COURSE, weave_poles=mirrored)
    mirror = np.array([1.0, -1.0])
    np.testing.assert_allclose(course.gates[1:7], (COURSE.gates[1:7] * mirror)[:, ::-1], atol=1e-12)
    np.testing.assert_allclose(course.directions[1:7], COURSE.directions[1:7] * mirror, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi, -2.0])
def test_a_moved_course_has_moved_gates(angle: float) -> None:
    offset = (3.0, -1.5)
    moved = COURSE.moved(offset, angle)
    np.testing.assert_allclose(moved.gates, turned(COURSE.gates, angle, offset), atol=1e-12)
    np.testing.assert_allclose(moved.directions, turned(COURSE.directions, angle), atol=1e-12)
    for name, shape in COURSE.outlines().items():
        there = moved.outlines()[name]
        if isinstance(shape, Circle):
            assert isinstance(there, Circle) and there.radius == shape.radius
            np.testing.assert_allclose(there.centre, turned(np.array(shape.centre), angle, offset), atol=1e-12)
        else:
            assert not isinstance(there, Circle)
            np.testing.assert_allclose(there, turned(shape, angle, offset), atol=1e-12)


@pytest.mark.parametrize("name", [name for name in OBSTACLES if name != "weave_poles"])
def test_gates_move_with_their_obstacle_alone(name: str) -> None:
    obstacle = getattr(COURSE, name)
    x, y = obstacle.centre
    course = replace(COURSE, **{name: replace(obstacle, centre=(x + 0.3, y - 0.2))})
    moved = np.array(GATE_OBSTACLES) == OBSTACLES.index(name)
    np.testing.assert_allclose(
        (course.gates - COURSE.gates)[moved], np.full((moved.sum(), 2, 2), [0.3, -0.2]), atol=1e-12
    )
    assert np.array_equal(course.gates[~moved], COURSE.gates[~moved])
    spun = replace(COURSE, **{name: replace(obstacle, heading=obstacle.heading + math.pi)})
    np.testing.assert_allclose(spun.directions[moved], -COURSE.directions[moved], atol=1e-12)


def test_gates_between_poles_end_at_the_poles() -> None:
    centres = ((0.0, 0.0), (0.9, 0.3), (1.6, -0.1), (2.3, 0.2), (3.0, 0.1))
    gates = replace(COURSE, weave_poles=WeavePoles(centres)).gates[1:7]
    for i in range(4):
        assert {tuple(gates[i + 1, 0]), tuple(gates[i + 1, 1])} == {centres[i], centres[i + 1]}
    assert tuple(gates[0, 1]) == centres[0] and tuple(gates[5, 1]) == centres[4]


def test_a_wider_table_and_board_have_wider_gates() -> None:
    course = replace(COURSE, broad_jump=replace(COURSE.broad_jump, width=0.8), end_table=Table((4.5, -4.5), width=1.2))
    widths = np.linalg.norm(course.gates[:, 0] - course.gates[:, 1], axis=1)
    assert widths[10:] == pytest.approx([0.8, 0.8, 1.2])


def test_geometry() -> None:
    values = COURSE.arrays().geometry[0]
    assert values[GEOMETRY.APEX_HEIGHT] == pytest.approx(0.75)  # 1.5 m at 30 degrees
    assert values[GEOMETRY.BOARD_FRAME : GEOMETRY.END_FRAME].tolist() == [2.75, -4.5, 1.0, 0.0, 0.25, 0.5]
    assert values[GEOMETRY.END_FRAME :].tolist() == [4.5, -4.5, 1.0, 0.0, 0.5, 0.5]
    order = ("start_table", "a_frame", "weave_poles", "broad_jump", "end_table")
    assert replace(COURSE, order=order).geometry[:5].tolist() == [0, 2, 1, 3, 4]


def test_arrays_of_several_courses() -> None:
    other = COURSE.moved((1.0, 1.0), 0.5)
    gates, directions, geometry = stack([COURSE, other])
    assert (gates.shape, directions.shape, geometry.shape) == ((2, 13, 2, 2), (2, 13, 2), (2, GEOMETRY.SIZE))
    assert np.array_equal(gates[1], other.gates) and np.array_equal(geometry[0], COURSE.geometry)
    with pytest.raises(ValueError, match="read-only"):
        COURSE.gates[0] = 0.0


def test_outlines_have_the_obstacles_areas() -> None:
    areas = {}
    for name, shape in COURSE.outlines().items():
        if isinstance(shape, Circle):
            areas[name] = math.pi * shape.radius**2
        else:
            x, y = shape.T
            areas[name] = 0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1)))
    poles = {f"pole_{i}": math.pi * 0.02**2 for i in range(1, 6)}
    expected = {"start_table": 1.0, "a_frame": 3.0 * math.cos(math.radians(30)), "broad_jump": 0.5, "end_table": 1.0}
    assert areas == pytest.approx(expected | poles)


def test_variation_stays_within_its_ranges_and_reaches_far_into_them() -> None:
    courses = [COURSE.varied(1.0, np.random.default_rng(seed)) for seed in range(200)]
    angles = np.degrees([course.a_frame.angle for course in courses])
    lengths = np.array([course.broad_jump.length for course in courses])
    poles = np.array([course.weave_poles.centres for course in courses]) - np.array(COURSE.weave_poles.centres)
    turns = np.degrees([course.a_frame.heading - COURSE.a_frame.heading for course in courses])
    for values, low, high in ((angles, 25, 33), (lengths, 0.4, 0.55), (poles, -0.05, 0.05), (turns, -5, 5)):
        assert values.min() >= low - 1e-9 and values.max() <= high + 1e-9
        assert values.max() - values.min() > 0.9 * (high - low)
    for name in ("start_table", "a_frame", "broad_jump", "end_table"):
        shifts = np.array([getattr(course, name).centre for course in courses]) - np.array(getattr(COURSE, name).centre)
        assert 0.13 < np.abs(shifts).max() <= 0.15


def test_variation_scales_with_difficulty_and_repeats() -> None:
    easy, half, hard = (COURSE.varied(d, np.random.default_rng(1)) for d in (0.0, 0.5, 1.0))
    assert easy == COURSE
    for name in ("a_frame", "broad_jump"):
        shift = np.array(getattr(hard, name).centre) - np.array(getattr(COURSE, name).centre)
        np.testing.assert_allclose(getattr(half, name).centre, np.array(getattr(COURSE, name).centre) + shift / 2)
    assert hard == COURSE.varied(1.0, np.random.default_rng(1)) != COURSE.varied(1.0, np.random.default_rng(2))
    drawn = [np.random.default_rng(3) for _ in range(2)]
    COURSE.varied(0.0, drawn[0]), COURSE.varied(1.0, drawn[1])
    assert drawn[0].random() == drawn[1].random()


@pytest.mark.parametrize("difficulty", [-0.1, 1.1, math.nan])
def test_a_difficulty_outside_is_refused(difficulty: float) -> None:
    with pytest.raises(InvalidInput, match=f"difficulty is {difficulty}.*0 to 1"):
        COURSE.varied(difficulty, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table((0.0, math.nan)), "table: centre"),
        (lambda: Table((0.0, 0.0), math.inf), "table: centre"),
        (lambda: Table((0.0, 0.0), height=0.0), "table: height is 0.0"),
        (lambda: Board((0.0, 0.0), length=-1.0), "broad_jump: length is -1.0"),
        (lambda: AFrame((0.0, 0.0), 0.0, angle=1.6), "a_frame: angle is 1.6"),
        (lambda: AFrame((0.0, 0.0), 0.0, width=math.nan), "a_frame: width is nan"),
        (lambda: WeavePoles(((0.0, 0.0),) * 4), "weave_poles has 4 centres; give 5"),
        (lambda: WeavePoles(((0.0, 0.0),) * 5), "one spot"),
        (lambda: replace(COURSE, order=OBSTACLES[::-1]), "start_table first and end_table last"),
        (lambda: replace(COURSE, order=OBSTACLES[:4]), "each of start_table"),
    ],
)
def test_what_cannot_be_is_refused(make: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()  # type: ignore[operator]
