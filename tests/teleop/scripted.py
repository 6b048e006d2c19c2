"""What the tests share: a person who is a script."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

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


class Hands(Protocol):
    """How a pilot reaches the keys, by our names of them."""

    def hold(self, keys: set[str]) -> None:
        """These are down, and no others; said at every look."""

    def tap(self, key: str) -> None:
        """Down and up."""


FAR, NEAR, SETTLED_S = 0.04, 0.008, 0.4
"""Beyond the first distance a key is held; down to the second it is tapped, once what was done is seen [m, s]."""
_TOWARDS: Final = (("up", "down"), ("left", "right"), (".", ";"))


class Pilot:
    """A person who lifts the cube of Lift by keys that take effect late. Final.

    Args:
        look: gives tool point and cube in the world, each `(3,)` [m].
        hands: on the keys.
    """

    def __init__(self, look: Callable[[], tuple[Point, Point]], hands: Hands) -> None:
        self._look, self._hands = look, hands
        self._held: set[str] = set()
        self._moved = self._closed = 0.0

    def act(self) -> None:
        """Look once, and press what is to be pressed."""
        now = time.monotonic()
        if self._closed:
            self._hands.hold({";"} if now > self._closed + 1.0 else set())
            return
        tcp, cube = self._look()
        off = tcp - cube  # the camera looks along the world's -x
        beside = np.hypot(off[0], off[1]) > 0.02
        keys = {i: _TOWARDS[i][int(off[i] < 0)] for i in range(2 if beside else 3) if abs(off[i]) > NEAR}
        wanted = {key for i, key in keys.items() if abs(off[i]) > FAR}
        self._hands.hold(wanted)
        if wanted != self._held:
            self._held, self._moved = wanted, now
        if wanted or now < self._moved + SETTLED_S:
            return
        for key in keys.values():
            self._hands.tap(key)
        self._moved = time.monotonic()
        if not keys and not beside:
            self._hands.tap("space")
            self._closed = self._moved
