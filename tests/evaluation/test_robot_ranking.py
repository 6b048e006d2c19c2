"""P(A beats B on the robot): against brute force, and its laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import halfnorm

from barkyard.errors import InvalidInput
from barkyard.evaluation.robot_ranking import GAP_SCALE, SHIFT_SCALE, RobotEvidence, duel_words, rank_on_robot


def evidence(
    rates: list[float], real: list[list[float]], seeds: int = 200, robots: int = 1, effect: float = 0.0
) -> RobotEvidence:
    """Common luck for all; `effect`: how far a robot's parameter moves the first policy's rate."""
    generator = np.random.default_rng(3)
    samples = np.arange(seeds) % robots
    parameter = generator.standard_normal(robots)
    chances = np.tile(rates, (seeds, 1))
    chances[:, 0] += effect * parameter[samples]
    simulated = generator.random((seeds, 1)) < chances
    parameters = (
        {"friction": parameter[samples], "mass": generator.standard_normal(robots)[samples]} if robots > 1 else {}
    )
    names = tuple("abcdef"[: len(rates)])
    return RobotEvidence(names, simulated, samples, np.array(real, dtype=np.float64), parameters)


def test_against_importance_sampling_of_the_same_model() -> None:
    """The prior drawn and weighted by the likelihood of the real trials, with no formula of the module."""
    given_ = evidence([0.8, 0.6], [[9, 10], [3, 10]])
    said = rank_on_robot(given_).duels[0].probability
    generator = np.random.default_rng(0)
    draws, seeds = 400_000, 200
    counts = given_.simulated.sum(axis=0)
    alike = np.corrcoef(given_.simulated.T)
    true = generator.multivariate_normal(
        np.arcsin(np.sqrt((counts + 0.375) / (seeds + 0.75))), alike / (4 * seeds + 2), draws
    )
    true += halfnorm.rvs(scale=SHIFT_SCALE, size=(draws, 1), random_state=generator) * generator.normal(size=(draws, 1))
    true += halfnorm.rvs(scale=GAP_SCALE, size=(draws, 1), random_state=generator) * generator.normal(size=(draws, 2))
    seen = np.arcsin(np.sqrt((np.array([9, 3]) + 0.375) / 10.75))
    weight = np.exp(-0.5 * ((seen - true) ** 2).sum(axis=1) * 42)
    assert said == pytest.approx(float(weight[true[:, 0] > true[:, 1]].sum() / weight.sum()), abs=0.01)


def test_real_trials_overrule_the_simulation() -> None:
    before = rank_on_robot(evidence([0.6, 0.5], [[0, 0], [0, 0]])).duels[0].probability
    after = rank_on_robot(evidence([0.6, 0.5], [[5, 40], [35, 40]])).duels[0].probability
    assert 0.5 < before < 0.85 and after < 0.01


def test_shares_name_what_makes_it_unsure_and_what_to_measure() -> None:
    found = rank_on_robot(evidence([0.5, 0.5], [[20, 40], [20, 40]], seeds=400, robots=40, effect=0.25))
    [duel] = found.duels
    assert sum(duel.shares.values()) == pytest.approx(1)
    assert duel.shares["calibration"] > 0.2 > duel.shares["simulated trials"]
    left = dict(duel.next)
    assert left["the exact friction"] < 0.85 and left["the exact mass"] > 0.95
    assert [share for _, share in duel.next] == sorted(left.values())
    none = rank_on_robot(evidence([0.5, 0.5], [[20, 40], [20, 40]], seeds=400, robots=1)).duels[0]
    assert none.shares["calibration"] == 0


def test_few_simulated_episodes_are_the_reason_where_they_are() -> None:
    few = rank_on_robot(evidence([0.5, 0.3], [[0, 0], [0, 0]], seeds=8)).duels[0].shares["simulated trials"]
    many = rank_on_robot(evidence([0.5, 0.3], [[0, 0], [0, 0]], seeds=400)).duels[0].shares["simulated trials"]
    assert few > 3 * many


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.lists(st.tuples(st.floats(0.05, 0.95), st.integers(0, 8)), min_size=2, max_size=4))
def test_exchanging_names_exchanges_probabilities(policies: list[tuple[float, int]]) -> None:
    rates, successes = zip(*policies, strict=True)
    real = [[float(k), 8.0] for k in successes]
    forward = evidence(list(rates), real, seeds=40)
    backward = RobotEvidence(
        forward.policies[::-1], forward.simulated[:, ::-1], forward.samples, forward.real[::-1], {}
    )
    there = {(d.a, d.b): d.probability for d in rank_on_robot(forward, draws=100).duels}
    back = {(d.a, d.b): d.probability for d in rank_on_robot(backward, draws=100).duels}
    for (a, b), probability in there.items():
        assert 0 <= probability <= 1
        assert back[b, a] == pytest.approx(1 - probability, abs=1e-9)
    assert sum(rank_on_robot(forward, draws=100).best.values()) == pytest.approx(1)


def test_words() -> None:
    [duel] = rank_on_robot(evidence([0.2, 0.9], [[1, 10], [9, 10]])).duels
    words = duel_words(duel, "surrogate")
    assert words.startswith("b is better than a on the surrogate with probability 1.00. What makes it unsure: ")
    assert "Most would be learnt from " in words


def test_refuses() -> None:
    with pytest.raises(InvalidInput, match="give at least 2"):
        evidence([0.5], [[0, 0]])
    with pytest.raises(InvalidInput, match="must be"):
        evidence([0.5, 0.5], [[0, 0]])
