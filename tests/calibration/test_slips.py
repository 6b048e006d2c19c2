"""A recording whose stamps slip is told from one whose servos are slow."""

from dataclasses import replace

import numpy as np
import pytest

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.slips import find_slips

TIME = np.arange(0.0, 20.0, 0.02)
MOTION = 0.1 * np.stack([np.sin(2 * np.pi * 1.5 * TIME), np.sin(2 * np.pi * 1.1 * TIME + 1.0)], axis=1)


def log() -> RobotLog:
    noise = 1e-3 * np.random.default_rng(0).standard_normal(MOTION.shape)
    return RobotLog("run", ("a", "b"), TIME, MOTION, TIME, MOTION + noise)


def shifted(late: float, joints: slice = slice(None)) -> RobotLog:
    """The log, of which `joints` come `late` [s] from 12 s on."""
    position = log().position.copy()
    moved = np.stack([np.interp(TIME - late, TIME, column) for column in position.T], axis=1)
    position[TIME >= 12.0, joints] = moved[TIME >= 12.0, joints]
    return replace(log(), position=position)


def test_a_slip_is_found_with_its_length() -> None:
    (slip,) = find_slips(shifted(0.08), MOTION)
    assert (slip.start, slip.stop) == (12.0, 18.0)
    assert slip.late == pytest.approx(0.08, abs=0.021)


@pytest.mark.parametrize("recording", [log(), shifted(0.02), shifted(0.08, slice(0, 1))])
def test_noise_one_sample_or_one_slow_joint_is_none(recording: RobotLog) -> None:
    assert find_slips(recording, MOTION) == ()
