"""Does the simulated score predict the real one? Three measures of it, and how likely chance would give them.

A policy has a real and a simulated success rate. Pearson's r asks whether the rates lie on a line, Spearman's rho
whether the ranks agree, and the mean maximum rank violation (MMRV) how much real success is lost at most when two
policies are compared in simulation. Intervals are in `barkyard.evaluation.agreement`.

Arguments are keyword-only: swapping `real` and `sim` changes MMRV and raises no error.
"""

import itertools
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from barkyard.errors import InvalidInput

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], Floats]
"""Real and simulated scores `(..., N)` to one number each `(...)`; nan where it is undefined."""

EXACT_UP_TO: Final = 8
"""Permutations are all tried up to this many policies (40,320); beyond it they are drawn."""
PERMUTATIONS: Final = 20_000
_ROUNDING: Final = 1e-9


def pearson(*, real: ArrayLike, sim: ArrayLike) -> float | None:
    """Pearson's correlation coefficient; None ("undefined") for fewer than 3 policies or constant scores.

    Two policies always lie on a line, and where all real or all simulated scores are equal, no line is better than
    another: neither is evidence of agreement, and neither is given a number.

    Args:
        real: real score of each policy `(N,)`.
        sim: simulated score of each policy `(N,)`, in the same order.

    Raises:
        InvalidInput: the shapes differ, or a value is not finite.
    """
    return _defined(batch_pearson(*checked_pair(real, sim)))


def spearman(*, real: ArrayLike, sim: ArrayLike) -> float | None:
    """Spearman's rank correlation, Pearson's r of the ranks; equal scores share the mean of their ranks.

    None ("undefined") for fewer than 3 policies or constant scores.

    Args:
        real: real score of each policy `(N,)`.
        sim: simulated score of each policy `(N,)`, in the same order.

    Raises:
        InvalidInput: the shapes differ, or a value is not finite.
    """
    return _defined(batch_spearman(*checked_pair(real, sim)))


def mmrv(*, real: ArrayLike, sim: ArrayLike) -> float | None:
    """Mean maximum rank violation, in the unit of the real scores; 0 is best. None for fewer than 2 policies.

    For each policy the largest real margin to another that the simulation ranks the other way round, averaged over
    policies: `mean_i max_j |R_i - R_j| [sign(R_i - R_j) != sign(S_i - S_j)]`. Only real margins count, so
    `real` and `sim` are not interchangeable. Ties: equal real scores have margin 0 and are never violated; equal
    simulated scores with different real ones charge both policies. The published implementation charges one of the
    two, by the order of the comparison; the published policy tables are the same by either rule.

    Source: Li et al., "Evaluating Real-World Robot Manipulation Policies in Simulation" (SIMPLER), arXiv:2405.05941.

    Args:
        real: real score of each policy `(N,)`.
        sim: simulated score of each policy `(N,)`, in the same order.

    Raises:
        InvalidInput: the shapes differ, or a value is not finite.
    """
    return _defined(batch_mmrv(*checked_pair(real, sim)))


def violations(*, real: ArrayLike, sim: ArrayLike) -> Floats:
    """Real margin of each pair that the simulation does not rank as reality does `(N, N)`; 0 where it does.

    Raises:
        InvalidInput: the shapes differ, or a value is not finite.
    """
    return _violations(*checked_pair(real, sim))


def chance_of_better(metric: Metric, *, real: ArrayLike, sim: ArrayLike, seed: int = 0) -> float | None:
    """Permutation p: how often shuffled simulated scores agree with the real ones at least as well.

    All orders are tried up to `EXACT_UP_TO` policies; beyond it `PERMUTATIONS` are drawn, and the observed order
    counts as one of them. With N policies the smallest possible p is 1 / N!, so 3 policies cannot give less than 1/6.

    Args:
        metric: `batch_pearson`, `batch_spearman` or `batch_mmrv` (of which less is better).
        real: real score of each policy `(N,)`.
        sim: simulated score of each policy `(N,)`, in the same order.
        seed: of the drawn permutations.

    Returns:
        p, or None where the metric is undefined.

    Raises:
        InvalidInput: the shapes differ, or a value is not finite.
    """
    real_scores, sim_scores = checked_pair(real, sim)
    observed = metric(real_scores, sim_scores)
    if np.isnan(observed):
        return None
    count = len(real_scores)
    if exact := count <= EXACT_UP_TO:
        orders = np.array(list(itertools.permutations(range(count))))
    else:
        generator = np.random.default_rng(seed)
        orders = generator.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)
    shuffled = metric(real_scores, sim_scores[orders])
    as_good = shuffled <= observed + _ROUNDING if metric is batch_mmrv else shuffled >= observed - _ROUNDING
    return float(as_good.mean()) if exact else float((as_good.sum() + 1) / (len(orders) + 1))


def batch_pearson(real: Floats, sim: Floats) -> Floats:
    """Pearson's r over the last axis; nan where `pearson` is undefined. Inputs are not checked."""
    if real.shape[-1] < 3:
        return np.full(np.broadcast_shapes(real.shape, sim.shape)[:-1], math.nan)
    real, sim = (scores - scores.mean(axis=-1, keepdims=True) for scores in (real, sim))
    spreads = np.sqrt((real**2).sum(axis=-1) * (sim**2).sum(axis=-1))
    constant = (abs(real).max(axis=-1) < _ROUNDING) | (abs(sim).max(axis=-1) < _ROUNDING)
    ratio = (real * sim).sum(axis=-1) / np.where(constant, 1.0, spreads)
    return np.where(constant, math.nan, np.clip(ratio, -1.0, 1.0))


def batch_spearman(real: Floats, sim: Floats) -> Floats:
    """Spearman's rho over the last axis; nan where `spearman` is undefined. Inputs are not checked."""
    return batch_pearson(_ranks(real), _ranks(sim))


def batch_mmrv(real: Floats, sim: Floats) -> Floats:
    """Mean maximum rank violation over the last axis; nan for fewer than 2 policies. Inputs are not checked."""
    if real.shape[-1] < 2:
        return np.full(np.broadcast_shapes(real.shape, sim.shape)[:-1], math.nan)
    return _violations(real, sim).max(axis=-1).mean(axis=-1)


def checked_pair(real: ArrayLike, sim: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays `(N,)`. Raises InvalidInput when they do not match or hold what is no number."""
    arrays = []
    for name, scores in (("real", real), ("sim", sim)):
        try:
            array = np.asarray(scores, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"{name} is {scores!r:.80}; give one number a policy") from error
        if array.ndim != 1:
            raise InvalidInput(f"{name} has shape {array.shape}; give one number a policy, shape (N,)")
        for i in np.flatnonzero(~np.isfinite(array)):
            raise InvalidInput(f"{name}[{i}] is {array[i]}; leave a policy without a score out of both real and sim")
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape:
        raise InvalidInput(f"real has {len(arrays[0])} scores and sim has {len(arrays[1])}; give the same policies")
    return arrays[0], arrays[1]


def _violations(real: Floats, sim: Floats) -> Floats:
    margins = real[..., :, None] - real[..., None, :]
    differences = sim[..., :, None] - sim[..., None, :]
    return abs(margins) * (np.sign(margins) != np.sign(differences))


def _ranks(scores: Floats) -> Floats:
    """Ranks from 0 over the last axis; equal scores share the mean of their ranks."""
    above = np.sign(scores[..., :, None] - scores[..., None, :]).sum(axis=-1)
    return (above + scores.shape[-1] - 1) / 2


def _defined(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
