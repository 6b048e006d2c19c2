"""Controllers: normalised actions to actuator commands."""

from collections.abc import Callable, Mapping

from barkyard.assets.robot import Robot
from barkyard.control.arm import (
    inverse_kinematics_pose,
    joint_position,
    joint_velocity,
    operational_space_pose,
    operational_space_position,
)
from barkyard.control.controller import Controller
from barkyard.control.joint_step import JointStepController
from barkyard.control.joint_target import JointTargetController
from barkyard.control.motor import MotorController
from barkyard.errors import InvalidInput

CONTROLLERS: Mapping[str, Callable[[Robot], Controller]] = {
    "OSC_POSE": operational_space_pose,
    "OSC_POSITION": operational_space_position,
    "IK_POSE": inverse_kinematics_pose,
    "JOINT_POSITION": joint_position,
    "JOINT_STEP": JointStepController,
    "JOINT_VELOCITY": joint_velocity,
    "JOINT_TARGET": JointTargetController,
    "MOTOR": MotorController,
}


def make_controller(name: str, robot: Robot) -> Controller:
    """The controller called `name` for `robot`. Raises InvalidInput for a name that is not in `CONTROLLERS`."""
    if name not in CONTROLLERS:
        raise InvalidInput(f"unknown controller {name!r}; the controllers are {', '.join(sorted(CONTROLLERS))}")
    return CONTROLLERS[name](robot)
