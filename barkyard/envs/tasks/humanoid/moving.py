"""Stand, walk and run as in DeepMind's Control Suite (Tassa et al., arXiv 1801.00690; dm_control 1.0.50).

Held to `dm_control.suite` in tests: from the same state, the same actions give the same observations and rewards.
"""

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import PREFIX, Robot
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Options, Part, Task
from barkyard.errors import InvalidInput

STAND_HEIGHT = 1.4
"""Height of the head from which it stands [m]."""
SUCCESS_REWARD = 0.8
"""An episode succeeds if its mean reward is at least this: a choice, the suite has no success."""
EXTREMITIES = ("left_hand", "left_foot", "right_hand", "right_foot")
_LIMIT, _SPEED, _FAR = 4.0, 200.0, 10.0


class HumanoidMoving(Task):
    """What the three tasks share; they differ in the speed that is asked for."""

    robot = "humanoid"
    control_dt = 0.025
    time_limit = 25.0
    camera = f"{PREFIX}side"
    controller = "MOTOR"
    memory_size = 1
    move_speed: float

    def __init__(self, options: Options | None = None) -> None:
        from dm_control.utils.rewards import tolerance

        super().__init__(options)
        self._tolerance = tolerance

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Floor and humanoid, with the suite's options. Raises InvalidInput for another robot."""
        if robot.name != "humanoid":
            raise InvalidInput(f"this task is for the robot 'humanoid', not {robot.name!r}")
        spec = robot.make_spec()
        if calibration is not None:
            calibration.apply(spec)
        scene = mujoco.MjSpec()
        scene.option = spec.option
        scene.stat.extent, scene.stat.center = 2.0, [0.0, 0.0, 1.0]
        scene.visual.headlight.ambient, scene.visual.headlight.diffuse = [0.4] * 3, [0.5] * 3
        scene.worldbody.add_geom(
            name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[100, 100, 0.2], rgba=[0.6, 0.65, 0.7, 1], group=1
        )
        scene.attach(spec, prefix=PREFIX, frame=scene.worldbody.add_frame())
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, model = simulation, simulation.model
        self._data = mujoco.MjData(model)
        self._torso, self._head = (model.body(PREFIX + name).id for name in ("torso", "head"))
        self._ends = [model.body(PREFIX + name).id for name in EXTREMITIES]
        self._xmat = simulation.batch.bind("xmat")
        sensor = int(model.sensor_adr[model.sensor(f"{PREFIX}torso_subtreelinvel").id])
        self._velocity = slice(sensor, sensor + 3)
        joints = [model.joint(PREFIX + name).id for name in simulation.robot.robot.joints]
        self._ranges, self._address = model.jnt_range[joints], model.jnt_qposadr[joints]

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """A random orientation and random joints, drawn until nothing touches."""
        for i, generator in zip(ids, generators, strict=True):
            qpos = self.simulation.model.qpos0.copy()
            while True:
                qpos[3:7] = _unit(generator.standard_normal(4))
                qpos[self._address] = generator.uniform(*self._ranges.T)
                self._data.qpos[:] = qpos
                mujoco.mj_kinematics(self.simulation.model, self._data)
                mujoco.mj_collision(self.simulation.model, self._data)
                if self._data.ncon == 0:
                    break
            self.simulation.qpos[i] = qpos
        self.simulation.memory[ids] = 0.0

    def after_step(self) -> None:
        """Add up the reward."""
        self.simulation.memory[:, 0] += self.dense_reward(self.terms())

    def torso_frame(self) -> Array:
        """`(N, 3, 3)` axes of the torso in the world frame, as columns."""
        return self._xmat.reshape(self.simulation.num_envs, -1, 3, 3)[:, self._torso]

    def head_height(self) -> Array:
        """`(N,)` [m]."""
        return self.simulation.xpos[:, self._head, 2]

    def center_of_mass_velocity(self) -> Array:
        """`(N, 3)` in the world frame [m/s]."""
        return self.simulation.sensordata[:, self._velocity]

    def extremities(self) -> Array:
        """`(N, 12)` hands and feet in the torso's frame, in the order of `EXTREMITIES` [m]."""
        offset = self.simulation.xpos[:, self._ends] - self.simulation.xpos[:, self._torso, None]
        return (offset @ self.torso_frame()).reshape(len(offset), -1)

    def parts(self) -> Mapping[str, Part]:
        """The suite's observations, with its `velocity` as that of the root and those of the joints."""
        count = len(self._address)
        return {
            "joint_pos": Part(count, -_LIMIT, _LIMIT),
            "head_height": Part(1, -_FAR, _FAR),
            "extremities": Part(3 * len(EXTREMITIES), -_FAR, _FAR),
            "torso_vertical": Part(3, -1.0, 1.0),
            "com_velocity": Part(3, -_SPEED, _SPEED),
            "base_velocity": Part(6, -_SPEED, _SPEED),
            "joint_vel": Part(count, -_SPEED, _SPEED),
        }

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`: `base_velocity` is linear in the world frame, then angular in the torso's."""
        return {
            "joint_pos": self.simulation.robot.joint_pos,
            "head_height": self.head_height()[:, None],
            "extremities": self.extremities(),
            "torso_vertical": self.torso_frame()[:, 2],
            "com_velocity": self.center_of_mass_velocity(),
            "base_velocity": self.simulation.qvel[:, :6],
            "joint_vel": self.simulation.robot.joint_vel,
        }

    def terms(self) -> Mapping[str, Array]:
        """`standing`, `upright`, `small_control`, and `move` (or, standing, `still`)."""
        height, upright, velocity = self.head_height(), self.torso_frame()[:, 2, 2], self.center_of_mass_velocity()
        effort = self._tolerance(self.simulation.ctrl, margin=1, value_at_margin=0, sigmoid="quadratic")
        bounds = (0.9, float("inf"))
        return {
            "standing": self._above(height, STAND_HEIGHT, STAND_HEIGHT / 4),
            "upright": self._tolerance(upright, bounds=bounds, sigmoid="linear", margin=1.9, value_at_margin=0),
            "small_control": (4 + effort.mean(axis=1)) / 5,
            **self._moving(velocity[:, :2]),
        }

    def _above(self, values: Array, bound: float, margin: float, **shape: Any) -> Array:
        return np.asarray(self._tolerance(values, bounds=(bound, float("inf")), margin=margin, **shape))

    def _moving(self, velocity: Array) -> Mapping[str, Array]:
        if self.move_speed == 0:
            return {"still": self._tolerance(velocity, margin=2).mean(axis=1)}
        speed = np.linalg.norm(velocity, axis=1)
        fast = self._above(speed, self.move_speed, self.move_speed, value_at_margin=0, sigmoid="linear")
        return {"move": (5 * fast + 1) / 6}

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """The product of the terms."""
        return np.prod(list(terms.values()), axis=0)

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The time is over, and the mean reward was `SUCCESS_REWARD` at least."""
        over = self.simulation.elapsed_steps() >= round(self.time_limit / self.control_dt)
        return over & (self._mean_reward() >= SUCCESS_REWARD)

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """The terms, and `score`: the mean reward so far, a thousandth of the suite's return at the end."""
        return {**terms, "score": self._mean_reward()}

    def _mean_reward(self) -> Array:
        return self.simulation.memory[:, 0] / np.maximum(self.simulation.elapsed_steps(), 1)


class HumanoidStand(HumanoidMoving):
    """Stand up, and stay."""

    move_speed = 0.0


class HumanoidWalk(HumanoidMoving):
    """Move at 1 m/s, upright."""

    move_speed = 1.0


class HumanoidRun(HumanoidMoving):
    """Move at 10 m/s, upright."""

    move_speed = 10.0


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)
