"""What a person asks for (`Command`) and what gives it (`Device`)."""

import abc
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

START, KEEP, AGAIN, UNDO, STOP = EVENTS = ("start", "keep", "again", "undo", "stop")
"""What a person may say of an episode: begin it; end and keep it; forget it and begin it again; remove the last one
that was kept; end the session. LeRobot's recorder has keep, again and stop."""

STILL = (0.0,) * 6


@dataclass(frozen=True)
class Command:
    """What a person asks for at one moment.

    Attributes:
        twist: forward, left and up [m/s], and the rotation vector's rate about these axes [rad/s], seen by the person.
        gripper: 0 is open, 1 is closed.
        events: what was said since the last command, of `EVENTS`, in order.
        changed: whether the gripper was asked to move since the last command.
        since: `time.monotonic` of the earliest input that is new in this command, or None.
    """

    twist: tuple[float, ...] = STILL
    gripper: float = 0.0
    events: tuple[str, ...] = ()
    changed: bool = False
    since: float | None = None

    @property
    def acts(self) -> bool:
        """Whether the person moves anything."""
        return self.changed or any(self.twist)


class Device(abc.ABC):
    """What a person holds. Entering it as a context opens the hardware, leaving gives it back.

    Attributes:
        name: stands in the recorded data as `human:<name>`.
    """

    name: str

    def __enter__(self) -> Self:
        """Open it. Raises BarkyardError with the line that mends what is missing."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @abc.abstractmethod
    def open(self) -> None:
        """Take hold of the hardware. Raises BarkyardError with the line that mends what is missing."""

    @abc.abstractmethod
    def close(self) -> None:
        """Give everything back as it was."""

    @abc.abstractmethod
    def begin(self, gripper: float) -> None:
        """An episode begins with the gripper at `gripper` in [0, 1]; what was held counts no more."""

    @abc.abstractmethod
    def set_gripper(self, gripper: float) -> None:
        """The gripper is at `gripper` in [0, 1], moved by someone else; what is held goes on."""

    @abc.abstractmethod
    def read(self, now: float) -> Command:
        """The command at `now`, of `time.monotonic`; returns at once."""

    @abc.abstractmethod
    def usage(self) -> str:
        """What to press, for the screen."""


def scaled(deflection: NDArray[np.float64], full: NDArray[np.float64]) -> tuple[float, ...]:
    """The twist of a deflection `(6,)` in [-1, 1], where 1 means `full` `(6,)`."""
    return tuple(float(value) + 0.0 for value in np.clip(deflection, -1.0, 1.0) * full)
