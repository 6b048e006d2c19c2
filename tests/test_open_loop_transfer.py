"""The script that plays demonstrated actions open loop: knowing the surrogate's numbers brings a simulation nearer."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from barkyard.assets.surrogate import draw_surrogate
from tests.test_readme import ROOT

SCRIPT = ROOT / "scripts" / "open_loop_transfer.py"


@pytest.mark.slow
def test_the_truth_predicts_better_than_the_shipped_model(tmp_path: Path) -> None:
    truth = draw_surrogate("panda", 0).truth
    values = tuple(parameter.value for parameter in truth.parameters)
    dataclasses.replace(truth, samples=(values,)).save(tmp_path / "truth.json")
    place = importlib.util.spec_from_file_location("open_loop_transfer", SCRIPT)
    assert place is not None and place.loader is not None
    script = importlib.util.module_from_spec(place)
    place.loader.exec_module(script)
    found = script.compare(tmp_path / "truth.json", "OSC_POSE", 0, 1)
    drawn, known = found["posterior"]["tool_rms_mm"], found["calibrated"]["tool_rms_mm"]
    assert drawn == pytest.approx(known, rel=0.1), "the only sample is the estimate"
    assert known < 0.5 * found["shipped"]["tool_rms_mm"]
