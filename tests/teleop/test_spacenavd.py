"""What the real spacenavd says of a serial SpaceMouse."""

import time
from pathlib import Path

from barkyard.teleop.spacemouse import SpaceMouse
from barkyard.teleop.spacemouse_ports import open_spacenav
from tests.teleop.magellan import magellan, needs_spacenavd
from tests.teleop.scripted import FULL

pytestmark = needs_spacenavd


def test_a_cap_that_is_pushed_moves_and_its_button_closes(tmp_path: Path) -> None:
    with magellan(tmp_path) as cap, SpaceMouse(FULL, find=lambda: open_spacenav(Path("/"))) as device:
        deadline = time.monotonic() + 60.0
        seen = []
        for axis in range(6):
            counts = [0] * 6
            counts[axis] = 250
            command = device.read(0.0)
            while not any(command.twist):
                assert time.monotonic() < deadline, f"axis {axis} does not arrive"
                cap.move(*counts)
                time.sleep(0.05)
                command = device.read(0.0)
            seen.append([i for i in range(6) if command.twist[i]])
            while any(device.read(0.0).twist):
                cap.move(*[0] * 6)
                time.sleep(0.05)
        assert sorted(map(tuple, seen)) == [(i,) for i in range(6)]  # each axis is a direction of its own
        cap.press(1)
        while not (command := device.read(0.0)).changed:
            assert time.monotonic() < deadline, "the button does not arrive"
            time.sleep(0.02)
        assert command.gripper == 1.0
