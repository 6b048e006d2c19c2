"""The whole prediction: from results and real trials to words and a page. All trials are made up."""

from dataclasses import replace
from pathlib import Path

import pytest

from barkyard.episode import CALIBRATION_SAMPLE
from barkyard.errors import InvalidInput
from barkyard.evaluation import EvalResult
from barkyard.evaluation.prediction_powered import PREDICTION_POWERED
from barkyard.evaluation.robot_prediction import gather_evidence, predict_robot
from barkyard.evaluation.trials import trials_of_results

from .fakes import make_result

GOOD, BAD = make_result(150, 200, actor="good"), make_result(60, 200, actor="bad")


def real(result: EvalResult, trials: int) -> EvalResult:
    """The surrogate does as the simulation said on the first seeds."""
    return replace(result, source="surrogate", episodes=result.episodes[:trials], episodes_asked=trials)


def shuffled(result: EvalResult) -> EvalResult:
    """Successes spread over the seeds."""
    flags = [record.success for record in result.episodes]
    mixed = [flags[(77 * i) % len(flags)] for i in range(len(flags))]
    episodes = tuple(
        replace(record, success=flag, end="success" if flag else "time_limit")
        for record, flag in zip(result.episodes, mixed, strict=True)
    )
    return replace(result, episodes=episodes)


def test_from_results_to_a_page(tmp_path: Path) -> None:
    good, bad = shuffled(GOOD), shuffled(BAD)
    trials = trials_of_results([("good", real(good, 20)), ("bad", real(bad, 20))])
    found = predict_robot([("good", good), ("bad", bad)], trials, "barkyard predict")
    assert found.rates["good"].method == PREDICTION_POWERED and found.rates["good"].saved > 0
    assert found.ranking is not None and found.ranking.duels[0].probability > 0.9
    found.save(tmp_path)
    page = (tmp_path / "prediction.html").read_text()
    for words in found.words:
        assert words.split(" ")[0] in page
    assert "not a robot" in page and "saves" in page and "one robot was simulated" in page
    assert '"schema": "barkyard/robot-prediction-v1"' in (tmp_path / "prediction.json").read_text()


def test_without_real_trials_the_assumption_is_said() -> None:
    found = predict_robot([("good", GOOD), ("bad", BAD)], None)
    assert found.rates == {} and any("rests on an assumption" in note for note in found.notes)


def test_the_robots_of_the_posterior_are_told_apart() -> None:
    drawn = [
        replace(
            result,
            episodes=tuple(replace(r, metrics={CALIBRATION_SAMPLE: float(r.seed % 10)}) for r in result.episodes),
        )
        for result in (GOOD, BAD)
    ]
    drawn = [replace(each, env_kwargs={}) for each in drawn]
    evidence = gather_evidence([("good", drawn[0]), ("bad", drawn[1])], None)
    assert set(evidence.samples.tolist()) == set(range(10))
    assert evidence.simulated.shape == (200, 2) and evidence.simulated[:, 0].sum() == 150


def test_refuses() -> None:
    trials = trials_of_results([("good", real(GOOD, 20))])
    for sim, side, named in (
        ([("a", GOOD), ("a", BAD)], None, "one result a policy"),
        ([("a", GOOD), ("b", replace(BAD, env_id="barkyard/Other-v0"))], None, "all of one task"),
        ([("a", GOOD), ("b", BAD)], trials, "no policy of a, b has real trials"),
        ([("a", GOOD), ("b", replace(BAD, fingerprints={"env": "other"}))], None, "different environments"),
        ([("a", replace(GOOD, sampling="search")), ("b", BAD)], None, "not a fair sample"),
    ):
        with pytest.raises(InvalidInput, match=named):
            predict_robot(sim, side)
