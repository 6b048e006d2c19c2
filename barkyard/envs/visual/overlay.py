"""Pictures of a simulation laid over a photograph of the real scene, for a camera that stands still.

SIMPLER's visual matching (Li et al., arXiv 2405.05941): what can move is drawn by the simulation, all else is the
photograph, from which robot and objects have been retouched.
"""

from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from barkyard.assets.robot import PREFIX
from barkyard.errors import InvalidInput

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def foreground_geoms(model: mujoco.MjModel) -> Mask:
    """`(ngeom,)` which geoms the simulation draws: those of the robot, and of whatever can move."""
    robot = np.array([model.body(i).name.startswith(PREFIX) for i in range(model.nbody)])
    mobile = model.body_weldid != 0
    return np.asarray((robot | mobile)[model.geom_bodyid])


def lay_over(simulated: Image, photograph: Image, foreground: Mask) -> Image:
    """Simulated pixels where `foreground`, the photograph elsewhere.

    Args:
        simulated: `(k, H, W, 3)`.
        photograph: `(H, W, 3)`.
        foreground: `(k, H, W)`.

    Raises:
        InvalidInput: the sizes differ.
    """
    if simulated.shape[1:] != photograph.shape or simulated.shape[:3] != foreground.shape:
        raise InvalidInput(
            f"pictures {simulated.shape}, photograph {photograph.shape} and masks {foreground.shape} do not fit; give "
            "(k, H, W, 3), (H, W, 3) and (k, H, W)"
        )
    return np.where(foreground[..., None], simulated, photograph)


def read_photograph(path: str | Path, height: int, width: int) -> Image:
    """A photograph `(height, width, 3)`, shrunk by averaging where it is larger by a whole factor.

    Raises:
        InvalidInput: it cannot be read, or has another shape than the camera's pictures.
    """
    try:
        with Pillow.open(path) as file:
            picture = np.asarray(file.convert("RGB"))
    except (OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise InvalidInput(f"{path} cannot be read as a picture: {error}") from error
    rows, columns = picture.shape[0] // height, picture.shape[1] // width
    if rows < 1 or rows != columns or picture.shape[:2] != (rows * height, columns * width):
        raise InvalidInput(
            f"{path} is {picture.shape[1]} x {picture.shape[0]}; the camera's pictures are {width} x {height}: crop it "
            "to that, or to a multiple"
        )
    blocks = picture.reshape(height, rows, width, columns, 3)
    return np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
