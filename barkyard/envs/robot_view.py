"""The robot's part of a batch's arrays."""

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.rotation import quat_multiply

Array = NDArray[np.float64]


class RobotView:
    """Named arrays of one robot in N simulations.

    Attributes:
        robot: what it views.
        joint_range: `(J, 2)` limits of the actuated joints [rad].
        velocity_span: where the actuated joints are in the model's velocities.
        tcp_body: id of the body that carries the tool centre point.
    """

    def __init__(self, model: mujoco.MjModel, batch: Batch, robot: Robot) -> None:
        self.robot, self._batch = robot, batch
        self._qpos_all, self._qvel_all = batch.bind("qpos"), batch.bind("qvel")
        joints = [model.joint(PREFIX + name).id for name in robot.joints]
        self.joint_range: Array = model.jnt_range[joints].copy()
        self._qpos, self.velocity_span = span(model.jnt_qposadr[joints]), span(model.jnt_dofadr[joints])
        if robot.gripper is not None:
            fingers = [model.joint(PREFIX + name).id for name in robot.gripper.joints]
            self._fingers = span(model.jnt_qposadr[fingers])
            self.finger_range: Array = model.jnt_range[fingers].copy()
        if robot.tcp is not None:
            self._site_xpos, self._xquat = batch.bind("site_xpos"), batch.bind("xquat")
            self._tcp = model.site(PREFIX + robot.tcp).id
            self.tcp_body = int(model.site_bodyid[self._tcp])
            self._tcp_quat: Array = model.site_quat[self._tcp].copy()
        if robot.base is not None:
            self._site_xmat = batch.bind("site_xmat")
            self._base = model.site(PREFIX + robot.base).id

    @property
    def joint_pos(self) -> Array:
        """`(N, J)` live joint positions [rad]."""
        return self._qpos_all[:, self._qpos]

    @property
    def joint_vel(self) -> Array:
        """`(N, J)` live joint velocities [rad/s]."""
        return self._qvel_all[:, self.velocity_span]

    @property
    def gripper_pos(self) -> Array:
        """`(N, F)` live finger positions [m]."""
        return self._qpos_all[:, self._fingers]

    @property
    def tcp_pos_world(self) -> Array:
        """`(N, 3)` tool centre point in the world frame [m]."""
        return self._site_xpos[:, self._tcp]

    @property
    def tcp_quat_world(self) -> Array:
        """`(N, 4)` orientation of the tool frame; continuous in the joint positions."""
        return quat_multiply(self._xquat[:, self.tcp_body], self._tcp_quat)

    def base_matrix_world(self) -> Array:
        """`(N, 3, 3)` rotation of the frame that arm commands are given in."""
        return self._site_xmat[:, self._base].reshape(-1, 3, 3)

    def set_home(self, ids: NDArray[np.intp], generators: list[np.random.Generator]) -> None:
        """Write the home pose with the robot's noise into the state of `ids`, one generator each."""
        robot = self.robot
        for i, generator in zip(ids, generators, strict=True):
            noise = generator.standard_normal(len(robot.home)) * robot.home_noise
            self._qpos_all[i, self._qpos] = robot.home + noise
            if robot.gripper is not None:
                self._qpos_all[i, self._fingers] = robot.gripper.home


def span(addresses: NDArray[np.int32]) -> slice:
    """Consecutive addresses as a slice, so that indexing gives views."""
    first = int(addresses[0])
    if not np.array_equal(addresses, np.arange(first, first + len(addresses))):
        raise ValueError(f"they must follow one another in the model, got addresses {addresses}")
    return slice(first, first + len(addresses))
