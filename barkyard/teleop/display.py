"""The keyboard of a graphical display, through pynput: presses and releases are seen, whatever window has the focus."""

import time
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import BarkyardError
from barkyard.teleop.command import Command, Device
from barkyard.teleop.keys import Keys, describe_keys


class DisplayKeyboard(Device):
    """The keyboard of an X display. Final.

    Args:
        keys: names to meanings.
        full: `(6,)` the twist of a robot at its limit.
        speed: the part of it that a key asks for.
    """

    name = "display"

    def __init__(self, keys: Mapping[str, str], full: NDArray[np.float64], speed: float) -> None:
        self._keys, self._lock = Keys(keys, full, speed), Lock()
        self._listener: Any = None

    def open(self) -> None:
        """See `Device`."""
        try:
            from pynput.keyboard import Listener
        except ImportError as error:  # pynput fails so too where there is no display
            raise BarkyardError(
                f"the keyboard of a display needs pynput and a display ({error}): pip install 'barkyard[display]', "
                "or use --device keyboard, which needs a terminal only"
            ) from None
        self._listener = Listener(on_press=self._press, on_release=self._release)
        self._listener.start()
        self._listener.wait()

    def close(self) -> None:
        """See `Device`."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        with self._lock:
            self._keys.begin(gripper)

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        with self._lock:
            self._keys.set_gripper(gripper)

    def read(self, now: float) -> Command:
        """See `Device`."""
        with self._lock:
            return self._keys.read(now)

    def usage(self) -> str:
        """See `Device`."""
        return describe_keys(self._keys.keys)

    def _press(self, key: Any) -> None:
        with self._lock:
            self._keys.press(key_name(key), time.monotonic())

    def _release(self, key: Any) -> None:
        with self._lock:
            self._keys.release(key_name(key), time.monotonic())


def key_name(key: Any) -> str:
    """Our name of a key of pynput, which has a `char` or else a `name`."""
    char = getattr(key, "char", None)
    return str(char).lower() if char else str(getattr(key, "name", ""))
