from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from barkyard.errors import InvalidInput
from barkyard.evaluation import clopper_pearson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # printed tables of exact 95 % limits
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (50, 100, 0.3983, 0.6017),
        (90, 100, 0.8238, 0.9510),
        (95, 100, 0.8872, 0.9836),
        (97, 100, 0.9148, 0.9938),
        (99, 100, 0.9455, 0.9997),
        (100, 100, 0.9638, 1.0),
    ],
)
def test_agrees_with_published_tables(successes: int, trials: int, low: float, high: float) -> None:
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("trials", [1, 7, 100])
def test_closed_forms_at_the_ends(trials: int) -> None:
    bound = 0.025 ** (1 / trials)
    assert clopper_pearson(0, trials) == pytest.approx((0, 1 - bound), abs=1e-12)
    assert clopper_pearson(trials, trials) == pytest.approx((bound, 1), abs=1e-12)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_bounds_leave_half_the_error_in_each_binomial_tail(confidence: float) -> None:
    for successes in range(1, 20):
        low, high = clopper_pearson(successes, 20, confidence)
        assert binom.sf(successes - 1, 20, low) == pytest.approx((1 - confidence) / 2, rel=1e-9)
        assert binom.cdf(successes, 20, high) == pytest.approx((1 - confidence) / 2, rel=1e-9)


def test_failures_mirror_successes() -> None:
    low, high = clopper_pearson(13, 40)
    assert clopper_pearson(27, 40) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize("trials", [5, 24, 50, 100])
def test_coverage_by_enumeration_is_at_least_nominal_and_not_idle(trials: int) -> None:
    counts = np.arange(trials + 1)
    low, high = np.array([clopper_pearson(int(k), trials) for k in counts]).T
    coverage = []
    for probability in np.linspace(0.001, 0.999, 999):
        inside = (low <= probability) & (probability <= high)
        coverage.append(binom.pmf(counts[inside], trials, probability).sum())
    assert min(coverage) >= 0.95
    assert min(coverage) < 0.976, "near 0 and 1 only one tail can err, so 0.975 is reached; more would be idle width"


def test_coverage_in_simulation_is_at_least_nominal() -> None:
    draws = np.random.default_rng(20260101).binomial(100, 0.93, size=4000)
    intervals = [clopper_pearson(int(k), 100) for k in draws]
    covered = np.mean([interval.low <= 0.93 <= interval.high for interval in intervals])
    assert 0.95 <= covered < 0.99


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "named"),
    [
        (11, 10, 0.95, "successes is 11"),
        (-1, 10, 0.95, "successes is -1"),
        (0, 0, 0.95, "trials is 0"),
        (0, -3, 0.95, "trials is -3"),
        (0.5, 10, 0.95, "successes is 0.5"),
        (True, 10, 0.95, "successes is True"),
        (5, 10.0, 0.95, "trials is 10.0"),
        (5, 10, 0.0, "confidence is 0.0"),
        (5, 10, 1.0, "confidence is 1.0"),
        (5, 10, 95, "confidence is 95"),
        (5, 10, float("nan"), "confidence is nan"),
    ],
)
def test_refuses(successes: Any, trials: Any, confidence: float, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        clopper_pearson(successes, trials, confidence)


def test_takes_numpy_counts() -> None:
    assert clopper_pearson(np.int64(3), np.int32(9)) == clopper_pearson(3, 9)  # type: ignore[arg-type]
