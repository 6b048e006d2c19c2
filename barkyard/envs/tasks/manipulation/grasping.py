"""What picking tasks share: an object, the gripper's pads, and the observation of both."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.envs.simulation import Array, Simulation
from barkyard.envs.task import Options, Part
from barkyard.envs.tasks.manipulation.arm_observation import WORKSPACE, arm_parts, observe_arm
from barkyard.errors import InvalidInput

OBJECT = "object/"
"""Prefix of the names of the object that is to be grasped."""


@dataclass(frozen=True)
class GraspingOptions(Options):
    """Choices of picking tasks.

    Attributes:
        randomization: `none`, or `posterior`: every episode draws the robot from its calibration's samples.
    """

    randomization: str = "none"

    def __post_init__(self) -> None:
        if self.randomization not in ("none", "posterior"):
            raise InvalidInput(f"randomization is {self.randomization!r}; valid: 'none', 'posterior'")

    @property
    def posterior(self) -> bool:
        """Whether every episode draws the robot's parameters from its calibration's samples."""
        return self.randomization == "posterior"


def add_pad_sensors(spec: mujoco.MjSpec, robot: Robot) -> None:
    """Add one sensor a pad geom that counts its contacts with the object. Raises InvalidInput without a gripper."""
    if robot.gripper is None:
        raise InvalidInput(f"robot {robot.name!r} has no gripper, which this task needs")
    for finger, pads in enumerate(robot.gripper.pads):
        for i, pad in enumerate(pads):
            spec.add_sensor(
                name=f"pad_{finger}_{i}",
                type=mujoco.mjtSensor.mjSENS_CONTACT,
                objtype=mujoco.mjtObj.mjOBJ_GEOM,
                objname=PREFIX + pad,
                reftype=mujoco.mjtObj.mjOBJ_BODY,
                refname=OBJECT + "main",
                intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1],
            )


class FreeObject:
    """One free object of the scene. Final."""

    def __init__(self, simulation: Simulation, prefix: str) -> None:
        model = simulation.model
        self._simulation = simulation
        self.body = model.body(prefix + "main").id
        address = int(model.jnt_qposadr[model.joint(prefix + "joint0").id])
        self._qpos = simulation.qpos[:, address : address + 7]

    @property
    def pos(self) -> Array:
        """`(N, 3)` the object in the world frame [m]."""
        return self._simulation.xpos[:, self.body]

    @property
    def quat(self) -> Array:
        """`(N, 4)` its orientation."""
        return self._simulation.xquat[:, self.body]

    def place(self, i: int, pos: Array, quat: Array) -> None:
        """Write the object's pose into the state of simulation `i`."""
        self._qpos[i, :3], self._qpos[i, 3:] = pos, quat


class Grasping:
    """One free object and the gripper that is to hold it, by its centre or by a site on it. Final."""

    def __init__(self, simulation: Simulation, handle: str | None = None) -> None:
        """`handle` is a site of the object, without the prefix."""
        model = simulation.model
        self.simulation, self.robot = simulation, simulation.robot
        self.object = FreeObject(simulation, OBJECT)
        self._handle = None if handle is None else model.site(OBJECT + handle).id
        gripper = self.robot.robot.gripper
        assert gripper is not None
        self._pads = [
            [int(model.sensor_adr[model.sensor(f"pad_{finger}_{i}").id]) for i in range(len(pads))]
            for finger, pads in enumerate(gripper.pads)
        ]

    @property
    def handle_pos(self) -> Array:
        """`(N, 3)` where the object is to be held, in the world frame [m]."""
        return self.object.pos if self._handle is None else self.simulation.site_xpos[:, self._handle]

    def reach(self) -> Array:
        """`(N,)` 1 - tanh(10 d), d the distance from the tool point to where the object is to be held [m]."""
        return self._nearness(self.handle_pos)

    def near_centre(self) -> Array:
        """`(N,)` the same with the distance to the object's centre."""
        return self._nearness(self.object.pos)

    def _nearness(self, pos: Array) -> Array:
        return 1.0 - np.tanh(10.0 * np.linalg.norm(pos - self.robot.tcp_pos_world, axis=1))

    def grasped(self) -> NDArray[np.bool_]:
        """`(N,)` whether every finger's pad touches the object."""
        sensors = self.simulation.sensordata
        return np.logical_and.reduce([(sensors[:, pads] > 0).any(axis=1) for pads in self._pads])

    def parts(self) -> Mapping[str, Part]:
        """Robot and object, in the world frame."""
        return {
            **arm_parts(self.robot),
            "object_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "object_quat_world": Part(4, -1.0, 1.0),
            "object_to_tcp": Part(3, -2 * WORKSPACE, 2 * WORKSPACE),
        }

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`; `object_to_tcp` is the object's position less the tool point's, in the world frame."""
        return {
            **observe_arm(self.simulation),
            "object_pos_world": self.object.pos,
            "object_quat_world": self.object.quat,
            "object_to_tcp": self.object.pos - self.robot.tcp_pos_world,
        }
