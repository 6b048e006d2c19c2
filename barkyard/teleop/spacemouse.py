"""A SpaceMouse as a device."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.teleop.command import AGAIN, START, Command, Device, scaled
from barkyard.teleop.spacemouse_ports import Port, Unplugged, open_port
from barkyard.teleop.spacemouse_reports import Button, Buttons, Motion, Report

LEFT, RIGHT = 0, 1
RETRY: Final = 1.0
"""An unplugged device is looked for this often [s]."""
_AXES: Final = ([1, 0, 2, 4, 3, 5], np.full(6, -1.0))
"""Forward, left and up from right, towards the person and down: order and sign."""


@dataclass(frozen=True)
class Sensitivity:
    """How deflections become parts of the robot's range.

    Attributes:
        dead_zone: deflections up to this, in [0, 1), are none.
        scale: per direction of the twist; negative turns it round.

    Raises:
        InvalidInput: the dead zone is outside [0, 1), or the scale is not six finite numbers.
    """

    dead_zone: float = 0.05
    scale: tuple[float, ...] = (1.0,) * 6

    def __post_init__(self) -> None:
        if not 0.0 <= self.dead_zone < 1.0:
            raise InvalidInput(f"dead_zone is {self.dead_zone}; give a number in [0, 1)")
        if len(self.scale) != 6 or not np.isfinite(self.scale).all():
            raise InvalidInput(f"scale is {self.scale}; give six finite numbers")

    def __call__(self, deflection: NDArray[np.float64]) -> NDArray[np.float64]:
        """`(6,)` parts of the range in [-1, 1]: zero in the dead zone, and from its edge straight to 1 at full."""
        beyond = np.maximum(np.abs(deflection) - self.dead_zone, 0.0) / (1.0 - self.dead_zone)
        return np.clip(np.sign(deflection) * beyond * np.array(self.scale), -1.0, 1.0)


class Puck:
    """The cap and the buttons as the last reports tell. Final."""

    def __init__(self) -> None:
        self._axes = np.zeros(6)
        self._down: frozenset[int] = frozenset()

    def deflection(self) -> NDArray[np.float64]:
        """`(6,)` in [-1, 1]: forward, left, up, and the rotations about them."""
        order, sign = _AXES
        return self._axes[order] * sign + 0.0

    def feed(self, report: Report) -> list[int]:
        """Take in a report. Returns the buttons that it says went down."""
        if isinstance(report, Motion):
            self._axes[report.start : report.start + len(report.values)] = report.values
            return []
        before = self._down
        if isinstance(report, Buttons):
            self._down = report.down
        elif isinstance(report, Button):
            self._down = before | {report.number} if report.down else before - {report.number}
        return sorted(self._down - before)


class SpaceMouse(Device):
    """A SpaceMouse: the cap moves, the left button opens and closes, the right one starts or begins again. Final.

    Args:
        full: `(6,)` the twist of a robot at its limit, which full deflection asks for.
        speed: a part of it, in (0, 1].
        sensitivity: dead zone, scale and sign.
        find: opens the device.
    """

    name = "spacemouse"

    def __init__(
        self,
        full: NDArray[np.float64],
        speed: float = 1.0,
        sensitivity: Sensitivity | None = None,
        find: Callable[[], Port] = open_port,
    ) -> None:
        if not 0.0 < speed <= 1.0:
            raise InvalidInput(f"speed is {speed}; give a part of the robot's range in (0, 1]")
        self._full, self._sensitivity, self._find = np.asarray(full) * speed, sensitivity or Sensitivity(), find
        self._port: Port | None = None
        self._puck, self._gripper, self._retry = Puck(), 0.0, 0.0

    def open(self) -> None:
        """See `Device`."""
        self._port = self._find()

    def close(self) -> None:
        """See `Device`."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def begin(self, gripper: float) -> None:
        """See `Device`; a cap that is held goes on to count, for it is still held."""
        self._gripper = gripper

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        self._gripper = gripper

    def read(self, now: float) -> Command:
        """See `Device`; while the device is unplugged, nothing moves."""
        before, events, changed, arrived = self._sensitivity(self._puck.deflection()), [], False, False
        for report in self._poll(now):
            arrived = True
            for number in self._puck.feed(report):
                if number == LEFT:
                    self._gripper, changed = float(self._gripper < 0.5), True
                elif number == RIGHT:
                    events += [AGAIN, START]  # whichever has a meaning now
        deflection = self._sensitivity(self._puck.deflection())
        new = arrived and (changed or bool(events) or not np.array_equal(before, deflection))
        return Command(
            scaled(deflection, self._full), self._gripper, tuple(events), changed, time.monotonic() if new else None
        )

    def usage(self) -> str:
        """See `Device`."""
        title = self._port.title if self._port is not None else "unplugged"
        return f"{title}: move the cap; left button: gripper; right button: start, or begin again"

    def _poll(self, now: float) -> list[Report]:
        if self._port is None:
            if now < self._retry:
                return []
            self._retry = now + RETRY
            try:
                self._port = self._find()
            except BarkyardError:
                return []
        try:
            return self._port.poll()
        except Unplugged:
            self._port.close()
            self._port, self._puck = None, Puck()
            return []
