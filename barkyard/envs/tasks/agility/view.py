"""What a robot knows of the course, compiled."""

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

GATES_SEEN = 2
"""So many gates ahead are observed."""


class ViewLayout(NamedTuple):
    """Offsets into a row of `course_view`."""

    GATES: int = 0
    BOARD: int = 4 * GATES_SEEN
    LEFT: int = 4 * GATES_SEEN + 5
    DISTANCE: int = 4 * GATES_SEEN + 6
    SIZE: int = 4 * GATES_SEEN + 7


VIEW: Final = ViewLayout()


@njit(cache=True, error_model="numpy")
def course_view(following: NDArray[np.int64], gates: Array, board: Array, base_pos: Array, heading: Array) -> Array:
    """Gates and board as N robots see them.

    Args:
        following: `(N,)` the next gate's index, or the number of gates.
        gates: `(N, G, 2, 2)` their ends in the world [m].
        board: `(N, 5)` x, y of its centre [m], cosine and sine of its heading, half length [m].
        base_pos: `(N, >= 2)` of the robots [m].
        heading: `(N,)` of the robots [rad].

    Returns:
        `(N, VIEW.SIZE)`: ends of the next gates in the heading frame [m], the last gate repeating; the board's centre
        [m], cosine and sine of its heading there, and its length [m]; the part of the gates that is left; distance to
        the middle of the next gate [m].
    """
    out, count = np.empty((len(following), VIEW.SIZE)), gates.shape[1]
    for n in range(len(following)):
        cos, sin, x, y = math.cos(heading[n]), math.sin(heading[n]), base_pos[n, 0], base_pos[n, 1]
        for k in range(GATES_SEEN):
            for end in range(2):
                point = gates[n, min(following[n] + k, count - 1), end]
                dx, dy, at = point[0] - x, point[1] - y, VIEW.GATES + 4 * k + 2 * end
                out[n, at], out[n, at + 1] = cos * dx + sin * dy, cos * dy - sin * dx
        dx, dy = board[n, 0] - x, board[n, 1] - y
        out[n, VIEW.BOARD], out[n, VIEW.BOARD + 1] = cos * dx + sin * dy, cos * dy - sin * dx
        out[n, VIEW.BOARD + 2] = cos * board[n, 2] + sin * board[n, 3]
        out[n, VIEW.BOARD + 3] = cos * board[n, 3] - sin * board[n, 2]
        out[n, VIEW.BOARD + 4] = 2.0 * board[n, 4]
        out[n, VIEW.LEFT] = 1.0 - following[n] / count
        gate = gates[n, min(following[n], count - 1)]
        out[n, VIEW.DISTANCE] = math.hypot((gate[0, 0] + gate[1, 0]) / 2 - x, (gate[0, 1] + gate[1, 1]) / 2 - y)
    return out
