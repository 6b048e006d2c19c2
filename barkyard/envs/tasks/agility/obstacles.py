"""What agility tasks share: a course in every simulation, the robot on it, and the tracker that judges the run."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.agility import tracker
from barkyard.agility.kernels import GEOMETRY
from barkyard.agility.layout import OBSTACLES, Course
from barkyard.agility.score import RULES, scores
from barkyard.agility.tracker import FAULTS, MODES
from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes.ground import add_walker, open_ground
from barkyard.control.controller import Watch
from barkyard.envs.draws import draw_keys, uniform
from barkyard.envs.memory import Layout
from barkyard.envs.randomization import Randomization, Randomizer, torque_limited
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Options, Part, Task
from barkyard.envs.tasks.agility import guide, scenery
from barkyard.envs.tasks.agility.view import GATES_SEEN, VIEW, course_view
from barkyard.envs.tasks.agility.way import plan
from barkyard.envs.tasks.locomotion.history import WIDTH, History
from barkyard.envs.tasks.locomotion.quadruped import Quadruped, scan_part
from barkyard.envs.tasks.locomotion.velocity import WalkingOptions, command_part
from barkyard.errors import InvalidInput

REACH = 10.0
"""Positions of gates and board are observed within this distance [m]."""
_START = 5
_COURSE = 7


@dataclass(frozen=True)
class AgilityOptions(WalkingOptions):
    """Choices of agility tasks.

    Attributes:
        mode: how a run is judged, `strict` or `published`; see `agility.tracker`.
        rule: how it is scored, `script` or `paper`; see `agility.score`.
        difficulty: how much the obstacles' places and sizes vary, in [0, 1]; see `Course.varied`.
    """

    mode: str = "strict"
    rule: str = "script"
    difficulty: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in MODES:
            raise InvalidInput(f"mode is {self.mode!r}; valid: {', '.join(MODES)}")
        if self.rule not in RULES:
            raise InvalidInput(f"rule is {self.rule!r}; valid: {', '.join(RULES)}")
        if not isinstance(self.difficulty, (int, float)) or not 0.0 <= self.difficulty <= 1.0:
            raise InvalidInput(f"difficulty is {self.difficulty!r}; give a number from 0 to 1")


class Contacts(NamedTuple):
    """`(N,)` whether the board and a pole were touched, and whether all feet were in the air, at any physics step."""

    board: NDArray[np.bool_]
    poles: NDArray[np.bool_]
    airborne: NDArray[np.bool_]


class AgilityTask(Task):
    """A quadruped on a course, or on one obstacle of it.

    Attributes:
        present: the obstacles that are there, of `OBSTACLES`.
        courses: the course of every simulation.
    """

    robot = "barkour_vb"
    control_dt = 0.02
    camera = "track"
    controller = "JOINT_TARGET"
    refresh = False
    options_type = AgilityOptions
    present: tuple[str, ...] = OBSTACLES

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        assert isinstance(self.options, AgilityOptions)
        history = WIDTH * self.options.history
        self.layout = Layout(key=1, before=2, guide=guide.MEMORY, tracker=tracker.STATE_SIZE, history=history)
        self.memory_size = self.layout.size
        assert isinstance(self.options.randomization, Randomization)
        self._choices, self._ranges = self.options, self.options.randomization

    @abc.abstractmethod
    def start(self, course: Course, unit: Array) -> tuple[float, float, float]:
        """Where a run starts: x, y [m] and heading [rad], from three numbers in [0, 1)."""

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Floor, obstacles and robot."""
        scene = open_ground()
        scenery.add_course(scene)
        add_walker(scene, robot, calibration)
        torque_limited(scene, self._choices.torque_limit)
        return scene

    def watched(self, robot: Robot) -> Sequence[Watch]:
        """What `Contacts` tells."""
        poles, feet = (f"touch_{name}" for name in scenery.POLES), (f"contact_{foot}" for foot in robot.feet)
        return Watch(("touch_board",)), Watch(tuple(poles)), Watch(tuple(feet), absent=True)

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, model = simulation, simulation.model
        self.quadruped = Quadruped(simulation, scenery.BOXES)
        self.randomizer = Randomizer(simulation, self._ranges)
        self.key = self.layout.view(simulation.memory, "key")[:, 0]
        self._before = self.layout.view(simulation.memory, "before")
        self.tracker = self.layout.view(simulation.memory, "tracker")
        self.guide = guide.Guide(self.quadruped, self.layout.view(simulation.memory, "guide"))
        self._history = History(self.quadruped, self.layout.view(simulation.memory, "history"))
        count = simulation.num_envs
        self._mocap_pos = simulation.batch.bind("mocap_pos").reshape(count, -1, 3)
        self._poles = [int(model.body_mocapid[model.body(name).id]) for name in scenery.POLES]
        self.courses = [Course.standard()] * count
        standard = Course.standard().arrays()
        self.gates, self.directions, self.geometry = (np.repeat(array, count, axis=0) for array in standard)

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the robot's parameters, the course and the start."""
        self.key[ids] = draw_keys(generators)
        self.restore(ids)
        for i in ids:
            self._place(int(i))
        spots = self._starts(ids)
        everywhere = np.zeros((self.simulation.num_envs, 1, 2))
        everywhere[ids] = spots[:, None, :2]
        height = self.quadruped.ground(everywhere)[ids, 0]
        self.quadruped.stand(ids, generators, np.column_stack([spots[:, :2], height, spots[:, 2]]))
        self._before[ids] = spots[:, :2]
        self.guide.begin(ids)
        self._history.begin(ids)
        tracker.begin(self.tracker, ids, self._choices.mode, self.present[0])  # type: ignore[arg-type]

    def restore(self, ids: Ids) -> None:
        """Write the drawn parameters into the models, and find the courses again."""
        self.randomizer.restore(ids, self.key[ids])
        sizes = []
        for i in ids:
            generator = np.random.default_rng([int(self.key[i]), _COURSE])
            self.courses[i] = Course.standard().varied(self._choices.difficulty, generator)
            sizes.append(scenery.box_half_sizes(self.courses[i]))
            arrays = self.courses[i].arrays()
            self.gates[i], self.directions[i], self.geometry[i] = (array[0] for array in arrays)
        self.quadruped.boxes.resize(ids, np.array(sizes))
        courses = [self.courses[i] for i in ids]
        ways = [plan(course, spot, self.present) for course, spot in zip(courses, self._starts(ids), strict=True)]
        self.guide.lead(ids, ways)

    def _starts(self, ids: Ids) -> Array:
        """`(k, 3)` x, y [m] and heading [rad]."""
        unit = uniform(self.key[ids], _START, 3)
        return np.array([self.start(self.courses[i], u) for i, u in zip(ids, unit, strict=True)])

    def _place(self, i: int) -> None:
        """Set up the obstacles that are present."""
        pos, quat = scenery.box_poses(self.courses[i])
        owner = {"panel_up": "a_frame", "panel_down": "a_frame", "board": "broad_jump"}
        for k, name in enumerate(scenery.BOXES):
            if owner.get(name, name) not in self.present:
                pos[k, 2] = scenery.PARKED
        self.quadruped.boxes.place(np.array([i]), pos[None], quat[None])
        poles = scenery.pole_positions(self.courses[i])
        if "weave_poles" not in self.present:
            poles[:, 2] = scenery.PARKED
        self._mocap_pos[i, self._poles] = poles

    def before_step(self) -> None:
        """Remember what is felt, and push."""
        self._history.advance()
        self.randomizer.push(self.key)
        self._before[:] = self.quadruped.base_pos[:, :2]

    def after_step(self) -> None:
        """Let the tracker judge the control period; contacts count at every physics step."""
        tracker.advance(
            self.tracker, self.gates, self.directions, self.geometry, self._before, self.quadruped.base_pos,
            self.simulation.time, *self.contacts(),
        )  # fmt: skip
        self.guide.advance()

    def contacts(self) -> Contacts:
        """Of the last control period."""
        board, poles, airborne = np.ascontiguousarray(self.simulation.seen()[:, : len(Contacts._fields)].T)
        return Contacts(board, poles, airborne)

    def move_board(self, ids: Ids, centre: Array) -> None:
        """Lay the boards of `ids` at `(k, 2)` [m]; for practice, the tracker's gates stay where they are."""
        board = self.simulation.model.body("board")
        self._mocap_pos[ids, int(self.simulation.model.body_mocapid[board.id]), :2] = centre

    def board(self) -> Array:
        """`(N, 5)` live: x, y of the boards' centres [m], cosine and sine of their headings, half length [m]."""
        return self.geometry[:, GEOMETRY.BOARD_FRAME : GEOMETRY.BOARD_HALF_LENGTH + 1]

    def _view(self) -> Array:
        robot, following = self.quadruped, tracker.next_gate(self.tracker)
        return np.asarray(course_view(following, self.gates, self.board(), robot.base_pos, robot.heading()))

    def parts(self) -> Mapping[str, Part]:
        """The robot's senses; `command`: the guide's; `gates`: ends of the next gates; `board`; `terrain`.

        The command is forward and lateral speed and rate of turn in the heading frame [m/s, m/s, rad/s]. Gates and
        board are in the heading frame [m]; the board is x, y of its centre, cosine and sine of its heading and its
        length. The board, 1 mm thick, does not show in the height scan. `history`, if it is asked for: see `History`.
        """
        return {
            **self.quadruped.parts(),
            **command_part(),
            "gates": Part(4 * GATES_SEEN, -REACH, REACH),
            "board": Part(5, -REACH, REACH),
            "gates_left": Part(1, 0.0, 1.0),
            **scan_part(),
            **self._history.parts(),
        }

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`."""
        view = self._view()
        return {
            **self.quadruped.observe(),
            "command": self.guide.command(),
            "gates": view[:, VIEW.GATES : VIEW.BOARD],
            "board": view[:, VIEW.BOARD : VIEW.LEFT],
            "gates_left": view[:, VIEW.LEFT : VIEW.DISTANCE],
            "terrain": self.quadruped.height_scan(),
            **self._history.observe(),
        }

    def completed(self) -> NDArray[np.bool_]:
        """`(N, 5)` which of `OBSTACLES` are completed."""
        return tracker.completed(self.tracker)

    def terms(self) -> Mapping[str, Array]:
        """`progress`: gates of the present obstacles that are crossed; `near`: to the next gate; `upright`."""
        view = self._view()
        return {
            "progress": 1.0 - view[:, VIEW.LEFT],
            "near": np.exp(-view[:, VIEW.DISTANCE]),
            "upright": np.clip(self.quadruped.up()[:, 2], 0.0, 1.0),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """(13 progress + near) / 14, times uprightness."""
        gates = self.gates.shape[1]
        return (gates * terms["progress"] + terms["near"]) / (gates + 1) * terms["upright"]

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """All obstacles that are present are completed."""
        wanted = [OBSTACLES.index(name) for name in self.present]
        return np.asarray(self.completed()[:, wanted].all(axis=1))

    def failure(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The robot has fallen, or the run has ended on the end table, where that is present, without success."""
        if "end_table" not in self.present:
            return self.quadruped.fallen()
        return self.quadruped.fallen() | (tracker.finished(self.tracker) & ~self.success(terms))

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """The terms, the score, the run's time [s], each obstacle (0 or 1) and each fault (0 or 1)."""
        done, faults = self.completed().astype(np.float64), tracker.faults(self.tracker).astype(np.float64)
        return {
            **terms,
            "score": scores(self.tracker, self._choices.rule),  # type: ignore[arg-type]
            "run_time": tracker.run_time(self.tracker),
            **{f"completed_{name}": done[:, i] for i, name in enumerate(OBSTACLES)},
            **{f"fault_{name}": faults[:, i] for i, name in enumerate(FAULTS)},
        }

    def run_course(self, slot: int) -> tuple[Course, tuple[str, ...]]:
        """The course and the obstacles of it that are present."""
        return self.courses[slot], self.present

    def trace(self) -> Mapping[str, NDArray[np.generic]]:
        """What `agility.log.Trajectory` holds: pose of the base, contacts of feet, board and poles."""
        robot, contacts = self.quadruped, self.contacts()
        return {
            "time": self.simulation.time.copy(),
            "base_pos": robot.base_pos.copy(),
            "base_quat": robot.base_quat.copy(),
            "foot_contact": np.where(contacts.airborne[:, None], False, robot.foot_contact()),
            "board_contact": contacts.board,
            "pole_contact": contacts.poles,
        }


def before(point: tuple[float, float], heading: float, back: float, side: float) -> tuple[float, float]:
    """The point `back` before and `side` left of another [m], seen along a heading [rad]."""
    cos, sin = float(np.cos(heading)), float(np.sin(heading))
    return point[0] - back * cos - side * sin, point[1] - back * sin + side * cos


def around(unit: float, spread: float) -> float:
    """A number in [0, 1) as one in [-spread, spread)."""
    return spread * (2.0 * unit - 1.0)
