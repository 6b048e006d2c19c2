"""The search for the unknowns: many starts on short stretches, then least squares on whole recordings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.problem import Linearization, Problem
from barkyard.errors import BarkyardError

Array = NDArray[np.float64]
Report = Callable[[str, float], None]
"""Told what is being done, and the cost."""

_DAMPING: Final = np.array([0.1, 3.0, 300.0])
"""Factors of the last Levenberg-Marquardt damping that are tried side by side."""
_LONGEST_STEP: Final = 0.15
"""A place moves no further in one step. A choice."""
_COLOURED_ENOUGH: Final = 0.003
"""Relative gain below which the cheap derivatives have done what they can. A choice."""


@dataclass(frozen=True)
class FitConfig:
    """How hard to search.

    Attributes:
        loss_scale: deviations beyond this count linearly [rad].
        starts: random starts, besides the model as shipped.
        polished: how many of them are followed downhill.
        window: length of the stretches that starts are tried on [s].
        windows: how many of each recording.
        iterations: at most, on whole recordings.
        tolerance: relative gain of the cost at which to stop.
        seed: of the starts.
    """

    loss_scale: float = 0.02
    starts: int = 64
    polished: int = 2
    window: float = 4.0
    windows: int = 3
    iterations: int = 15
    tolerance: float = 1e-4
    seed: int = 0


def fit(problem: Problem, config: FitConfig, report: Report = lambda words, cost: None) -> Linearization:
    """The best places found, and the problem about them.

    The best starts on short stretches go downhill; the best value of each joint among them begins the search on whole
    recordings, first with coloured and then with full derivatives.

    Raises:
        BarkyardError: no start gives a simulation that runs.
    """
    places = _global_stage(problem, config, report)
    places, _ = descend(problem, places, config.iterations, _COLOURED_ENOUGH, report, coloured=True)
    places, _ = descend(problem, places, config.iterations, config.tolerance, report)
    return problem.linearize(places)


def _global_stage(problem: Problem, config: FitConfig, report: Report) -> Array:
    first = np.array([unknown.place(unknown.start) for unknown in problem.unknowns])
    if not config.starts:
        return first
    parts = tuple(part for log in problem.logs for part in stretches(log, config.window, config.windows))
    short = replace(problem, logs=parts)
    sampler = qmc.Sobol(len(first), seed=np.random.default_rng(np.random.SeedSequence(config.seed)))
    starts = np.concatenate([first[None], sampler.random(config.starts)])
    costs = short.costs_by_joint(short.residuals(starts))
    if not np.isfinite(costs).any():
        raise BarkyardError("no start gives a simulation that runs; give a shorter --timestep or closer ranges")
    ranks = np.argsort(costs, axis=0)
    polished = []
    for rank in range(min(config.polished, len(starts))):
        mixed = recombine(problem, starts[ranks[rank]])
        places, cost = descend(short, mixed, config.iterations, _COLOURED_ENOUGH, report, coloured=True)
        polished.append(places)
        report(f"start {rank + 1}", cost)
    ends = np.array(polished)
    best = np.argmin(short.costs_by_joint(short.residuals(ends)), axis=0)
    ends = np.concatenate([ends, recombine(problem, ends[best])[None]])
    chosen: Array = ends[np.argmin(problem.cost(ends))]
    return chosen


def recombine(problem: Problem, best: Array) -> Array:
    """Each joint's unknowns from its own point; those of several joints as the median.

    Args:
        problem: whose unknowns they are.
        best: `(J, P)` a point for every joint of the logs.
    """
    joints = problem.logs[0].joints
    median = np.median(best, axis=0)
    return np.array(
        [
            best[joints.index(unknown.joint), i] if unknown.joint else median[i]
            for i, unknown in enumerate(problem.unknowns)
        ]
    )


def stretches(log: RobotLog, length: float, count: int) -> list[RobotLog]:
    """`count` stretches of `length` [s] at equal distances, the first at the start and the last at the end."""
    if log.duration <= length * count:
        return [log]
    starts = np.linspace(0.0, log.duration - length, count)
    return [log.between(float(start), float(start) + length) for start in starts]


def descend(
    problem: Problem,
    places: Array,
    iterations: int,
    tolerance: float,
    report: Report,
    *,
    coloured: bool = False,
) -> tuple[Array, float]:
    """Levenberg and Marquardt's method inside the box from 0 to 1; several dampings are tried side by side.

    Returns:
        the last places and their cost, which is never above the first.
    """
    damping, cost = 1e-2, float(problem.cost(places[None])[0])
    for _ in range(iterations):
        point = problem.linearize(places, coloured=coloured)
        dampings = damping * _DAMPING
        candidates = np.array([_step(point, each) for each in dampings])
        costs = problem.cost(candidates)
        best = int(np.argmin(costs))
        gain = cost - costs[best]
        if gain > 0.0:
            places, cost = candidates[best], float(costs[best])
        damping = float(np.clip(dampings[best], 1e-9, 1e6))
        report("coloured" if coloured else "full", cost)
        if not gain > tolerance * cost:
            break
    return places, cost


def _step(point: Linearization, damping: float) -> Array:
    """Where a damped Gauss-Newton step ends; places that would leave the box stay on its wall."""
    hessian, gradient, places = point.hessian, point.gradient, point.places
    scale = np.diag(hessian) + 1e-9 * np.diag(hessian).max() + 1e-30
    free = np.ones(len(places), bool)
    move = np.zeros(len(places))
    for _ in range(len(places)):
        inside = np.flatnonzero(free)
        damped = hessian[np.ix_(inside, inside)] + damping * np.diag(scale[inside])
        move[:] = 0.0
        move[inside] = -np.linalg.solve(damped, gradient[inside])
        leaving = free & (((places <= 0.0) & (move < 0.0)) | ((places >= 1.0) & (move > 0.0)))
        if not leaving.any():
            break
        free &= ~leaving
    return np.clip(places + np.clip(move, -_LONGEST_STEP, _LONGEST_STEP), 0.0, 1.0)


def rmse_by_joint(problem: Problem, places: Array, logs: Sequence[RobotLog]) -> Array:
    """`(logs, J)` root mean square deviations [rad]."""
    rows = []
    for log in logs:
        deviations = replace(problem, logs=(log,)).residuals(places[None])[0].reshape(len(log.time), -1)
        rows.append(np.sqrt(np.mean(deviations**2, axis=0)))
    return np.array(rows)
