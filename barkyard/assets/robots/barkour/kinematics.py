"""Where a leg's foot is, and the joint angles that put it there."""

import math

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots.barkour.numbers import QuadrupedNumbers

Array = NDArray[np.float64]


def foot_position(numbers: QuadrupedNumbers, joints: Array) -> Array:
    """Feet of legs at joint angles.

    Args:
        numbers: of the robot.
        joints: `(..., 3)` abduction, hip and knee [rad].

    Returns:
        `(..., 3)` centre of the foot from the point on the abduction axis at the hip's x: forward, outward, up [m].
    """
    abduction, hip, knee = np.moveaxis(joints, -1, 0)
    shank = knee - hip + numbers.shank_angle
    x = -numbers.thigh_length * np.cos(hip) + numbers.shank_length * np.cos(shank)
    drop = numbers.thigh_length * np.sin(hip) + numbers.shank_length * np.sin(shank)
    offset = numbers.hip_offset[1] + numbers.knee_offset
    outward = offset * np.cos(abduction) - drop * np.sin(abduction)
    up = -offset * np.sin(abduction) - drop * np.cos(abduction)
    return np.stack([x, outward, up], axis=-1)


def leg_angles(numbers: QuadrupedNumbers, foot: Array) -> Array:
    """Joint angles `(..., 3)` [rad] that put a foot at `(..., 3)`, the inverse of `foot_position`.

    A foot out of reach is brought to the nearest length that the leg has; knees bend the robot's way.
    """
    x, outward, up = np.moveaxis(foot, -1, 0)
    offset = numbers.hip_offset[1] + numbers.knee_offset
    drop = np.sqrt(np.maximum(outward**2 + up**2 - offset**2, 1e-6))
    abduction = np.arctan2(-drop, offset) - np.arctan2(up, outward)
    thigh, shank = numbers.thigh_length, numbers.shank_length
    longest = _length(numbers, numbers.knee_range[1])
    shortest = _length(numbers, numbers.knee_range[0])
    reach = np.clip(np.hypot(x, drop), shortest, longest)
    knee = np.arccos((thigh**2 + shank**2 - reach**2) / (2 * thigh * shank)) - numbers.shank_angle
    hip = np.arctan2(drop, -x) - np.arccos((thigh**2 + reach**2 - shank**2) / (2 * thigh * reach))
    return np.stack([abduction, hip, knee], axis=-1)


def hip_positions(numbers: QuadrupedNumbers) -> Array:
    """`(4, 2)` forward and outward place of the points that feet are measured from, in the torso [m], order `LEGS`."""
    front, hind, lateral, _ = numbers.abduction_axis
    x = (front + numbers.hip_offset[0], hind - numbers.hip_offset[0])
    return np.array([(x[0], lateral), (x[1], lateral), (x[0], lateral), (x[1], lateral)])


def _length(numbers: QuadrupedNumbers, knee: float) -> float:
    thigh, shank = numbers.thigh_length, numbers.shank_length
    return math.sqrt(thigh**2 + shank**2 - 2 * thigh * shank * math.cos(knee + numbers.shank_angle))
