"""Left and right exchanged in what a network sees and does."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Mirror:
    """The mirror image of observations and actions. Final; twice is the identity.

    Attributes:
        order: `(D,)` where each number of an observation comes from.
        signs: `(D,)` what it is multiplied by.
        action_order: `(A,)` where each number of an action comes from.
    """

    def __init__(self, order: NDArray[np.intp], flipped: Sequence[int], action_order: NDArray[np.intp]) -> None:
        self.order, self.action_order = order, action_order
        self.signs = np.ones(len(order), np.float32)
        self.signs[list(flipped)] = -1.0

    def observations(self, view: Floats) -> Floats:
        """`(N, D)` mirrored."""
        return view[:, self.order] * self.signs

    def actions(self, actions: Floats) -> Floats:
        """`(N, A)` mirrored."""
        return actions[:, self.action_order]
