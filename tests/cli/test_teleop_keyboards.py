"""`barkyard teleop` with keys that other programs press: tmux in a real terminal, xdotool on a display."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from barkyard.datasets import Dataset
from tests.cli.test_teleop import LIFT
from tests.teleop.scripted import Hands, Pilot, Point

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 400.0

pytestmark = pytest.mark.slow


class TmuxHands:
    """See `Hands`; a key that is held repeats."""

    NAMES: Final = {"up": "Up", "down": "Down", "left": "Left", "right": "Right", "space": "Space", "enter": "Enter"}

    def __init__(self, tmux: list[str]) -> None:
        self._tmux = tmux

    def hold(self, keys: set[str]) -> None:
        for key in keys:
            self.tap(key)

    def tap(self, key: str) -> None:
        name = self.NAMES.get(key, key)
        subprocess.run([*self._tmux, "send-keys", name if name != ";" else "\\;"], check=True)


class DisplayHands:
    """See `Hands`."""

    NAMES: Final = {
        "up": "Up", "down": "Down", "left": "Left", "right": "Right", "enter": "Return", ".": "period",
        ";": "semicolon",
    }  # fmt: skip

    def __init__(self, display: str) -> None:
        self._environment = {**os.environ, "DISPLAY": display}
        self._held: set[str] = set()

    def _do(self, what: str, key: str) -> None:
        subprocess.run(["xdotool", what, self.NAMES.get(key, key)], check=True, env=self._environment)

    def hold(self, keys: set[str]) -> None:
        for key in self._held - keys:
            self._do("keyup", key)
        for key in keys - self._held:
            self._do("keydown", key)
        self._held = keys

    def tap(self, key: str) -> None:
        self._do("key", key)


def lift(hands: Hands, told: Path, over: Callable[[], bool]) -> None:
    """Starts episodes and lifts until the program is over."""

    def seen() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {"phase": "loading"}
        return found

    def look() -> tuple[Point, Point]:
        now = seen()
        return np.array(now["tcp"]), np.array(now["cube"])

    deadline = time.monotonic() + PATIENCE_S
    pilot: Pilot | None = None
    while not over():
        assert time.monotonic() < deadline, "the cube was not lifted"
        phase = seen()["phase"]
        if phase == "waiting":
            hands.hold(set())
            hands.tap("enter")
            pilot = Pilot(look, hands)
            time.sleep(0.3)
        elif phase == "running":
            assert pilot is not None
            pilot.act()
        time.sleep(0.03)


def check(out: Path, device: str) -> None:
    dataset = Dataset.open(out)
    episode = dataset.episode(0)
    assert dataset.num_episodes == 1 and episode.success
    assert set(episode.acted_by) == {f"human:{device}"}


def command(told: Path, out: Path, device: str, speed: str) -> list[str]:
    words = ["teleop", LIFT, "--out", str(out), "--episodes", "1", "--device", device, "--speed", speed]
    return [sys.executable, "-m", "tests.cli.telling", str(told), *words]


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install -y tmux")
def test_keys_in_a_terminal_lift_the_cube(tmp_path: Path) -> None:
    out, told, tmux = tmp_path / "d", tmp_path / "told.json", ["tmux", "-S", str(tmp_path / "socket")]
    words = command(told, out, "keyboard", "0.15")
    subprocess.run([*tmux, "-f", "/dev/null", "new-session", "-d", "-c", str(ROOT), *words], check=True)
    try:
        lift(
            TmuxHands(tmux), told, lambda: bool(subprocess.run([*tmux, "has-session"], capture_output=True).returncode)
        )
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True, check=False)
    check(out, "keyboard")


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="Xvfb or xdotool is not installed: apt-get install -y --no-install-recommends xvfb xdotool",
)
def test_keys_of_a_display_lift_the_cube(tmp_path: Path) -> None:
    out, told = tmp_path / "d", tmp_path / "told.json"
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[writer], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    try:
        with os.fdopen(reader) as number:
            display = f":{number.readline().strip()}"
        environment = {**os.environ, "DISPLAY": display, "MUJOCO_GL": "osmesa"}
        with subprocess.Popen(command(told, out, "display", "0.3"), cwd=ROOT, env=environment) as program:
            try:
                lift(DisplayHands(display), told, lambda: program.poll() is not None)
            finally:
                program.kill()
    finally:
        server.terminate()
        server.wait(30.0)
    check(out, "display")
