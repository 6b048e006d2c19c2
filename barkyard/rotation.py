"""Rotations over arrays: quaternions are (..., 4) in w x y z order and unit length."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def quat_multiply(first: Array, second: Array) -> Array:
    """Hamilton product: the rotation `second`, then `first`."""
    w1, x1, y1, z1 = np.moveaxis(first, -1, 0)
    w2, x2, y2, z2 = np.moveaxis(second, -1, 0)
    return np.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def quat_conjugate(quat: Array) -> Array:
    """The inverse rotation."""
    return quat * np.array([1.0, -1.0, -1.0, -1.0])


def quat_rotate(quat: Array, vector: Array) -> Array:
    """Vectors (..., 3) turned by the rotation."""
    axis = quat[..., 1:]
    twice = 2.0 * np.cross(axis, vector)
    return vector + quat[..., :1] * twice + np.cross(axis, twice)


def quat_to_vector(quat: Array) -> Array:
    """Rotation vectors (..., 3) [rad] of at most half a turn."""
    quat = np.where(quat[..., :1] < 0, -quat, quat)
    norm = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(norm, quat[..., :1])
    return np.where(norm > 1e-12, quat[..., 1:] * angle / np.maximum(norm, 1e-12), 2.0 * quat[..., 1:])


def quat_about_z(angle: Array | float) -> Array:
    """Turns by `angle` (...) [rad] about the z axis."""
    half = 0.5 * np.asarray(angle, dtype=np.float64)
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), zero, zero, np.sin(half)], axis=-1)


def wrap_angle(angle: Array, period: float = 2 * np.pi) -> Array:
    """The same angle in [-period / 2, period / 2) [rad]."""
    return (angle + period / 2) % period - period / 2
