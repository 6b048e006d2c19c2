"""Joint position targets that move a little each control period, for hands."""

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.control.configuration import reserve_configuration
from barkyard.control.controller import Controller, Watch
from barkyard.errors import InvalidInput

LONGEST_STEP = 1 / 24
"""By how much an action of 1 moves a joint's target in a control period [rad]: GET-Zero's (arXiv 2407.15002)."""


class JointStepController(Controller):
    """`JOINT_STEP`: the action moves each joint's target, by `LONGEST_STEP` at most, inside its control range. Final.

    The targets are the actuators' commands, which are part of the simulation state.
    """

    memory_size = 0

    def __init__(self, robot: Robot) -> None:
        self.robot, self.action_dim = robot, len(robot.joints)

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Raises InvalidInput if an actuator is not a position servo with a control range."""
        for name in self.robot.actuators:
            actuator = spec.actuator(PREFIX + name)
            servo = actuator.biastype == mujoco.mjtBias.mjBIAS_AFFINE and actuator.biasprm[1] != 0.0
            if not servo or not actuator.ctrlrange[0] < actuator.ctrlrange[1]:
                raise InvalidInput(
                    f"JOINT_STEP needs position servos with control ranges, and actuator {name!r} of "
                    f"{self.robot.name!r} is none"
                )
        reserve_configuration(spec)

    def configure(self, model: mujoco.MjModel, substeps: int, watched: Sequence[Watch] = ()) -> None:
        """Read the control ranges. Raises InvalidInput for watches: commands are written once a control period."""
        del substeps
        if watched:
            raise InvalidInput(f"JOINT_STEP watches no sensors, got {len(watched)} watches")
        self._ids = [model.actuator(PREFIX + name).id for name in self.robot.actuators]
        self._low, self._high = model.actuator_ctrlrange[self._ids].T

    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Targets are the home pose."""
        del memory, joint_pos
        ctrl[np.ix_(ids, self._ids)] = self.robot.home

    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Move the targets."""
        del memory
        ctrl[:, self._ids] = np.clip(ctrl[:, self._ids] + LONGEST_STEP * actions, self._low, self._high)
