"""Direct commands for robots whose actuators are motors."""

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.control.controller import Controller, Watch
from barkyard.errors import InvalidInput


class MotorController(Controller):
    """`MOTOR`: the action is each motor's command, -1 and 1 being the ends of its control range. Final."""

    memory_size = 0

    def __init__(self, robot: Robot) -> None:
        self.robot, self.action_dim = robot, len(robot.actuators)

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Nothing is added. Raises InvalidInput if an actuator is no motor with a control range."""
        for name in self.robot.actuators:
            actuator = spec.actuator(PREFIX + name)
            if actuator.biastype != mujoco.mjtBias.mjBIAS_NONE or not actuator.ctrlrange[0] < actuator.ctrlrange[1]:
                raise InvalidInput(
                    f"MOTOR needs motors with control ranges, and actuator {name!r} of {self.robot.name!r} is none"
                )

    def configure(self, model: mujoco.MjModel, substeps: int, watched: Sequence[Watch] = ()) -> None:
        """Read the control ranges. Raises InvalidInput for watches: commands are written once a control period."""
        del substeps
        if watched:
            raise InvalidInput(f"MOTOR watches no sensors, got {len(watched)} watches")
        self._ids = [model.actuator(PREFIX + name).id for name in self.robot.actuators]
        low, high = model.actuator_ctrlrange[self._ids].T
        self._middle, self._half = (low + high) / 2, (high - low) / 2

    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Motors are off."""
        del memory, joint_pos
        ctrl[ids] = 0.0

    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Write the commands."""
        del memory
        ctrl[:, self._ids] = self._middle + self._half * actions
