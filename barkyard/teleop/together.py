"""Two devices in two hands."""

import numpy as np

from barkyard.teleop.command import Command, Device


class Together(Device):
    """A device and another beside it, such as a SpaceMouse and a keyboard. Final.

    Their twists add up, whoever changed the gripper last has it, and events of both count.

    Attributes:
        name: of the first.
    """

    def __init__(self, first: Device, second: Device) -> None:
        self.name = first.name
        self._first, self._second = first, second

    def open(self) -> None:
        """See `Device`."""
        self._first.open()
        try:
            self._second.open()
        except BaseException:
            self._first.close()
            raise

    def close(self) -> None:
        """See `Device`."""
        try:
            self._second.close()
        finally:
            self._first.close()

    def begin(self, gripper: float) -> None:
        """See `Device`."""
        self._first.begin(gripper)
        self._second.begin(gripper)

    def set_gripper(self, gripper: float) -> None:
        """See `Device`."""
        self._first.set_gripper(gripper)
        self._second.set_gripper(gripper)

    def read(self, now: float) -> Command:
        """See `Device`."""
        one, two = self._first.read(now), self._second.read(now)
        gripper = two.gripper if two.changed else one.gripper
        if one.changed or two.changed:
            self.set_gripper(gripper)
        inputs = [since for since in (one.since, two.since) if since is not None]
        twist = tuple((np.array(one.twist) + two.twist).tolist())
        changed = one.changed or two.changed
        return Command(twist, gripper, one.events + two.events, changed, min(inputs, default=None))

    def usage(self) -> str:
        """See `Device`."""
        return f"{self._first.usage()}\n{self._second.usage()}"
