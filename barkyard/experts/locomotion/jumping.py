"""The broad jump: a bound whose clock is locked to the distance from the board.

Front and hind feet swing for `SWING` of a cycle, about half a cycle apart, so both pairs are in the air twice a cycle.
The clock runs so that the stretched flight, hind feet just off and front feet about to land, comes when the base is
over the middle of the board; then every foot's swing spans the board. Design and reward are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.assets.robots.barkour import NUMBERS
from barkyard.assets.robots.barkour.kinematics import leg_angles
from barkyard.assets.robots.barkour.numbers import LEGS
from barkyard.control.joint_target import ACTION_SCALE
from barkyard.envs.simulation import Array, Ids
from barkyard.envs.tasks.locomotion.quadruped import Quadruped
from barkyard.experts.locomotion.mirror import Mirror
from barkyard.experts.locomotion.network import Network
from barkyard.experts.locomotion.walking import MIRRORED_LEGS
from barkyard.rotation import wrap_angle

STRIDE = 0.92
"""Length of a bound [m]."""
SWING = 0.6
"""Part of a cycle that a foot is in the air."""
OVER_BOARD = 0.5
"""Phase at which the base is to be over the middle of the board."""
GAIN = 0.13
"""By how much the clock, which cannot go slowly, runs ahead of the distance while the robot gains speed [cycles]."""
HIND_LAG = 0.53
"""Of the hind feet's cycle behind the front feet's [cycles]."""
SLOWEST, STEADY, FASTEST = 1.7, 1.8, 3.0
"""Rates of the clock [Hz]: the least, that of slow bounds, and the most."""
CORRECTION, LOCKED = 4.0, (0.6, 1.2)
"""How much of a phase error is made up in a second, and the speeds between which that sets in [m/s]."""
BEHIND = 0.3
"""Errors lie within half a cycle of this: the clock rather hurries than waits, because it cannot go slowly."""
SWING_HEIGHT = 0.08
"""Of a foot in mid swing, and over the board [m]."""
FOOT_MARGIN = 0.04
"""About the board, where no foot is wanted on the ground [m]."""
HIP_HEIGHT, EAGER = 0.26, 0.3
"""Of the hips above feet on the ground [m], and how much faster than the robot the feet are swept back [m/s]."""
KNEE_HEIGHT = 0.10
"""Knees below this cost: they would strike the board [m]."""
OBSERVATION_SIZE = 9 + 36 + 1 + 2 + 4
_FRONT = np.array([True, False, True, False])

_JOINTS = np.concatenate([9 + 12 * block + MIRRORED_LEGS for block in range(3)])
MIRROR = Mirror(
    order=np.concatenate([np.arange(9), _JOINTS, np.arange(45, OBSERVATION_SIZE)]),
    flipped=(1, 3, 5, 7, 49, 50),
    action_order=MIRRORED_LEGS,
)
"""Left and right exchanged: lateral velocity, roll and yaw rate, lateral tilt, side and heading change their signs."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Approach:
    """Where the robots are in the boards' frames.

    Attributes:
        ahead: `(N,)` distance to the board's middle along its heading [m]; negative behind it.
        side: `(N,)` lateral offset from its axis [m].
        heading: `(N,)` heading relative to its own [rad].
        half_length: `(N,)` of the board [m].
    """

    ahead: Array
    side: Array
    heading: Array
    half_length: Array


def approach(quadruped: Quadruped, board: Array) -> Approach:
    """The robots' approach to boards `(N, 5)`: x, y of the centre [m], cosine and sine of the heading, half length."""
    offset = quadruped.base_pos[:, :2] - board[:, :2]
    cos, sin = board[:, 2], board[:, 3]
    heading = wrap_angle(quadruped.heading() - np.arctan2(sin, cos))
    along, side = cos * offset[:, 0] + sin * offset[:, 1], cos * offset[:, 1] - sin * offset[:, 0]
    return Approach(-along, side, heading, board[:, 4])


def start_phase(ahead: Array) -> Array:
    """`(N,)` phases from which the clock, started at rest, is right at the board without being corrected."""
    return (OVER_BOARD - GAIN - ahead / STRIDE) % 1.0


def advance_clock(phase: Array, ahead: Array, speed: Array, dt: float) -> Array:
    """`(N,)` the bound's phase [cycles, in [0, 1)] one control period later."""
    wanted = OVER_BOARD - ahead / STRIDE
    error = wrap_angle(wanted - phase - BEHIND, 1.0) + BEHIND
    lock = np.clip((speed - LOCKED[0]) / (LOCKED[1] - LOCKED[0]), 0.0, 1.0)
    rate = np.clip(np.maximum(speed / STRIDE, STEADY) + CORRECTION * lock * error, SLOWEST, FASTEST)
    return (phase + dt * rate) % 1.0


class Jump:
    """The jumping network's view of the robot. Final."""

    def __init__(self, quadruped: Quadruped) -> None:
        self.quadruped = quadruped
        self._numbers = NUMBERS[quadruped.simulation.robot.robot.name]
        self._outward = self._numbers.hip_offset[1] + self._numbers.knee_offset

    def observe(self, place: Approach, speed: Array, phase: Array) -> Floats:
        """What the network sees.

        Args:
            place: where the robots are.
            speed: `(N,)` wanted [m/s].
            phase: `(N,)` of the bound [cycles].

        Returns:
            `(N, OBSERVATION_SIZE)` features.
        """
        robot = self.quadruped
        angle = 2 * np.pi * phase
        where = [np.clip(place.ahead, -1.0, 2.0), np.clip(4 * place.side, -2, 2), np.clip(2 * place.heading, -2, 2)]
        parts = [
            robot.linear_velocity(),
            0.25 * robot.angular_velocity(),
            robot.up(),
            robot.view.joint_pos - robot.home,
            0.05 * robot.view.joint_vel,
            robot.simulation.last_action(),
            speed[:, None],
            np.stack([np.sin(angle), np.cos(angle)], axis=1),
            np.stack([*where, 4 * place.half_length], axis=1),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def act(self, outputs: Floats, phase: Array) -> Floats:
        """`(N, 12)` actions: the network's outputs, added to the feet's course in an even bound."""
        speed = np.maximum(self.quadruped.linear_velocity()[:, 0], 0.0)
        rate = np.maximum(speed / STRIDE, STEADY)
        reach = np.minimum((speed + EAGER) / rate, STRIDE) * (1.0 - SWING) / 2
        own = np.where(_FRONT, phase[:, None], (phase[:, None] - HIND_LAG) % 1.0)
        swing, stance = own / SWING, (own - SWING) / (1.0 - SWING)
        up = own < SWING
        x = reach[:, None] * np.where(up, -np.cos(np.pi * np.minimum(swing, 1.0)), 1.0 - 2.0 * stance)
        z = np.where(up, SWING_HEIGHT * np.sin(np.pi * np.minimum(swing, 1.0)), 0.0) - HIP_HEIGHT
        angles = leg_angles(self._numbers, np.stack([x, np.full_like(x, self._outward), z], axis=2))
        offset = (angles.reshape(len(x), -1) - self.quadruped.home) / ACTION_SCALE
        return np.clip(offset.astype(np.float32) + outputs, -1.0, 1.0)


def symmetric(network: Network, view: Floats) -> Floats:
    """`(N, 12)` the mean of a network's outputs and those of its mirror image, so it runs straight."""
    return np.float32(0.5) * (network(view) + MIRROR.actions(network(MIRROR.observations(view))))


class JumpReward:
    """The reward of bounding along a line over boards. Final."""

    def __init__(self, quadruped: Quadruped) -> None:
        self.quadruped = quadruped
        count, model = quadruped.simulation.num_envs, quadruped.simulation.model
        self._knees = [model.body(f"{PREFIX}{leg}_shank").id for leg in LEGS]
        self._feet, self._actions = np.zeros((count, 4, 3)), np.zeros((count, 12))

    def begin(self, ids: Ids) -> None:
        """Episodes begin."""
        self._feet[ids] = self.quadruped.feet_pos[ids]
        self._actions[ids] = 0.0

    def __call__(self, board: Array, wanted: Array, phase: Array) -> tuple[Array, dict[str, Array]]:
        """`(N,)` reward per second, and its parts."""
        robot, dt = self.quadruped, self.quadruped.simulation.control_dt
        place = approach(robot, board)
        feet, actions = robot.feet_pos.copy(), robot.simulation.last_action()
        velocity = robot.linear_velocity()
        up, spin = robot.up(), robot.angular_velocity()
        joints, limits = robot.view.joint_pos, robot.view.joint_range
        beyond = np.maximum(0, limits[:, 0] + 0.1 - joints) + np.maximum(0, joints - limits[:, 1] + 0.1)
        speed = velocity[:, 0]
        pose = ((joints - robot.home) ** 2).reshape(-1, 4, 3) @ np.array([1.0, 0.1, 0.05])
        parts = {
            "speed": 1.3 * np.clip(speed / wanted, -1, 1) + 0.5 * np.exp(-((speed - wanted) ** 2) / 0.25),
            "gait": 4.0 * self._gait(phase, over_board(feet, board), feet, (feet - self._feet) / dt),
            "line": 0.8 * np.exp(-((place.side / 0.12) ** 2)) + 0.8 * np.exp(-((place.side / 0.5) ** 2)),
            "heading": 0.8 * np.exp(-((place.heading / 0.2) ** 2)),
            "pose": 0.3 * np.exp(-pose.sum(axis=1)),
            "tilt": -5.0 * up[:, 1] ** 2 - 1.0 * up[:, 0] ** 2,
            "spin": -0.05 * (spin[:, 0] ** 2 + spin[:, 2] ** 2),
            "limits": -1.0 * beyond.sum(axis=1),
            "rate": -0.04 * ((actions - self._actions) ** 2).sum(axis=1),
            "knees": -10.0 * np.maximum(0.0, KNEE_HEIGHT - robot.simulation.xpos[:, self._knees, 2]).sum(axis=1),
        }
        self._feet[:], self._actions[:] = feet, actions
        return np.maximum(sum(parts.values()), 0.0), parts

    def _gait(self, phase: Array, over: NDArray[np.bool_], feet: Array, velocity: Array) -> Array:
        """`(N,)`: feet in swing follow a sine, feet in stance touch and do not slip; over the board all are high."""
        own = np.where(_FRONT, phase[:, None], (phase[:, None] - HIND_LAG) % 1.0)
        swinging = own < SWING
        contact = self.quadruped.foot_contact()
        target = SWING_HEIGHT * np.where(over, 1.0, np.sin(np.pi * np.minimum(own / SWING, 1.0)))
        gap = feet[:, :, 2] - self.quadruped.foot_radius - target
        swing = np.where(contact, -0.5, np.exp(-((gap / np.where(gap < 0, 0.03, 0.06)) ** 2)))
        slip = np.linalg.norm(velocity[:, :, :2], axis=2)
        stance = contact * (0.3 + 0.7 * np.exp(-(slip**2) / 0.04))
        return np.where(swinging | over, swing, stance).mean(axis=1)


def over_board(feet: Array, board: Array) -> NDArray[np.bool_]:
    """`(N, 4)` which feet `(N, 4, 3)` are over the boards or beside them, `FOOT_MARGIN` before and behind included."""
    offset = feet[:, :, :2] - board[:, None, :2]
    along = (offset * board[:, None, 2:4]).sum(axis=2)
    return np.abs(along) < board[:, 4:] + FOOT_MARGIN
