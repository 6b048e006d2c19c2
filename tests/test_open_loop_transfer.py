"""The script that plays demonstrated actions open loop: knowing the surrogate's numbers brings a simulation nearer."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from barkyard.assets.surrogate import draw_surrogate
from tests.test_readme import ROOT


@pytest.mark.slow
def test_the_truth_predicts_better_than_the_shipped_model(tmp_path: Path) -> None:
    truth = draw_surrogate("panda", 0).truth
    values = tuple(parameter.value for parameter in truth.parameters)
    dataclasses.replace(truth, samples=(values,)).save(tmp_path / "truth.json")
    words = [sys.executable, str(ROOT / "scripts/open_loop_transfer.py"), str(tmp_path / "truth.json")]
    done = subprocess.run([*words, "--episodes", "2"], capture_output=True, text=True, check=True, cwd=ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    drawn, known = found["posterior"]["tool_rms_mm"], found["calibrated"]["tool_rms_mm"]
    assert drawn == pytest.approx(known, rel=0.1), "the only sample is the estimate"
    assert known < 0.5 * found["shipped"]["tool_rms_mm"]
