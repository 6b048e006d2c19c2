"""Prediction-powered real rates: the estimate of the paper, intervals at their limits, coverage by enumeration."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial

from barkyard.errors import InvalidInput
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.evaluation.prediction_powered import (
    PREDICTION_POWERED,
    REAL_ONLY,
    PairedCounts,
    pair_trials,
    planned_conditions,
    powered_estimate,
    powered_interval,
    real_rate,
    tuned_weight,
)
from barkyard.evaluation.trials import Trial, TrialSet

LARGE = (50_000, 100_000)


def test_the_estimate_is_that_of_ppi() -> None:
    """The paper's formula on one row a trial."""
    counts = PairedCounts(agree=(9, 12), disagree=(2, 8), sim=(12 + 100, 20 + 180))
    real = np.repeat([1, 0, 1, 0], [9, 3, 2, 6])
    sim = np.repeat([1, 1, 0, 0], [9, 3, 2, 6])
    every = np.repeat([1, 0], [112, 88])
    weight = tuned_weight(counts)
    assert weight == pytest.approx(np.cov(real, sim, ddof=0)[0, 1] / ((1 + 20 / 180) * every.var(ddof=1)))
    assert powered_estimate(counts, weight) == pytest.approx(real.mean() - weight * (sim.mean() - 100 / 180))


@pytest.mark.parametrize(
    ("agree", "disagree", "sim", "tuned", "whole"),
    [
        ((9, 12), (2, 8), (112, 200), 0.530616883116883, 0.5055555555555555),
        ((15, 16), (3, 14), (416, 1000), 0.5131533192834563, 0.4790378006872852),
        ((2, 9), (10, 11), (69, 120), None, 0.75),
        ((30, 30), (0, 20), (730, 1000), None, 0.7368421052631579),
    ],
)
def test_the_estimate_is_that_of_ppi_py(
    agree: tuple[int, int], disagree: tuple[int, int], sim: tuple[int, int], tuned: float | None, whole: float
) -> None:
    """`ppi_mean_pointestimate` of ppi-python 0.2.3, with its lambda and with 1; None where it cuts its lambda."""
    counts = PairedCounts(agree, disagree, sim)
    assert powered_estimate(counts, 1.0) == pytest.approx(whole)
    if tuned is not None:
        assert powered_estimate(counts, tuned_weight(counts)) == pytest.approx(tuned)
    else:
        assert not 0 <= tuned_weight(counts) <= 1


def test_a_simulation_that_always_says_the_same_is_left_out() -> None:
    for counts in (PairedCounts((13, 20), (0, 0), (200, 200)), PairedCounts((0, 0), (13, 20), (0, 200))):
        found = real_rate(counts)
        assert (found.method, found.interval, found.saved) == (REAL_ONLY, clopper_pearson(13, 20), 0)
        assert powered_interval(counts, sim_share=counts.sim[0] / 200) == pytest.approx(
            clopper_pearson(13, 20), abs=2e-9
        )


def test_a_good_simulation_saves_real_trials_and_a_useless_one_none() -> None:
    good = real_rate(PairedCounts((10, 10), (0, 10), LARGE))
    assert good.method == PREDICTION_POWERED and good.saved > 15
    assert good.interval.high - good.interval.low < 0.75 * (good.real_only.high - good.real_only.low)
    assert good.interval.low < good.rate < good.interval.high
    opposite = real_rate(PairedCounts((0, 10), (10, 10), LARGE))
    assert opposite.interval == pytest.approx(good.interval, abs=0.01)
    assert opposite.weight == pytest.approx(-good.weight)
    assert real_rate(PairedCounts((5, 10), (5, 10), LARGE)).saved == 0


def test_the_end_is_the_quantile_of_the_melded_distribution() -> None:
    generator = np.random.default_rng(0)
    draws = 0.3 * generator.beta(7, 10 - 7 + 1, 400_000) + 0.7 * generator.beta(4, 9 - 4 + 1, 400_000)
    low = powered_interval(PairedCounts((7, 10), (4, 9), (30, 100)), sim_share=0.3).low
    assert low == pytest.approx(np.quantile(draws, 0.025), abs=2e-3)


cells = st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)).filter(
    lambda c: sum(c) > 0
)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(cells, st.integers(0, 200), st.integers(1, 200))
def test_failures_mirror_successes_and_more_simulation_never_moves_an_end_outside(
    table: tuple[int, int, int, int], more: int, failures: int
) -> None:
    a, b, c, d = table
    counts = PairedCounts((a, a + b), (c, c + d), (a + b + more, a + b + c + d + more + failures))
    mirrored = PairedCounts((b, a + b), (d, c + d), counts.sim)
    low, high = powered_interval(counts)
    assert 0 <= low <= high <= 1
    assert powered_interval(mirrored) == pytest.approx((1 - high, 1 - low), abs=1e-6)
    found = real_rate(counts)
    assert found.interval.low <= found.rate <= found.interval.high
    assert found.interval.high - found.interval.low <= found.real_only.high - found.real_only.low + 1e-9


@pytest.mark.parametrize(("right", "wrong"), [(1.0, 0.0), (0.7, 0.4), (0.1, 0.9)])
def test_coverage_by_enumeration(right: float, wrong: float) -> None:
    rate, trials = 0.7, 6
    chances = np.array([rate * right, (1 - rate) * wrong, rate * (1 - right), (1 - rate) * (1 - wrong)])
    held = 0.0
    for a in range(trials + 1):
        for b in range(trials + 1 - a):
            for c in range(trials + 1 - a - b):
                d = trials - a - b - c
                counts = PairedCounts((a, a + b), (c, c + d), LARGE)
                low, high = powered_interval(counts, sim_share=float(chances[:2].sum()))
                held += multinomial.pmf((a, b, c, d), trials, chances) * (low <= rate <= high)
    assert held >= 0.95


def trial_set(source: str, outcomes: dict[str, bool]) -> TrialSet:
    trials = tuple(Trial("p", "Lift", name, success) for name, success in outcomes.items())
    return TrialSet(source, trials, (("file", "0"),))


SIM = trial_set("sim", {f"seed {i}": i % 2 == 0 for i in range(10**9, 10**9 + 40)})


def test_pairs_are_counted_by_condition() -> None:
    real = trial_set("real", {str(10**9 + i): i < 3 for i in range(8)})
    counts = pair_trials(real, SIM, "p", "Lift")
    assert (counts.agree, counts.disagree, counts.sim) == ((2, 4), (1, 4), (20, 40))


def test_hand_picked_conditions_are_refused() -> None:
    names = [str(10**9 + i) for i in range(40)]
    plan = planned_conditions(names)
    assert plan[:9] == planned_conditions(reversed(names))[:9] and sorted(plan) == names  # type: ignore[arg-type]
    assert pair_trials(trial_set("real", dict.fromkeys(plan[:9], True)), SIM, "p", "Lift").real == (9, 9)
    assert pair_trials(trial_set("real", dict.fromkeys(names, True)), SIM, "p", "Lift").real == (40, 40)
    easy = dict.fromkeys(names[::2][:9], True)
    with pytest.raises(InvalidInput, match="picked by hand"):
        pair_trials(trial_set("real", easy), SIM, "p", "Lift")
    with pytest.raises(InvalidInput, match="picked by hand"):
        pair_trials(trial_set("real", dict.fromkeys(plan[1:9], True)), SIM, "p", "Lift")
    with pytest.raises(InvalidInput, match="'kitchen' of p on Lift was not simulated"):
        pair_trials(trial_set("real", {"kitchen": True}), SIM, "p", "Lift")


def test_refuses_what_is_no_count() -> None:
    for agree, disagree, sim in (
        ((3, 2), (0, 1), (5, 9)),
        ((0, 0), (0, 0), (5, 9)),
        ((2, 3), (0, 1), (2, 9)),
        ((0, 1), (0, 3), (7, 9)),
    ):
        with pytest.raises(InvalidInput):
            PairedCounts(agree, disagree, sim)
    with pytest.raises(InvalidInput, match="confidence is 2"):
        powered_interval(PairedCounts((1, 2), (0, 1), (3, 6)), 2)
    assert math.isfinite(real_rate(PairedCounts((1, 1), (0, 0), (1, 1))).rate)
