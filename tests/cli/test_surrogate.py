"""`barkyard surrogate`: what it writes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from barkyard.calibration import RobotLog
from barkyard.calibration.excitation import design
from barkyard.cli.main import main


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Four seconds of a chirp for a quadruped."""
    design("barkour_vb", "chirp", 4.0).save(tmp_path / "chirp.csv")
    return tmp_path / "chirp.csv"


def test_the_log_is_one_that_calibrate_reads_and_says_that_it_is_no_real_one(
    commands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["surrogate", "barkour_vb", str(commands), "--out", str(tmp_path / "logs"), "--quiet"]
    assert main(words) == 0
    assert "surrogate 0" in capsys.readouterr().out
    log = RobotLog.load(tmp_path / "logs" / "chirp.npz")
    assert log.source == "surrogate" and len(log.joints) == 12
    error = np.sqrt(np.mean((log.position - log.command) ** 2))
    assert 0.001 < error < 0.2
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*words, "--force", "--seed", "1"]) == 0
    other = RobotLog.load(tmp_path / "logs" / "chirp.npz")
    assert np.abs(other.position - log.position).max() > 1e-3


def test_what_cannot_be_played_is_named(commands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "logs"), "--quiet"]
    for words, message in (
        (["panda", str(commands)], "is for joints ['FL_abduction'"),
        (["go1", str(commands)], "unknown robot 'go1'"),
        (["barkour_vb", str(tmp_path / "absent.npz")], "absent.npz is not a command file"),
        (["barkour_vb", str(commands), str(commands)], "is taken"),
        (["barkour_vb"], "at least one command file"),
    ):
        assert main(["surrogate", *words, *out]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()
