"""What the tests share: a person who is a script."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FULL: Final = np.array([0.3, 0.3, 0.3, 3.0, 3.0, 3.0])

Point = NDArray[np.float64]


def lifting_keys(tcp: Point, cube: Point, closed: bool, slack: float = 0.006) -> tuple[set[str], bool]:
    """What a person who lifts the cube of Lift holds down now, and whether to press space.

    Args:
        tcp: `(3,)` the tool point in the world [m].
        cube: `(3,)` the cube in the world [m].
        closed: whether the gripper has been closed.
        slack: how far off along each axis is near enough [m].
    """
    ahead, left, up = tcp[0] - cube[0], tcp[1] - cube[1], cube[2] - tcp[2]  # the camera looks along the world's -x
    if closed:
        return {";"}, False
    keys = {name for name, wanted in (("up", ahead > slack), ("down", ahead < -slack)) if wanted}
    keys |= {name for name, wanted in (("left", left > slack), ("right", left < -slack)) if wanted}
    if np.hypot(ahead, left) < 0.02 and up < -slack:
        keys.add(".")
    return keys, not keys


SEQUENCES: Final = {"up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D", "space": b" "}


def typed(keys: Sequence[str]) -> bytes:
    """What a terminal sends for keys."""
    named = {**SEQUENCES, "enter": b"\r", "backspace": b"\x7f", "esc": b"\x1b"}
    return b"".join(named.get(key, key.encode()) for key in keys)


def hand(read: Callable[[], tuple[Point, Point]]) -> Callable[[], list[str]]:
    """A person who looks with `read` and presses keys; call it once a control period."""
    closed = [0]

    def press() -> list[str]:
        keys, close = lifting_keys(*read(), closed[0] > 0)
        if close:
            closed[0] = 1
            return ["space"]
        if closed[0]:
            closed[0] += 1
            return [] if closed[0] < 15 else [";"]
        return sorted(keys)

    return press
