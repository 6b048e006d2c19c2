"""What simulated success says about the success that real trials will show, with an interval.

One calibrated simulation is one guess of the robot. Run over samples of the calibration's posterior, a policy succeeds
more often on some of the robots that the logs leave possible than on others, and the real robot is one of them. So the
interval of a prediction has three parts: simulated episodes are few, the robot is not exactly known, and real trials
are few.

It leaves out what no sample of the calibration has: where the model itself is wrong, the interval is too narrow.
"""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import Interval
from barkyard.evaluation.trials import TrialSet

_MEANS: Final = (np.arange(100) + 0.5) / 100
_ALIKE: Final = ((np.arange(30) + 0.5) / 30) ** 2
"""Intraclass correlations of the grid. Their roots are evenly spaced: the prior density falls as `1 / sqrt(rho)`, so
that parameter sets that hardly differ are likely too. A choice; its coverage is in docs/statistics.md."""
_MEAN, _RHO = (axis.ravel() for axis in np.meshgrid(_MEANS, _ALIKE, indexing="ij"))


@dataclass(frozen=True)
class Prediction:
    """What real trials are predicted to show.

    Attributes:
        mean: expected real success rate.
        interval: 95 %, of the success rate that `trials` real trials show.
        trials: number of real trials.
        parameter_sets: how many different robots were simulated; 1 takes the one as exactly right.
        spread: standard deviation of the success probability from robot to robot.
    """

    mean: float
    interval: Interval
    trials: int
    parameter_sets: int
    spread: float


@dataclass(frozen=True)
class PredictedOutcome:
    """Predicted success of a policy on a task, beside what happened.

    Attributes:
        task: its name.
        policy: its name.
        prediction: from the simulated trials, for as many real ones as there are.
        real: successes and trials.
    """

    task: str
    policy: str
    prediction: Prediction
    real: tuple[int, int]

    @property
    def real_rate(self) -> float:
        """Observed real success rate."""
        return self.real[0] / self.real[1]

    @property
    def held(self) -> bool:
        """Whether the real rate lies in the predicted interval."""
        return self.prediction.interval.low <= self.real_rate <= self.prediction.interval.high


def predict_outcomes(*, real: TrialSet, sim: TrialSet) -> tuple[PredictedOutcome, ...]:
    """`predict_success` of every policy on every task with trials on both sides, in the order of the real ones."""
    predicted = []
    for task in real.tasks:
        for policy in real.policies:
            outcome, robots = real.count(policy, task), sim.count_by_sample(policy, task)
            if outcome[1] and robots[0]:
                predicted.append(PredictedOutcome(task, policy, predict_success(*robots, outcome[1]), outcome))
    return tuple(predicted)


def predict_success(
    successes: ArrayLike, episodes: ArrayLike, real_trials: int, confidence: float = 0.95
) -> Prediction:
    """The success rate that real trials will show, from simulated episodes of one or more parameter sets.

    Each parameter set has a success probability of its own, drawn from a beta distribution with an unknown mean
    (uniform prior) and intraclass correlation; the real robot's is another draw. Both unknowns are summed over on a
    grid (beta-binomial model: Skellam, J. R. Stat. Soc. B 10, 1948). A single parameter set says nothing about how
    much success differs between sets: it is taken as exactly right, which leaves the noise of the episodes alone.

    Args:
        successes: simulated, of each parameter set `(S,)`.
        episodes: simulated, of each parameter set `(S,)`, at least 1.
        real_trials: how many real trials the prediction is for, at least 1.
        confidence: of the interval.

    Raises:
        InvalidInput: these are no counts, or the confidence is not between 0 and 1.
    """
    won, tried = _checked(successes, episodes)
    if isinstance(real_trials, bool) or not isinstance(real_trials, int | np.integer) or real_trials < 1:
        raise InvalidInput(f"real_trials is {real_trials!r}; give a whole number of at least 1")
    if not 0.0 < confidence < 1.0:
        raise InvalidInput(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95")
    if len(won) == 1:
        a, b = won + 1.0, tried - won + 1.0
        chances, spread = np.exp(_log_beta_binomial(int(real_trials), a, b))[0], 0.0
    else:
        log_weight = np.sum([_log_chances(int(n))[:, int(k)] for k, n in zip(won, tried, strict=True)], axis=0)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        chances = weight @ np.exp(_log_chances(int(real_trials)))
        spread = float(np.sqrt(weight @ (_RHO * _MEAN * (1.0 - _MEAN))))
    below, tail = np.cumsum(chances), (1.0 - confidence) / 2.0
    low, high = (min(int(np.searchsorted(below, share)), real_trials) for share in (tail, 1.0 - tail))
    return Prediction(
        mean=float(chances @ np.arange(real_trials + 1)) / real_trials,
        interval=Interval(low / real_trials, high / real_trials),
        trials=int(real_trials),
        parameter_sets=len(won),
        spread=spread,
    )


@functools.lru_cache(maxsize=16)
def _log_chances(trials: int) -> Floats:
    """Of 0 to `trials` successes, at every point of the grid `(G, trials + 1)`."""
    scale = (1.0 - _RHO) / _RHO
    return _log_beta_binomial(trials, _MEAN * scale, (1.0 - _MEAN) * scale)


def _log_beta_binomial(trials: int, a: Floats, b: Floats) -> Floats:
    """Of 0 to `trials` successes `(G, trials + 1)`, for `(G,)` beta distributions of the success probability."""
    successes, a, b = np.arange(trials + 1.0), a[:, None], b[:, None]
    ways = gammaln(trials + 1.0) - gammaln(successes + 1.0) - gammaln(trials - successes + 1.0)
    return np.asarray(ways + betaln(successes + a, trials - successes + b) - betaln(a, b))


def _checked(successes: ArrayLike, episodes: ArrayLike) -> tuple[Floats, Floats]:
    won, tried = np.asarray(successes, dtype=np.float64), np.asarray(episodes, dtype=np.float64)
    if won.ndim != 1 or won.shape != tried.shape or not len(won):
        raise InvalidInput(f"successes {won.shape} and episodes {tried.shape} must both be (S,), S of at least 1")
    for name, counts in (("successes", won), ("episodes", tried)):
        if not (np.isfinite(counts).all() and (counts == np.floor(counts)).all()):
            raise InvalidInput(f"{name} are {counts.tolist()}; give whole numbers")
    if not ((won >= 0) & (won <= tried) & (tried >= 1)).all():
        raise InvalidInput(f"successes are {won.tolist()}, of {tried.tolist()} episodes")
    return won, tried
