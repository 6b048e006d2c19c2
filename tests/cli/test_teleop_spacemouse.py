"""`barkyard teleop --device spacemouse` from the serial line of a SpaceMouse to the Panda's fingers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.cli import teleop as teleop_module
from barkyard.cli.main import main
from tests.cli.test_teleop import LIFT, noting_environment
from tests.teleop.magellan import magellan, needs_spacenavd

LEFT_BUTTON, RIGHT_BUTTON = 1, 2
PUSHED = 250
"""Of 500 counts."""


@needs_spacenavd
def test_a_serial_spacemouse_moves_the_gripper_four_centimetres_and_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = noting_environment(monkeypatch)
    begun: dict[str, Any] = {}

    def moved() -> Any:
        return made["env"].simulation.robot.tcp_pos_world[0] - begun["tool"]

    with magellan(tmp_path) as cap:

        def show(self: object, status: Any, picture: object) -> None:
            robot = made["env"].simulation.robot
            if status.phase == "waiting":
                if "asked" not in begun:
                    begun["asked"] = True
                    cap.press(RIGHT_BUTTON)
                    cap.press(0)
                return
            assert status.seconds < 15.0, "the tool did not get there"
            begun.setdefault("tool", robot.tcp_pos_world[0].copy())
            gap = float(np.abs(robot.gripper_pos[0]).sum())
            begun.setdefault("gap", gap)
            if "there" not in begun:
                if moved()[1] < 0.04:
                    cap.move(PUSHED, 0, 0, 0, 0, 0)
                    return
                begun["there"] = moved()
                cap.move(0, 0, 0, 0, 0, 0)
                cap.press(LEFT_BUTTON)
            if gap < 0.25 * begun["gap"]:
                raise KeyboardInterrupt  # a person who has seen enough

        monkeypatch.setattr(teleop_module.StatusLine, "show", show)
        code = main(["teleop", LIFT, "--out", str(tmp_path / "d"), "--device", "spacemouse", "--episodes", "1"])
    assert code == 130 and "spacenavd" in capsys.readouterr().err
    there = begun["there"]
    assert 0.04 <= there[1] < 0.08  # pushed to the right, which is +y for who looks at the robot
    assert np.abs(there[[0, 2]]).max() < 0.01
