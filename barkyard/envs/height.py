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
    height = np.zeros(points.shape[:2])
    for n in range(len(points)):
        _raise(height[n], points[n], pos[n], quat[n], half_size[n])
    return height


@njit(cache=True, error_model="numpy")
def height_scan(grid: Array, origin: Array, heading: Array, pos: Array, quat: Array, half_size: Array) -> Array:
    """`ground_height` under a grid that moves with each of N robots.

    Args:
        grid: `(P, 2)` points in the heading frame [m].
        origin: `(N, >= 2)` where the robots are in the world [m].
        heading: `(N,)` direction of the heading frame's x axis [rad].
        pos: see `ground_height`, and `quat` and `half_size`.
        quat: see `pos`.
        half_size: see `pos`.

    Returns:
        `(N, P)` heights [m].
    """
    height, points = np.zeros((len(origin), len(grid))), np.empty(grid.shape)
    for n in range(len(origin)):
        cos, sin = math.cos(heading[n]), math.sin(heading[n])
        for p in range(len(grid)):
            x, y = grid[p]
            points[p, 0], points[p, 1] = cos * x - sin * y + origin[n, 0], sin * x + cos * y + origin[n, 1]
        _raise(height[n], points, pos[n], quat[n], half_size[n])
    return height


@njit(cache=True, error_model="numpy")
def _raise(height: Array, points: Array, pos: Array, quat: Array, half_size: Array) -> None:
    """Lift `height` (P,) to the tops of one simulation's boxes."""
    width = len(points)
    centre_x, centre_y, reach = 0.0, 0.0, 0.0
    for p in range(width):
        centre_x += points[p, 0] / width
        centre_y += points[p, 1] / width
    for p in range(width):
        reach = max(reach, abs(points[p, 0] - centre_x) + abs(points[p, 1] - centre_y))
    matrix = np.empty((3, 3))
    for k in range(len(pos)):
        sx, sy, sz = half_size[k]
        radius = math.sqrt(sx * sx + sy * sy + sz * sz)
        if pos[k, 2] + radius <= 0.0 or math.hypot(pos[k, 0] - centre_x, pos[k, 1] - centre_y) > radius + reach:
            continue
        w, x, y, z = quat[k]
        matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
        matrix[1, 0], matrix[1, 1], matrix[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
        matrix[2, 0], matrix[2, 1], matrix[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
        for p in range(width):
            dx, dy = points[p, 0] - pos[k, 0], points[p, 1] - pos[k, 1]
            top = _top(matrix, half_size[k], dx, dy, -pos[k, 2])
            if top > height[p]:
                height[p] = top


@njit(cache=True, error_model="numpy", inline="always")
def _top(matrix: Array, half_size: Array, dx: float, dy: float, dz: float) -> float:
    """How high above (dx, dy, dz) from a box's centre the vertical leaves the box; -1 where it misses it."""
    low, high = -1e9, 1e9
    for i in range(3):
        start = matrix[0, i] * dx + matrix[1, i] * dy + matrix[2, i] * dz
        slope, size = matrix[2, i], half_size[i]
        if abs(slope) < 1e-9:
            if abs(start) > size:
                return -1.0
        else:
            middle, half = -start / slope, abs(size / slope)
            low, high = max(low, middle - half), min(high, middle + half)
    return high if high >= low else -1.0
