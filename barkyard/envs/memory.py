"""Named blocks of a task's memory."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


class Layout:
    """Where each named block lies in the rows of a task's memory. Final.

    Attributes:
        size: numbers in a row.
    """

    def __init__(self, **sizes: int) -> None:
        ends = np.cumsum(list(sizes.values()))
        self._slices: Mapping[str, slice] = {
            name: slice(int(end) - size, int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)
        }
        self.size = int(ends[-1]) if len(ends) else 0

    def view(self, memory: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """`(N, size)` live view of the block called `name` in `(N, M)` memory."""
        return memory[:, self._slices[name]]
