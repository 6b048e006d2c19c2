"""The real spacenavd, with a serial SpaceMouse (Magellan protocol) that is a pseudo-terminal."""

import os
import pty
import select
import shutil
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from barkyard.teleop.spacemouse import SpaceMouse
from barkyard.teleop.spacemouse_ports import open_spacenav
from tests.teleop.scripted import FULL

DAEMON = shutil.which("spacenavd")
pytestmark = pytest.mark.skipif(DAEMON is None, reason="spacenavd is not installed: apt-get install -y spacenavd")
NIBBLES = b"0AB3D56GH9:K<MN?"


def encoded(value: int, digits: int) -> bytes:
    return bytes(NIBBLES[value >> 4 * i & 15] for i in reversed(range(digits)))


class Magellan(threading.Thread):
    """Answers as the device does, and sends its motion."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.end, far = pty.openpty()
        tty.setraw(far)
        self.path, self._far = os.ttyname(far), far
        self.asked = threading.Event()
        self._over = threading.Event()

    def run(self) -> None:
        pending = b""
        while not self._over.is_set():
            if not select.select([self.end], [], [], 0.05)[0]:
                continue
            *lines, pending = (pending + os.read(self.end, 1024)).split(b"\r")
            for line in lines:
                if line.startswith(b"vQ"):
                    os.write(self.end, b"v MAGELLAN  Version 5.79  3Dconnexion GmbH\r")
                    self.asked.set()
                elif line:
                    os.write(self.end, line + b"\r")

    def move(self, *counts: int) -> None:
        os.write(self.end, b"d" + b"".join(encoded(32768 + count, 4) for count in counts) + b"\r")

    def press(self, buttons: int) -> None:
        os.write(self.end, b"k" + encoded(buttons, 3)[::-1] + b"\r")  # the lowest four first

    def stop(self) -> None:
        self._over.set()
        self.join()
        os.close(self.end)
        os.close(self._far)


@pytest.fixture
def magellan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Magellan]:
    assert DAEMON is not None
    device = Magellan()
    device.start()
    (tmp_path / "run").mkdir()
    (tmp_path / "spnavrc").write_text(f"serial = {device.path}\ndead-zone = 0\n")
    socket = tmp_path / "run/spnav.sock"
    monkeypatch.setenv("SPNAV_SOCKET", str(socket))
    command = [DAEMON, "-d", "-v", "-c", str(tmp_path / "spnavrc")]
    daemon = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60.0
    while not (socket.exists() and device.asked.is_set()):
        assert daemon.poll() is None and time.monotonic() < deadline, "the daemon did not find its device"
        time.sleep(0.05)
    yield device
    daemon.terminate()
    daemon.wait(30.0)
    device.stop()


def test_a_cap_that_is_pushed_moves_and_its_button_closes(magellan: Magellan) -> None:
    with SpaceMouse(FULL, find=lambda: open_spacenav(Path("/"))) as device:
        deadline = time.monotonic() + 60.0
        seen = []
        for axis in range(6):
            counts = [0] * 6
            counts[axis] = 250
            command = device.read(0.0)
            while not any(command.twist):
                assert time.monotonic() < deadline, f"axis {axis} does not arrive"
                magellan.move(*counts)
                time.sleep(0.05)
                command = device.read(0.0)
            seen.append([i for i in range(6) if command.twist[i]])
            while any(device.read(0.0).twist):
                magellan.move(*[0] * 6)
                time.sleep(0.05)
        assert sorted(map(tuple, seen)) == [(i,) for i in range(6)]  # each axis is a direction of its own
        magellan.press(1)
        while not (command := device.read(0.0)).changed:
            assert time.monotonic() < deadline, "the button does not arrive"
            time.sleep(0.02)
        assert command.gripper == 1.0
