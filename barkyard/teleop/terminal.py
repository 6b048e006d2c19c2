"""A keyboard in a terminal: no display is needed, and releases are not seen."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import BarkyardError
from barkyard.teleop.command import Command, Device
from barkyard.teleop.keys import Keys, describe_keys

ESCAPE_WAIT: Final = 0.05
"""A sequence that has not gone on for this long was the escape key [s]."""
_NAMED: Final = {
    0x0D: "enter", 0x0A: "enter", 0x7F: "backspace", 0x08: "backspace", 0x09: "tab", 0x20: "space",
}  # fmt: skip
_ARROWS: Final = {b"A": "up", b"B": "down", b"C": "right", b"D": "left", b"H": "home", b"F": "end"}
_LONGEST: Final = 16
"""Bytes in a control sequence; a longer one is no key."""


def decode_keys(data: bytes, *, complete: bool = False) -> tuple[list[str], bytes]:
    """The keys in what a terminal sent.

    Args:
        data: bytes, such as `ESC [ A` for the up arrow (ECMA-48 control sequences).
        complete: nothing follows, so an escape at the end is the key itself.

    Returns:
        Names of the keys, and the bytes at the end that may be part of a longer sequence.
    """
    keys: list[str] = []
    while data:
        if data[0] == 0x1B:
            length = _sequence_length(data)
            if not length and not complete:
                return keys, data
            keys += _sequence_keys(data[: length or 1])
            data = data[length or 1 :]
        elif data[0] in _NAMED:
            keys.append(_NAMED[data[0]])
            data = data[1:]
        else:
            if 0x20 < data[0] < 0x7F:
                keys.append(chr(data[0]).lower())
            data = data[1:]
    return keys, b""


def _sequence_length(data: bytes) -> int:
    """Bytes of the escape sequence that `data` begins with; 0 if it is not whole yet."""
    if len(data) < 2:
        return 0
    if data[1] not in b"[O":
        return 1
    for i in range(2, min(len(data), _LONGEST)):
        if 0x40 <= data[i] <= 0x7E:
            return i + 1
        if not 0x20 <= data[i] <= 0x3F:
            return i
    return _LONGEST if len(data) >= _LONGEST else 0


def _sequence_keys(sequence: bytes) -> list[str]:
    if len(sequence) == 1:
        return ["esc"]
    name = _ARROWS.get(sequence[-1:]) if len(sequence) == 3 else None
    return [name] if name else []


class TerminalKeyboard(Device):
    """The keyboard of the terminal that the command runs in. Final.

    Args:
        keys: names to meanings.
        full: `(6,)` the twist of a robot at its limit.
        speed: the part of it that a key asks for.
        descriptor: the terminal; standard input unless given.
    """

    name = "keyboard"

    def __init__(
        self, keys: Mapping[str, str], full: NDArray[np.float64], speed: float, descriptor: int | None = None
    ) -> None:
        self._keys = Keys(keys, full, speed, releases=False)
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._before: list[Any] | None = None
        self._pending, self._pending_since = b"", 0.0

    def open(self) -> None:
        """Turn line editing and echo off; Ctrl-C still interrupts. Raises BarkyardError where there is no terminal."""
        if not os.isatty(self._descriptor):
            raise BarkyardError(
                "the keyboard needs a terminal, and standard input is none; run this in one (ssh -t, tmux), "
                "or use --device browser"
            )
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)

    def close(self) -> None:
        """Put the terminal back as it was."""
        if self._before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)
            self._before = None

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        self._keys.begin(gripper)

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        self._keys.set_gripper(gripper)

    def read(self, now: float) -> Command:
        """See `Device`."""
        while select.select([self._descriptor], [], [], 0.0)[0]:
            arrived = os.read(self._descriptor, 1024)
            if not arrived:
                raise BarkyardError("the terminal was closed")
            self._pending += arrived
            self._pending_since = time.monotonic()
        waited = time.monotonic() - self._pending_since > ESCAPE_WAIT
        pressed, self._pending = decode_keys(self._pending, complete=waited)
        for key in pressed:
            self._keys.press(key, now)
        return self._keys.read(now)

    def usage(self) -> str:
        """See `Device`."""
        return describe_keys(self._keys.keys)
