"""The browser as a device and as a screen."""

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from barkyard.errors import InvalidInput
from barkyard.teleop.browser.messages import Key, Message, Pad, Release, Report, Said
from barkyard.teleop.browser.server import Frame, Server
from barkyard.teleop.command import AGAIN, KEEP, START, UNDO, Command, Device, scaled
from barkyard.teleop.keys import Keys
from barkyard.teleop.session import Image, Status
from barkyard.teleop.spacemouse import LEFT, Puck, Sensitivity
from barkyard.teleop.spacemouse_reports import decode_report

FASTEST, WHILE_WAITING = 30.0, 5.0
"""Pictures a second at most; a choice."""
QUALITY: Final = 80
"""Of the JPEG pictures; a choice."""
_PAD_DEAD_ZONE: Final = 0.12
_PAD_EVENTS: Final = {1: AGAIN, 2: KEEP, 3: UNDO, 9: START}
_PAD_GRIPPER: Final = 0
_STATUS_EVERY: Final = 0.1


class Inputs:
    """What the page of the driver says, as a command. Safe to use from two threads. Final.

    Args:
        keys: names to meanings.
        full: `(6,)` the twist of a robot at its limit.
        speed: the part of it that a key asks for; sticks and SpaceMouse go to the full.
        sensitivity: of the SpaceMouse.

    Attributes:
        applied: the number of the last message that a command holds.
    """

    def __init__(
        self, keys: Mapping[str, str], full: NDArray[np.float64], speed: float, sensitivity: Sensitivity | None = None
    ) -> None:
        self._keys, self._full, self._lock = Keys(keys, full, speed), np.asarray(full), Lock()
        self._stick, self._cap = Sensitivity(_PAD_DEAD_ZONE), sensitivity or Sensitivity()
        self._pad, self._puck = Pad((0.0,) * 4, frozenset()), Puck()
        self._events: list[str] = []
        self._since: float | None = None
        self._number = self.applied = 0

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        with self._lock:
            self._keys.begin(gripper)
            self._events.clear()
            self._since = None

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        with self._lock:
            self._keys.set_gripper(gripper)

    def take(self, message: Message, number: int) -> None:
        """The driver's page sent `message`."""
        now = time.monotonic()
        with self._lock:
            self._number = max(self._number, number)
            if isinstance(message, Key):
                (self._keys.press if message.down else self._keys.release)(message.name, now)
                return
            if isinstance(message, Release):
                self._let_go()
                return
            if isinstance(message, Said):
                self._events.append(message.event)
            elif isinstance(message, Pad):
                self._take_pad(message)
            elif isinstance(message, Report):
                self._take_report(message.data)
            else:
                return
            self._since = self._since or now

    def let_go(self) -> None:
        """Whoever drove went away."""
        with self._lock:
            self._let_go()
            self._number = self.applied = 0

    def read(self, now: float) -> Command:
        """See `Device`."""
        with self._lock:
            command = self._keys.read(now)
            x, y, turn, rise = self._pad.axes
            stick = self._stick(np.array([-y, -x, -rise, 0.0, 0.0, -turn]))
            twist = np.array(command.twist) / self._full_or_one() + stick + self._cap(self._puck.deflection())
            inputs = [since for since in (command.since, self._since) if since is not None]
            events = (*command.events, *self._events)
            self._events.clear()
            self._since, self.applied = None, self._number
            return Command(
                scaled(twist, self._full), command.gripper, events, command.changed, min(inputs, default=None)
            )

    def _full_or_one(self) -> NDArray[np.float64]:
        return np.where(self._full == 0.0, 1.0, self._full)

    def _let_go(self) -> None:
        self._keys.release_all()
        self._pad, self._puck = Pad((0.0,) * 4, frozenset()), Puck()

    def _take_pad(self, pad: Pad) -> None:
        for button in sorted(pad.buttons - self._pad.buttons):
            if button == _PAD_GRIPPER:
                self._keys.toggle_gripper()
            elif button in _PAD_EVENTS:
                self._events.append(_PAD_EVENTS[button])
        self._pad = pad

    def _take_report(self, data: bytes) -> None:
        try:
            report = decode_report(data)
        except InvalidInput:
            return  # the next report says it again
        if report is not None:
            for number in self._puck.feed(report):
                if number == LEFT:
                    self._keys.toggle_gripper()
                else:
                    self._events += [AGAIN, START]


class Browser(Device):
    """A page on one port: commands come from it, pictures and status go to it. Final.

    Args:
        keys: names to meanings.
        full: `(6,)` the twist of a robot at its limit.
        speed: the part of it that a key asks for.
        sensitivity: of a SpaceMouse at the page.
        title: what is driven.
        goal: what it is to do, in a line.
        host: address to listen at.
        port: 0 takes any that is free.
    """

    name = "browser"

    def __init__(
        self,
        keys: Mapping[str, str],
        full: NDArray[np.float64],
        speed: float,
        sensitivity: Sensitivity | None = None,
        *,
        title: str = "",
        goal: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.inputs = Inputs(keys, full, speed, sensitivity)
        self.server = Server(self.inputs, {"title": title, "goal": goal, "keys": dict(keys)}, host, port)
        self._frames, self._frame_due, self._status_due = 0, 0.0, 0.0
        self._phase = ""

    def open(self) -> None:
        """See `Device`."""
        self.server.start()

    def close(self) -> None:
        """See `Device`."""
        self.server.stop()

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        self.inputs.begin(gripper)

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        self.inputs.set_gripper(gripper)

    def read(self, now: float) -> Command:
        """See `Device`."""
        return self.inputs.read(now)

    def usage(self) -> str:
        """See `Device`."""
        port = self.server.port
        return (
            f"open {self.server.url()}\n"
            f"from another machine: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE, then open the same address there"
        )

    def show(self, status: Status, picture: Callable[[], Image]) -> None:
        """Send the status, and a picture where somebody is ready for one; see `session.Screen`."""
        now = time.monotonic()
        if now >= self._status_due or status.phase != self._phase:
            self._status_due, self._phase = now + _STATUS_EVERY, status.phase
            self.server.tell(asdict(status))
        if now >= self._frame_due and self.server.wants_frame():
            self._frame_due = now + 1.0 / (FASTEST if status.phase == "running" else WHILE_WAITING)
            self._frames += 1
            encoded = io.BytesIO()
            Pictures.fromarray(picture()).save(encoded, "JPEG", quality=QUALITY)
            self.server.send_frame(Frame(self._frames, self.inputs.applied, encoded.getvalue()))
