"""Where a controller's constants lie in a compiled model, for the callback of `native` to find."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.control.kernels import CONFIG
from barkyard.errors import InvalidInput

_NUMERIC = "barkyard_controller"


def reserve_configuration(spec: mujoco.MjSpec) -> None:
    """Make the model's first custom numeric ours."""
    spec.add_numeric(name=_NUMERIC, size=CONFIG.SIZE, data=[0.0] * CONFIG.SIZE)


def write_configuration(model: mujoco.MjModel, config: NDArray[np.float64]) -> None:
    """Write up to `CONFIG.SIZE` numbers, `MAGIC` first. Raises InvalidInput if the numeric is not the model's first."""
    if int(model.numeric_adr[model.numeric(_NUMERIC).id]) != 0:
        raise InvalidInput(f"{_NUMERIC} must be the model's first custom numeric; add others after it")
    model.numeric_data[: len(config)] = config
