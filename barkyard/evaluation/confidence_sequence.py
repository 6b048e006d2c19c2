"""An interval of a mean that holds at all times together, so that one may stop whenever one likes."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.evaluation.intervals import Interval

_GRID: Final = 1001
_MOST_BET: Final = 0.5
"""Largest share of the capital at risk in one bet, the 1/2 that the paper recommends."""


def anytime_interval(values: Iterable[float], confidence: float = 0.95) -> Interval:
    """Where the confidence sequence of these values in [0, 1] stands after the last of them."""
    sequence = MeanSequence(confidence)
    for value in values:
        sequence.update(value)
    return sequence.interval


class MeanSequence:
    """Confidence sequence of the mean of values in [0, 1]: its interval holds the mean at all times together.

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024):
    hedged capital with predictable plug-in bets. A mean is left out for good once a gambler against it has multiplied
    his capital by 1 / (1 - confidence).
    """

    def __init__(self, confidence: float = 0.95) -> None:
        """Raises InvalidInput when confidence is no probability."""
        if not 0 < confidence < 1:
            raise InvalidInput(f"confidence is {confidence}; give a number between 0 and 1, such as 0.95")
        self._limit = math.log(1 / (1 - confidence))
        self._means = np.linspace(0.0, 1.0, _GRID)
        self._capital = np.full((2, _GRID), math.log(0.5))
        self._inside: NDArray[np.bool_] = np.ones(_GRID, dtype=bool)
        self._count, self._sum, self._squares = 0, 0.5, 0.25

    @property
    def count(self) -> int:
        """Values seen."""
        return self._count

    @property
    def interval(self) -> Interval:
        """What is left; widened by the grid's step, so that the grid costs no coverage."""
        left = self._means[self._inside]
        if not len(left):
            return Interval(0.0, 1.0)  # as unlikely as an error: every mean was refuted
        step = self._means[1]
        return Interval(max(float(left[0]) - step, 0.0), min(float(left[-1]) + step, 1.0))

    def update(self, value: float) -> Interval:
        """See one more value; the interval never grows.

        Raises:
            InvalidInput: the value is outside [0, 1].
        """
        if not 0 <= value <= 1:
            raise InvalidInput(f"value is {value}; it must be from 0 to 1")
        self._count += 1
        variance = self._squares / self._count
        bet = math.sqrt(2 * (self._limit + math.log(2)) / (variance * self._count * math.log(1 + self._count)))
        with np.errstate(divide="ignore"):
            bets = np.minimum(bet, _MOST_BET / np.stack([self._means, 1 - self._means]))
        self._capital += np.log1p(bets * np.array([[1.0], [-1.0]]) * (value - self._means))
        self._inside &= self._capital.max(axis=0) < self._limit
        self._sum += value
        self._squares += (value - self._sum / (self._count + 1)) ** 2
        return self.interval
