"""How late a policy's chunks of actions are, and what is known of a chunk before it is there. Imports nothing heavy."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput


@dataclass(frozen=True)
class Latency:
    """How late chunks are.

    Attributes:
        delay: control steps from an observation to the first action of the chunk predicted from it. Until then the old
            chunk goes on.
        real_time_chunking: whether a chunk is predicted so that it goes on from the old one (Black, Galliker and
            Levine, arXiv 2506.07339): what will have been executed is frozen, what follows is kept to less and less.

    Raises:
        InvalidInput: the delay is negative.
    """

    delay: int = 0
    real_time_chunking: bool = False

    def __post_init__(self) -> None:
        if self.delay < 0:
            raise InvalidInput(f"delay {self.delay} must be at least 0 control steps")

    @property
    def whole_chunks(self) -> bool:
        """Whether more of a chunk is needed than what is executed without delay."""
        return self.delay > 0 or self.real_time_chunking

    def __str__(self) -> str:
        delay = f" with delay {self.delay}" if self.delay else ""
        return delay + (" by real-time chunking" if self.real_time_chunking else "")


def prefix_weights(horizon: int, frozen: int, known: int) -> NDArray[np.float32]:
    """How much each action of a chunk is held to what is known of it (arXiv 2506.07339, its soft mask).

    Args:
        horizon: actions of the chunk.
        frozen: of these, how many are executed before the chunk is there.
        known: of these, how many the old chunk has; at least `frozen`.

    Returns:
        `(horizon,)`: 1 where frozen, then falling, 0 where nothing is known.
    """
    place = np.arange(horizon)
    left = np.clip((known - place) / (known - frozen + 1), 0.0, 1.0)
    fading = left * np.expm1(left) / (math.e - 1)
    return np.where(place < frozen, 1.0, fading).astype(np.float32)
