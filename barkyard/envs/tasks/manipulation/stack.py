"""Stack a cube on another: robosuite 1.5.2, `environments/manipulation/stack.py`."""

from collections.abc import Mapping

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes import arenas, objects
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part, Task
from barkyard.envs.tasks.manipulation.arm_observation import WORKSPACE
from barkyard.envs.tasks.manipulation.grasping import (
    OBJECT,
    FreeObject,
    Grasping,
    GraspingOptions,
    add_pad_sensors,
)
from barkyard.envs.visual.painting import Area
from barkyard.rotation import quat_about_z

TARGET = "target/"
"""Prefix of the names of the cube that is stacked upon."""
HALF_SIZE = 0.020
TARGET_HALF_SIZE = 0.025
"""Half edges of the two cubes [m]."""
SPREAD = 0.08
"""Both start within this distance of the table's centre along x and y [m], without overlap."""
DROP = 0.01
"""and this far above the table [m]."""
LIFT_HEIGHT = 0.04
"""The upper cube is lifted when its centre is this far above the table [m]."""
_CLEARANCE = np.hypot(HALF_SIZE, HALF_SIZE) + np.hypot(TARGET_HALF_SIZE, TARGET_HALF_SIZE)
_CONTACT = "cubes_touch"


class Stack(Task):
    """Put the small red cube on the large green one and let go. The poses of both and of the arm vary."""

    robot = "panda"
    control_dt = 0.05
    time_limit = 20.0
    camera = "agentview"
    options_type = GraspingOptions
    clear_areas = tuple(Area((0.0, 0.25), side, arenas.TABLE_TOP) for side in ((-0.3, -0.15), (0.15, 0.3)))

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Table, robot and two cubes."""
        scene = arenas.table()
        arenas.place_robot(scene, robot, "table", calibration)
        arenas.place_object(scene, objects.cube(HALF_SIZE))
        arenas.place_object(scene, objects.cube(TARGET_HALF_SIZE, "green"), TARGET)
        add_pad_sensors(scene, robot)
        scene.add_sensor(
            name=_CONTACT,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname=OBJECT + "main",
            reftype=mujoco.mjtObj.mjOBJ_BODY,
            refname=TARGET + "main",
            intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1],
        )
        return scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation, self.grasping = simulation, Grasping(simulation)
        self.target = FreeObject(simulation, TARGET)
        self._contact = int(simulation.model.sensor_adr[simulation.model.sensor(_CONTACT).id])

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the arm's pose and the cubes' poses on the table."""
        self.simulation.robot.set_home(ids, generators)
        for i, generator in zip(ids, generators, strict=True):
            spot = other = generator.uniform(-SPREAD, SPREAD, size=2)
            while np.linalg.norm(other - spot) <= _CLEARANCE:
                other = generator.uniform(-SPREAD, SPREAD, size=2)
            angles = generator.uniform(0.0, 2 * np.pi, size=2)
            height = arenas.TABLE_TOP + DROP
            self.grasping.object.place(int(i), np.array([*spot, height + HALF_SIZE]), quat_about_z(angles[0]))
            self.target.place(int(i), np.array([*other, height + TARGET_HALF_SIZE]), quat_about_z(angles[1]))

    def parts(self) -> Mapping[str, Part]:
        """Robot and both cubes; `target_to_object` is the lower cube's position less the upper one's."""
        return {
            **self.grasping.parts(),
            "target_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "target_quat_world": Part(4, -1.0, 1.0),
            "target_to_object": Part(3, -2 * WORKSPACE, 2 * WORKSPACE),
        }

    def observe(self) -> Mapping[str, Array]:
        """Robot and both cubes."""
        return {
            **self.grasping.observe(),
            "target_pos_world": self.target.pos,
            "target_quat_world": self.target.quat,
            "target_to_object": self.target.pos - self.grasping.object.pos,
        }

    def terms(self) -> Mapping[str, Array]:
        """`reach` and `align` in [0, 1]; `grasp`, `lift` and `stack` 0 or 1."""
        pos, grasped = self.grasping.object.pos, self.grasping.grasped()
        lifted = pos[:, 2] > arenas.TABLE_TOP + LIFT_HEIGHT
        touching = self.simulation.sensordata[:, self._contact] > 0
        sideways = np.linalg.norm((pos - self.target.pos)[:, :2], axis=1)
        return {
            "reach": self.grasping.reach(),
            "grasp": grasped.astype(np.float64),
            "lift": lifted.astype(np.float64),
            "align": np.where(lifted, 1.0 - np.tanh(sideways), 0.0),
            "stack": (~grasped & lifted & touching).astype(np.float64),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """1 when stacked, else the better of (reach + grasp) / 8 and (lift + 0.5 align) / 2."""
        held = (terms["reach"] + terms["grasp"]) / 8.0
        lifted = (terms["lift"] + 0.5 * terms["align"]) / 2.0
        return np.where(terms["stack"] > 0, 1.0, np.maximum(held, lifted))

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The upper cube is off the table, touches the lower one, and is not grasped."""
        return terms["stack"] > 0
