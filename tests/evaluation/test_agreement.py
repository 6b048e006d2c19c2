"""The model of true rates against another sampler, its laws, and its coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barkyard.errors import InvalidInput
from barkyard.evaluation.agreement import (
    KEPT_SWEEPS,
    SPREAD_PRIOR,
    Counts,
    sample_posterior,
    shortest_interval,
    sweep_posterior,
)
from barkyard.evaluation.correlation import Floats, batch_mmrv, batch_pearson
from barkyard.evaluation.luck import isotonic, line_test, order_test


def counts_of(real: list[int], real_trials: int, sim: list[int], sim_trials: int) -> Counts:
    successes = np.array([real, sim], dtype=np.float64).T
    return Counts(successes, np.broadcast_to([float(real_trials), float(sim_trials)], successes.shape))


def log_density(state: Floats, seen: Floats, precision: Floats) -> float:
    """The model written out: state is N x 2 true values, 2 means, 2 log spreads, and the correlation's arctanh.

    The covariance's prior is Huang and Wand's with its scales integrated out, and the Jacobian to these parameters.
    """
    count = len(seen)
    true, mean = state[: 2 * count].reshape(count, 2), state[2 * count : 2 * count + 2]
    spreads, correlation = np.exp(state[-3:-1]), np.tanh(state[-1])
    left = 1 - correlation**2
    apart = (true - mean) / spreads
    quadratic = (apart**2).sum() - 2 * correlation * (apart[:, 0] * apart[:, 1]).sum()
    value = -0.5 * (precision * (seen - true) ** 2).sum() - 0.5 * quadratic / left
    value -= count * (np.log(spreads).sum() + 0.5 * np.log(left))
    determinant = (spreads**2).prod() * left
    freedom = 1.0
    value -= (freedom + 4) / 2 * np.log(determinant)
    value -= (freedom + 2) / 2 * np.log(freedom / (spreads**2 * left) + SPREAD_PRIOR**-2).sum()
    return float(value + 3 * np.log(spreads).sum() + np.log(left))


@pytest.mark.slow
def test_another_sampler_finds_the_same_posterior() -> None:
    counts = counts_of([3, 9, 11, 17], 20, [10, 25, 40, 38], 50)
    seen = np.arcsin(np.sqrt((counts.successes + 0.375) / (counts.trials + 0.75)))
    precision = 4 * counts.trials + 2
    generator = np.random.default_rng(0)
    state = np.concatenate([seen.ravel(), seen.mean(axis=0), [-1.0, -1.0, 0.5]])
    density, kept = log_density(state, seen, precision), []
    for step in range(60_000):  # random-walk Metropolis
        scale = np.concatenate([np.full(8, 0.04), np.full(2, 0.12), np.full(3, 0.35)])
        new = state + scale * generator.standard_normal(13)
        new_density = log_density(new, seen, precision)
        if math.log(generator.random()) < new_density - density:
            state, density = new, new_density
        if step >= 5_000:
            kept.append([*np.sin(state[:8]) ** 2, np.tanh(state[-1])])
    reference = np.array(kept)
    posterior = sample_posterior(counts)
    found = np.column_stack([posterior.rates.reshape(-1, 8), posterior.correlation])
    assert found.mean(axis=0) == pytest.approx(reference.mean(axis=0), abs=0.04)
    assert found[:, :8].std(axis=0) == pytest.approx(reference[:, :8].std(axis=0), rel=0.15)
    assert np.quantile(found[:, 8], [0.25, 0.5, 0.75]) == pytest.approx(
        np.quantile(reference[:, 8], [0.25, 0.5, 0.75]), abs=0.06
    )


def test_draws_are_the_same_for_the_same_seed() -> None:
    counts = counts_of([3, 9, 17], 20, [10, 25, 38], 50)
    first, again, other = sample_posterior(counts), sample_posterior(counts), sample_posterior(counts, seed=1)
    assert np.array_equal(first.rates, again.rates)
    assert not np.array_equal(first.rates, other.rates)
    assert first.rates.shape == (20 * KEPT_SWEEPS, 3, 2) == first.others.shape


def test_many_trials_leave_no_doubt_about_these_policies() -> None:
    posterior = sample_posterior(counts_of([2000, 5000, 8000], 10_000, [30_000, 40_000, 90_000], 100_000))
    assert posterior.rates.mean(axis=0) == pytest.approx(np.array([[0.2, 0.3], [0.5, 0.4], [0.8, 0.9]]), abs=0.005)
    interval = shortest_interval(batch_pearson(posterior.rates[..., 0], posterior.rates[..., 1]))
    assert interval is not None and interval.high - interval.low < 0.03


def test_intervals_hold_the_truth() -> None:
    """Nominal 95 %, seen over 200 studies; docs/statistics.md has more of them."""
    generator = np.random.default_rng(0)
    true = np.array([0.95, 0.75, 0.6, 0.5, 0.3, 0.1])
    other = np.array([0.9, 0.8, 0.4, 0.5, 0.3, 0.2])
    trials = np.broadcast_to([50, 200], (200, 6, 2))
    drawn = generator.binomial(trials, np.stack([true, other], axis=-1)).astype(np.float64)
    posterior = sweep_posterior(Counts(drawn, trials.astype(np.float64)), 100, 300, generator)
    for metric in (batch_pearson, batch_mmrv):
        truth = float(metric(true, other))
        draws = metric(posterior.rates[..., 0], posterior.rates[..., 1])
        intervals = [shortest_interval(draws[:, i]) for i in range(200)]
        covered = np.mean([each is not None and each.low - 1e-9 <= truth <= each.high for each in intervals])
        assert 0.90 <= covered <= 1.0, metric.__name__


def test_shortest_interval() -> None:
    assert shortest_interval(np.arange(100.0)[::-1]) == (0.0, 94.0)
    skewed = np.concatenate([np.zeros(96), np.full(4, 9.0)])
    assert shortest_interval(skewed) == (0.0, 0.0)
    assert shortest_interval(np.array([1.0] * 99 + [math.nan])) == (1.0, 1.0)
    assert shortest_interval(np.array([1.0] * 90 + [math.nan] * 10)) is None


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-5, 5), min_size=20, max_size=60))
def test_shortest_interval_is_no_longer_than_the_central_one(values: list[float]) -> None:
    draws = np.sort(values)
    interval = shortest_interval(draws, confidence=0.5)
    assert interval is not None
    held = math.ceil(0.5 * len(draws))
    assert ((interval.low <= draws) & (draws <= interval.high)).sum() >= held
    first = (len(draws) - held) // 2
    assert interval.high - interval.low <= draws[first + held - 1] - draws[first]


def test_luck_of_policies_that_agree_is_not_rejected_too_often() -> None:
    generator = np.random.default_rng(0)
    true = np.linspace(0.1, 0.9, 6)
    line, order = [], []
    for seed in range(100):
        counts = counts_of(list(generator.binomial(24, true)), 24, list(generator.binomial(72, 0.8 * true)), 72)
        line.append(line_test(counts, seed) <= 0.05)
        order.append(order_test(counts, seed) <= 0.05)
    assert np.mean(line) <= 0.12 and np.mean(order) <= 0.05


def test_disagreement_beyond_luck_is_rejected() -> None:
    counts = counts_of([10, 50, 90], 100, [90, 50, 10], 100)
    assert line_test(counts) < 0.01 and order_test(counts) < 0.01
    bent = counts_of([10, 85, 90], 100, [100, 200, 900], 1000)  # in order, but on no line
    assert line_test(bent) < 0.01 and order_test(bent) > 0.5


def test_isotonic_against_scipy() -> None:
    generator = np.random.default_rng(0)
    values, weight = generator.normal(size=(4, 9, 2)), generator.uniform(0.5, 2, size=(4, 9, 2))
    fitted = isotonic(values, weight)
    for i in range(4):
        for side in range(2):
            expected = stats_isotonic(values[i, :, side], weight[i, :, side])
            assert fitted[i, :, side] == pytest.approx(expected)


def stats_isotonic(values: Floats, weight: Floats) -> Floats:
    from scipy.optimize import isotonic_regression

    fitted: Floats = isotonic_regression(values, weights=weight).x
    return fitted


@pytest.mark.parametrize(
    ("successes", "trials", "named"),
    [
        (np.zeros((3, 2)), np.zeros((3, 2)), "every policy needs"),
        (np.full((3, 2), 5.0), np.full((3, 2), 4.0), "successes are"),
        (np.zeros((3, 3)), np.ones((3, 3)), r"must be \(N, 2\)"),
        (np.zeros((3, 2)), np.full((3, 2), math.nan), "every policy needs"),
    ],
)
def test_refuses_what_are_no_counts(successes: Floats, trials: Floats, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        Counts(successes, trials)


def test_two_policies_have_no_posterior() -> None:
    with pytest.raises(InvalidInput, match="at least 3 policies"):
        sample_posterior(counts_of([1, 2], 5, [1, 2], 5))
