"""The body that acts in an environment."""

from barkyard.assets.robots.bodies import robot_body
from barkyard.control.arm import ArmController
from barkyard.control.kernels import JOINT_POSITION
from barkyard.embodiment import Embodiment
from barkyard.envs.env import RobotVectorEnv


def environment_body(env: RobotVectorEnv) -> Embodiment:
    """The robot's embodiment, with the limb of each element of the environment's action as the signal `action`.

    A step of the tool's pose is the whole body's, so the root's; the gripper's command is its first finger's.
    """
    controller, body = env.simulation.controller, robot_body(env.simulation.robot.robot.name)
    if not isinstance(controller, ArmController):
        return body
    arm = body.signals["joint"] if controller.gains.kind == JOINT_POSITION else (0,) * (controller.action_dim - 1)
    return body.with_signals({"action": (*arm, *body.signals["gripper_target"])})
