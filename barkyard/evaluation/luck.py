"""Could the disagreement of real and simulated success be the luck of the trials alone?"""

from collections.abc import Callable
from typing import Final

import numpy as np

from barkyard.evaluation.agreement import Counts
from barkyard.evaluation.correlation import Floats

BOOTSTRAPS: Final = 400
LINE_ANGLES: Final = 90

_Distance = Callable[[Counts], tuple[Floats, Floats]]
"""Counts `(..., N, 2)` to their distance from perfect agreement `(...)` and the nearest rates that agree."""


def line_test(counts: Counts, seed: int = 0) -> float:
    """p of the hypothesis that the true rates lie on a rising line, so that r is 1 and the rest is luck.

    The statistic is the weighted squared distance from the best line with errors in both rates (Deming's regression,
    over a grid of `LINE_ANGLES` angles); its distribution is simulated from the fitted rates, `BOOTSTRAPS` times.

    Args:
        counts: `(N, 2)`.
        seed: of the simulation.
    """
    return _luck(counts, _line_distance, seed)


def order_test(counts: Counts, seed: int = 0) -> float:
    """p of the hypothesis that the true rates have the same order, so that rho is 1, MMRV 0 and the rest is luck.

    Policies are put in order by the sum of both arcsine rates, and both are fitted by the best rates that do not fall
    in this order (isotonic regression). The distribution of the squared distance is simulated from the fitted rates,
    `BOOTSTRAPS` times; the order is chosen anew in each, so that the choice costs no validity.

    Args:
        counts: `(N, 2)`.
        seed: of the simulation.
    """
    return _luck(counts, _order_distance, seed)


def _luck(counts: Counts, distance: _Distance, seed: int) -> float:
    observed, fitted = distance(counts)
    trials = np.round(counts.trials)
    drawn = np.random.default_rng(seed).binomial(trials.astype(np.int64), fitted, (BOOTSTRAPS, *fitted.shape))
    simulated, _ = distance(Counts(drawn.astype(np.float64), np.broadcast_to(trials, drawn.shape)))
    return float((1 + (simulated >= observed - 1e-9).sum()) / (1 + BOOTSTRAPS))


def _line_distance(counts: Counts) -> tuple[Floats, Floats]:
    blurred = (counts.successes + 0.5) / (counts.trials + 1.0)
    variance = (blurred * (1.0 - blurred) / counts.trials)[..., None, :]
    angles = np.linspace(0.0, np.pi / 2, LINE_ANGLES + 2)[1:-1]
    normal = np.stack([-np.sin(angles), np.cos(angles)], axis=-1)[:, None]  # across the line (A, 1, 2)
    rates = np.expand_dims(counts.rates, -3)  # (..., 1, N, 2)
    weight = 1.0 / (np.expand_dims(variance[..., 0, :], -3) * normal**2).sum(axis=-1)  # (..., A, N)
    across = (rates * normal).sum(axis=-1)
    across = across - (weight * across).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True)
    distance = (weight * across**2).sum(axis=-1)
    best = distance.argmin(axis=-1)
    moved = np.take_along_axis(weight * across, best[..., None, None], axis=-2)[..., 0, :, None]
    fitted = counts.rates - variance[..., 0, :] * normal[best] * moved
    return distance.min(axis=-1), np.clip(fitted, 0.0, 1.0)


def _order_distance(counts: Counts) -> tuple[Floats, Floats]:
    seen = np.arcsin(np.sqrt((counts.successes + 0.375) / (counts.trials + 0.75)))
    weight = 4.0 * counts.trials + 2.0
    order = np.argsort(seen.sum(axis=-1), axis=-1, kind="stable")[..., None]
    seen, weight = (np.take_along_axis(values, order, axis=-2) for values in (seen, weight))
    fitted = isotonic(seen, weight)
    rates = np.empty_like(fitted)
    np.put_along_axis(rates, order, np.sin(np.clip(fitted, 0.0, np.pi / 2)) ** 2, axis=-2)
    return (weight * (seen - fitted) ** 2).sum(axis=(-2, -1)), rates


def isotonic(values: Floats, weight: Floats) -> Floats:
    """Weighted least-squares fit that never falls along the axis before the last, by its min-max formula.

    Each value is the largest over all starts before it of the smallest mean over all ends after it (Robertson, Wright
    and Dykstra, "Order Restricted Statistical Inference", 1988).

    Args:
        values: `(..., N, C)`.
        weight: `(..., N, C)`, positive.
    """
    count = values.shape[-2]
    zero = np.zeros((*values.shape[:-2], 1, values.shape[-1]))
    sums, weights = (np.concatenate([zero, np.cumsum(x, axis=-2)], axis=-2) for x in (values * weight, weight))
    fitted = np.empty_like(values)
    for i in range(count):
        starts, ends = np.arange(i + 1), np.arange(i + 1, count + 1)
        total = sums[..., None, ends, :] - sums[..., starts, None, :]
        means = total / (weights[..., None, ends, :] - weights[..., starts, None, :])
        fitted[..., i, :] = means.min(axis=-2).max(axis=-2)
    return fitted
