"""The measures of agreement against brute force, SciPy, and published numbers."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import (
    batch_mmrv,
    batch_pearson,
    batch_spearman,
    chance_of_better,
    mmrv,
    pearson,
    spearman,
    violations,
)
from barkyard.evaluation.published import simpler_tables

PUBLISHED = Path(__file__).parents[3] / "shared/data/simpler/google_robot.json"
RATES = st.sampled_from([i / 20 for i in range(21)])
PAIRS = st.integers(3, 7).flatmap(
    lambda n: st.tuples(st.lists(RATES, min_size=n, max_size=n), st.lists(RATES, min_size=n, max_size=n))
)


def brute_mmrv(real: list[float], sim: list[float]) -> float:
    """The definition, written as loops."""
    worst = []
    for i in range(len(real)):
        worst.append(0.0)
        for j in range(len(real)):
            agrees = (real[i] < real[j]) == (sim[i] < sim[j]) and (real[i] > real[j]) == (sim[i] > sim[j])
            if not agrees:
                worst[i] = max(worst[i], abs(real[i] - real[j]))
    return sum(worst) / len(worst)


@settings(deadline=None, derandomize=True)
@given(PAIRS)
def test_against_independent_references(pair: tuple[list[float], list[float]]) -> None:
    real, sim = pair
    assert mmrv(real=real, sim=sim) == pytest.approx(brute_mmrv(real, sim))
    if len(set(real)) == 1 or len(set(sim)) == 1:
        assert pearson(real=real, sim=sim) is None and spearman(real=real, sim=sim) is None
    else:
        assert pearson(real=real, sim=sim) == pytest.approx(stats.pearsonr(real, sim).statistic)
        assert spearman(real=real, sim=sim) == pytest.approx(stats.spearmanr(real, sim).statistic)


@settings(deadline=None, derandomize=True)
@given(PAIRS, st.randoms())
def test_laws(pair: tuple[list[float], list[float]], random: Any) -> None:
    real, sim = pair
    value = mmrv(real=real, sim=sim)
    assert value is not None and -1e-12 <= value <= max(real) - min(real) + 1e-12
    assert mmrv(real=real, sim=real) == 0.0
    order = list(range(len(real)))
    random.shuffle(order)
    shuffled = [real[i] for i in order], [sim[i] for i in order]
    for metric in (mmrv, pearson, spearman):
        assert metric(real=shuffled[0], sim=shuffled[1]) == pytest.approx(metric(real=real, sim=sim))
    squared = [rate**2 for rate in sim]  # the same order
    assert mmrv(real=real, sim=squared) == pytest.approx(value)
    assert spearman(real=real, sim=squared) == pytest.approx(spearman(real=real, sim=sim))
    assert np.array_equal(violations(real=real, sim=sim), violations(real=real, sim=sim).T)


def test_sides_are_not_interchangeable() -> None:
    real, sim = [0.1, 0.5, 0.9], [0.2, 0.1, 0.9]
    assert mmrv(real=real, sim=sim) == pytest.approx((0.4 + 0.4) / 3)
    assert mmrv(real=sim, sim=real) == pytest.approx((0.1 + 0.1) / 3)
    with pytest.raises(TypeError):
        mmrv(real, sim)  # type: ignore[call-arg]


def test_ties() -> None:
    assert mmrv(real=[0.2, 0.8], sim=[0.5, 0.5]) == pytest.approx(0.6)  # charged to both
    assert mmrv(real=[0.5, 0.5], sim=[0.2, 0.8]) == 0.0  # no margin to lose
    assert spearman(real=[1, 2, 2, 3], sim=[1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))


@pytest.mark.parametrize("metric", [pearson, spearman])
def test_constant_or_few_is_undefined(metric: Any) -> None:
    assert metric(real=[0.5, 0.5, 0.5], sim=[0.5, 0.5, 0.5]) is None
    assert metric(real=[0.1, 0.2, 0.3], sim=[0.5, 0.5, 0.5]) is None
    assert metric(real=[0.1, 0.2], sim=[0.3, 0.4]) is None
    assert metric(real=[], sim=[]) is None
    assert metric(real=[1e-4, 2e-4, 3e-4], sim=[1e-4, 2e-4, 3e-4]) == pytest.approx(1.0)


def test_mmrv_of_few() -> None:
    assert mmrv(real=[0.4], sim=[0.4]) is None
    assert mmrv(real=[0.4, 0.6], sim=[0.3, 0.9]) == 0.0


@pytest.mark.parametrize(
    ("real", "sim", "named"),
    [
        ([0.1, math.nan, 0.3], [0.1, 0.2, 0.3], r"real\[1\] is nan"),
        ([0.1, 0.2, 0.3], [0.1, 0.2, math.inf], r"sim\[2\] is inf"),
        ([0.1, 0.2, 0.3], [0.1, 0.2], "real has 3 scores and sim has 2"),
        ([[0.1], [0.2]], [0.1, 0.2], r"real has shape \(2, 1\)"),
        (["good", "bad"], [0.1, 0.2], "one number a policy"),
        (0.5, 0.5, r"real has shape \(\)"),
    ],
)
@pytest.mark.parametrize("metric", [pearson, spearman, mmrv])
def test_refuses(metric: Any, real: Any, sim: Any, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        metric(real=real, sim=sim)


@pytest.mark.parametrize(
    ("metric", "less_is_better"), [(batch_pearson, False), (batch_spearman, False), (batch_mmrv, True)]
)
def test_permutation_p_by_hand(metric: Any, less_is_better: bool) -> None:
    real, sim = np.array([0.1, 0.4, 0.5, 0.9]), np.array([0.2, 0.3, 0.1, 0.8])
    scores = [float(metric(real, sim[list(order)])) for order in itertools.permutations(range(4))]
    seen = float(metric(real, sim))
    expected = np.mean([score <= seen + 1e-9 if less_is_better else score >= seen - 1e-9 for score in scores])
    assert chance_of_better(metric, real=real, sim=sim) == pytest.approx(expected)


def test_permutation_p_of_many_agrees_with_the_t_test() -> None:
    generator = np.random.default_rng(0)
    real = generator.normal(size=30)
    sim = 0.3 * real + generator.normal(size=30)
    p = chance_of_better(batch_pearson, real=real, sim=sim)
    assert p == pytest.approx(stats.pearsonr(real, sim, alternative="greater").pvalue, abs=0.01)
    assert p == chance_of_better(batch_pearson, real=real, sim=sim)
    assert chance_of_better(batch_pearson, real=[1, 1, 1], sim=[1, 2, 3]) is None


def test_the_smallest_p_of_three() -> None:
    assert chance_of_better(batch_mmrv, real=[0.1, 0.5, 0.9], sim=[0.1, 0.5, 0.9]) == pytest.approx(1 / 6)


def test_published_numbers_are_reproduced() -> None:
    tables = simpler_tables()
    assert len(tables) == 26
    for table in tables:
        assert mmrv(real=table.real, sim=table.sim) == pytest.approx(table.mmrv, abs=0.001), table.task
        assert pearson(real=table.real, sim=table.sim) == pytest.approx(table.pearson, abs=0.005), table.task


def test_the_tables_are_those_of_the_paper() -> None:
    if not PUBLISHED.exists():
        pytest.skip("../shared/data/simpler is absent")
    data = json.loads(PUBLISHED.read_text())
    ours = {table.task: table for table in simpler_tables()}
    names = {"coke_can_avg": "coke can, mean", "move_near": "move near", "drawer_avg": "drawer, mean"}
    for published in data["tables"]:
        for setting, sim in published["sim"].items():
            table = ours[f"{names[published['table'].split('/')[1]]}, {setting.replace('_', ' ')}"]
            assert list(table.policies) == published["policies"]
            assert (list(table.real), list(table.sim)) == (published["real"], sim)
            assert mmrv(real=table.real, sim=sim) == pytest.approx(published["published"][setting]["mmrv"], abs=0.001)
            expected = published["published"][setting]["pearson"]
            assert pearson(real=table.real, sim=sim) == pytest.approx(expected, abs=0.005)
