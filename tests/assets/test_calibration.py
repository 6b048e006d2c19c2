"""Calibrations: what they hold, how they are kept, and what they write into a robot."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.assets.calibration import Calibration, HeldOut, Parameter, SourceLog
from barkyard.assets.robots import load_robot
from barkyard.errors import InvalidInput


def _calibration() -> Calibration:
    return Calibration(
        robot="panda",
        model="0123456789abcdef",
        parameters=(
            Parameter("joint1", "damping", 0.7, (0.5, 0.9)),
            Parameter("joint2", "frictionloss", 0.2, verdict="weakly_identified"),
            Parameter("torq_j3", "torque_limit", 55.0, None, "on_bound"),
            Parameter("joint4", "armature", 9.0, None, "not_excited"),
            Parameter("link7", "mass", 1.0),
        ),
        source="surrogate",
        logs=(SourceLog("chirp.npz", "ab" * 32),),
        held_out=HeldOut(0.01, (("joint1", 0.008), ("joint2", 0.012)), ("steps.npz",)),
        samples=((0.6, 0.1, 55.0, 9.0, 0.9), (0.8, 0.3, 55.0, 9.0, 1.1)),
    )


def test_applied_parameters_are_in_the_compiled_model() -> None:
    spec = load_robot("panda").make_spec()
    before = spec.compile()
    _calibration().apply(spec)
    model = spec.compile()
    assert model.joint("joint1").damping[0] == 0.7 and model.joint("joint2").frictionloss[0] == 0.2
    assert list(model.actuator("torq_j3").forcerange) == [-55.0, 55.0]
    assert model.joint("joint4").armature[0] == before.joint("joint4").armature[0], "not excited, not applied"
    assert model.body("link7").mass[0] == 1.0
    np.testing.assert_allclose(model.body("link7").inertia, 2.0 * before.body("link7").inertia)


def test_samples_of_what_is_applied() -> None:
    known = _calibration()
    assert known.names[-1] == ("link7", "mass") and len(known.names) == 4
    np.testing.assert_array_equal(known.applied_samples(), [[0.6, 0.1, 55.0, 0.9], [0.8, 0.3, 55.0, 1.1]])
    with pytest.raises(InvalidInput, match="no posterior samples"):
        dataclasses.replace(known, samples=()).applied_samples()


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().save(path)
    assert Calibration.load(path) == _calibration()
    assert Calibration.load(path).fingerprint == _calibration().fingerprint
    content = json.loads(path.read_text())
    assert content["parameters"][0]["unit"] == "N m s/rad"
    assert content["held_out"]["joints"] == {"joint1": 0.008, "joint2": 0.012}
    assert [entry.name for entry in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("robot"), "robot"),
        (lambda c: c.update(schema=1), "schema is 1; this version reads 2"),
        (lambda c: c.update(source="sim"), "source is 'sim'; valid: real, surrogate"),
        (lambda c: c["parameters"][0].update(quantity="colour"), "unknown quantity 'colour'"),
        (lambda c: c["parameters"][0].update(value=-1.0), "finite and not negative"),
        (lambda c: c["parameters"][0].update(value=float("nan")), "finite and not negative"),
        (lambda c: c["parameters"][0].update(verdict="maybe"), "unknown verdict 'maybe'"),
        (lambda c: c["parameters"][0].update(unit="N m s/deg"), "is in 'N m s/deg'; it must be in 'N m s/rad'"),
        (lambda c: c["parameters"][0].update(interval=[1.0, 0.5]), "low <= high"),
        (lambda c: c["parameters"].append(c["parameters"][0]), "there 2 times"),
        (lambda c: c["samples"].append([1.0]), "sample 2 has 1 values for 5"),
        (lambda c: c["samples"][1].__setitem__(0, -0.1), "joint1.damping is -0.1"),
        (lambda c: c.update(extra=1), "extra"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    content = _calibration().as_json()
    change(content)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=message) as caught:
        Calibration.load(path)
    assert str(path) in str(caught.value)


def test_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().save(path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(InvalidInput, match="is not a calibration"):
        Calibration.load(path)
