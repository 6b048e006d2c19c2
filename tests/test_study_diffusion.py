"""What the study of diffusion policies and the delay curve report. All outcomes are made up."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from barkyard.evaluation import EpisodeRecord, EvalResult
from tests.test_readme import ROOT


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The studies' modules, which lie beside one another."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts/studies"))
    return {name: importlib.import_module(name) for name in ("delay_curve", "diffusion")}


def result(successes: int, episodes: int) -> EvalResult:
    records = tuple(
        EpisodeRecord(
            10**9 + i, i < successes, 1.0, 40 if i < successes else 400, "success" if i < successes else "time_limit"
        )
        for i in range(episodes)
    )
    return EvalResult("barkyard/Lift-v0", {}, "diffusion-dit with delay 4", records, episodes, 1.0)


def test_successes_of_all_seeds_are_counted_together(study: dict[str, Any]) -> None:
    """Ten of twenty with one seed and all twenty with the other are 30 of 40, of which 59 to 87 % is the interval."""
    plan = study["diffusion"].Plan(inference_steps=(4,), delays=(1,))
    lines = [
        {"network": "dit", "objective": "flow", "seed": seed, "parameters": 1000, "4 steps": [count, 20],
         "switch 1": [5, 20], "real-time 1": [15, 20]}
        for seed, count in enumerate((10, 20))
    ]  # fmt: skip
    lines.append({**lines[0], "objective": "ddim", "4 steps": [0, 20]})
    told = study["diffusion"].report(lines, plan)
    assert "| dit | flow | 1,000 | 30/40 (59 - 87 %) |" in told
    assert "| dit | ddim | 1,000 | 0/20 (0 - 17 %) |" in told
    assert "| flow | switch | 30/40 (59 - 87 %) | 10/40 (13 - 41 %) |" in told
    assert "| dit | flow | 75 | 25 | 75 |" in told


def test_the_table_of_a_curve(study: dict[str, Any]) -> None:
    """Successes take 40 steps and failures 400: three of four take 130 on average."""
    point = study["delay_curve"].Point("real-time", 4, result(3, 4))
    assert "| 4 | real-time | 3/4 | 19.4 - 99.4 % | 130.0 |" in study["delay_curve"].table([point])


def test_a_curve_asks_for_each_delay_once(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def evaluate(words: list[str]) -> int:
        asked.append(words)
        result(1, 2).save(Path(words[words.index("--out") + 1]))
        return 0

    monkeypatch.setattr(study["delay_curve"], "barkyard", evaluate)
    for _ in range(2):
        points = list(
            study["delay_curve"].delay_curve(tmp_path / "policy", "barkyard/Lift-v0", tmp_path / "curve", delays=(0, 4))
        )
        assert [(point.manner, point.delay) for point in points] == [
            ("switch", 0), ("switch", 4), ("real-time", 0), ("real-time", 4)
        ]  # fmt: skip
    assert len(asked) == 4
    assert ["--real-time-chunking" in words for words in asked] == [False, False, True, True]
    assert [words[words.index("--delay") + 1] for words in asked] == ["0", "4", "0", "4"]


def test_a_failed_evaluation_ends_the_curve(
    study: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study["delay_curve"], "barkyard", lambda words: 2)
    with pytest.raises(SystemExit, match="ended with 2"):
        list(study["delay_curve"].delay_curve(tmp_path / "policy", "barkyard/Lift-v0", tmp_path / "curve", delays=(0,)))
