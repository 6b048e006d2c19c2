"""Predicted real success against brute force, by its symmetries, and how often its intervals hold what happens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from barkyard.errors import InvalidInput
from barkyard.evaluation.prediction import predict_outcomes, predict_success
from barkyard.evaluation.trials import Trial, TrialSet


def test_one_set_of_parameters_is_a_beta_binomial() -> None:
    found = predict_success([45], [60], 40)
    reference = betabinom(40, 46, 16)
    assert found.mean == pytest.approx(46 / 62, abs=1e-9)
    assert found.interval == tuple(reference.ppf([0.025, 0.975]) / 40)
    assert (found.parameter_sets, found.spread, found.trials) == (1, 0.0, 40)


def test_several_sets_against_brute_force() -> None:
    won, tried, trials = [5, 1, 4, 5], [5, 5, 4, 6], 12
    chances, total, spread = np.zeros(trials + 1), 0.0, 0.0
    for mean in (np.arange(100) + 0.5) / 100:
        for root in (np.arange(30) + 0.5) / 30:
            scale = (1 - root**2) / root**2
            a, b = mean * scale, (1 - mean) * scale
            weight = float(np.prod([betabinom.pmf(k, n, a, b) for k, n in zip(won, tried, strict=True)]))
            chances += weight * betabinom.pmf(np.arange(trials + 1), trials, a, b)
            spread += weight * root**2 * mean * (1 - mean)
            total += weight
    chances /= total
    found = predict_success(won, tried, trials)
    assert found.mean == pytest.approx(float(chances @ np.arange(trials + 1)) / trials, abs=1e-9)
    assert found.spread == pytest.approx((spread / total) ** 0.5, abs=1e-9)
    below = np.cumsum(chances)
    assert list(found.interval) == [np.argmax(below >= 0.025) / trials, np.argmax(below >= 0.975) / trials]


def test_robots_that_differ_make_it_wider() -> None:
    alike = predict_success([5] * 10, [10] * 10, 50)
    different = predict_success([0, 10] * 5, [10] * 10, 50)
    one = predict_success([50], [100], 50)
    assert alike.mean == pytest.approx(different.mean) == pytest.approx(0.5)
    widths = [each.interval.high - each.interval.low for each in (one, alike, different)]
    assert widths == sorted(widths) and widths[2] > 0.9
    assert different.spread > 0.3 > 0.15 > alike.spread


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8).filter(
        lambda pairs: all(sum(pair) for pair in pairs)
    ),
    st.integers(1, 30),
)
def test_success_and_failure_are_mirrored_and_order_does_not_count(pairs: list[tuple[int, int]], trials: int) -> None:
    won, lost = np.array(pairs).T
    found, mirrored = predict_success(won, won + lost, trials), predict_success(lost, won + lost, trials)
    assert found.mean == pytest.approx(1 - mirrored.mean, abs=1e-9)
    assert found.spread == pytest.approx(mirrored.spread, abs=1e-9)
    assert abs(found.interval.low + mirrored.interval.high - 1) <= 1 / trials + 1e-9
    assert 0 <= found.interval.low <= found.interval.high <= 1
    again = predict_success(won[::-1], (won + lost)[::-1], trials)
    assert again.mean == pytest.approx(found.mean) and again.interval == found.interval


@pytest.mark.parametrize(("alike", "least", "most"), [(0.0, 0.97, 1.0), (0.1, 0.94, 1.0), (0.4, 0.93, 1.0)])
def test_intervals_hold_what_a_robot_like_these_shows(alike: float, least: float, most: float) -> None:
    generator = np.random.default_rng(5)
    held = []
    for _ in range(300):
        mean = generator.uniform(0.2, 0.95)
        scale = (1 - alike) / alike if alike else 0.0
        robots = generator.beta(mean * scale, (1 - mean) * scale, 13) if alike else np.full(13, mean)
        found = predict_success(generator.binomial(5, robots[1:]), np.full(12, 5), 50)
        held.append(found.interval.low <= generator.binomial(50, robots[0]) / 50 <= found.interval.high)
    assert least <= np.mean(held) <= most


def test_one_wrong_set_of_parameters_holds_too_little() -> None:
    """What a single calibration promises where robots differ: the reason for the samples."""
    generator = np.random.default_rng(5)
    held = []
    for _ in range(300):
        robots = generator.beta(2.0, 2.0, 2)
        found = predict_success([generator.binomial(60, robots[1])], [60], 50)
        held.append(found.interval.low <= generator.binomial(50, robots[0]) / 50 <= found.interval.high)
    assert np.mean(held) < 0.6


def test_outcomes_are_those_with_trials_on_both_sides() -> None:
    def trials(source: str, *rows: tuple[str, str, int | None, bool]) -> TrialSet:
        made = tuple(Trial(p, t, str(i), s, sample=n) for i, (p, t, n, s) in enumerate(rows))
        return TrialSet(source, made, (("made up", "0"),))

    sim = trials("sim", ("a", "T", 0, True), ("a", "T", 1, False), ("a", "T", 0, True), ("b", "T", None, True))
    assert sim.count_by_sample("a", "T") == ([2, 0], [2, 1])
    real = trials("real", ("a", "T", None, False), ("a", "T", None, False), ("b", "U", None, True))
    [found] = predict_outcomes(real=real, sim=sim)
    assert (found.task, found.policy, found.real, found.real_rate) == ("T", "a", (0, 2), 0.0)
    assert found.prediction == predict_success([2, 0], [2, 1], 2) and found.held


@pytest.mark.parametrize(
    ("won", "tried", "trials", "confidence", "message"),
    [
        ([], [], 5, 0.95, "S of at least 1"),
        ([1], [1, 2], 5, 0.95, "must both be"),
        ([2], [1], 5, 0.95, "successes are"),
        ([0], [0], 5, 0.95, "successes are"),
        ([0.5], [1], 5, 0.95, "whole numbers"),
        ([float("nan")], [1], 5, 0.95, "whole numbers"),
        ([1], [1], 0, 0.95, "real_trials is 0"),
        ([1], [1], True, 0.95, "real_trials is True"),
        ([1], [1], 5, 1.0, "confidence is 1.0"),
    ],
)
def test_what_are_no_counts(won: list[float], tried: list[float], trials: int, confidence: float, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        predict_success(won, tried, trials, confidence)
