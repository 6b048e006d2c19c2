"""How often intervals hold: on a linear model, and on the small arm."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.fit import descend
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.misfit import find_misfit
from barkyard.calibration.plant import Plant
from barkyard.calibration.problem import Linearization, Problem
from barkyard.calibration.uncertainty import block_length, estimate_uncertainty, white_intervals
from barkyard.calibration.unknowns import targets
from tests.calibration.synthetic import TRUTH, arm, chirp, places, record, unknowns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """Part of the fits whose 95 % intervals held the truth, `(P,)` by unknown, in order of `names`."""

    names: tuple[str, ...]
    fits: int
    blocks: Array
    white: Array


def linear_coverage(repeats: int, memory: float, seed: int) -> tuple[float, float]:
    """Coverage of block and white intervals for two unknowns under a 0.5 Hz motion, 40 s at 50 Hz."""
    rng = np.random.default_rng(seed)
    time = 0.02 * np.arange(2000)
    jacobian = np.stack([np.sin(np.pi * time), np.cos(np.pi * time) * np.sin(0.31 * time)], axis=1)
    truth = np.array([0.5, 0.5])
    hits = np.zeros((repeats, 2, 2))
    for k in range(repeats):
        noise = 0.05 * ar1(rng, len(time), memory)
        estimate = truth + np.linalg.lstsq(jacobian, noise, rcond=None)[0]
        log = RobotLog("line", ("joint",), time, jacobian[:, :1], time, (jacobian @ truth + noise)[:, None])
        point = Linearization(estimate, jacobian @ (estimate - truth) - noise, np.ones(len(time)), jacobian)
        known = estimate_uncertainty(point, [log], samples=10, seed=k)
        low, high = white_intervals(point)
        hits[k] = (known.low <= truth) & (truth <= known.high), (low <= truth) & (truth <= high)
    blocks, white = hits.mean(axis=(0, 2))
    return float(blocks), float(white)


def misfit_rate(repeats: int, memory: float) -> float:
    """How often pure noise of 5 mrad, on three recordings of 10 s, is taken for a misfit."""
    found = 0
    for k in range(repeats):
        logs, left = [], []
        for run in range(3):
            time, command = chirp(10 * k + run, 10.0)
            late = np.concatenate([command[:1].repeat(3, axis=0), command[:-3]])
            rng = np.random.default_rng(10_000 + 10 * k + run)
            noise = 0.005 * np.stack([ar1(rng, len(time), memory) for _ in range(2)], axis=1)
            logs.append(RobotLog(f"run{run}", ("shoulder", "elbow"), time, command, time, late + noise))
            left.append(-noise.ravel())
        residuals = np.concatenate(left)
        point = Linearization(np.zeros(1), residuals, np.ones(residuals.size), np.zeros((residuals.size, 1)))
        found += bool(find_misfit(point, logs, block_length(point, logs)[1]).found)
    return found / repeats


def ar1(rng: np.random.Generator, size: int, memory: float) -> Array:
    """A stationary first-order autoregressive series of unit variance."""
    drawn = rng.standard_normal(size)
    for row in range(1, size):
        drawn[row] = memory * drawn[row - 1] + np.sqrt(1.0 - memory**2) * drawn[row]
    return drawn


def arm_coverage(fits: int, memory: float, report: Callable[[int], None] = lambda done: None) -> Coverage:
    """Coverage over whole fits of the arm: three recordings of 10 s each, noise of 5 mrad.

    Each fit begins near the truth, since it is the intervals that are tried.
    """
    model = arm()
    sought = unknowns(model)
    truth = places(sought, TRUTH)
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought])
    hits = np.zeros((fits, 2, len(sought)))
    for k in range(fits):
        seeds = range(10 * k, 10 * k + 3)
        logs = [record(model, sought, TRUTH, seed, seconds=10.0, noise=0.005, memory=memory) for seed in seeds]
        problem = Problem(plant, sought, tuple(logs), 0.02)
        start = truth + 0.02 * np.random.default_rng(k).standard_normal(len(truth))
        best, _ = descend(problem, start, 6, 1e-3, lambda words, cost: None)
        point = problem.linearize(best)
        known = estimate_uncertainty(point, logs, samples=10, seed=k)
        low, high = white_intervals(point)
        hits[k] = (known.low <= truth) & (truth <= known.high), (low <= truth) & (truth <= high)
        report(k + 1)
    blocks, white = hits.mean(axis=0)
    return Coverage(tuple(unknown.name for unknown in sought), fits, blocks, white)
