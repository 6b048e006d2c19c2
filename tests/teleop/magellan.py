"""A serial SpaceMouse (Magellan protocol) that is a pseudo-terminal, and the real spacenavd that reads it."""

import os
import pty
import select
import shutil
import subprocess
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

DAEMON: Final = shutil.which("spacenavd")
needs_spacenavd = pytest.mark.skipif(
    DAEMON is None, reason="spacenavd is not installed: apt-get install -y --no-install-recommends spacenavd"
)
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


@contextmanager
def magellan(folder: Path) -> Iterator[Magellan]:
    """A device that a daemon of its own reads, whose socket `SPNAV_SOCKET` names."""
    assert DAEMON is not None
    device = Magellan()
    device.start()
    (folder / "run").mkdir()  # Debian's daemon makes its socket at run/ below where it is started
    (folder / "spnavrc").write_text(f"serial = {device.path}\ndead-zone = 0\n")
    socket = folder / "run/spnav.sock"
    command = [DAEMON, "-d", "-v", "-c", str(folder / "spnavrc")]
    daemon = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60.0
        while not (socket.exists() and device.asked.is_set()):
            assert daemon.poll() is None and time.monotonic() < deadline, "the daemon did not find its device"
            time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPNAV_SOCKET", str(socket))
            yield device
    finally:
        daemon.terminate()
        daemon.wait(30.0)
        device.stop()
