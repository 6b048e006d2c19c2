"""How far the estimates can be trusted when the deviations are correlated in time and the model is not perfect.

Residuals of a tracking fit are no white noise: one wrong friction is wrong for seconds. So the recordings are cut into
blocks longer than the residuals' memory, and what counts is how the blocks disagree, not how many samples there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.misfit import Misfit, find_misfit
from barkyard.calibration.problem import Linearization

Array = NDArray[np.float64]

CONFIDENCE: Final = 0.95
PRIOR_VARIANCE: Final = 1.0 / 12.0
"""Of a uniform draw from the range of an unknown, in places: what is known without data."""
OPEN: Final = 0.5
"""An unknown is left open if, all others known, its deviation is still this part of the range's own. A choice."""
MEMORIES_PER_BLOCK: Final = 5.0
"""A block is this many correlation times long. A choice."""
FEWEST_BLOCKS: Final = 12
SHORTEST_BLOCK: Final = 1.0
"""Length of a block [s], at least. A choice."""
LOOSE: Final = 0.03
"""Posterior draws stay put in directions that are known less well than this, in places. A choice: there the simulation
is no longer linear, and a draw would not follow the recordings."""
DISAGREEMENT: Final = 0.99
"""Level of the test whether recordings agree."""


@dataclass(frozen=True)
class Sums:
    """Gauss-Newton sums over one block: `hessian` (P, P) and `gradient` (P,)."""

    hessian: Array
    gradient: Array


@dataclass(frozen=True)
class Uncertainty:
    """What is known of the places of the unknowns.

    Attributes:
        low, high: `(P,)` 95 % intervals, inside 0 to 1.
        covariance: `(P, P)` of the data and the range together.
        open: `(P,)` whether each unknown would be left open even if all others were known.
        samples: `(K, P)` draws that the data allow; they do not move in directions that the data leave open.
        blocks: how many there are.
        block_seconds: their length [s].
        memory_seconds: correlation time of the residuals [s].
        disagreeing: unknowns (indices) that separate recordings put at different values.
        by_recording: `(recordings, P)` the separate estimates, from one Gauss-Newton step each.
        misfit: what the model lacks; the intervals allow for it.
    """

    low: Array
    high: Array
    covariance: Array
    open: NDArray[np.bool_]
    samples: Array
    blocks: int
    block_seconds: float
    memory_seconds: float
    disagreeing: tuple[int, ...]
    by_recording: Array
    misfit: Misfit


def estimate_uncertainty(
    point: Linearization, logs: Sequence[RobotLog], *, samples: int = 200, seed: int = 0
) -> Uncertainty:
    """Intervals and draws by a multiplier block bootstrap.

    A block's influence is the step that the estimate makes when it is left out (the jackknife CR3 of Bell and McCaffrey
    2002, which allows for leverage). Draws add up the influences with random signs and sizes (the wild bootstrap of Wu
    1986), with the tails of Student's t for the number of blocks. The range of each unknown counts as a weak prior, so
    that what the data leave open gets the whole range and not infinity. Where recordings disagree on an unknown,
    recordings take the place of blocks for all.

    Deviations that follow the motion are no noise, and no block contradicts another about them: what the model lacks
    has shifted the estimate by an amount that nothing in the recordings tells. Where `misfit` finds any, draws allow
    for as much as is left of deviations to have been taken up by the unknowns, in a direction by chance. That is a
    choice; no law says that it is enough.

    Known to be weak: fewer than about ten blocks; unknowns on the wall of their range, which are held there.

    Args:
        point: the problem at its solution, with full derivatives.
        logs: its recordings.
        samples: how many draws to keep.
        seed: of the draws.
    """
    free = ~_held(point)
    memory, seconds = block_length(point, logs)
    recordings = [_block_sums(point, rows, free) for rows in _rows(logs, math.inf)]
    blocks = [[_block_sums(point, rows, free) for rows in part] for part in _rows_by_log(logs, seconds)]
    flat = [block for part in blocks for block in part]
    scale = noise_scale(blocks)
    by_recording, disagreeing = _compare(recordings, blocks, scale)
    units = recordings if disagreeing and len(recordings) > 2 else flat
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    misfit = find_misfit(point, logs, seconds)
    own, drawn = _draws(units, scale, misfit.power, max(samples, 2000), rng)
    places = point.places
    full, kept = (np.repeat(places[None], len(own), axis=0) for _ in range(2))
    full[:, free] = places[free] + drawn
    kept[:, free] = np.clip(places[free] + own @ _determined(flat, scale), 0.0, 1.0)
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(full, (tail, 1.0 - tail), axis=0)
    conditional = np.sqrt(scale / np.maximum(np.diag(point.hessian), scale / 1e6))
    left_open = conditional > OPEN * math.sqrt(PRIOR_VARIANCE)
    low[left_open & ~free], high[left_open & ~free] = 0.0, 1.0
    chosen = np.flatnonzero(free)
    spread = np.zeros((len(places), len(places)))
    spread[np.ix_(chosen, chosen)] = np.cov(drawn.T).reshape(len(chosen), len(chosen))
    separate = np.repeat(places[None], len(recordings), axis=0)
    separate[:, free] = np.clip(places[free] + by_recording, 0.0, 1.0)
    return Uncertainty(
        np.clip(low, 0.0, 1.0),
        np.clip(high, 0.0, 1.0),
        spread,
        left_open,
        kept[:samples],
        len(flat),
        seconds,
        memory,
        tuple(int(chosen[i]) for i in disagreeing),
        separate,
        misfit,
    )


def white_intervals(point: Linearization) -> tuple[Array, Array]:
    """95 % intervals as if deviations were independent, which they are not; to compare with."""
    dof = len(point.residuals) - len(point.places)
    variance = float(np.sum(point.weights * point.residuals**2)) / dof
    sd = np.sqrt(variance * np.diag(np.linalg.pinv(point.hessian)))
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2.0, dof) * sd
    return point.places - reach, point.places + reach


def noise_scale(blocks: Sequence[Sequence[Sums]]) -> float:
    """Long-run variance of the deviations: how much larger than the Hessian the scatter of the gradients is.

    Args:
        blocks: of each recording. Scatter about a recording's own mean counts, not what recordings disagree on.
    """
    flat = [block for part in blocks for block in part]
    hessian = sum((block.hessian for block in flat), np.zeros_like(flat[0].hessian))
    gradients = np.concatenate([_centred(part) for part in blocks])
    values, vectors = np.linalg.eigh(hessian)
    clear = values > 1e-6 * values.max()
    ratios = np.sum((gradients @ vectors[:, clear]) ** 2, axis=0) / values[clear]
    return float(np.median(ratios))


def _centred(part: Sequence[Sums]) -> Array:
    """`(blocks, free)` gradients less their mean, scaled up for the freedom that the mean takes."""
    gradients = np.array([block.gradient for block in part])
    if len(part) == 1:
        return gradients
    centred: Array = (gradients - gradients.mean(axis=0)) * math.sqrt(len(part) / (len(part) - 1))
    return centred


def _held(point: Linearization) -> NDArray[np.bool_]:
    """Unknowns on the wall of their range: they stay there."""
    result: NDArray[np.bool_] = (point.places <= 1e-6) | (point.places >= 1.0 - 1e-6)
    return result


def _block_sums(point: Linearization, rows: slice, free: NDArray[np.bool_]) -> Sums:
    jacobian, weights = point.jacobian[rows][:, free], point.weights[rows]
    return Sums(jacobian.T @ (jacobian * weights[:, None]), jacobian.T @ (weights * point.residuals[rows]))


def _rows(logs: Sequence[RobotLog], seconds: float) -> list[slice]:
    return [rows for part in _rows_by_log(logs, seconds) for rows in part]


def _rows_by_log(logs: Sequence[RobotLog], seconds: float) -> list[list[slice]]:
    """Rows of the residuals of each block, for each recording; a rest shorter than half a block joins the last."""
    found, first = [], 0
    for log in logs:
        count = max(1, round(log.duration / seconds))
        edges = np.linspace(0, len(log.time), count + 1).round().astype(int) * len(log.joints) + first
        found.append([slice(int(a), int(b)) for a, b in pairwise(edges)])
        first += len(log.time) * len(log.joints)
    return found


def block_length(point: Linearization, logs: Sequence[RobotLog]) -> tuple[float, float]:
    """Correlation time of the residuals, and the length of a block [s]."""
    memories = []
    for log, rows in zip(logs, _rows(logs, math.inf), strict=True):
        period = log.duration / (len(log.time) - 1)
        series = (np.sqrt(point.weights[rows]) * point.residuals[rows]).reshape(len(log.time), -1)
        memories += [period * correlation_time(column) for column in series.T]
    memory, total = float(np.median(memories)), sum(log.duration for log in logs)
    return memory, min(max(MEMORIES_PER_BLOCK * memory, SHORTEST_BLOCK), total / FEWEST_BLOCKS)


def correlation_time(series: Array) -> float:
    """Samples that count as one: 1 plus twice the sum of the autocorrelations before they first fall below 0.05."""
    centred = series - series.mean()
    size = len(centred)
    spectrum = np.abs(np.fft.rfft(centred, 2 * size)) ** 2
    covariance = np.fft.irfft(spectrum)[:size]
    if covariance[0] <= 0.0:
        return 1.0
    correlation = covariance / covariance[0]
    end = np.flatnonzero(correlation < 0.05)
    return float(1.0 + 2.0 * correlation[1 : end[0] if len(end) else size].sum())


def _determined(blocks: Sequence[Sums], scale: float) -> Array:
    """The projector `(free, free)` on the directions that the data determine to within `LOOSE`."""
    hessian = sum((block.hessian for block in blocks), np.zeros_like(blocks[0].hessian))
    values, vectors = np.linalg.eigh(hessian)
    sure = vectors[:, values > scale / LOOSE**2]
    projector: Array = sure @ sure.T
    return projector


def _draws(
    units: Sequence[Sums], scale: float, misfit: float, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Deviations `(count, free)` that the data allow, and those with what the range allows where the data do not."""
    hessian = sum((unit.hessian for unit in units), np.zeros_like(units[0].hessian))
    prior = scale / PRIOR_VARIANCE * np.eye(len(hessian))
    number = len(units)
    influence = np.array([np.linalg.solve(hessian - unit.hessian + prior, unit.gradient) for unit in units])
    influence *= math.sqrt((number - 1) / number) if number > 1 else 1.0
    freedom = max(number - 1, 1)
    heavy = np.sqrt(freedom / rng.chisquare(freedom, (count, 1)))
    own = heavy * (rng.standard_normal((count, number)) @ influence)
    own += rng.standard_normal((count, len(hessian))) @ _absorbed(hessian, prior, misfit)
    open_part = np.linalg.solve(hessian + prior, math.sqrt(scale) * np.sqrt(prior)).T
    return own, own + rng.standard_normal((count, len(hessian))) @ open_part


def _absorbed(hessian: Array, prior: Array, power: float) -> Array:
    """`(free, free)` steps that take up deviations of `power` between them, in equal parts."""
    values, vectors = np.linalg.eigh(hessian)
    root = vectors * np.sqrt(np.maximum(values, 0.0) * power / len(values))
    result: Array = np.linalg.solve(hessian + prior, root).T
    return result


def _compare(recordings: Sequence[Sums], blocks: Sequence[Sequence[Sums]], scale: float) -> tuple[Array, list[int]]:
    """Separate estimates `(recordings, free)`, and the unknowns that they put further apart than they know them."""
    steps, variances = [], []
    for whole, parts in zip(recordings, blocks, strict=True):
        prior = scale / PRIOR_VARIANCE * np.eye(len(whole.hessian))
        inverse = np.linalg.inv(whole.hessian + prior)
        scores = _centred(parts)
        steps.append(-inverse @ whole.gradient)
        variances.append(np.diag(inverse @ (scores.T @ scores + scale * prior) @ inverse))
    estimates, precision = np.array(steps), 1.0 / np.maximum(np.array(variances), 1e-12)
    mean = np.sum(precision * estimates, axis=0) / precision.sum(axis=0)
    statistic = np.sum(precision * (estimates - mean) ** 2, axis=0)
    limit = stats.chi2.ppf(DISAGREEMENT, max(len(recordings) - 1, 1))
    return estimates, [int(i) for i in np.flatnonzero(statistic > limit)] if len(recordings) > 1 else []
