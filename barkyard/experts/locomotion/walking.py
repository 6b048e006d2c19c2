"""Omnidirectional walking: what the network sees, and how it is rewarded while it learns.

The recipe follows mjbatch's Go1 example and MuJoCo Playground's joysticks: a trot clock that the feet are rewarded to
keep to, velocity tracking, and penalties. In the second half of the clock left and right are exchanged before the
network and back after it, so it learns one half of a symmetric gait.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.locomotion.quadruped import SCAN_X, SCAN_Y, Quadruped

SWING_HEIGHT = 0.07
"""Of a foot in mid swing above the ground [m]."""
HALF_TRACK = 0.18
"""Feet farther out than this cost [m]; narrow legs pass between poles."""
STANDING_SPEED = 0.1
"""Commands smaller than this ask to stand."""
RANGE = 0.5
"""Part of the actions' range that walking needs [rad from home, too]."""
OBSERVATION_SIZE = 9 + 12 * 3 + 3 + 2 + len(SCAN_X) * len(SCAN_Y)
MIRRORED_LEGS = np.r_[6:12, 0:6]
_FIRST_PAIR = np.array([True, False, False, True])
"""FL and HR swing in the first half of the clock."""

Floats = NDArray[np.float32]


def mirror_joints(values: NDArray[Any]) -> NDArray[Any]:
    """`(n, 12)` joint values with left and right exchanged; abduction is inward on both sides, so no sign changes."""
    return values[:, MIRRORED_LEGS]


class Walk:
    """The walking network's view of the robot. Final."""

    def __init__(self, quadruped: Quadruped) -> None:
        self.quadruped = quadruped

    def observe(self, command: Array) -> tuple[Floats, NDArray[np.bool_]]:
        """What the network sees.

        Args:
            command: `(N, 3)` velocity in the heading frame [m/s, m/s, rad/s].

        Returns:
            `(N, OBSERVATION_SIZE)` features, and `(N,)` whether left and right are exchanged in them.
        """
        robot = self.quadruped
        moving, phase = is_moving(command), robot.phase()
        mirrored = moving & (phase >= 0.5)
        sign = np.where(mirrored, -1.0, 1.0)[:, None]
        polar, axial = (
            np.hstack([np.ones_like(sign), sign, np.ones_like(sign)]),
            np.hstack([sign, np.ones_like(sign), sign]),
        )
        scan = robot.height_scan().reshape(-1, len(SCAN_X), len(SCAN_Y))
        scan = np.where(mirrored[:, None, None], scan[:, :, ::-1], scan).reshape(len(scan), -1)
        joints = [robot.view.joint_pos - robot.home, 0.05 * robot.view.joint_vel, robot.simulation.last_action()]
        angle = 2 * np.pi * np.where(mirrored, phase - 0.5, phase)
        clock = np.stack([np.sin(angle), np.cos(angle)], axis=1) * moving[:, None]
        parts = [
            robot.linear_velocity() * polar,
            0.25 * robot.angular_velocity() * axial,
            robot.up() * polar,
            *[np.where(mirrored[:, None], mirror_joints(values), values) for values in joints],
            command * np.hstack([polar[:, :2], sign]),
            clock,
            np.clip(4.0 * scan, -4.0, 4.0),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32), mirrored

    def act(self, outputs: Floats, mirrored: NDArray[np.bool_]) -> Floats:
        """`(N, 12)` actions from the network's outputs."""
        return np.clip(np.where(mirrored[:, None], outputs[:, MIRRORED_LEGS], outputs), -RANGE, RANGE)


def is_moving(command: Array) -> NDArray[np.bool_]:
    """`(N,)` whether a command asks for motion."""
    return np.linalg.norm(command, axis=1) > STANDING_SPEED


class WalkReward:
    """The reward of walking, from one control period to the next. Final."""

    def __init__(self, quadruped: Quadruped) -> None:
        self.quadruped = quadruped
        count = quadruped.simulation.num_envs
        self._feet, self._actions = np.zeros((count, 4, 3)), np.zeros((count, 12))
        inside = np.abs(SCAN_X) <= 0.3
        x, y = np.meshgrid(SCAN_X[inside], SCAN_Y, indexing="ij")
        design = np.column_stack([x.ravel(), y.ravel(), np.ones(x.size)])
        self._inside, self._plane = inside, np.linalg.pinv(design)[:2]

    def begin(self, ids: Ids) -> None:
        """Episodes begin."""
        self._feet[ids] = self.quadruped.feet_pos[ids]
        self._actions[ids] = 0.0

    def slope(self) -> Array:
        """`(N, 2)` inclination of the ground under the robot along its heading and to its left."""
        scan = self.quadruped.height_scan().reshape(-1, len(SCAN_X), len(SCAN_Y))[:, self._inside]
        return np.asarray(scan.reshape(len(scan), -1) @ self._plane.T)

    def __call__(self, command: Array) -> tuple[Array, dict[str, Array]]:
        """`(N,)` reward per second, and its parts."""
        robot, dt = self.quadruped, self.quadruped.simulation.control_dt
        velocity, feet, contact = robot.heading_velocity(), robot.feet_pos.copy(), robot.foot_contact()
        foot_velocity = (feet - self._feet) / dt
        error = command - velocity
        actions = robot.simulation.last_action()
        rate = ((actions - self._actions) ** 2).sum(axis=1)
        normal = np.column_stack([-self.slope(), np.ones(len(feet))])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        joints, limits = robot.view.joint_pos, robot.view.joint_range
        beyond = np.maximum(0, limits[:, 0] + 0.1 - joints) + np.maximum(0, joints - limits[:, 1] + 0.1)
        rise = (
            velocity[:, 0] * normal[:, 0] + velocity[:, 1] * normal[:, 1] + robot.simulation.qvel[:, 2] * normal[:, 2]
        )
        pose = ((joints - robot.home) ** 2).reshape(-1, 4, 3) @ np.array([1.0, 0.2, 0.1])
        parts = {
            "linear": 2.5 * np.exp(-(error[:, :2] ** 2).sum(axis=1) / 0.25)
            + 1.0 * np.exp(-(error[:, :2] ** 2).sum(axis=1) / 0.03),
            "angular": 0.5 * np.exp(-(error[:, 2] ** 2) / 0.25) + 0.3 * np.exp(-(error[:, 2] ** 2) / 0.04),
            "gait": 2.0 * self._gait(command, feet, foot_velocity, contact),
            "pose": 0.5 * np.exp(-pose.sum(axis=1)),
            "tilt": -5.0 * ((robot.axis()[:, :2] - normal[:, :2]) ** 2).sum(axis=1),
            "rise": -0.5 * rise**2,
            "spin": -0.05 * (robot.angular_velocity()[:, :2] ** 2).sum(axis=1),
            "width": -4.0 * np.maximum(0.0, self._outward(feet) - HALF_TRACK).sum(axis=1),
            "limits": -1.0 * beyond.sum(axis=1),
            "rate": -0.04 * rate,
        }
        self._feet[:], self._actions[:] = feet, actions
        return np.maximum(sum(parts.values()), 0.0), parts

    def _outward(self, feet: Array) -> Array:
        """`(N, 4)` how far the feet are from the robot's middle plane [m]."""
        return self.quadruped.to_heading(feet[:, :, :2])[:, :, 1] * np.array([1.0, 1.0, -1.0, -1.0])

    def _gait(self, command: Array, feet: Array, velocity: Array, contact: NDArray[np.bool_]) -> Array:
        """`(N,)` in [0, 1]: feet in swing follow a sine over the ground ahead, feet in stance touch and do not slip."""
        speed = np.linalg.norm(velocity[:, :, :2], axis=2, keepdims=True)
        ahead = feet[:, :, :2] + 0.10 * velocity[:, :, :2] / np.maximum(speed, 0.3)
        ground = self.quadruped.ground(np.concatenate([feet[:, :, :2], ahead], axis=1))
        ground = np.maximum(ground[:, :4], ground[:, 4:])
        phase = self.quadruped.phase()
        first = phase < 0.5
        swinging = (first[:, None] == _FIRST_PAIR[None]) & is_moving(command)[:, None]
        target = SWING_HEIGHT * np.sin(2 * np.pi * np.where(first, phase, phase - 0.5))[:, None]
        gap = feet[:, :, 2] - self.quadruped.foot_radius - ground - target
        swing = np.exp(-((gap / np.where(gap < 0, 0.025, 0.05)) ** 2)) * ~contact
        stance = contact * (0.3 + 0.7 * np.exp(-(speed[:, :, 0] ** 2) / 0.04))
        return np.where(swinging, swing, stance).mean(axis=1)
