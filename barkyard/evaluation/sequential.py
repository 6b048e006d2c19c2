"""Comparing policies while the episodes come in, and stopping when the answer is known.

Everything here may be looked at after every episode: the probability of ever being wrong is bounded at all times
together (Ville's inequality), so that stopping early costs no validity. A test with a fixed number of episodes that is
looked at again and again has no such bound.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc, betaln

from barkyard.errors import InvalidInput
from barkyard.evaluation.comparison import (
    BETTER,
    MARGIN,
    NO_PRACTICAL_DIFFERENCE,
    NOT_ENOUGH_EVIDENCE,
    WORSE,
)
from barkyard.evaluation.confidence_sequence import MeanSequence as MeanSequence
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import Interval


def log_evidence(wins: Any, losses: Any) -> Floats:
    """Log e-value that A is better: the capital of a gambler who bets on A at fair odds, per discordant episode.

    The bets are those of a uniform mixture of win probabilities above 1/2, so that the capital is 2^(n+1) B(w+1, l+1)
    P(Beta(w+1, l+1) > 1/2). If A is no better, each discordant episode goes to A with probability at most 1/2, and
    the capital ever reaches 1/alpha with probability at most alpha (Ville 1939; the mixture is Robbins's method,
    "Statistical methods related to the law of the iterated logarithm", 1970).

    Args:
        wins: episodes in which only A succeeded, any shape.
        losses: episodes in which only B succeeded, the same shape.
    """
    wins, losses = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    with np.errstate(divide="ignore"):  # a share too small for a float is no evidence
        above_half = np.log(betainc(losses + 1, wins + 1, 0.5))
    evidence: Floats = (wins + losses + 1) * math.log(2) + betaln(wins + 1, losses + 1) + above_half
    return evidence


@dataclass(frozen=True)
class State:
    """Where a sequential comparison stands.

    Attributes:
        verdict: of A against B; "not enough evidence" means go on.
        episodes: pairs of episodes seen.
        difference: confidence sequence of the difference of the means, A minus B.
        evidence: e-values that A is better, and that B is; 1 / (level / 2) decides.
    """

    verdict: str
    episodes: int
    difference: Interval
    evidence: tuple[float, float]


class SequentialComparison:
    """A against B, one pair of episodes after another; ask for the verdict as often as you like.

    Pairs are best on common seeds; independent episodes may be paired in the order in which they come. Among equal
    policies "better" or "worse" is ever said with probability at most `level`; so is "no practical difference" of
    policies that differ by more than `margin`.
    """

    def __init__(self, *, margin: float = MARGIN, level: float = 0.05) -> None:
        """Raises InvalidInput when a number is out of range."""
        if not 0 <= margin < 1:
            raise InvalidInput(f"margin is {margin}; give a difference from 0 to 1, such as {MARGIN}")
        self._margin, self._level = margin, level
        self._mean = MeanSequence(1 - level)
        self._wins = self._losses = 0
        self._binary = True
        self._verdict = NOT_ENOUGH_EVIDENCE

    def update(self, a: float, b: float) -> State:
        """See one more pair.

        Args:
            a: success (0 or 1) or score in [0, 1] of A.
            b: of B.

        Raises:
            InvalidInput: a value is outside [0, 1].
        """
        for name, value in (("a", a), ("b", b)):
            if not 0 <= value <= 1:
                raise InvalidInput(f"{name} is {value}; it must be from 0 to 1")
        self._wins += a > b
        self._losses += b > a
        self._binary &= a in (0, 1) and b in (0, 1)
        low, high = (2 * bound - 1 for bound in self._mean.update((1 + a - b) / 2))
        counts = (self._wins, self._losses)
        evidence = [float(log_evidence(*counts)), float(log_evidence(*counts[::-1]))]
        if self._verdict == NOT_ENOUGH_EVIDENCE:
            self._verdict = self._decide(Interval(low, high), evidence)
        shown = (math.exp(min(evidence[0], 700)), math.exp(min(evidence[1], 700)))
        return State(self._verdict, self._mean.count, Interval(low, high), shown)

    def _decide(self, difference: Interval, evidence: Sequence[float]) -> str:
        """Success is decided by the e-values, which are the sharper; scores by their confidence sequence."""
        limit = math.log(2 / self._level)
        if evidence[0] >= limit if self._binary else difference.low > 0:
            return BETTER
        if evidence[1] >= limit if self._binary else difference.high < 0:
            return WORSE
        inside = -self._margin <= difference.low and difference.high <= self._margin
        return NO_PRACTICAL_DIFFERENCE if inside else NOT_ENOUGH_EVIDENCE


class BestPolicy:
    """The best of K policies on common seeds, with the bad ones dropped as soon as they are known to be bad.

    Policy i is dropped once the evidence that another beats it reaches (K - 1) / level. The best policy is ever
    dropped with probability at most `level`: a union bound over the K - 1 others, each valid at all times.
    """

    def __init__(self, names: Sequence[str], *, level: float = 0.05) -> None:
        """Raises InvalidInput when there are fewer than two names, or one twice."""
        if len(names) < 2 or len(set(names)) < len(names):
            raise InvalidInput(f"names are {', '.join(names)}; give at least two, each once")
        self._names = tuple(names)
        self._limit = math.log((len(names) - 1) / level)
        self._wins = np.zeros((len(names), len(names)), dtype=np.int64)
        self._left = list(names)

    @property
    def left(self) -> tuple[str, ...]:
        """Policies that may still be the best; run only these."""
        return tuple(self._left)

    def update(self, outcomes: Mapping[str, bool]) -> tuple[str, ...]:
        """See one seed's outcome of every policy that is left; returns who is left then.

        Raises:
            InvalidInput: a policy that is left has no outcome.
        """
        missing = [name for name in self._left if name not in outcomes]
        if missing:
            raise InvalidInput(f"no outcome of {', '.join(missing)}; give one for each of {', '.join(self._left)}")
        index = [self._names.index(name) for name in self._left]
        success = np.array([bool(outcomes[name]) for name in self._left])
        self._wins[np.ix_(index, index)] += success[:, None] & ~success[None, :]
        wins = self._wins[np.ix_(index, index)]
        beaten = (log_evidence(wins, wins.T) >= self._limit).any(axis=0)
        self._left = [name for name, out in zip(self._left, beaten, strict=True) if not out]
        return self.left
