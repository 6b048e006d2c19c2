"""Ways to a SpaceMouse: the kernel's hidraw device, hidapi, or spacenavd's socket."""

import abc
import importlib
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.teleop.spacemouse_reports import MODELS, SPACENAV_EVENT, Report, decode_report, decode_spacenav

SOCKETS: Final = ("/var/run/spnav.sock", "/run/spnav.sock")
_REPORT = 64
"""Longest report [bytes]."""
_RULE_FILE: Final = "/etc/udev/rules.d/70-spacemouse.rules"
UDEV_LINE: Final = (
    """echo 'KERNEL=="hidraw*", KERNELS=="*:046D:*|*:256F:*", MODE="0660", TAG+="uaccess"' | """
    f"sudo tee {_RULE_FILE} && sudo udevadm control --reload && sudo udevadm trigger"
)


class Unplugged(BarkyardError):
    """The device or the daemon has gone."""


class Port(abc.ABC):
    """An open way to a device.

    Attributes:
        title: what it is, for the screen.
    """

    title: str

    @abc.abstractmethod
    def poll(self) -> list[Report]:
        """What arrived since the last call; returns at once. Raises Unplugged."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of it."""


class HidrawPort(Port):
    """`/dev/hidraw*`, one report a read. Final."""

    def __init__(self, title: str, descriptor: int) -> None:
        self.title, self._descriptor = title, descriptor

    def poll(self) -> list[Report]:
        """See `Port`."""
        found: list[Report] = []
        try:
            while select.select([self._descriptor], [], [], 0.0)[0]:
                report = os.read(self._descriptor, _REPORT)
                if not report:
                    raise Unplugged(f"{self.title} was unplugged")
                found += _decoded(decode_report, report)
        except OSError as error:
            raise Unplugged(f"{self.title} was unplugged: {error.strerror}") from error
        return found

    def close(self) -> None:
        """See `Port`."""
        os.close(self._descriptor)


class HidapiPort(Port):
    """The package hidapi. Final."""

    def __init__(self, title: str, device: Any) -> None:
        self.title, self._device = title, device

    def poll(self) -> list[Report]:
        """See `Port`."""
        found: list[Report] = []
        try:
            while report := self._device.read(_REPORT):
                found += _decoded(decode_report, bytes(report))
        except (OSError, ValueError) as error:
            raise Unplugged(f"{self.title} was unplugged: {error}") from error
        return found

    def close(self) -> None:
        """See `Port`."""
        self._device.close()


class SpacenavPort(Port):
    """spacenavd's socket. Final."""

    title = "spacenavd"

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._pending = connection, b""
        connection.setblocking(False)

    def poll(self) -> list[Report]:
        """See `Port`."""
        try:
            while arrived := self._connection.recv(4096):
                self._pending += arrived
            raise Unplugged("spacenavd closed its socket")
        except BlockingIOError:
            pass
        except OSError as error:
            raise Unplugged(f"spacenavd has gone: {error.strerror}") from error
        found: list[Report] = []
        size = SPACENAV_EVENT.size
        while len(self._pending) >= size:
            event, self._pending = self._pending[:size], self._pending[size:]
            found += _decoded(decode_spacenav, event)
        return found

    def close(self) -> None:
        """See `Port`."""
        self._connection.close()


def _decoded(decode: Callable[[bytes], Report | None], data: bytes) -> Iterator[Report]:
    """What `data` says; nothing where it is damaged, for the next report says it again."""
    try:
        report = decode(data)
    except InvalidInput:
        return
    if report is not None:
        yield report


def open_port(system: Path = Path("/")) -> Port:
    """The first SpaceMouse that can be read, by hidraw, hidapi or spacenavd, in this order.

    Args:
        system: where `sys`, `dev` and `var` are.

    Raises:
        BarkyardError: there is none, or none may be read; with the line that mends it.
    """
    failures = []
    for way in (open_hidraw, open_hidapi, open_spacenav):
        try:
            return way(system)
        except BarkyardError as error:
            failures.append(str(error))
    raise BarkyardError(f"no SpaceMouse can be read. {'; '.join(failures)}")


def open_hidraw(system: Path) -> Port:
    """By the kernel. Raises BarkyardError."""
    for node in sorted((system / "sys/class/hidraw").glob("hidraw*")):
        model = MODELS.get(_identity(node))
        if model is None:
            continue
        device = system / "dev" / node.name
        try:
            return HidrawPort(f"{model} at {device}", os.open(device, os.O_RDONLY | os.O_NONBLOCK))
        except PermissionError:
            raise BarkyardError(f"{model} at {device} may not be read; allow it with: {UDEV_LINE}") from None
        except OSError as error:
            raise BarkyardError(f"{model} at {device} cannot be opened: {error.strerror}") from error
    raise BarkyardError("hidraw: no known 3D mouse is plugged in")


def _identity(node: Path) -> tuple[int, int]:
    """Vendor and product of a hidraw node; zeros where the kernel does not say."""
    try:
        lines = (node / "device/uevent").read_text().splitlines()
        _, vendor, product = next(line for line in lines if line.startswith("HID_ID=")).split(":")
        return int(vendor, 16), int(product, 16)
    except (OSError, StopIteration, ValueError):
        return 0, 0


def open_hidapi(system: Path) -> Port:
    """By hidapi's libusb, which finds devices by itself. Raises BarkyardError."""
    del system
    try:
        hid = importlib.import_module("hid")
    except ImportError:
        raise BarkyardError("hidapi is not installed: pip install 'barkyard[spacemouse]'") from None
    for found in hid.enumerate():
        model = MODELS.get((found["vendor_id"], found["product_id"]))
        if model is None:
            continue
        device = hid.device()
        try:
            device.open_path(found["path"])
            device.set_nonblocking(True)
        except OSError:
            raise BarkyardError(f"hidapi: {model} may not be opened; allow it with: {UDEV_LINE}") from None
        return HidapiPort(f"{model} by hidapi", device)
    raise BarkyardError("hidapi: no known 3D mouse is plugged in")


def open_spacenav(system: Path) -> Port:
    """By spacenavd's socket, at `SPNAV_SOCKET` or where it usually is. Raises BarkyardError."""
    named = os.environ.get("SPNAV_SOCKET")
    for path in [named] if named else [str(system / place.lstrip("/")) for place in SOCKETS]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            continue
        return SpacenavPort(connection)
    raise BarkyardError("spacenavd does not run here: apt-get install -y spacenavd")
