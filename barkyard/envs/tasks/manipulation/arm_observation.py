"""What every task with an arm observes of it."""

from collections.abc import Mapping

from barkyard.envs.robot_view import RobotView
from barkyard.envs.simulation import Array, Simulation
from barkyard.envs.task import Part

WORKSPACE = 10.0
"""Positions are observed within this distance of the world's origin [m]; an object thrown farther reads as this."""


def arm_parts(robot: RobotView) -> Mapping[str, Part]:
    """Joints, gripper and tool point, in the world frame."""
    joints, fingers = robot.joint_range, robot.finger_range
    margin, slack = 0.5, 0.05
    return {
        "joint_pos": Part(len(joints), tuple(joints[:, 0] - margin), tuple(joints[:, 1] + margin)),
        "joint_vel": Part(len(joints), -50.0, 50.0),
        "gripper_pos": Part(len(fingers), tuple(fingers[:, 0] - slack), tuple(fingers[:, 1] + slack)),
        "gripper_target": Part(1, -1.0, 1.0),
        "tcp_pos_world": Part(3, -WORKSPACE, WORKSPACE),
        "tcp_quat_world": Part(4, -1.0, 1.0),
    }


def observe_arm(simulation: Simulation) -> Mapping[str, Array]:
    """Values of `arm_parts`."""
    robot = simulation.robot
    return {
        "joint_pos": robot.joint_pos,
        "joint_vel": robot.joint_vel,
        "gripper_pos": robot.gripper_pos,
        "gripper_target": simulation.gripper_target(),
        "tcp_pos_world": robot.tcp_pos_world,
        "tcp_quat_world": robot.tcp_quat_world,
    }
