"""A robot alone on a stand, playing joint commands: what is logged for calibration, and what logs are fitted with."""

import mujoco

from barkyard.assets.robot import Robot
from barkyard.errors import InvalidInput


def servo_spec(robot: Robot) -> mujoco.MjSpec:
    """The robot's spec with one position servo a joint, its base held and its gripper still.

    Position servos stay as they are. Torque motors become joint impedance control with the robot's known gains, and
    every body's weight is compensated, as such a robot does by itself. Names of joints, actuators and bodies are kept.

    Raises:
        InvalidInput: a torque-driven robot has no impedance gains.
    """
    spec = robot.make_spec()
    _hold_still(spec, robot)
    motors = [name for name in robot.actuators if spec.actuator(name).biastype == mujoco.mjtBias.mjBIAS_NONE]
    if not motors:
        return spec
    if len(robot.impedance) != len(robot.actuators):
        raise InvalidInput(f"robot {robot.name!r} has torque motors and no impedance gains to play joint commands with")
    for name, joint, (stiffness, damping) in zip(robot.actuators, robot.joints, robot.impedance, strict=True):
        actuator = spec.actuator(name)
        limit = [float(value) for value in actuator.ctrlrange]
        actuator.set_to_position(kp=stiffness, kv=damping)
        actuator.forcelimited, actuator.forcerange = True, limit
        actuator.ctrllimited, actuator.ctrlrange = True, spec.joint(joint).range
    for body in spec.bodies:
        body.gravcomp = 1.0
    return spec


def _hold_still(spec: mujoco.MjSpec, robot: Robot) -> None:
    """Take away the free joint of the base and the joints of the gripper."""
    gripper = robot.gripper
    for name in gripper.actuators if gripper else ():
        spec.delete(spec.actuator(name))
    for joint in list(spec.joints):
        free = joint.type == mujoco.mjtJoint.mjJNT_FREE
        if free or (gripper and joint.name in gripper.joints):
            if free:
                joint.parent.pos = [0.0, 0.0, _STAND]
            spec.delete(joint)


_STAND = 0.6
"""Height at which a walking robot's base is held [m]."""
