"""How many trials: for an interval of a given width, and to tell two policies apart."""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

from barkyard.errors import InvalidInput
from barkyard.evaluation.agreement import KEPT_SWEEPS, WARM_UP, Counts, shortest_interval, sweep_posterior
from barkyard.evaluation.correlation import Floats, batch_mmrv, batch_pearson, batch_spearman
from barkyard.evaluation.intervals import clopper_pearson

MOST: Final = 4000
"""No plan has more trials of a policy than this; the tables of exact power grow with their square."""
_LEFT_OUT: Final = 1e-6


def trials_for_width(width: float, rate: float = 0.5, confidence: float = 0.95) -> int:
    """Fewest trials whose exact interval of a success probability has at most this width on average.

    Args:
        width: of the interval, between 0 and 1.
        rate: the expected success probability; 0.5 is the worst case.
        confidence: of the interval.

    Raises:
        InvalidInput: a number is out of range, or more than `MOST` trials would be needed.
    """
    _check_share("width", width)
    _check_share("rate", rate, ends=True)
    return _fewest(lambda trials: _mean_width(trials, rate, confidence) <= width, f"an interval {width:g} wide")


def trials_to_tell_apart(
    rate_a: float, rate_b: float, *, power: float = 0.8, level: float = 0.05, discordant: float | None = None
) -> int:
    """Fewest episodes of each policy with which an exact two-sided test finds the difference with this power.

    Args:
        rate_a: success probability of the one policy.
        rate_b: of the other.
        power: probability of finding it.
        level: of the test.
        discordant: probability that only one of the two succeeds on a common seed, for McNemar's test of paired
            episodes; None for independent episodes and Fisher's test (Boschloo's needs no more).

    Raises:
        InvalidInput: a number is out of range, the rates are equal, or more than `MOST` episodes would be needed.
    """
    for name, share in (("power", power), ("level", level)):
        _check_share(name, share)
    for name, share in (("rate_a", rate_a), ("rate_b", rate_b)):
        _check_share(name, share, ends=True)
    if rate_a == rate_b:
        raise InvalidInput(f"both rates are {rate_a:g}; no number of trials tells equal policies apart")
    if discordant is None:
        reached = lambda trials: unpaired_power(trials, rate_a, rate_b, level) >= power  # noqa: E731
    else:
        least, most = abs(rate_a - rate_b), min(rate_a + rate_b, 2 - rate_a - rate_b)
        if not least - 1e-12 <= discordant <= most + 1e-12:
            raise InvalidInput(f"discordant is {discordant:g}; with these rates it is from {least:g} to {most:g}")
        reached = lambda trials: paired_power(trials, rate_a - rate_b, discordant, level) >= power  # noqa: E731
    return _fewest(reached, f"a difference of {abs(rate_a - rate_b):g} with power {power:g}")


def widths_of_agreement(
    rates: Floats, real_trials: int, sim_trials: int, repeats: int = 50, seed: int = 0
) -> dict[str, float]:
    """Mean width of the intervals of r, rho and MMRV if these were the true rates, by simulated studies.

    It leaves out that an interval may reach to perfect agreement where the trials cannot exclude it.

    Args:
        rates: real and simulated success probabilities `(N, 2)`, of at least 3 policies.
        real_trials: of each policy.
        sim_trials: of each policy.
        repeats: simulated studies.
        seed: of the simulation.
    """
    generator = np.random.default_rng(seed)
    trials = np.broadcast_to(np.array([real_trials, sim_trials]), (repeats, *rates.shape))
    drawn = generator.binomial(trials, rates).astype(np.float64)
    posterior = sweep_posterior(Counts(drawn, trials.astype(np.float64)), WARM_UP, KEPT_SWEEPS, generator)
    widths = {}
    for name, metric in (("pearson", batch_pearson), ("spearman", batch_spearman), ("mmrv", batch_mmrv)):
        draws = metric(posterior.rates[..., 0], posterior.rates[..., 1])
        intervals = [shortest_interval(draws[:, i]) for i in range(repeats)]
        widths[name] = float(np.mean([each.high - each.low for each in intervals if each is not None]))
    return widths


def unpaired_power(trials: int, rate_a: float, rate_b: float, level: float = 0.05) -> float:
    """Probability that Fisher's two-sided exact test rejects, with this many episodes of each; by enumeration."""
    counts = np.arange(trials + 1)
    log_ways = gammaln(trials + 1) - gammaln(counts + 1) - gammaln(trials - counts + 1)
    chance_a, chance_b = binom.pmf(counts, trials, rate_a), binom.pmf(counts, trials, rate_b)
    rejected = 0.0
    for total in range(2 * trials + 1):
        a = counts[max(0, total - trials) : min(total, trials) + 1]
        log_chance = log_ways[a] + log_ways[total - a]
        chance = np.exp(log_chance - log_chance.max())
        order = np.argsort(chance)
        tails = np.cumsum(chance[order]) / chance.sum()
        last_tie = np.searchsorted(chance[order], chance[order] * (1 + 1e-7), side="right") - 1
        a = a[order][tails[last_tie] <= level]
        rejected += float(chance_a[a] @ chance_b[total - a])
    return rejected


def paired_power(trials: int, difference: float, discordant: float, level: float = 0.05) -> float:
    """Probability that the exact McNemar test rejects, with this many common seeds; by enumeration.

    Args:
        trials: common seeds.
        difference: of the success probabilities.
        discordant: probability that only one of the two succeeds on a seed.
        level: of the test.
    """
    differing = np.arange(trials + 1)
    critical = binom.ppf(level / 2, differing, 0.5) - 1  # the largest count whose tail may still be too heavy
    critical += binom.cdf(critical + 1, differing, 0.5) <= level / 2
    win = min((discordant + difference) / (2 * discordant), 1.0)
    rejects = binom.cdf(critical, differing, win) + binom.cdf(critical, differing, 1 - win)
    return float(binom.pmf(differing, trials, discordant) @ rejects)


def _mean_width(trials: int, rate: float, confidence: float) -> float:
    low, high = binom.ppf([_LEFT_OUT, 1 - _LEFT_OUT], trials, rate)
    counts = np.arange(int(low), int(high) + 1)
    widths = [bound.high - bound.low for bound in (clopper_pearson(int(k), trials, confidence) for k in counts)]
    return float(np.average(widths, weights=binom.pmf(counts, trials, rate)))


def _fewest(enough: Callable[[int], bool], what: str) -> int:
    """The fewest trials that are enough, by doubling and bisection; exact power rises in saw teeth of a few trials."""
    most = 1
    while not enough(most):
        most *= 2
        if most > MOST:
            raise InvalidInput(f"{what} needs more than {MOST} trials of each policy")
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most


def _check_share(name: str, share: float, ends: bool = False) -> None:
    if not (0 < share < 1 or (ends and share in (0, 1))):
        raise InvalidInput(f"{name} is {share}; give a number between 0 and 1")
