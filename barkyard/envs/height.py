"""Height of the ground that boxes make, by exact intersection."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def ground_height(points: Array, pos: Array, quat: Array, half_size: Array) -> Array:
    """Height of the highest surface above or below each point: the floor at 0, or the top of a box.

    Args:
        points: `(N, P, 2)` in the world frame [m].
        pos: `(N, K, 3)` centres of the boxes.
        quat: `(N, K, 4)` their orientations.
        half_size: `(N, K, 3)`.

    Returns:
        `(N, P)` heights [m].
    """
    count, width = points.shape[0], points.shape[1]
    height = np.zeros((count, width))
    matrix = np.empty((3, 3))
    for n in range(count):
        centre_x, centre_y, reach = 0.0, 0.0, 0.0
        for p in range(width):
            centre_x += points[n, p, 0] / width
            centre_y += points[n, p, 1] / width
        for p in range(width):
            reach = max(reach, abs(points[n, p, 0] - centre_x) + abs(points[n, p, 1] - centre_y))
        for k in range(pos.shape[1]):
            sx, sy, sz = half_size[n, k]
            radius = math.sqrt(sx * sx + sy * sy + sz * sz)
            if (
                pos[n, k, 2] + radius <= 0.0
                or math.hypot(pos[n, k, 0] - centre_x, pos[n, k, 1] - centre_y) > radius + reach
            ):
                continue
            w, x, y, z = quat[n, k]
            matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
            matrix[1, 0], matrix[1, 1], matrix[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
            matrix[2, 0], matrix[2, 1], matrix[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
            for p in range(width):
                dx, dy, dz = points[n, p, 0] - pos[n, k, 0], points[n, p, 1] - pos[n, k, 1], -pos[n, k, 2]
                low, high = -1e9, 1e9
                for i in range(3):
                    start = matrix[0, i] * dx + matrix[1, i] * dy + matrix[2, i] * dz
                    slope = matrix[2, i]
                    size = half_size[n, k, i]
                    if abs(slope) < 1e-9:
                        if abs(start) > size:
                            high = -2e9
                            break
                    else:
                        first, second = (-size - start) / slope, (size - start) / slope
                        low, high = max(low, min(first, second)), min(high, max(first, second))
                if high >= low and high > height[n, p]:
                    height[n, p] = high
    return height
