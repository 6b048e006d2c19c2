"""Limits normalisation: each dimension's range to [-1, 1]."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from barkyard.errors import InvalidInput

SMALLEST_RANGE = 1e-4
"""A dimension that varies less is shifted to its middle, not scaled (Diffusion Policy's `range_eps`)."""


@dataclass(frozen=True)
class Normalizer:
    """Maps each dimension's `low..high` to -1..1 and back.

    Diffusion clips its samples to [-1, 1] at each step, so that with any other normalisation a part of the action
    range could not be reached. A dimension whose range is under `SMALLEST_RANGE` is only shifted: its middle goes to 0.

    Attributes:
        low: smallest values, one a dimension, float32.
        high: largest values.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def from_limits(cls, low: ArrayLike, high: ArrayLike) -> "Normalizer":
        """A normalizer for `low..high`.

        Raises:
            InvalidInput: a limit is not finite, or `low` exceeds `high`.
        """
        lows, highs = np.array(low, dtype=np.float32), np.array(high, dtype=np.float32)
        if lows.ndim != 1 or lows.shape != highs.shape:
            raise InvalidInput(f"limits have shapes {lows.shape} and {highs.shape}; valid: (d,) each")
        bad = np.flatnonzero(~(np.isfinite(lows) & np.isfinite(highs) & (lows <= highs)))
        if bad.size:
            i = bad[0]
            raise InvalidInput(f"limits of dimension {i} are {lows[i]}..{highs[i]}; valid: finite, low <= high")
        return cls(lows, highs)

    @classmethod
    def fit(cls, values: ArrayLike) -> "Normalizer":
        """A normalizer for the range of `(..., d)` values.

        Raises:
            InvalidInput: there are no values, or one is not finite.
        """
        array = np.asarray(values, dtype=np.float32)
        if array.ndim < 2 or array.size == 0:
            raise InvalidInput(f"values have shape {array.shape}; valid: (..., d), not empty")
        rows = array.reshape(-1, array.shape[-1])
        bad = np.argwhere(~np.isfinite(rows))
        if bad.size:
            row, dimension = bad[0]
            raise InvalidInput(
                f"value {rows[row, dimension]} in row {row}, dimension {dimension} is not finite; leave out the "
                "episode it is from"
            )
        return cls.from_limits(rows.min(axis=0), rows.max(axis=0))

    @classmethod
    def fit_blocks(cls, blocks: Iterable[ArrayLike]) -> "Normalizer":
        """As `fit`, for values that come in blocks, one of which is in memory at a time."""
        each = [cls.fit(block) for block in blocks]
        if not each:
            raise InvalidInput("there are no values to fit a normalizer to")
        return cls(np.min([one.low for one in each], axis=0), np.max([one.high for one in each], axis=0))

    @property
    def center(self) -> NDArray[np.float64]:
        """`(d,)` value that goes to 0."""
        middle: NDArray[np.float64] = (self.low.astype(np.float64) + self.high) / 2
        return middle

    @property
    def half_range(self) -> NDArray[np.float64]:
        """`(d,)` distance from the centre to what goes to 1."""
        full = self.high.astype(np.float64) - self.low
        return np.where(full < SMALLEST_RANGE, 1.0, full / 2)

    def normalize(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """`(..., d)` values to the range -1..1."""
        self._check(values)
        return ((values - self.center) / self.half_range).astype(np.float32)

    def denormalize(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """`(..., d)` values in the range -1..1 back to their own."""
        self._check(values)
        return (values * self.half_range + self.center).astype(np.float32)

    def _check(self, values: NDArray[Any]) -> None:
        if values.shape[-1:] != self.low.shape:
            raise InvalidInput(f"values have shape {values.shape}; valid: (..., {len(self.low)})")

    def to_json(self) -> dict[str, list[float]]:
        """As a dictionary that JSON can hold, exactly."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Normalizer":
        """The normalizer that `to_json` gave.

        Raises:
            InvalidInput: something is missing or not finite.
        """
        try:
            return cls.from_limits(data["low"], data["high"])
        except InvalidInput:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"a normalizer needs 'low' and 'high', each a list of numbers: {error}") from error
