"""The SpaceMouse without one: reports by hand, a false `/dev/hidraw0`, a false hidapi, and a false spacenavd."""

import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.teleop.command import Command
from barkyard.teleop.spacemouse import Puck, Sensitivity, SpaceMouse
from barkyard.teleop.spacemouse_ports import (
    HidrawPort,
    SpacenavPort,
    Unplugged,
    open_hidapi,
    open_hidraw,
    open_port,
    open_spacenav,
)
from barkyard.teleop.spacemouse_reports import MODELS, Buttons, Motion, decode_report, decode_spacenav
from tests.teleop.scripted import FULL


def split(kind: int, *counts: int) -> bytes:
    return bytes([kind]) + struct.pack("<3h", *counts)


def combined(*counts: int) -> bytes:
    return b"\x01" + struct.pack("<6h", *counts)


def test_the_layout_follows_from_the_length() -> None:
    assert decode_report(split(1, 350, -175, 0)) == Motion(0, (1.0, -0.5, 0.0))
    assert decode_report(split(2, 0, 35, -350)) == Motion(3, (0.0, 0.1, -1.0))
    assert decode_report(combined(350, 0, 0, 0, 0, -70)) == Motion(0, (1.0, 0.0, 0.0, 0.0, 0.0, -0.2))
    assert decode_report(combined(350, 0, 0, 0, 0, -70) + b"\x00\x00") == decode_report(combined(350, 0, 0, 0, 0, -70))
    assert decode_report(b"\x03\x03") == Buttons(frozenset({0, 1}))
    assert decode_report(b"\x03\x00\x02\x00") == Buttons(frozenset({9}))


def test_what_is_neither_motion_nor_button_is_passed_over() -> None:
    assert decode_report(b"\x17\x64\x01") is None  # the battery
    assert decode_report(b"") is None


@pytest.mark.parametrize("report", [b"\x01", b"\x01\x00\x00\x00\x00\x00", b"\x02\xff"])
def test_a_report_that_is_cut_short_is_refused(report: bytes) -> None:
    with pytest.raises(InvalidInput, match="at least 7"):
        decode_report(report)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), max_size=20))
def test_no_reports_are_too_much(reports: list[bytes]) -> None:
    puck = Puck()
    for data in reports:
        for decode in (decode_report, decode_spacenav):
            try:
                report = decode(data)
            except InvalidInput:
                continue
            if report is not None:
                puck.feed(report)
        deflection = puck.deflection()
        assert np.isfinite(deflection).all() and (np.abs(deflection) <= 1.0).all()


def test_the_halves_of_a_split_report_add_up() -> None:
    puck = Puck()
    puck.feed(decode_report(split(1, 0, -350, 0)))  # type: ignore[arg-type]
    puck.feed(decode_report(split(2, 0, 0, -350)))  # type: ignore[arg-type]
    assert puck.deflection().tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_spacenavd_speaks_of_the_same_axes() -> None:
    # right, up, away, as spacenavd turns a USB device's right, towards, down
    by_daemon, by_kernel = Puck(), Puck()
    by_daemon.feed(decode_spacenav(struct.pack("<8i", 0, 100, 200, 300, 400, 500, 50, 16)))  # type: ignore[arg-type]
    by_kernel.feed(decode_report(combined(70, -210, -140, 280, -35, -350)))  # type: ignore[arg-type]
    np.testing.assert_allclose(by_daemon.deflection(), by_kernel.deflection())
    with pytest.raises(InvalidInput, match="32 bytes"):
        decode_spacenav(b"short")


def test_the_dead_zone_is_still_and_the_full_is_the_full() -> None:
    law = Sensitivity(dead_zone=0.2, scale=(1.0, -1.0, 0.5, 1.0, 1.0, 2.0))
    np.testing.assert_allclose(law(np.array([0.2, 1.0, 1.0, -1.0, -0.6, 0.9])), [0.0, -1.0, 0.5, -1.0, -0.5, 1.0])
    with pytest.raises(InvalidInput, match="dead_zone is 1.0"):
        Sensitivity(dead_zone=1.0)
    with pytest.raises(InvalidInput, match="six finite"):
        Sensitivity(scale=(1.0,))


class FalseSystem:
    """A folder with `sys` and `dev`, whose `hidraw0` is a pipe."""

    def __init__(self, root: Path) -> None:
        self.root, self._writer = root, -1

    def plug(self, vendor: int, product: int, node: str = "hidraw0") -> None:
        device = self.root / "sys/class/hidraw" / node / "device"
        device.mkdir(parents=True, exist_ok=True)
        (device / "uevent").write_text(f"DRIVER=hid-generic\nHID_ID=0003:{vendor:08X}:{product:08X}\nHID_NAME=x\n")
        (self.root / "dev").mkdir(exist_ok=True)
        os.mkfifo(self.root / "dev" / node)
        self._writer = os.open(self.root / "dev" / node, os.O_RDWR | os.O_NONBLOCK)

    def send(self, report: bytes) -> None:
        os.write(self._writer, report)

    def unplug(self) -> None:
        os.close(self._writer)
        (self.root / "dev/hidraw0").unlink()
        (self.root / "sys/class/hidraw/hidraw0/device/uevent").unlink()


@pytest.fixture
def system(tmp_path: Path) -> FalseSystem:
    return FalseSystem(tmp_path)


def mouse(system: FalseSystem) -> SpaceMouse:
    return SpaceMouse(FULL, find=lambda: open_hidraw(system.root))


@pytest.mark.parametrize(("identity", "title"), MODELS.items())
def test_every_model_is_found(system: FalseSystem, identity: tuple[int, int], title: str) -> None:
    system.plug(*identity)
    port = open_hidraw(system.root)
    assert port.title.startswith(title)
    port.close()


@pytest.mark.parametrize("identity", [(0x256F, 0xC650), (0x256F, 0xC664), (0x046D, 0xC077)])
def test_other_mice_and_keyboards_are_left_alone(system: FalseSystem, identity: tuple[int, int]) -> None:
    system.plug(*identity)
    with pytest.raises(BarkyardError, match="no known 3D mouse"):
        open_hidraw(system.root)


def test_pushing_away_closing_and_letting_go(system: FalseSystem) -> None:
    system.plug(0x256F, 0xC635)
    with mouse(system) as device:
        assert "SpaceMouse Compact" in device.usage()
        assert device.read(0.0) == Command()
        system.send(split(1, 0, -350, 0))
        command = device.read(0.0)
        assert command.twist == (0.3, 0.0, 0.0, 0.0, 0.0, 0.0) and command.since is not None
        assert device.read(0.1).twist[0] == 0.3  # a cap that is held still sends nothing new
        system.send(b"\x03\x01")
        assert device.read(0.2).gripper == 1.0
        system.send(b"\x03\x00")
        command = device.read(0.3)
        assert command.gripper == 1.0 and not command.changed
        system.send(split(1, 0, 0, 0))
        assert not device.read(0.4).acts
        system.send(b"\x03\x02")
        assert device.read(0.5).events == ("again", "start")


def test_unplugged_it_stands_still_and_plugged_in_again_it_goes_on(system: FalseSystem) -> None:
    system.plug(0x256F, 0xC62E)
    with mouse(system) as device:
        system.send(combined(0, -350, 0, 0, 0, 0))
        assert device.read(0.0).twist[0] == 0.3
        system.unplug()
        assert not device.read(1.0).acts
        assert not device.read(1.5).acts
        assert "unplugged" in device.usage()
        system.plug(0x256F, 0xC635)  # another model, with the other layout
        assert not device.read(2.6).acts
        system.send(split(1, 350, 0, 0))
        assert device.read(2.7).twist[1] == -0.3


def test_what_may_not_be_read_gives_the_line_that_allows_it(
    system: FalseSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.plug(0x256F, 0xC635)

    def refuse(*words: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BarkyardError, match="udevadm control --reload"):
        open_hidraw(system.root)


def test_where_there_is_none_every_way_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPNAV_SOCKET", raising=False)
    monkeypatch.setitem(sys.modules, "hid", None)
    with pytest.raises(BarkyardError, match=r"hidraw: .*hidapi is not installed: pip.*apt-get install -y spacenavd"):
        open_port(tmp_path)


class FalseHid(ModuleType):
    """A hidapi with one SpaceNavigator."""

    def __init__(self, *, allowed: bool = True) -> None:
        super().__init__("hid")
        self._allowed, self.reports = allowed, [list(split(1, 0, 0, -350)), [1, 2], []]

    def enumerate(self) -> list[dict[str, Any]]:
        keyboard = {"vendor_id": 0x256F, "product_id": 0xC664, "path": b"1-2:1.0"}
        return [keyboard, {"vendor_id": 0x046D, "product_id": 0xC626, "path": b"1-1:1.0"}]

    def device(self) -> "FalseHid":
        return self

    def open_path(self, path: bytes) -> None:
        assert path == b"1-1:1.0"
        if not self._allowed:
            raise OSError("open failed")

    def set_nonblocking(self, yes: bool) -> None:
        assert yes

    def read(self, size: int) -> list[int]:
        if not self.reports:
            raise OSError("read error")
        return self.reports.pop(0)

    def close(self) -> None:
        pass


def test_hidapi_is_the_second_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hid", FalseHid())
    port = open_port(tmp_path)
    assert port.title == "SpaceNavigator by hidapi"
    assert port.poll() == [Motion(0, (0.0, 0.0, -1.0))]  # the report that is cut short is passed over
    with pytest.raises(Unplugged):
        port.poll()
    monkeypatch.setitem(sys.modules, "hid", FalseHid(allowed=False))
    with pytest.raises(BarkyardError, match="udevadm"):
        open_hidapi(tmp_path)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """A socket that listens where spacenavd would; gives the daemon's end once somebody has connected."""
    monkeypatch.setenv("SPNAV_SOCKET", str(tmp_path / "s"))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "s"))
    listening.listen()
    yield lambda: listening.accept()[0]
    listening.close()


def test_spacenavd_is_the_third_way(tmp_path: Path, daemon: Callable[[], socket.socket]) -> None:
    with SpaceMouse(FULL, find=lambda: open_spacenav(tmp_path)) as device:
        end = daemon()
        event = struct.pack("<8i", 0, 0, 500, 0, 0, 0, 0, 16)
        end.sendall(event[:20])
        assert not device.read(0.0).acts  # half an event
        end.sendall(event[20:] + struct.pack("<8i", 1, 0, 1, 0, 0, 0, 0, 0))
        command = device.read(0.0)
        assert command.twist == (0.0, 0.0, 0.3, 0.0, 0.0, 0.0) and command.gripper == 1.0
        end.sendall(struct.pack("<8i", 2, 0, 0, 0, 0, 0, 0, 0) + struct.pack("<8i", 1, 0, 1, 0, 0, 0, 0, 0))
        assert device.read(0.0).gripper == 0.0
        end.close()
        assert not device.read(0.0).acts


def test_a_port_that_is_closed_says_so() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    port = HidrawPort("x", reader)
    with pytest.raises(Unplugged):
        port.poll()
    port.close()
    with pytest.raises(Unplugged):
        port.poll()
    near, far = socket.socketpair()
    far.close()
    with pytest.raises(Unplugged):
        SpacenavPort(near).poll()
    near.close()
