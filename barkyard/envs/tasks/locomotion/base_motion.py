"""Velocities and directions of floating bases, compiled."""

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


class MotionLayout(NamedTuple):
    """Offsets into a row of `base_motion`."""

    UP: int = 0
    AXIS: int = 3
    LINEAR: int = 6
    PLANAR: int = 9
    HEADING: int = 12
    SIZE: int = 13


MOTION: Final = MotionLayout()


@njit(cache=True, error_model="numpy")
def base_motion(qpos: Array, qvel: Array) -> Array:
    """How free bases lie and move.

    Args:
        qpos: `(N, >= 7)`, position and orientation of the base first.
        qvel: `(N, >= 6)`, velocity in the world frame and angular velocity in the base frame first.

    Returns:
        `(N, MOTION.SIZE)`: the vertical in the base frame; the base's z axis in the heading frame; velocity in the base
        frame [m/s]; forward and lateral velocity in the heading frame [m/s] and rate of the heading [rad/s]; heading
        [rad].
    """
    out = np.empty((qpos.shape[0], MOTION.SIZE))
    for n in range(qpos.shape[0]):
        w, x, y, z = qpos[n, 3], qpos[n, 4], qpos[n, 5], qpos[n, 6]
        xx, xy, xz = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
        yx, yy, yz = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
        zx, zy, zz = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
        vx, vy, vz = qvel[n, 0], qvel[n, 1], qvel[n, 2]
        heading = math.atan2(yx, xx)
        cos, sin = math.cos(heading), math.sin(heading)
        row = out[n]
        row[0], row[1], row[2] = zx, zy, zz
        row[3], row[4], row[5] = cos * xz + sin * yz, cos * yz - sin * xz, zz
        row[6], row[7], row[8] = xx * vx + yx * vy + zx * vz, xy * vx + yy * vy + zy * vz, xz * vx + yz * vy + zz * vz
        row[9], row[10] = cos * vx + sin * vy, cos * vy - sin * vx
        row[11] = zx * qvel[n, 3] + zy * qvel[n, 4] + zz * qvel[n, 5]
        row[12] = heading
    return out
