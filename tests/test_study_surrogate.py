"""The study of what calibrating is worth on a surrogate: knowing its numbers brings a simulation nearer."""

import dataclasses
import importlib
from pathlib import Path

import pytest

from barkyard.assets.surrogate import draw_surrogate
from tests.test_readme import ROOT


@pytest.mark.slow
def test_the_truth_predicts_better_than_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = draw_surrogate("panda", 0).truth
    values = tuple(parameter.value for parameter in truth.parameters)
    dataclasses.replace(truth, samples=(values,)).save(tmp_path / "truth.json")
    monkeypatch.syspath_prepend(str(ROOT / "scripts/studies"))
    script = importlib.import_module("surrogate")
    found = script.compare("barkyard/Lift-v0", tmp_path / "truth.json", "OSC_POSE", 0, 1)
    told = found["foretold of the shipped model's actions"]
    drawn, known = told["posterior"]["tool_rms_mm"], told["calibrated"]["tool_rms_mm"]
    assert drawn == pytest.approx(known, rel=0.1), "the only sample is the estimate"
    assert known < 0.5 * told["shipped"]["tool_rms_mm"]
    assert found["on the surrogate"]["actions of the calibrated model"]["successes"] == 1
