"""Confidence intervals for a success probability."""

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from barkyard.errors import InvalidInput


class Interval(NamedTuple):
    """A closed interval of probabilities."""

    low: float
    high: float


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Exact two-sided interval for the success probability of independent trials.

    It covers the true probability at least `confidence` of the time at every sample size (often more: it is
    conservative for few trials). It speaks of the trials alone: what another training run would give is not in it.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934), in its form with beta quantiles.

    Args:
        successes: number of successes, 0 to `trials`.
        trials: number of trials, at least 1.
        confidence: nominal coverage, between 0 and 1.

    Raises:
        InvalidInput: a number is not a whole number, or outside its range.
    """
    for name, value in (("successes", successes), ("trials", trials)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise InvalidInput(f"{name} is {value!r}; give a whole number")
    if trials < 1:
        raise InvalidInput(f"trials is {trials}; an interval needs at least 1 trial")
    if not 0 <= successes <= trials:
        raise InvalidInput(f"successes is {successes}; with {trials} trials it must be from 0 to {trials}")
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95")
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1.0 - tail))
    return Interval(low, high)
