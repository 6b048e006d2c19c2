"""What recordings are too tame to show."""

import numpy as np
import pytest

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.sufficiency import measure, warnings
from barkyard.calibration.unknowns import default_unknowns
from tests.calibration.synthetic import ARM, arm

LIMITED = ARM.replace('kp="15"/>', 'kp="15" forcelimited="true" forcerange="-3 3"/>')
QUANTITIES = ("armature", "frictionloss", "torque_limit", "delay")


def sine(frequency: float, size: float, lag: float = 0.06, seconds: float = 10.0) -> RobotLog:
    """Both joints on one sine, measured `lag` [s] later."""
    time = np.arange(0.0, seconds, 0.02)
    shapes = [np.sin(2 * np.pi * frequency * np.maximum(each, 0.0)) for each in (time, time - lag)]
    command, position = (size * shape[:, None] * np.ones(2) for shape in shapes)
    return RobotLog("sine", ("shoulder", "elbow"), time, command, time, position)


def test_bandwidth_lag_speed_and_turns_of_a_sine() -> None:
    found = measure([sine(2.0, 0.3)])[0]
    assert found.bandwidth == pytest.approx(2.0, abs=0.2)
    assert found.lag == pytest.approx(0.06, abs=0.021)
    assert found.speed == pytest.approx(0.3 * 2 * np.pi * 2.0, rel=0.05)
    assert found.reversals in (38, 39, 40)
    assert found.travel == pytest.approx(0.6, abs=0.01)
    assert found.deviation == pytest.approx(0.6 * np.sin(2 * np.pi * 0.06), rel=0.1)


def test_a_lively_recording_is_not_complained_of() -> None:
    model = arm(LIMITED)
    assert warnings(default_unknowns(model, model.joints, 0.005, QUANTITIES), [sine(2.0, 0.3)], model) == ()


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (sine(0.2, 0.3), ("armature: the command's bandwidth is", "delay: the command's bandwidth is")),
        (sine(2.0, 0.005), ("moves by 10 mrad only",)),
        (sine(0.1, 0.3, seconds=9.0), ("turns 2 times; friction needs 4",)),
        (sine(2.0, 0.1), ("which asks for", "of 3.00 N m; record larger steps")),
    ],
)
def test_a_tame_recording_is_warned_of(log: RobotLog, words: tuple[str, ...]) -> None:
    model = arm(LIMITED)
    said = " / ".join(warnings(default_unknowns(model, model.joints, 0.005, QUANTITIES), [log], model))
    for each in words:
        assert each in said
