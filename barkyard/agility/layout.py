"""The Barkour course: where its obstacles stand, and the gates that follow from them.

World frame: z up [m]; the standard course fills x in [0, 5], y in [-5, 0]. Every obstacle has a heading [rad], the
direction in which it is taken, counted from x towards y. Poses, gates, nominal lengths and target speed are those of
the published scene and scoring script (Caluwaerts et al. 2023, arXiv 2305.14654; google/brax
`experimental/barkour/score_barkour.py`; MuJoCo Menagerie `google_barkour_v0/scene_barkour.xml`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from barkyard.agility.kernels import GATE_COUNTS
from barkyard.agility.kernels import OBSTACLES as OBSTACLES
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]
Point = tuple[float, float]

NOMINAL_LENGTHS: Final = (1.0, 6.0, 6.0, 4.0, 1.0)
"""Length of a path over each obstacle with its approach [m]."""
TARGET_SPEED: Final = 1.69
"""Speed [m/s] that sets the allotted time: the American Kennel Club's 8-inch Novice class."""

GATE_OBSTACLES: Final = tuple(obstacle for obstacle, count in enumerate(GATE_COUNTS) for _ in range(count))
"""Index into `OBSTACLES` of each of the 13 gates."""

NUM_POLES: Final = 5
WEAVE_LANE: Final = 0.7
"""From the first pole to the far end of its gate, and likewise from the last [m]; there the published area ends."""

_STANDARD_A_FRAME: Final = (2.57, -2.55, math.radians(-145.0))
_PUBLISHED_A_FRAME_GATES: Final = (
    ((4.35, -2.0), (3.65, -1.1)),
    ((2.92, -3.0), (2.22, -2.1)),
    ((1.5, -4.0), (0.8, -3.1)),
)


@dataclass(frozen=True)
class Table:
    """A box to stand on: `length` along its heading, `width` across, `height` [m]."""

    centre: Point
    heading: float = 0.0
    length: float = 1.0
    width: float = 1.0
    height: float = 0.1

    def __post_init__(self) -> None:
        """Raises InvalidInput where a value cannot be."""
        _check_pose("table", self.centre, self.heading)
        _check_positive("table", length=self.length, width=self.width, height=self.height)


@dataclass(frozen=True)
class WeavePoles:
    """Five poles in the order in which they are passed. Radius and height [m] are choices; no source gives them."""

    centres: tuple[Point, ...]
    radius: float = 0.02
    height: float = 0.5

    def __post_init__(self) -> None:
        """Raises InvalidInput where a value cannot be."""
        if len(self.centres) != NUM_POLES:
            raise InvalidInput(f"weave_poles has {len(self.centres)} centres; give {NUM_POLES}")
        for centre in self.centres:
            _check_pose("weave_poles", centre, 0.0)
        _check_positive("weave_poles", radius=self.radius, height=self.height)
        if math.dist(self.centres[0], self.centres[-1]) == 0.0:
            raise InvalidInput("weave_poles: the first and the last pole stand on one spot, so they have no direction")

    @property
    def heading(self) -> float:
        """Direction from the first pole to the last [rad]."""
        (x0, y0), (x1, y1) = self.centres[0], self.centres[-1]
        return math.atan2(y1 - y0, x1 - x0)

    @property
    def side(self) -> float:
        """+1 where the first pole is passed with the pole on the right hand, -1 on the left; the zig-zag decides."""
        (x0, y0), (x1, y1) = self.centres[0], self.centres[1]
        lateral = math.cos(self.heading) * (y1 - y0) - math.sin(self.heading) * (x1 - x0)
        return 1.0 if lateral >= 0.0 else -1.0


@dataclass(frozen=True)
class AFrame:
    """Two panels leaning on each other; `centre` is below the ridge.

    The rise `angle` is published. `panel_length` [m] is a choice: only the published gates bound it, to a half base of
    1.7 m. So is the centre of the standard course, the middle of the published apex gate.
    """

    centre: Point
    heading: float
    angle: float = math.radians(30.0)
    panel_length: float = 1.5
    width: float = 1.0

    def __post_init__(self) -> None:
        """Raises InvalidInput where a value cannot be."""
        _check_pose("a_frame", self.centre, self.heading)
        _check_positive("a_frame", angle=self.angle, panel_length=self.panel_length, width=self.width)
        if self.angle >= math.pi / 2:
            raise InvalidInput(f"a_frame: angle is {self.angle} rad; it must be below {math.pi / 2:.3f}")

    @property
    def half_base(self) -> float:
        """From the centre to the foot of a panel [m]."""
        return self.panel_length * math.cos(self.angle)

    @property
    def apex_height(self) -> float:
        """Height of the ridge [m]."""
        return self.panel_length * math.sin(self.angle)


@dataclass(frozen=True)
class Board:
    """The board to jump over: `length` along its heading, `width` across, `thickness` [m]."""

    centre: Point
    heading: float = 0.0
    length: float = 0.5
    width: float = 1.0
    thickness: float = 0.001

    def __post_init__(self) -> None:
        """Raises InvalidInput where a value cannot be."""
        _check_pose("broad_jump", self.centre, self.heading)
        _check_positive("broad_jump", length=self.length, width=self.width, thickness=self.thickness)


@dataclass(frozen=True)
class Circle:
    """An outline: a round thing seen from above."""

    centre: Point
    radius: float


class CourseArrays(NamedTuple):
    """N courses as the tracker reads them.

    Attributes:
        gates: (N, 13, 2, 2) left and right end of each gate, seen by who crosses it; x, y [m].
        directions: (N, 13, 2) unit vectors across the gates.
        geometry: (N, GEOMETRY.SIZE).
    """

    gates: Array
    directions: Array
    geometry: Array


@dataclass(frozen=True)
class Course:
    """A course of five obstacles.

    Attributes:
        start_table: where the robot starts.
        weave_poles: the slalom.
        a_frame: up and down.
        broad_jump: the board.
        end_table: where the robot ends and stays.
        order: the names in `OBSTACLES` in the order in which they are to be taken, tables first and last.
    """

    start_table: Table
    weave_poles: WeavePoles
    a_frame: AFrame
    broad_jump: Board
    end_table: Table
    order: tuple[str, ...] = OBSTACLES

    def __post_init__(self) -> None:
        """Raises InvalidInput where the order cannot be."""
        first, last = OBSTACLES[0], OBSTACLES[-1]
        if sorted(self.order) != sorted(OBSTACLES) or (self.order[0], self.order[-1]) != (first, last):
            raise InvalidInput(
                f"order is {', '.join(self.order)}; give each of {', '.join(OBSTACLES)} once, with {first} first "
                f"and {last} last"
            )

    @classmethod
    def standard(cls) -> Self:
        """The published course."""
        x, y, heading = _STANDARD_A_FRAME
        return cls(
            start_table=Table((0.5, -0.5)),
            weave_poles=WeavePoles(((1.7, -0.7), (2.5, -0.5), (3.2, -0.7), (3.8, -0.5), (4.3, -0.7))),
            a_frame=AFrame((x, y), heading),
            broad_jump=Board((2.75, -4.5)),
            end_table=Table((4.5, -4.5)),
        )

    @cached_property
    def gates(self) -> Array:
        """(13, 2, 2) left and right end of each gate [m], obstacle by obstacle in the order of `OBSTACLES`.

        The gates of poles, board and end table follow from their poses and sizes. Those of the start table and the
        A-frame stand apart from it and move with it as the published ones stand in the standard course.
        """
        board, end = self.broad_jump, self.end_table
        blocks = [
            _placed(self.start_table.centre, self.start_table.heading, [[[0.9, 0.5], [0.9, -0.2]]]),
            _weave_gates(self.weave_poles),
            _placed(self.a_frame.centre, self.a_frame.heading, _A_FRAME_GATES),
            _placed(board.centre, board.heading, [_across(-1.05, board.width), _across(0.95, board.width)]),
            _placed(end.centre, end.heading, [_across(-0.4, end.width)]),
        ]
        return _read_only(np.concatenate(blocks))

    @cached_property
    def directions(self) -> Array:
        """(13, 2) unit vectors across the gates; the motion of a right crossing has a positive component along them."""
        along = self.gates[:, 1] - self.gates[:, 0]
        across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
        return _read_only(across / np.linalg.norm(across, axis=-1, keepdims=True))

    @cached_property
    def geometry(self) -> Array:
        """(GEOMETRY.SIZE,) what else the tracker must know, in the order of `GeometryLayout`."""
        board, end = self.broad_jump, self.end_table
        values = [
            *(OBSTACLES.index(name) for name in self.order),
            self.a_frame.apex_height,
            *(*board.centre, math.cos(board.heading), math.sin(board.heading), board.length / 2, board.width / 2),
            *(*end.centre, math.cos(end.heading), math.sin(end.heading), end.length / 2, end.width / 2),
        ]
        return _read_only(np.array(values, dtype=np.float64))

    def arrays(self) -> CourseArrays:
        """This course for one run, with a leading axis of 1."""
        return stack([self])

    def varied(self, difficulty: float, generator: np.random.Generator) -> Self:
        """A course that differs a little. All ranges are choices, uniform, and shrink with the difficulty.

        Poles move by 0.05 m in x and y; tables, board and A-frame by 0.15 m in x and y and 5 degrees; the A-frame's
        rise changes by -5 to +3 degrees (25 to 33 from 30); the board's length by -0.1 to +0.05 m (0.4 to 0.55).

        Args:
            difficulty: 0 changes nothing, 1 uses the full ranges.
            generator: draws the same number of values at every difficulty.

        Raises:
            InvalidInput: the difficulty is outside [0, 1].
        """
        if not 0.0 <= difficulty <= 1.0:
            raise InvalidInput(f"difficulty is {difficulty}; give a number from 0 to 1")

        def draw(low: float, high: float) -> float:
            return difficulty * float(generator.uniform(low, high))

        def shift(point: Point, limit: float) -> Point:
            return (point[0] + draw(-limit, limit), point[1] + draw(-limit, limit))

        def turn(heading: float) -> float:
            return heading + draw(-math.radians(5.0), math.radians(5.0))

        start, poles, frame, board, end = (getattr(self, name) for name in OBSTACLES)
        angle = frame.angle + draw(-math.radians(5.0), math.radians(3.0))
        length = board.length + draw(-0.1, 0.05)
        return replace(
            self,
            start_table=replace(start, centre=shift(start.centre, 0.15), heading=turn(start.heading)),
            weave_poles=replace(poles, centres=tuple(shift(centre, 0.05) for centre in poles.centres)),
            a_frame=replace(frame, centre=shift(frame.centre, 0.15), heading=turn(frame.heading), angle=angle),
            broad_jump=replace(board, centre=shift(board.centre, 0.15), heading=turn(board.heading), length=length),
            end_table=replace(end, centre=shift(end.centre, 0.15), heading=turn(end.heading)),
        )

    def moved(self, offset: Point, angle: float) -> Self:
        """The course turned by `angle` [rad] about the world's origin, then shifted by `offset` [m].

        Args:
            offset: for a log in another frame, such as a motion capture system's, where that frame puts the origin.
            angle: the heading of the course's x axis in that frame.
        """

        def move(point: Point) -> Point:
            x, y = _placed(offset, angle, point).tolist()
            return (x, y)

        turned = {
            name: replace(obstacle, centre=move(obstacle.centre), heading=obstacle.heading + angle)
            for name in OBSTACLES
            if not isinstance(obstacle := getattr(self, name), WeavePoles)
        }
        poles = replace(self.weave_poles, centres=tuple(map(move, self.weave_poles.centres)))
        return replace(self, weave_poles=poles, **turned)

    def outlines(self) -> dict[str, Array | Circle]:
        """What a top view shows: corners (4, 2) of tables, A-frame and board in world x, y [m], and a circle a pole."""
        start, frame, board, end = self.start_table, self.a_frame, self.broad_jump, self.end_table
        shapes: dict[str, Array | Circle] = {
            "start_table": _rectangle(start.centre, start.heading, start.length, start.width),
            "a_frame": _rectangle(frame.centre, frame.heading, 2 * frame.half_base, frame.width),
            "broad_jump": _rectangle(board.centre, board.heading, board.length, board.width),
            "end_table": _rectangle(end.centre, end.heading, end.length, end.width),
        }
        poles = self.weave_poles
        return shapes | {f"pole_{i + 1}": Circle(centre, poles.radius) for i, centre in enumerate(poles.centres)}


def stack(courses: Sequence[Course]) -> CourseArrays:
    """Arrays of N courses, one a run."""
    return CourseArrays(
        np.stack([course.gates for course in courses]),
        np.stack([course.directions for course in courses]),
        np.stack([course.geometry for course in courses]),
    )


def _weave_gates(poles: WeavePoles) -> Array:
    """(6, 2, 2): beside the first pole, between each pair, and beyond the last pole; crossed from side to side."""
    side = poles.side
    centres = np.array(poles.centres)
    forward = np.array([math.cos(poles.heading), math.sin(poles.heading)])
    left = np.array([-forward[1], forward[0]])
    gates = [(centres[0] + side * WEAVE_LANE * left, centres[0])]
    for i in range(NUM_POLES - 1):
        near, far = centres[i], centres[i + 1]
        gates.append((far, near) if i % 2 == 0 else (near, far))
    gates.append((centres[-1] + WEAVE_LANE * forward, centres[-1]))
    # The pairs above are left and right end for poles first passed on their left side; mirrored ones swap.
    return np.array(gates)[:, :: int(side)]


def _across(offset: float, width: float) -> list[list[float]]:
    """Left and right end of a gate across the obstacle's heading, `offset` beyond its centre."""
    return [[offset, width / 2], [offset, -width / 2]]


def _rectangle(centre: Point, heading: float, length: float, width: float) -> Array:
    """Corners (4, 2) in the world's frame, in turn."""
    return _placed(centre, heading, _across(-length / 2, width) + _across(length / 2, width)[::-1])


def _placed(origin: Point, heading: float, points: object) -> Array:
    """Points (..., 2) of an obstacle's frame in the world's."""
    cos, sin = math.cos(heading), math.sin(heading)
    local = np.asarray(points, dtype=np.float64)
    return local @ np.array([[cos, sin], [-sin, cos]]) + np.array(origin)


def _unplaced(origin: Point, heading: float, points: object) -> Array:
    """Points (..., 2) of the world's frame in an obstacle's."""
    return _placed((0.0, 0.0), -heading, np.asarray(points, dtype=np.float64) - np.array(origin))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _check_pose(what: str, centre: Point, heading: float) -> None:
    if len(centre) != 2 or not all(map(math.isfinite, (*centre, heading))):
        raise InvalidInput(f"{what}: centre is {centre}, heading {heading}; give finite numbers, x and y [m] and [rad]")


def _check_positive(what: str, **sizes: float) -> None:
    for name, size in sizes.items():
        if not (math.isfinite(size) and size > 0.0):
            raise InvalidInput(f"{what}: {name} is {size}; it must be positive and finite")


_A_FRAME_GATES: Final = _unplaced(_STANDARD_A_FRAME[:2], _STANDARD_A_FRAME[2], _PUBLISHED_A_FRAME_GATES)
"""(3, 2, 2) in the A-frame's own frame."""
