"""Controllers of arms with torque motors: operational space and joint position, with a gripper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX, Robot
from barkyard.control.configuration import reserve_configuration, write_configuration
from barkyard.control.controller import ToolController, Watch
from barkyard.control.kernels import (
    CONFIG,
    IK_DAMPING,
    IK_POSE,
    JOINT_POSITION,
    JOINT_VELOCITY,
    MAGIC,
    MAX_DOF,
    MAX_GRIPPER,
    MEMORY,
    OSC_POSE,
)
from barkyard.errors import InvalidInput

_TOOL = 6
"""Directions of a tool's pose."""


@dataclass(frozen=True)
class ArmGains:
    """Gains of an arm controller.

    Attributes:
        kind: a law of `kernels`.
        kp: stiffness per controlled direction [1/s^2]; a velocity is held with the damping that belongs to it.
        damping_ratio: 1 is critical damping.
        action_scale: what an action of 1 means per direction: [m] and [rad], or [rad] or [rad/s] per joint. A tool
            that is only moved has three.
        nullspace_kp: stiffness of the posture term towards the joint positions at reset [1/s^2].
    """

    kind: int
    kp: tuple[float, ...]
    damping_ratio: float
    action_scale: tuple[float, ...]
    nullspace_kp: float = 10.0


def operational_space_pose(robot: Robot) -> "ArmController":
    """`OSC_POSE`: the action is a step of the tool's position [0.05 m] and orientation [0.5 rad, rotation vector].

    Steps are in the base frame and are added to the present pose. robosuite 1.5.2, `default_panda.json`.
    """
    scale = (0.05, 0.05, 0.05, 0.5, 0.5, 0.5)
    return ArmController(robot, ArmGains(OSC_POSE, kp=(150.0,) * 6, damping_ratio=1.0, action_scale=scale))


def joint_position(robot: Robot) -> "ArmController":
    """`JOINT_POSITION`: the action is a step of each joint [0.05 rad] from its present position.

    robosuite 1.5.2, `controllers/config/default/parts/joint_position.json`.
    """
    dof = len(robot.joints)
    gains = ArmGains(JOINT_POSITION, kp=(50.0,) * dof, damping_ratio=1.0, action_scale=(0.05,) * dof)
    return ArmController(robot, gains)


def operational_space_position(robot: Robot) -> "ArmController":
    """`OSC_POSITION`: the action is a step of the tool's position [0.05 m]; its orientation is kept.

    robosuite 1.5.2, `controllers/config/default/parts/osc_position.json`.
    """
    scale = (0.05, 0.05, 0.05)
    return ArmController(robot, ArmGains(OSC_POSE, kp=(150.0,) * 6, damping_ratio=1.0, action_scale=scale))


def inverse_kinematics_pose(robot: Robot) -> "ArmController":
    """`IK_POSE`: the action is a step of the tool's position [0.05 m] and orientation [0.2 rad, rotation vector].

    Damped least squares turn it into joint positions, once an action, and the joints are driven there. Scales and
    stiffness are a choice: robosuite's are given to another servo.
    """
    gains = ArmGains(
        IK_POSE,
        kp=(150.0,) * len(robot.joints),
        damping_ratio=1.0,
        action_scale=(0.05, 0.05, 0.05, 0.2, 0.2, 0.2),
    )
    return ArmController(robot, gains)


def joint_velocity(robot: Robot) -> "ArmController":
    """`JOINT_VELOCITY`: the action is the velocity of each joint [0.5 rad/s].

    The scale is robosuite's (`controllers/config/default/parts/joint_velocity.json`). Its law cannot be compared: in
    1.5.2 that controller fails when it is made. Ours reaches a velocity with a time constant of 1/24.5 s.
    """
    dof = len(robot.joints)
    gains = ArmGains(JOINT_VELOCITY, kp=(150.0,) * dof, damping_ratio=1.0, action_scale=(0.5,) * dof)
    return ArmController(robot, gains)


class ArmController(ToolController):
    """An arm and its gripper; the last action is the gripper's, +1 closing.

    Torques are computed at the physics rate by `kernels.control`. Final.
    """

    def __init__(self, robot: Robot, gains: ArmGains) -> None:
        """Raises InvalidInput if the robot has no tool point, base frame or gripper, or too many joints."""
        if robot.tcp is None or robot.base is None or robot.gripper is None:
            raise InvalidInput(f"robot {robot.name!r} needs `tcp`, `base` and `gripper` for an arm controller")
        if len(robot.joints) > MAX_DOF or len(robot.gripper.actuators) > MAX_GRIPPER:
            raise InvalidInput(
                f"robot {robot.name!r}: at most {MAX_DOF} joints and {MAX_GRIPPER} fingers are supported"
            )
        self.robot, self.gripper, self.gains = robot, robot.gripper, gains
        self.action_dim = len(gains.action_scale) + 1
        self.memory_size = MEMORY.SIZE

    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Reserve room for the configuration."""
        reserve_configuration(spec)

    def configure(self, model: mujoco.MjModel, substeps: int, watched: Sequence[Watch] = ()) -> None:
        """Fill the configuration from the model's ids. Raises InvalidInput if a joint cannot be controlled."""
        if watched:
            raise InvalidInput(f"the controllers of arms watch no sensors, got {len(watched)} watches")
        config = np.zeros(CONFIG.SIZE)
        config[CONFIG.MAGIC] = MAGIC
        config[CONFIG.KIND] = self.gains.kind
        config[CONFIG.DOF] = len(self.robot.joints)
        config[CONFIG.TCP_SITE] = model.site(f"{PREFIX}{self.robot.tcp}").id
        config[CONFIG.BASE_SITE] = model.site(f"{PREFIX}{self.robot.base}").id
        config[CONFIG.GRIPPER_DOF] = len(self.gripper.actuators)
        config[CONFIG.GRIPPER_SPEED] = self.gripper.speed
        config[CONFIG.NULLSPACE_KP] = self.gains.nullspace_kp
        for i, (name, actuator) in enumerate(zip(self.robot.joints, self.robot.actuators, strict=True)):
            joint = model.joint(PREFIX + name)
            kind = int(model.jnt_type[joint.id])
            if kind not in (int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)):
                raise InvalidInput(f"joint {name!r} of {self.robot.name!r} is neither a hinge nor a slide")
            config[CONFIG.JOINT + i] = joint.id
            config[CONFIG.QPOS + i] = int(model.jnt_qposadr[joint.id])
            config[CONFIG.QVEL + i] = int(model.jnt_dofadr[joint.id])
            config[CONFIG.ACTUATOR + i] = model.actuator(PREFIX + actuator).id
            config[CONFIG.IS_SLIDE + i] = kind == int(mujoco.mjtJoint.mjJNT_SLIDE)
        dofs = config[CONFIG.QVEL : CONFIG.QVEL + len(self.robot.joints)]
        if (np.diff(dofs) != 1).any():
            raise InvalidInput(f"the joints of {self.robot.name!r} must follow one another, got dofs {dofs}")
        directions = len(self.gains.kp)
        kp = np.array(self.gains.kp)
        config[CONFIG.KP : CONFIG.KP + directions] = kp
        config[CONFIG.KD : CONFIG.KD + directions] = 2.0 * np.sqrt(kp) * self.gains.damping_ratio
        config[CONFIG.ACTION_SCALE : CONFIG.ACTION_SCALE + len(self.gains.action_scale)] = self.gains.action_scale
        for i, actuator in enumerate(self.gripper.actuators):
            config[CONFIG.GRIPPER_ACTUATOR + i] = model.actuator(PREFIX + actuator).id
            config[CONFIG.GRIPPER_SIGN + i] = self.gripper.closing[i]
        write_configuration(model, config)

    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Forget the last goal; the posture term now holds the present joint positions."""
        del ctrl
        memory[ids] = 0.0
        memory[ids, MEMORY.REST : MEMORY.REST + joint_pos.shape[1]] = joint_pos

    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Hand over the actions; the goal is set from the pose at the first substep."""
        del ctrl
        memory[:, MEMORY.NEW_ACTION] = 1.0
        directions = self.action_dim - 1
        memory[:, MEMORY.ACTION : MEMORY.ACTION + directions] = actions[:, :-1]
        memory[:, MEMORY.ACTION + max(directions, _TOOL)] = actions[:, -1]

    def gripper_target(self, memory: NDArray[np.float64]) -> NDArray[np.float64]:
        """Normalised gripper position that the fingers are driven to, (N, 1): -1 open, +1 closed."""
        return memory[:, MEMORY.GRIPPER : MEMORY.GRIPPER + 1] * self.gripper.closing[0]

    def tool_action(
        self,
        move: NDArray[np.float64],
        turn: NDArray[np.float64],
        gripper: NDArray[np.float64],
        control_dt: float,
        jacobian: Callable[[], NDArray[np.float64]],
    ) -> NDArray[np.float32]:
        """A step of the pose, or of the joints by damped least squares, shortened to what one action can say.

        A goal that stays `step` ahead is followed at the speed `step * kp / kd`, where kd = 2 sqrt(kp).
        """
        followed = 0.5 * np.sqrt(self.gains.kp[0]) / self.gains.damping_ratio * control_dt
        if self.gains.kind == JOINT_VELOCITY:
            followed = control_dt
        scale = np.array(self.gains.action_scale) * followed
        if self.gains.kind in (OSC_POSE, IK_POSE):
            steps = [_shorten(move / scale[:3])]
            if len(scale) == _TOOL:
                steps.append(_shorten(turn / scale[3:]))
            return np.column_stack([*steps, gripper]).astype(np.float32)
        matrix = jacobian()
        square = matrix @ matrix.transpose(0, 2, 1) + IK_DAMPING**2 * np.eye(_TOOL)
        wanted = np.column_stack([move, turn])[:, :, None]
        step = (matrix.transpose(0, 2, 1) @ np.linalg.solve(square, wanted))[:, :, 0]
        return np.column_stack([_shorten(step / scale), gripper]).astype(np.float32)


def _shorten(step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale rows down until their largest element is at most 1 in size."""
    return step / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1.0)
