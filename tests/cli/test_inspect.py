"""What lies at a path."""

import json
from pathlib import Path
from typing import Any

import pytest

from barkyard.assets.calibration import Calibration, HeldOut, Parameter
from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.datasets.page import STILLS
from barkyard.evaluation import EpisodeRecord, EvalResult


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["inspect", str(path), "--json"]) == 0
    facts: dict[str, object] = json.loads(capsys.readouterr().out)
    return facts


def test_a_dataset(demonstrations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = inspected(demonstrations, capsys)
    assert (facts["kind"], facts["episodes"], facts["seeds"]) == ("dataset", 3, [0, 2])
    assert facts["fingerprint"] == Dataset.open(demonstrations).fingerprint
    assert main(["inspect", str(demonstrations)]) == 0
    assert "joint_pos (7)" in capsys.readouterr().out


def test_the_page_of_a_dataset_has_pictures_drawn_from_its_states(
    demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(demonstrations), "--page", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg") == 3 * STILLS, "three episodes"
    assert str(tmp_path / "page.html") in capsys.readouterr().err


def test_only_a_dataset_has_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "panda", "--page", str(tmp_path / "page.html")]) == 2
    assert "panda is a body" in capsys.readouterr().err


def test_a_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = (EpisodeRecord(10**9, True, 1.0, 30, "success"), EpisodeRecord(10**9 + 1, False, 0.0, 400, "time_limit"))
    EvalResult("barkyard/Lift-v0", {}, "expert", records, 2, 1.0).save(tmp_path / "r.json")
    facts = inspected(tmp_path / "r.json", capsys)
    assert (facts["kind"], facts["successes"], facts["success rate"]) == ("result", 1, 0.5)


@pytest.mark.parametrize("name", ["absent", "empty", "text.txt"])
def test_anything_else_is_refused_with_what_can_be_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("dear")
    assert main(["inspect", str(tmp_path / name)]) == 2
    message = capsys.readouterr().err
    assert str(tmp_path / name) in message
    assert all(kind in message for kind in ("a dataset", "a checkpoint", "a result"))


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "else"}'])
def test_a_damaged_result_is_named(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text(content)
    assert main(["inspect", str(tmp_path / "r.json")]) == 1
    assert str(tmp_path / "r.json") in capsys.readouterr().err


def test_a_calibration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = (
        Parameter("hip", "damping", 0.5, (0.4, 0.7), "weakly_identified"),
        Parameter("hip", "frictionloss", 0.1, None, "not_excited"),
    )
    calibration = Calibration("dog", "abc", parameters, "surrogate", held_out=HeldOut(0.01, (("hip", 0.01),), ("b",)))
    calibration.save(tmp_path / "calibration.json")
    facts: Any = inspected(tmp_path / "calibration.json", capsys)
    assert facts["kind"] == "calibration" and facts["source"] == "surrogate"
    assert facts["parameters"]["hip.damping"] == [0.5, 0.4, 0.7, "N m s/rad", "weakly identified"]
    assert facts["parameters"]["hip.frictionloss"] == [0.1, "N m", "not excited"]
    assert facts["held-out error [rad]"] == 0.01 and facts["held-out recordings"] == ["b"]
    assert facts["fingerprint"] == calibration.fingerprint
