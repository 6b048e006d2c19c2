"""Plans against brute force."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, fisher_exact

from barkyard.errors import InvalidInput
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.evaluation.planning import paired_power, trials_for_width, trials_to_tell_apart, unpaired_power


def mean_width(trials: int, rate: float) -> float:
    widths = [clopper_pearson(k, trials) for k in range(trials + 1)]
    return float(sum(binom.pmf(k, trials, rate) * (high - low) for k, (low, high) in enumerate(widths)))


@pytest.mark.parametrize(("width", "rate"), [(0.2, 0.5), (0.2, 0.9), (0.4, 0.0)])
def test_width_is_reached_and_not_by_one_less(width: float, rate: float) -> None:
    trials = trials_for_width(width, rate)
    assert mean_width(trials, rate) <= width < mean_width(trials - 1, rate)


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.4), (0.5, 0.5), (0.0, 0.6)])
def test_unpaired_power_by_enumeration(a: float, b: float) -> None:
    n = 12
    expected = sum(
        binom.pmf(i, n, a) * binom.pmf(j, n, b)
        for i in range(n + 1)
        for j in range(n + 1)
        if fisher_exact([[i, j], [n - i, n - j]]).pvalue <= 0.05
    )
    assert unpaired_power(n, a, b) == pytest.approx(expected)


@pytest.mark.parametrize(("difference", "discordant"), [(0.2, 0.4), (0.0, 0.3), (0.3, 0.3), (-0.2, 0.4)])
def test_paired_power_by_enumeration(difference: float, discordant: float) -> None:
    n, win = 25, (discordant + difference) / (2 * discordant)
    expected = sum(
        binom.pmf(d, n, discordant) * binom.pmf(w, d, win)
        for d in range(1, n + 1)
        for w in range(d + 1)
        if binomtest(w, d).pvalue <= 0.05
    )
    assert paired_power(n, difference, discordant) == pytest.approx(expected)


def test_level_is_never_exceeded() -> None:
    assert all(paired_power(40, 0.0, share) <= 0.05 for share in np.linspace(0.05, 1, 12))
    assert all(unpaired_power(40, rate, rate) <= 0.05 for rate in np.linspace(0, 1, 12))


def test_plans_reach_their_power() -> None:
    trials = trials_to_tell_apart(0.9, 0.7)
    assert unpaired_power(trials, 0.9, 0.7) >= 0.8 > unpaired_power(trials - 5, 0.9, 0.7)
    paired = trials_to_tell_apart(0.9, 0.7, discordant=0.2)
    assert paired < trials
    assert paired_power(paired, 0.2, 0.2) >= 0.8


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: trials_for_width(0.0), "width is 0.0"),
        (lambda: trials_for_width(0.1, 1.5), "rate is 1.5"),
        (lambda: trials_for_width(0.001), "more than 4000 trials"),
        (lambda: trials_to_tell_apart(0.5, 0.5), "no number of trials"),
        (lambda: trials_to_tell_apart(0.5, 0.6, power=1.0), "power is 1.0"),
        (lambda: trials_to_tell_apart(0.5, 0.7, discordant=0.1), "from 0.2 to 0.8"),
    ],
)
def test_refuses(call: object, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        call()  # type: ignore[operator]
