"""The study of simulated against surrogate success, from its evaluations on. All outcomes are made up."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.episode import CALIBRATION_SAMPLE
from barkyard.evaluation import EvalResult
from tests.evaluation.fakes import make_result
from tests.test_readme import ROOT

EPISODES = 40


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The study's modules, which lie beside one another."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts/studies"))
    names = ("sim_real_plan", "sim_real_summary", "sim_real")
    return {name: importlib.import_module(name) for name in names}


def made_up(env: str, source: str, rate: float, robots: int, seed: int) -> EvalResult:
    """Episodes that succeed at this rate, on so many robots in turn."""
    result = make_result(1, EPISODES, env_id=env, source=source, fingerprints={})
    won = np.random.default_rng(seed).random(EPISODES) < rate
    episodes = tuple(
        replace(
            record, success=bool(won[i]), end="success" if won[i] else "time_limit",
            metrics={CALIBRATION_SAMPLE: float(i % robots)} if robots else {},
        )
        for i, record in enumerate(result.episodes)
    )  # fmt: skip
    return replace(result, episodes=episodes)


def test_a_simulation_that_is_right_gains(
    rooms: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, summary, script = (rooms[name] for name in ("sim_real_plan", "sim_real_summary", "sim_real"))
    task = plan.trial().tasks[1]
    study = plan.Study(tmp_path, replace(plan.trial(), tasks=(task,), episodes=EPISODES, real_episodes=EPISODES))
    for number, policy in enumerate(task.policies):
        right = (number + 1) / (len(task.policies) + 1)
        for side, rate, robots in (("surrogate", right, 0), ("shipped", 1 - right, 0),
                                   ("calibrated", right, 0), ("posterior", right, 5)):  # fmt: skip
            source = "surrogate" if side == "surrogate" else "sim"
            path = study.result(task, policy, side)
            path.parent.mkdir(parents=True, exist_ok=True)
            made_up(task.env, source, rate, robots, seed=len(side) + 100 * number).save(path)
    for side in plan.SIMULATIONS:
        script.correlate(study, side)
    summary.write_summary(study)
    capsys.readouterr()
    text = (tmp_path / "summary.md").read_text()
    assert (tmp_path / "sim_real.png").stat().st_size > 10_000
    gains = {row.split(" | ")[0].strip("| "): row.split(" | ") for row in text.splitlines() if row.count("|") == 7}
    assert float(gains["Pearson r"][1]) < 0 < float(gains["Pearson r"][4].split()[0])
    assert float(gains["MMRV"][4].split()[0]) < 0 and float(gains["mean error"][5].split()[0]) < 0
    held = [int(cell.split()[0]) for cell in text.splitlines()[-1].strip("| ").split(" | ")[1:]]
    assert held[0] < held[1] and held[2] == len(task.policies)
    drawn = json.loads((study.report("posterior") / "correlation.json").read_text())
    assert drawn["predictions"][0]["prediction"]["parameter_sets"] == 5


def test_sides_differ_in_the_robot_alone(rooms: dict[str, Any]) -> None:
    plan = rooms["sim_real_plan"]
    study = plan.Study(Path("out"), plan.FULL)
    for task in plan.FULL.tasks:
        assert len(task.policies) >= 8
        sides = {side: study.arguments(task, side) for side in ("surrogate", *plan.SIMULATIONS)}
        assert sides["shipped"] == task.arguments
        assert sides["surrogate"] == {**task.arguments, "surrogate": 0}
        known = {"calibration": f"out/{task.robot}/fit/calibration.json"}
        assert sides["calibrated"] == {**task.arguments, **known}
        assert {key for key in sides["posterior"]} == {*sides["calibrated"], "randomization"}
    jobs = [job for stage in rooms["sim_real"].stages(study) for job in stage]
    assert len({str(job[1][1:]) + job[0].__name__ for job in jobs}) == len(jobs)
