"""The real success rate from few real and many simulated trials of the same conditions.

The simulator predicts each real trial. Where its predictions agree with what happened, the many simulated trials narrow
the interval of the real rate; where they do not, nothing is lost but a little width. Nothing is assumed of the
simulator: it may be wrong, or wrong the other way round. What is assumed is that the conditions tried on the robot are
a fair sample of those simulated, so pairs that are picked by hand are refused (`planned_conditions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betainc, betaincinv

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import Interval, clopper_pearson
from barkyard.evaluation.planning import MOST, trials_for_width
from barkyard.evaluation.trials import Trial, TrialSet
from barkyard.provenance import fingerprint

REAL_ONLY: Final = "real trials alone"
PREDICTION_POWERED: Final = "real and simulated trials"
_STRATUM_POINTS, _SHARE_POINTS, _HALVINGS = 100, 41, 30


@dataclass(frozen=True)
class PairedCounts:
    """Real trials of one policy, each with the simulated trial of its condition, and all simulated trials.

    Attributes:
        agree: real successes and trials where the simulation succeeded.
        disagree: real successes and trials where the simulation failed.
        sim: successes and trials of the simulation over all conditions, those tried on the robot among them.
    """

    agree: tuple[int, int]
    disagree: tuple[int, int]
    sim: tuple[int, int]

    def __post_init__(self) -> None:
        """Raises InvalidInput when these are no counts, or there are more pairs than simulated trials."""
        for successes, trials in (self.agree, self.disagree, self.sim):
            if not 0 <= successes <= trials:
                raise InvalidInput(f"{successes} of {trials} is no count")
        if not self.real[1]:
            raise InvalidInput("there are no real trials; a real rate needs at least 1")
        failed = self.sim[1] - self.sim[0]
        if self.agree[1] > self.sim[0] or self.disagree[1] > failed:
            raise InvalidInput(f"{self.real[1]} pairs, but the simulation has {self.sim[0]} of {self.sim[1]} successes")

    @property
    def real(self) -> tuple[int, int]:
        """Real successes and trials."""
        return self.agree[0] + self.disagree[0], self.agree[1] + self.disagree[1]


@dataclass(frozen=True)
class RealRate:
    """The real success rate of a policy.

    Attributes:
        rate: the estimate.
        interval: 95 %.
        method: `REAL_ONLY` or `PREDICTION_POWERED`.
        weight: lambda, how far the simulation is trusted; 0 is not at all.
        real_only: exact interval of the real trials alone.
        trials: real trials.
        saved: real trials that would have been needed besides for an interval this narrow without the simulation.
    """

    rate: float
    interval: Interval
    method: str
    weight: float
    real_only: Interval
    trials: int
    saved: int


def real_rate(counts: PairedCounts, confidence: float = 0.95) -> RealRate:
    """Estimate the real success rate, with the simulation where that makes the interval narrower.

    The estimate is that of PPI++ (Angelopoulos, Duchi and Zrnic, "PPI++: Efficient prediction-powered inference", 2023)
    with its tuned lambda; the interval is not, since a normal one is too short for few trials: see `powered_interval`.

    Raises:
        InvalidInput: confidence is out of range.
    """
    successes, trials = counts.real
    alone, powered = clopper_pearson(successes, trials, confidence), powered_interval(counts, confidence)
    if powered.high - powered.low >= alone.high - alone.low:
        return RealRate(successes / trials, alone, REAL_ONLY, 0.0, alone, trials, 0)
    weight = tuned_weight(counts)
    rate = min(max(powered_estimate(counts, weight), powered.low), powered.high)
    return RealRate(rate, powered, PREDICTION_POWERED, weight, alone, trials, _saved(powered, rate, trials, confidence))


def tuned_weight(counts: PairedCounts) -> float:
    """Lambda of PPI++ (its section on power tuning): Cov(real, sim) / ((1 + n / N) Var(sim)), N unpaired simulations.

    The variance is that of all simulated trials, as in the authors' `ppi_py`; unlike there lambda is not cut to [0, 1],
    so a simulation that is wrong in a regular way helps too. 0 where the simulation says the same of every condition.
    """
    (both, predicted), (_, trials) = counts.agree, counts.real
    unpaired = counts.sim[1] - trials
    covariance = both / trials - predicted / trials * counts.real[0] / trials
    share = counts.sim[0] / counts.sim[1]
    variance = share * (1 - share) * counts.sim[1] / max(counts.sim[1] - 1, 1)
    return covariance / ((1 + trials / unpaired) * variance) if variance and unpaired else 0.0


def powered_estimate(counts: PairedCounts, weight: float) -> float:
    """Mean of the real trials, moved by `weight` times how unusual the simulated trials of their conditions were."""
    (successes, trials), unpaired = counts.real, counts.sim[1] - counts.real[1]
    if not unpaired:
        return successes / trials
    return successes / trials + weight * ((counts.sim[0] - counts.agree[1]) / unpaired - counts.agree[1] / trials)


def powered_interval(counts: PairedCounts, confidence: float = 0.95, sim_share: float | None = None) -> Interval:
    """Interval of the real rate that needs no large numbers.

    The rate is s a + (1 - s) b, where s is the share of conditions on which the simulation succeeds, and a and b are
    the real rates where it does and where it does not. Each has Clopper and Pearson's exact confidence distribution,
    and these are melded: an end is a quantile of s a + (1 - s) b over the three distributions, lower for the lower end
    and upper for the upper (Fay, Proschan and Brittain, "Combining one-sample confidence procedures for inference in
    the two-sample case", Biometrics 71, 2015). Where the simulation never succeeds, or always, it is Clopper and
    Pearson's.

    Args:
        counts: the trials.
        confidence: nominal coverage.
        sim_share: s where it is known, and not estimated from `counts.sim`.

    Raises:
        InvalidInput: confidence is out of range.
    """
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95")
    tail = (1 - confidence) / 2
    low = _lower_end(counts.agree, counts.disagree, counts.sim, sim_share, tail)
    agree, disagree = ((trials - successes, trials) for successes, trials in (counts.agree, counts.disagree))
    return Interval(low, 1 - _lower_end(agree, disagree, counts.sim, sim_share, tail))


def _lower_end(
    agree: tuple[int, int], disagree: tuple[int, int], sim: tuple[int, int], share: float | None, tail: float
) -> float:
    """Quantile `tail` of s a + (1 - s) b; of the share both ends are used, whichever makes the rate the lower."""
    if agree[0] == 0:  # a is surely 0; the stratum that varies is integrated exactly
        agree, disagree, sim = disagree, agree, (sim[1] - sim[0], sim[1])
        share = None if share is None else 1 - share
    if agree[0] == 0:
        return 0.0
    least, most = _shares(sim) if share is None else (np.full(1, share), np.full(1, share))
    rest = _lower_points(disagree, _STRATUM_POINTS)[:, None]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = rest + (middle - rest) / np.where(middle > rest, least, most)
        needed = np.where(np.isnan(needed), rest, needed)
        below = betainc(agree[0], agree[1] - agree[0] + 1, np.clip(needed, 0.0, 1.0)).mean()
        low, high = (middle, high) if below < tail else (low, middle)
    return low


def _shares(sim: tuple[int, int]) -> tuple[Floats, Floats]:
    """Quantiles of the lower and the upper confidence distribution of the share, `(1, M)` each."""
    successes, trials = sim
    upper = 1 - _lower_points((trials - successes, trials), _SHARE_POINTS)[::-1]
    return _lower_points(sim, _SHARE_POINTS)[None], upper[None]


def _lower_points(count: tuple[int, int], points: int) -> Floats:
    """Equally likely points of the lower confidence distribution of a rate; all 0 where nothing succeeded."""
    successes, trials = count
    if successes == 0:
        return np.zeros(points)
    found: Floats = betaincinv(successes, trials - successes + 1, (np.arange(points) + 0.5) / points)
    return found


def _saved(interval: Interval, rate: float, trials: int, confidence: float) -> int:
    try:
        needed = trials_for_width(interval.high - interval.low, rate, confidence)
    except InvalidInput:
        needed = MOST
    return max(needed - trials, 0)


def planned_conditions(conditions: Sequence[str]) -> list[str]:
    """The conditions in the order in which to try them on the robot: random, and fixed by their names alone.

    The first n are a random sample of all for any n, and nobody can choose another order.
    """
    return sorted(set(conditions), key=lambda name: fingerprint("real trials", name))


def pair_trials(real: TrialSet, sim: TrialSet, policy: str, task: str) -> PairedCounts:
    """Real trials of a policy with the simulated trials of the same conditions.

    A condition is the name of the trial: `seed 1000000003`, or the number alone, on both sides.

    Raises:
        InvalidInput: there are no real trials, a condition was not simulated, or the conditions tried are neither all,
            nor the first of `planned_conditions`, nor the first seeds: they may then have been picked by hand.
    """
    happened, predicted = (_outcomes(side, policy, task) for side in (real, sim))
    if not happened or not predicted:
        raise InvalidInput(f"{policy} on {task} has {len(happened)} real and {len(predicted)} simulated trials")
    unknown = [name for name in happened if name not in predicted]
    if unknown:
        raise InvalidInput(
            f"the real trial {unknown[0]!r} of {policy} on {task} was not simulated; name each real trial after the "
            "seed whose scene it was laid out as"
        )
    _check_not_picked(list(happened), list(predicted), policy, task)
    cells = {said: [happened[name] for name in happened if predicted[name] == said] for said in (True, False)}
    agree, disagree = ((sum(cells[said]), len(cells[said])) for said in (True, False))
    return PairedCounts(agree, disagree, (sum(predicted.values()), len(predicted)))


def _check_not_picked(tried: Sequence[str], simulated: Sequence[str], policy: str, task: str) -> None:
    orders = [planned_conditions(simulated)]
    if all(name.isdecimal() for name in simulated):
        orders.append(sorted(simulated, key=int))
    if any(set(tried) == set(order[: len(tried)]) for order in orders):
        return
    missing = [name for name in orders[0][: len(tried)] if name not in tried]
    raise InvalidInput(
        f"the {len(tried)} real trials of {policy} on {task} are neither all conditions simulated, nor the first of "
        f"the random plan, nor the first seeds: they may have been picked by hand. Of the plan's first {len(tried)} "
        f"{len(missing)} are missing, such as {missing[0]}; barkyard predict --plan prints it"
    )


def _outcomes(side: TrialSet, policy: str, task: str) -> dict[str, bool]:
    return {_condition(trial): trial.success for trial in side.trials if (trial.policy, trial.task) == (policy, task)}


def _condition(trial: Trial) -> str:
    return trial.trial.removeprefix("seed ").strip()
