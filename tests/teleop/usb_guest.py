"""Runs as root in a virtual machine: a USB SpaceMouse that the kernel plays to itself, read by our ports.

The device is a HID gadget at the dummy host controller (Linux: Documentation/usb/gadget_hid.rst). Prints a line of
JSON for each layout and way, with what was seen, or why not.
"""

import json
import os
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from barkyard.teleop.spacemouse import RETRY, SpaceMouse
from barkyard.teleop.spacemouse_ports import Port, open_hidapi, open_hidraw

MARK: Final = "BARKYARD-USB "
ROOT: Final = Path("/")
GADGET: Final = Path("/sys/kernel/config/usb_gadget/mouse")
FULL: Final = np.ones(6)
PATIENCE_S: Final = 120.0


def axes(report: int, usages: str, count: int) -> str:
    return f"a1 00 85 {report:02x} 05 01 16 a2 fe 26 5e 01 {usages} 75 10 95 {count:02x} 81 06 c0"


BUTTONS: Final = "a1 02 85 03 05 09 19 01 29 02 15 00 25 01 75 01 95 02 81 02 95 0e 81 03 c0"
FIRST, LAST = "09 30 09 31 09 32", "09 33 09 34 09 35"
LAYOUTS: Final = {
    "split": (0xC635, f"05 01 09 08 a1 01 {axes(1, FIRST, 3)} {axes(2, LAST, 3)} {BUTTONS} c0"),
    "combined": (0xC62E, f"05 01 09 08 a1 01 {axes(1, f'{FIRST} {LAST}', 6)} {BUTTONS} c0"),
}
"""Product and report descriptor (USB HID 1.11): -350..350 in 16 bits for each axis, two buttons."""


class Gadget:
    """The device's own side."""

    def __init__(self, layout: str) -> None:
        self.combined = layout == "combined"
        product, descriptor = LAYOUTS[layout]
        for folder in ("strings/0x409", "functions/hid.usb0", "configs/c.1"):
            (GADGET / folder).mkdir(parents=True)
        function = GADGET / "functions/hid.usb0"
        for path, content in [
            (GADGET / "idVendor", "0x256f"), (GADGET / "idProduct", f"{product:#x}"),
            (GADGET / "strings/0x409/product", "SpaceMouse"), (GADGET / "strings/0x409/manufacturer", "3Dconnexion"),
            (function / "protocol", "0"), (function / "subclass", "0"), (function / "report_length", "13"),
        ]:  # fmt: skip
            path.write_text(content)
        (function / "report_desc").write_bytes(bytes.fromhex(descriptor))
        (GADGET / "configs/c.1/hid.usb0").symlink_to(function)
        self.plug()
        self._end = os.open("/dev/hidg0", os.O_RDWR | os.O_NONBLOCK)

    def plug(self) -> None:
        (GADGET / "UDC").write_text(next(Path("/sys/class/udc").iterdir()).name)

    def unplug(self) -> None:
        (GADGET / "UDC").write_text("\n")

    def _send(self, report: bytes) -> None:
        try:
            os.write(self._end, report)
        except OSError:  # the last one is on its way yet, or nobody has opened the device
            time.sleep(0.02)

    def move(self, *counts: int) -> None:
        if self.combined:
            self._send(struct.pack("<B6h", 1, *counts))
        else:
            self._send(struct.pack("<B3h", 1, *counts[:3]))
            time.sleep(0.03)
            self._send(struct.pack("<B3h", 2, *counts[3:]))

    def press(self, buttons: int) -> None:
        self._send(bytes([3, buttons, 0]))

    def remove(self) -> None:
        os.close(self._end)
        self.unplug()
        (GADGET / "configs/c.1/hid.usb0").unlink()
        for folder in ("configs/c.1", "functions/hid.usb0", "strings/0x409", "."):
            (GADGET / folder).rmdir()


def until(what: str, met: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
    return found


def drive(gadget: Gadget, device: SpaceMouse) -> list[float]:
    """Pushes right and away, turned about the vertical, to the full; the twist that is seen."""

    def pushed() -> Any:
        gadget.move(350, -350, 0, 0, 0, -350)
        twist = device.read(time.monotonic()).twist
        return list(twist) if np.count_nonzero(twist) == 3 else None

    twist: list[float] = until("the push", pushed)

    def stands() -> bool:
        gadget.move(0, 0, 0, 0, 0, 0)
        return not any(device.read(time.monotonic()).twist)

    until("the rest", stands)
    return twist


def try_way(layout: str, find: Callable[[Path], Port], replug: bool) -> dict[str, Any]:
    gadget = Gadget(layout)
    try:
        until("the device", lambda: list(Path("/sys/class/hidraw").iterdir()))
        port = until("the port", lambda: opened(find))
        with SpaceMouse(FULL, find=lambda: port) as device:
            seen: dict[str, Any] = {"title": port.title, "twist": drive(gadget, device)}

            def closes() -> bool:
                gadget.press(1)
                return device.read(time.monotonic()).changed

            seen["closes"] = until("the button", closes)
            if replug:
                device._find = lambda: find(ROOT)
                gadget.move(350, 0, 0, 0, 0, 0)
                gadget.unplug()
                until("the unplugging", lambda: not any(device.read(time.monotonic()).twist) and device._port is None)
                gadget.plug()
                time.sleep(RETRY)
                seen["again"] = drive(gadget, device)
        return seen
    finally:
        gadget.remove()


def opened(find: Callable[[Path], Port]) -> Port | None:
    try:
        return find(ROOT)
    except Exception:  # not there yet
        return None


def tried(layout: str, name: str, find: Callable[[Path], Port]) -> dict[str, Any]:
    try:
        return try_way(layout, find, replug=name == "hidraw")
    except Exception:
        return {"failure": traceback.format_exc()}


def main() -> None:
    for layout in LAYOUTS:
        for name, find in (("hidraw", open_hidraw), ("libusb", open_hidapi)):
            if os.fork():  # libusb learns of new devices from udev, which does not run here: a process for each
                os.wait()
                continue
            print(MARK + json.dumps({f"{layout} {name}": tried(layout, name, find)}), flush=True)
            os._exit(0)


if __name__ == "__main__":
    main()
