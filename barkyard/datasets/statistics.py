"""LeRobot's statistics of a feature: of one episode, and of many from those of each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
FeatureStatistics = dict[str, Any]
"""Statistic name -> nested list: `(d,)` for a vector, `(3, 1, 1)` for an image, `(1,)` for `count`."""


def vector_statistics(values: NDArray[Any]) -> FeatureStatistics:
    """Statistics of `(T,)` or `(T, d)` values over time; values that are not finite are left out."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    finite = np.isfinite(rows)
    if finite.all():
        minimum, maximum, mean, std, quantile = np.min, np.max, np.mean, np.std, np.quantile
    else:
        rows = np.where(finite, rows, np.nan)
        rows[:, ~finite.any(axis=0)] = 0.0
        minimum, maximum, mean, std, quantile = np.nanmin, np.nanmax, np.nanmean, np.nanstd, np.nanquantile
    found: dict[str, NDArray[Any]] = {
        "min": minimum(rows, axis=0),
        "max": maximum(rows, axis=0),
        "mean": mean(rows, axis=0),
        "std": std(rows, axis=0),
        "count": np.array([len(rows)]),
    }
    found |= dict(zip(QUANTILES, quantile(rows, list(QUANTILES.values()), axis=0), strict=True))
    return {name: value.tolist() for name, value in found.items()}


def image_statistics(images: NDArray[np.uint8]) -> FeatureStatistics:
    """Statistics of `(T, H, W, 3)` images for each channel, with the range 0..255 scaled to 0..1."""
    levels = np.arange(256) / 255
    channels = [_histogram_statistics(np.bincount(images[..., c].ravel(), minlength=256), levels) for c in range(3)]
    found: FeatureStatistics = {name: [[[channel[name]]] for channel in channels] for name in channels[0]}
    return found | {"count": [len(images)]}


def _histogram_statistics(counts: NDArray[np.int64], levels: NDArray[np.float64]) -> dict[str, float]:
    total = counts.sum()
    present = np.flatnonzero(counts)
    mean = float(counts @ levels / total)
    cumulative = np.cumsum(counts)
    found = {
        "min": float(levels[present[0]]),
        "max": float(levels[present[-1]]),
        "mean": mean,
        "std": float(np.sqrt(counts @ (levels - mean) ** 2 / total)),
    }
    for name, q in QUANTILES.items():
        found[name] = float(levels[np.searchsorted(cumulative, q * total)])
    return found


class Aggregate:
    """Statistics of all frames of a feature from those of each episode, one after another.

    Everything is exact except the quantiles, which are the means of the episodes' quantiles weighted by length, as
    LeRobot aggregates them.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean: Any = 0.0
        self._squares: Any = 0.0  # sum of squared deviations from the mean
        self._quantiles: dict[str, Any] = dict.fromkeys(QUANTILES, 0.0)
        self._least: Any = np.inf
        self._most: Any = -np.inf

    def add(self, episode: FeatureStatistics) -> None:
        """Count an episode in; means and variances merge as in Chan, Golub and LeVeque (1983)."""
        count = int(episode["count"][0])
        total = self._count + count
        away = np.asarray(episode["mean"]) - self._mean
        self._squares = self._squares + count * np.square(episode["std"]) + away**2 * (self._count * count / total)
        self._mean = self._mean + away * (count / total)
        for name, mean in self._quantiles.items():
            self._quantiles[name] = mean + (np.asarray(episode[name]) - mean) * (count / total)
        self._least, self._most = np.minimum(self._least, episode["min"]), np.maximum(self._most, episode["max"])
        self._count = total

    def statistics(self) -> FeatureStatistics:
        """Of all that was counted in, which is at least one episode."""
        found = {"min": self._least, "max": self._most, "mean": self._mean}
        found |= {"std": np.sqrt(self._squares / self._count), "count": np.array([self._count])} | self._quantiles
        return {name: value.tolist() for name, value in found.items()}
