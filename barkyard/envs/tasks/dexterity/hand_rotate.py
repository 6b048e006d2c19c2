"""Turn a cube in the palm about the vertical."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import PREFIX, Robot
from barkyard.assets.robots.leap_hand.variant import FULL, HandVariant
from barkyard.assets.scenes.palm import PLACE, palm_with_cube
from barkyard.envs.draws import draw_keys
from barkyard.envs.memory import Layout
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Options, Part, Task
from barkyard.envs.tasks.dexterity.randomization import RANGES, CubeRandomizer, check_randomization
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z, quat_conjugate, quat_multiply, quat_rotate, quat_to_vector

CYCLE = 2.0
"""Period of the clock that is observed [s]: GET-Zero's."""
LOWEST = 0.01
"""The cube is dropped when its centre is less than this above the palm's origin [m]."""
FURTHEST = 0.15
"""and when it is further than this from where it starts [m]."""
GOOD_RATE = 12.0
"""An episode succeeds when the cube was turned so fast and not dropped [deg/s]: a turn in 30 s, the least that
GET-Zero asks of an expert."""
BEST_RATE = 0.5
"""Of the cube, where the reward for turning ends [rad/s]: a choice; GET-Zero's ends at 0.25."""
_LINEAR_SPEED, _TURN_SPEED = 5.0, 100.0
_WEIGHTS = {"spin": 0.7, "steady": 0.15, "pose": 0.15}


@dataclass(frozen=True)
class HandRotateOptions(Options):
    """Choices.

    Attributes:
        embodiment: name of a hand; see `assets.robots.leap_hand.HandVariant`.
        randomization: `published`, `moderate` or `none`; see `RANGES`.
        push: whether the cube is pushed at random.
        observe_cube: whether the cube is observed, in the palm's frame; real hands do not see it.

    Raises:
        InvalidInput: there is no such hand or randomisation.
    """

    embodiment: str = FULL.name
    randomization: str = "moderate"
    push: bool = False
    observe_cube: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "embodiment", HandVariant.from_name(self.embodiment).name)
        check_randomization(self.randomization)
        for name in ("push", "observe_cube"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInput(f"{name} is {getattr(self, name)!r}; give true or false")


class HandRotate(Task):
    """Turn a cube in the palm about the vertical, for 25 s, with joint targets that move by 1/24 rad a step at most.

    Metrics are `yaw_rate`, the mean since the start [deg/s] (after a drop, over the whole time limit: nothing turns any
    more), `dropped`, and `cube_speed`, the mean linear speed [m/s]. After GET-Zero (Patel and Song, arXiv 2407.15002).
    """

    control_dt = 0.05
    time_limit = 25.0
    camera = "front"
    controller = "JOINT_STEP"
    options_type = HandRotateOptions

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        assert isinstance(self.options, HandRotateOptions)
        self.choices = self.options
        self.robot = "leap_hand" if self.choices.embodiment == FULL.name else f"leap_hand:{self.choices.embodiment}"
        self._layout = Layout(key=1, orientation=4, turned=1, path=1)
        self.memory_size = self._layout.size

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Palm and cube. Raises InvalidInput if the robot is another hand than `embodiment`."""
        if robot.joints != HandVariant.from_name(self.choices.embodiment).joints:
            raise InvalidInput(
                f"robot {robot.name!r} is not the hand {self.choices.embodiment!r}; leave out robot, or embodiment"
            )
        return palm_with_cube(robot, calibration)

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, view = simulation, self._layout.view
        model = simulation.model
        self._cube = model.body("cube").id
        self._at = int(model.joint("cube").qposadr[0])
        self._dof = int(model.joint("cube").dofadr[0])
        self._palm = np.array(model.body_quat[model.body(PREFIX + "palm").id])
        self._home = np.array(simulation.robot.robot.home)
        self.start_pos_world = quat_rotate(self._palm, np.array(PLACE))
        self.randomizer = CubeRandomizer(
            simulation, RANGES[self.choices.randomization], self._cube, model.geom("cube").id
        )
        self.key, self._turned = (view(simulation.memory, name)[:, 0] for name in ("key", "turned"))
        self._orientation = view(simulation.memory, "orientation")
        self._path = view(simulation.memory, "path")[:, 0]

    @property
    def cube_pos(self) -> Array:
        """`(N, 3)` live centre of the cube in the world [m]."""
        return self.simulation.qpos[:, self._at : self._at + 3]

    @property
    def cube_quat(self) -> Array:
        """`(N, 4)` live orientation of the cube."""
        return self.simulation.qpos[:, self._at + 3 : self._at + 7]

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the cube, and put it above the palm, flat to it."""
        self.key[ids] = draw_keys(generators)
        self.restore(ids)
        self.simulation.robot.set_home(ids, generators)
        offset, turn = self.randomizer.start(self.key[ids])
        place = np.column_stack([np.array(PLACE[:2]) + offset, np.full(len(ids), PLACE[2])])
        self.cube_pos[ids] = quat_rotate(self._palm, place)
        self.cube_quat[ids] = quat_multiply(np.broadcast_to(self._palm, (len(ids), 4)), quat_about_z(turn))
        self._orientation[ids] = self.cube_quat[ids]
        self._turned[ids] = self._path[ids] = 0.0

    def restore(self, ids: Ids) -> None:
        """Write the drawn parameters into the models."""
        self.randomizer.restore(ids, self.key[ids])

    def before_step(self) -> None:
        """Push the cube."""
        if self.choices.push:
            self.randomizer.push(self.key)

    def after_step(self) -> None:
        """Add up how far the cube turned and moved."""
        self._turned += self._turn_since(self._orientation)
        self._orientation[:] = self.cube_quat
        self._path += self._speed() * self.control_dt

    def _turn_since(self, orientation: Array) -> Array:
        """`(N,)` how far cubes turned about the vertical since they had `orientation` (N, 4) [rad]."""
        return quat_to_vector(quat_multiply(self.cube_quat, quat_conjugate(orientation)))[:, 2]

    def _speed(self) -> Array:
        return np.asarray(np.linalg.norm(self.simulation.qvel[:, self._dof : self._dof + 3], axis=1))

    def parts(self) -> Mapping[str, Part]:
        """Joint positions and targets [rad], the clock's sine and cosine, and the cube if it is asked for."""
        limits, joints = self.simulation.robot.joint_range, len(self._home)
        low, high = tuple(limits[:, 0] - 0.5), tuple(limits[:, 1] + 0.5)
        parts = {
            "joint_pos": Part(joints, low, high),
            "joint_target": Part(joints, low, high),
            "clock": Part(2, -1.0, 1.0),
        }
        if self.choices.observe_cube:
            parts |= {
                "cube_pos": Part(3, -1.0, 1.0),
                "cube_quat": Part(4, -1.0, 1.0),
                "cube_velocity": Part(3, -_LINEAR_SPEED, _LINEAR_SPEED),
                "cube_turn_rate": Part(3, -_TURN_SPEED, _TURN_SPEED),
            }
        return parts

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`; the cube is in the palm's frame."""
        angle = 2 * np.pi * self.simulation.time / CYCLE
        seen = {
            "joint_pos": self.simulation.robot.joint_pos,
            "joint_target": self.simulation.ctrl,
            "clock": np.stack([np.sin(angle), np.cos(angle)], axis=1),
        }
        if self.choices.observe_cube:
            into = np.broadcast_to(quat_conjugate(self._palm), self.cube_quat.shape)
            velocity = self.simulation.qvel[:, self._dof : self._dof + 6]
            seen |= {
                "cube_pos": quat_rotate(into, self.cube_pos),
                "cube_quat": quat_multiply(into, self.cube_quat),
                "cube_velocity": quat_rotate(into, velocity[:, :3]),
                "cube_turn_rate": quat_rotate(quat_multiply(into, self.cube_quat), velocity[:, 3:]),
            }
        return seen

    def terms(self) -> Mapping[str, Array]:
        """`spin`: turning rate; `steady`: no linear speed of the cube; `pose`: near the home pose; `held`: not dropped.

        The turning rate is from -`BEST_RATE` (0) to `BEST_RATE` (1), the cube's own at this moment about the vertical.
        """
        quat, spin = self.cube_quat, self.simulation.qvel[:, self._dof + 3 : self._dof + 6]
        rate = quat_rotate(quat, spin)[:, 2]
        deviation = ((self.simulation.robot.joint_pos - self._home) ** 2).mean(axis=1)
        away = np.linalg.norm(self.cube_pos - self.start_pos_world, axis=1)
        return {
            "spin": 0.5 + 0.5 * np.clip(rate / BEST_RATE, -1.0, 1.0),
            "steady": np.exp(-((self._speed() / 0.1) ** 2)),
            "pose": np.exp(-deviation),
            "held": ((self.cube_pos[:, 2] > LOWEST) & (away < FURTHEST)).astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """Mostly `spin`; 0 once dropped. Weights are a choice."""
        return np.asarray(terms["held"] * sum(weight * terms[name] for name, weight in _WEIGHTS.items()))

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """Whether the time is over, and the cube was turned at `GOOD_RATE` and not dropped."""
        over = self.simulation.elapsed_steps() >= round(self.time_limit / self.control_dt)
        return over & (self.metrics(terms)["yaw_rate"] >= GOOD_RATE) & (terms["held"] > 0.0)

    def failure(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """Whether the cube is dropped."""
        return terms["held"] == 0.0

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """See the class."""
        elapsed = np.maximum(self.simulation.time, self.control_dt)
        held = terms["held"] > 0.0
        return {
            "yaw_rate": np.degrees(self._turned) / np.where(held, elapsed, self.time_limit),
            "dropped": 1.0 - terms["held"],
            "cube_speed": self._path / elapsed,
        }
