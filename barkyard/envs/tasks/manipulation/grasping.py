"""What picking tasks share: an object, the gripper's pads, and the observation of both."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.envs.simulation import Array, Simulation
from barkyard.envs.task import Options, Part
from barkyard.errors import InvalidInput

OBJECT = "object/"
WORKSPACE = 10.0
"""Positions are observed within this distance of the world's origin [m]; an object thrown farther reads as this."""


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


class Grasping:
    """One free object and the gripper that is to hold it. Final."""

    def __init__(self, simulation: Simulation) -> None:
        model = simulation.model
        self.simulation, self.robot = simulation, simulation.robot
        self.body = model.body(OBJECT + "main").id
        address = int(model.jnt_qposadr[model.joint(OBJECT + "joint0").id])
        self._object_qpos = simulation.qpos[:, address : address + 7]
        gripper = self.robot.robot.gripper
        assert gripper is not None
        self._pads = [
            [int(model.sensor_adr[model.sensor(f"pad_{finger}_{i}").id]) for i in range(len(pads))]
            for finger, pads in enumerate(gripper.pads)
        ]

    @property
    def object_pos(self) -> Array:
        """`(N, 3)` the object in the world frame [m]."""
        return self.simulation.xpos[:, self.body]

    def place_object(self, i: int, pos: Array, quat: Array) -> None:
        """Write the object's pose into the state of simulation `i`."""
        self._object_qpos[i, :3], self._object_qpos[i, 3:] = pos, quat

    def reach(self) -> Array:
        """`(N,)` 1 - tanh(10 d), d the distance from the tool point to the object [m]."""
        distance = np.linalg.norm(self.object_pos - self.robot.tcp_pos_world, axis=1)
        return 1.0 - np.tanh(10.0 * distance)

    def grasped(self) -> NDArray[np.bool_]:
        """`(N,)` whether every finger's pad touches the object."""
        sensors = self.simulation.sensordata
        return np.logical_and.reduce([(sensors[:, pads] > 0).any(axis=1) for pads in self._pads])

    def parts(self) -> Mapping[str, Part]:
        """Robot and object, in the world frame."""
        joints, fingers = self.robot.joint_range, self.robot.finger_range
        margin, slack = 0.5, 0.05
        return {
            "joint_pos": Part(len(joints), tuple(joints[:, 0] - margin), tuple(joints[:, 1] + margin)),
            "joint_vel": Part(len(joints), -50.0, 50.0),
            "gripper_pos": Part(len(fingers), tuple(fingers[:, 0] - slack), tuple(fingers[:, 1] + slack)),
            "gripper_target": Part(1, -1.0, 1.0),
            "tcp_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "tcp_quat_world": Part(4, -1.0, 1.0),
            "object_pos_world": Part(3, -WORKSPACE, WORKSPACE),
            "object_quat_world": Part(4, -1.0, 1.0),
            "object_to_tcp": Part(3, -2 * WORKSPACE, 2 * WORKSPACE),
        }

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`; `object_to_tcp` is the object's position less the tool point's, in the world frame."""
        tcp = self.robot.tcp_pos_world
        return {
            "joint_pos": self.robot.joint_pos,
            "joint_vel": self.robot.joint_vel,
            "gripper_pos": self.robot.gripper_pos,
            "gripper_target": self.simulation.gripper_target(),
            "tcp_pos_world": tcp,
            "tcp_quat_world": self.robot.tcp_quat_world,
            "object_pos_world": self.object_pos,
            "object_quat_world": self.simulation.xquat[:, self.body],
            "object_to_tcp": self.object_pos - tcp,
        }
