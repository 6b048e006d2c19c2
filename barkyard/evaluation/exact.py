"""Tests of two success rates, exact, and intervals of their difference."""

import math
from typing import Final

from scipy.optimize import brentq
from scipy.stats import binomtest, boschloo_exact, fisher_exact, norm

from barkyard.errors import InvalidInput
from barkyard.evaluation.intervals import Interval

BOSCHLOO_UP_TO: Final = 400
"""Trials of both together up to which Boschloo's test is used. Beyond it takes seconds, and Fisher's differs little."""
_EDGE: Final = 1e-12


def unpaired_p(successes_a: int, trials_a: int, successes_b: int, trials_b: int) -> float:
    """Two-sided exact p of equal success probabilities, from independent trials.

    Boschloo's test ("Raised conditional level of significance for the 2 x 2-table", Statistica Neerlandica 24, 1970)
    up to `BOSCHLOO_UP_TO` trials, Fisher's beyond. Neither rejects equal policies more often than its level at any
    number of trials; Boschloo's is the more powerful.

    Raises:
        InvalidInput: these are no counts.
    """
    _check_counts(successes_a, trials_a)
    _check_counts(successes_b, trials_b)
    table = [[successes_a, successes_b], [trials_a - successes_a, trials_b - successes_b]]
    if trials_a + trials_b > BOSCHLOO_UP_TO:
        return float(fisher_exact(table).pvalue)
    if successes_a + successes_b in (0, trials_a + trials_b):
        return 1.0
    return min(float(boschloo_exact(table).pvalue), 1.0)


def paired_p(wins: int, losses: int) -> float:
    """Two-sided exact McNemar p of equal policies: who of the two succeeded where only one did.

    With no such episode p is 1: two policies that always agree are no evidence of a difference.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12
    (1947), with the exact binomial tail in place of the normal one.

    Args:
        wins: episodes in which A succeeded and B did not.
        losses: episodes in which B succeeded and A did not.

    Raises:
        InvalidInput: these are no counts.
    """
    _check_counts(wins, wins + losses)
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def unpaired_interval(
    successes_a: int, trials_a: int, successes_b: int, trials_b: int, confidence: float = 0.95
) -> Interval:
    """Interval of the difference of two success probabilities, A minus B, from independent trials.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17 (1998) 873, method 10, which joins two Wilson intervals. Coverage is near nominal on average, not guaranteed;
    see docs/statistics.md.

    Raises:
        InvalidInput: these are no counts.
    """
    _check_counts(successes_a, trials_a)
    _check_counts(successes_b, trials_b)
    a, b = successes_a / trials_a, successes_b / trials_b
    low_a, high_a = wilson(successes_a, trials_a, confidence)
    low_b, high_b = wilson(successes_b, trials_b, confidence)
    return Interval(a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b))


def paired_interval(wins: int, losses: int, episodes: int, confidence: float = 0.95) -> Interval:
    """Interval of the difference of two success probabilities, A minus B, from episodes on common seeds.

    Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998) 891: all differences that its score test does not reject.

    Args:
        wins: episodes in which A succeeded and B did not.
        losses: episodes in which B succeeded and A did not.
        episodes: all episodes.
        confidence: nominal coverage.

    Raises:
        InvalidInput: these are no counts.
    """
    _check_counts(wins + losses, episodes)
    _check_counts(wins, wins + losses)
    limit = float(norm.ppf(0.5 + confidence / 2))

    def excess(difference: float) -> float:
        return _tango_score(wins, losses, episodes, difference) - limit

    def deficit(difference: float) -> float:
        return _tango_score(wins, losses, episodes, difference) + limit

    estimate = (wins - losses) / episodes
    low = -1.0 if losses == episodes else float(brentq(excess, -1 + _EDGE, min(estimate, 1 - _EDGE)))
    high = 1.0 if wins == episodes else float(brentq(deficit, max(estimate, -1 + _EDGE), 1 - _EDGE))
    return Interval(low, high)


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval (JASA 22, 1927), a part of `unpaired_interval`; alone it is too short near 0 and 1."""
    z = float(norm.ppf(0.5 + confidence / 2))
    rate, shrink = successes / trials, 1 / (1 + z**2 / trials)
    middle = shrink * (rate + z**2 / (2 * trials))
    half = shrink * z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def _tango_score(wins: int, losses: int, episodes: int, difference: float) -> float:
    """Score statistic of one difference, with the likeliest discordance at it."""
    linear = -wins - losses + (2 * episodes - wins + losses) * difference
    constant = -losses * difference * (1 - difference)
    lost = (math.sqrt(max(linear**2 - 8 * episodes * constant, 0.0)) - linear) / (4 * episodes)
    variance = episodes * (2 * lost + difference * (1 - difference))
    apart = wins - losses - episodes * difference
    if variance <= 0.0:
        return 0.0 if apart == 0.0 else math.copysign(math.inf, apart)
    return apart / math.sqrt(variance)


def _check_counts(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise InvalidInput(f"{successes} of {trials} is no count; give whole numbers from 0 to the number of trials")
