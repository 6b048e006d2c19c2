"""What 3Dconnexion's 3D mice send, decoded."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barkyard.errors import InvalidInput

MODELS: Final[Mapping[tuple[int, int], str]] = {
    (0x046D, 0xC625): "SpacePilot",
    (0x046D, 0xC626): "SpaceNavigator",
    (0x046D, 0xC627): "SpaceExplorer",
    (0x046D, 0xC628): "SpaceNavigator for Notebooks",
    (0x046D, 0xC629): "SpacePilot Pro",
    (0x046D, 0xC62B): "SpaceMouse Pro",
    (0x256F, 0xC62E): "SpaceMouse Wireless (cable)",
    (0x256F, 0xC62F): "SpaceMouse Wireless (receiver)",
    (0x256F, 0xC631): "SpaceMouse Pro Wireless (cable)",
    (0x256F, 0xC632): "SpaceMouse Pro Wireless (receiver)",
    (0x256F, 0xC633): "SpaceMouse Enterprise",
    (0x256F, 0xC635): "SpaceMouse Compact",
    (0x256F, 0xC636): "SpaceMouse Module",
    (0x256F, 0xC638): "SpaceMouse Pro Wireless (Bluetooth)",
    (0x256F, 0xC63A): "SpaceMouse Wireless (Bluetooth)",
    (0x256F, 0xC641): "SpaceMouse",
    (0x256F, 0xC652): "Universal Receiver",
}
"""Names by vendor and product id. Other products of these vendors, such as CadMouse, are no 3D mice."""

FULL_SCALE: Final = 350
"""Counts of an axis at full deflection."""
SPACENAV_FULL_SCALE: Final = 500
"""The same of spacenavd, which rescales USB devices."""
SPACENAV_EVENT: Final = struct.Struct("<8i")
_TRANSLATION, _ROTATION, _BUTTONS = 1, 2, 3
_SPLIT, _COMBINED = 7, 13
"""Bytes of a report with three axes and of one with six; devices differ, so the length decides."""


@dataclass(frozen=True)
class Motion:
    """Deflections in [-1, 1], of the axes from `start` on.

    The axes are right, towards the person and down, and then the rotations about them.
    """

    start: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Buttons:
    """Numbers of the buttons that are down; 0 is the left one, 1 the right one."""

    down: frozenset[int]


@dataclass(frozen=True)
class Button:
    """One button went down, or up."""

    number: int
    down: bool


Report = Motion | Buttons | Button


def decode_report(report: bytes) -> Report | None:
    """A report of the device, its id first; None where it tells of neither motion nor buttons, such as the battery.

    Raises:
        InvalidInput: it is shorter than reports of its kind are.
    """
    kind = report[0] if report else None
    if kind in (_TRANSLATION, _ROTATION):
        if len(report) < _SPLIT:
            raise InvalidInput(f"report {report.hex()} has {len(report)} bytes; one of motion has at least {_SPLIT}")
        combined = kind == _TRANSLATION and len(report) >= _COMBINED
        counts = struct.unpack_from("<6h" if combined else "<3h", report, 1)
        return Motion(0 if kind == _TRANSLATION else 3, tuple(_clip(count / FULL_SCALE) for count in counts))
    if kind == _BUTTONS:
        bits = int.from_bytes(report[1:], "little")
        return Buttons(frozenset(i for i in range(bits.bit_length()) if bits >> i & 1))
    return None


def decode_spacenav(event: bytes) -> Report | None:
    """An event of spacenavd's socket (protocol 0), eight 32-bit integers; None where it is of another kind.

    spacenavd's axes are right, up and away from the person.

    Raises:
        InvalidInput: it is not as long.
    """
    if len(event) != SPACENAV_EVENT.size:
        raise InvalidInput(f"an event of spacenavd has {SPACENAV_EVENT.size} bytes, got {len(event)}")
    kind, x, y, z, rx, ry, rz, _ = SPACENAV_EVENT.unpack(event)
    if kind == 0:
        return Motion(0, tuple(_clip(count / SPACENAV_FULL_SCALE) for count in (x, -z, -y, rx, -rz, -ry)))
    if kind in (1, 2):
        return Button(x, kind == 1)
    return None


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))
