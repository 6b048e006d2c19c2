"""Where a real camera stands, from points whose places in the world and in its picture are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

Array = NDArray[np.float64]
FEWEST_POINTS = 6
_TO_MUJOCO = np.diag([1.0, -1.0, -1.0])
"""OpenCV's cameras look along +z with y down, MuJoCo's along -z with y up."""
_UNDISTORTED = np.zeros(5)
_NARROWEST, _WIDEST = 5.0, 150.0


@dataclass(frozen=True)
class CameraPose:
    """A camera fixed in the world.

    Attributes:
        pos: its place [m].
        quat: orientation of its frame: it looks along -z, y is up.
        fovy: vertical field of view [degrees], as MuJoCo has it.
        error: root mean square distance of the points from where they should be in the picture [pixels].
    """

    pos: tuple[float, float, float]
    quat: tuple[float, float, float, float]
    fovy: float
    error: float = 0.0


def find_camera(points: Array, pixels: Array, size: tuple[int, int], fovy: float | None = None) -> CameraPose:
    """The pose that explains a picture, by OpenCV's perspective-n-point solver.

    The lens has no distortion and its axis goes through the middle of the picture; undistort the photograph first.

    Args:
        points: `(K, 3)` in the world [m], at least `FEWEST_POINTS`, not all in one plane unless `fovy` is given.
        pixels: `(K, 2)` column and row of each, from the top left corner.
        size: height and width of the picture.
        fovy: vertical field of view [degrees]; None finds it too.

    Raises:
        InvalidInput: there are too few points, or no pose explains them.
    """
    points, pixels = np.asarray(points, np.float64), np.asarray(pixels, np.float64)
    if points.ndim != 2 or points.shape[1:] != (3,) or pixels.shape != (len(points), 2):
        raise InvalidInput(f"points {points.shape} and pixels {pixels.shape} do not fit; give (K, 3) and (K, 2)")
    if len(points) < FEWEST_POINTS or not (np.isfinite(points).all() and np.isfinite(pixels).all()):
        raise InvalidInput(f"there are {len(points)} points; give at least {FEWEST_POINTS}, all of them finite")
    if fovy is not None:
        return _solve(points, pixels, size, fovy)
    from scipy.optimize import minimize_scalar

    angles = np.linspace(_NARROWEST, _WIDEST, 30)
    best = int(np.argmin([_solve(points, pixels, size, angle).error for angle in angles]))
    bounds = angles[max(best - 1, 0)], angles[min(best + 1, len(angles) - 1)]
    found = minimize_scalar(
        lambda angle: _solve(points, pixels, size, angle).error,
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return _solve(points, pixels, size, float(found.x))


def _solve(points: Array, pixels: Array, size: tuple[int, int], fovy: float) -> CameraPose:
    import cv2

    height, width = size
    focal = 0.5 * height / np.tan(0.5 * np.deg2rad(fovy))
    matrix = np.array([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])
    worked, turn, shift = cv2.solvePnP(points, pixels, matrix, _UNDISTORTED, flags=cv2.SOLVEPNP_SQPNP)
    if not worked:
        raise InvalidInput("no camera sees these points there; check their order and the picture's size")
    turn, shift = cv2.solvePnPRefineLM(points, pixels, matrix, _UNDISTORTED, turn, shift)
    seen, _ = cv2.projectPoints(points, turn, shift, matrix, _UNDISTORTED)
    error = float(np.sqrt(np.mean(np.sum((seen[:, 0] - pixels) ** 2, axis=1))))
    to_camera = cv2.Rodrigues(turn)[0]
    x, y, z = (float(value) for value in (-to_camera.T @ shift)[:, 0])
    return CameraPose((x, y, z), _quaternion(to_camera.T @ _TO_MUJOCO), float(fovy), error)


def _quaternion(matrix: Array) -> tuple[float, float, float, float]:
    from scipy.spatial.transform import Rotation

    x, y, z, w = (float(value) for value in Rotation.from_matrix(matrix).as_quat())
    return (w, x, y, z)
