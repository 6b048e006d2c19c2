"""Joint position targets for robots whose actuators are position servos."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.control.controller import Controller
from barkyard.errors import InvalidInput

ACTION_SCALE = 1.0
"""What an action of 1 means [rad]. Half of it, MuJoCo Playground's scale, is too little where actions end at +-1: a
bound had thighs and knees at the limit for 60 % of the time."""


class JointTargetController(Controller):
    """`JOINT_TARGET`: the action is an offset from the home pose, `ACTION_SCALE` [rad] per joint.

    Targets are kept inside the actuators' control ranges and written once a control period. Final.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot, self.action_dim = robot, len(robot.joints)
        self.memory_size = len(robot.joints)
        self._home = np.array(robot.home)

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Nothing is added. Raises InvalidInput if an actuator is not a position servo."""
        for name in self.robot.actuators:
            actuator = spec.actuator(PREFIX + name)
            if actuator.biastype != mujoco.mjtBias.mjBIAS_AFFINE or actuator.biasprm[1] == 0.0:
                raise InvalidInput(
                    f"JOINT_TARGET needs position servos, and actuator {name!r} of {self.robot.name!r} is none"
                )

    def configure(self, model: mujoco.MjModel) -> None:
        """Read the control ranges."""
        ids = [model.actuator(PREFIX + name).id for name in self.robot.actuators]
        if ids != list(range(len(ids))):
            raise InvalidInput(f"the actuators of {self.robot.name!r} must be the model's first, got ids {ids}")
        self._low, self._high = model.actuator_ctrlrange[ids].T

    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Targets are the home pose and the last action is zero."""
        del joint_pos
        memory[ids] = 0.0
        ctrl[ids, : self.action_dim] = self._home

    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Write the targets, and remember the action."""
        memory[:] = actions
        ctrl[:, : self.action_dim] = np.clip(self._home + ACTION_SCALE * actions, self._low, self._high)

    def last_action(self, memory: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(N, J)` the action of the last control period."""
        return memory[:, : self.action_dim]
