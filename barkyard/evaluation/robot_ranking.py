"""Who is better on the robot, given what simulation, calibration and a few real trials say together.

Three things stand between simulated episodes and the robot: the episodes are few, the calibration leaves several
robots possible, and the model is wrong in ways that no calibration has. All three are put on one scale, the arcsine of
the root of a success rate, on which trial noise is nearly normal with variance 1 / (4 n + 2) (Anscombe, "The
transformation of Poisson, binomial and negative-binomial data", Biometrika 35, 1948, with his 3/8):

    real = simulated mean + calibration + shift of all policies + gap of each policy

Each term is normal; the sizes of the last two are unknown, with half-normal priors, and are learnt from the real trials
of all policies. What is left is arithmetic, no sampling.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import halfnorm, norm

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats

SHIFT_SCALE: Final = 0.4
GAP_SCALE: Final = 0.2
"""Scales [rad] of the half-normal priors of the shift that all policies share and of the gap that each has of its own:
0.2 rad is 20 points of success in the middle of the scale. Choices; with no real trials the answer rests on them."""
MORE_REAL: Final = 10
MORE_SIM: Final = 100
"""What "measured next" stands for, a policy."""
_GRID: Final = (np.arange(15) + 0.5) / 15

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class RobotEvidence:
    """Everything known of N policies.

    Attributes:
        policies: their names, N.
        simulated: successes on common seeds `(E, N)`.
        samples: `(E,)` which sample of the calibration's posterior the robot of a seed was; all equal where none.
        real: successes and trials `(N, 2)`; trials may be 0.
        parameters: value of each calibrated parameter for each seed's robot, by name; may be empty.
    """

    policies: tuple[str, ...]
    simulated: Bools
    samples: NDArray[np.int64]
    real: Floats
    parameters: Mapping[str, Floats]

    def __post_init__(self) -> None:
        """Raises InvalidInput when the shapes do not fit, or there are fewer than 2 policies or seeds."""
        seeds, count = self.simulated.shape if self.simulated.ndim == 2 else (0, 0)
        if len(self.policies) < 2 or seeds < 2:
            raise InvalidInput(f"{len(self.policies)} policies on {seeds} common seeds; give at least 2 of each")
        if count != len(self.policies) or self.samples.shape != (seeds,) or self.real.shape != (count, 2):
            raise InvalidInput(
                f"simulated {self.simulated.shape}, samples {self.samples.shape} and real {self.real.shape} must be "
                f"({seeds}, {len(self.policies)}), ({seeds},) and ({len(self.policies)}, 2)"
            )


@dataclass(frozen=True)
class Duel:
    """A against B on the robot.

    Attributes:
        a: the one.
        b: the other.
        probability: that A's real success rate is the higher.
        shares: of the variance of the difference, by source; they add up to 1.
        next: what could be measured, and the share of the variance that would be left, the best first.
    """

    a: str
    b: str
    probability: float
    shares: Mapping[str, float]
    next: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class RobotRanking:
    """Who is better on the robot.

    Attributes:
        duels: every pair.
        best: probability of each policy to be the best.
        samples: different robots simulated.
        identified: whether any of them was simulated more than once, without which their spread is unknown.
    """

    duels: tuple[Duel, ...]
    best: Mapping[str, float]
    samples: int
    identified: bool


@dataclass(frozen=True)
class _Parts:
    """Normal distribution of the arcsine rates: where they are and why they are uncertain, before real trials."""

    mean: Floats
    trials: Floats
    calibration: Floats
    slope: Floats


def rank_on_robot(evidence: RobotEvidence, draws: int = 20_000, seed: int = 0) -> RobotRanking:
    """Probabilities that one policy is better than another on the robot, why they are not 0 or 1, and what would help.

    The variance of each difference is split by what it would be without a source: without simulated trial noise,
    without the calibration's spread, and the rest, the gap between simulation and robot that the real trials have not
    closed. A parameter's share is that of the calibration's part which a straight line in it explains, with the usual
    correction for chance.

    Args:
        evidence: trials of at least 2 policies.
        draws: for the probability of being the best.
        seed: of these draws.
    """
    parts = _parts(evidence)
    seen, noise = _real(evidence)
    means, covariances, weights = _posterior(parts.mean, parts.trials + parts.calibration, seen, noise)
    mean = weights @ means
    covariance = np.einsum("g,gij->ij", weights, covariances) + _spread(means, mean, weights)
    count = len(evidence.policies)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    reduced = {
        "simulated trials": _posterior_covariance(parts.mean, parts.calibration, seen, noise, weights),
        "calibration": _posterior_covariance(parts.mean, parts.trials, seen, noise, weights),
    }
    explained = _explained(evidence)
    generator = np.random.default_rng(seed)
    return RobotRanking(
        duels=tuple(
            _duel(evidence, (i, j), _probability(means, covariances, weights, (i, j)), covariance, reduced, explained)
            for i, j in pairs
        ),
        best=dict(zip(evidence.policies, _best(means, covariances, weights, draws, generator), strict=True)),
        samples=len(np.unique(evidence.samples)),
        identified=len(np.unique(evidence.samples)) < len(evidence.samples),
    )


def _parts(evidence: RobotEvidence) -> _Parts:
    """Mean rates over simulated robots, their trial noise on common seeds, and their spread from robot to robot."""
    simulated = evidence.simulated.astype(np.float64)
    seeds = len(simulated)
    rates = (simulated.sum(axis=0) + 0.375) / (seeds + 0.75)
    slope = 1.0 / (2.0 * np.sqrt(rates * (1.0 - rates)))  # of the arcsine of the root
    apart = simulated - simulated.mean(axis=0)
    deviation = np.sqrt((apart**2).mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.nan_to_num(apart.T @ apart / seeds / np.outer(deviation, deviation))
    np.fill_diagonal(alike, 1.0)
    calibration = _between(simulated, evidence.samples) * np.outer(slope, slope)
    robots = len(np.unique(evidence.samples))
    trials = alike / (4.0 * seeds + 2.0) + calibration / robots
    return _Parts(np.arcsin(np.sqrt(rates)), trials, calibration, slope)


def _between(simulated: Floats, samples: NDArray[np.int64]) -> Floats:
    """Covariance `(N, N)` of the success probabilities over robots, from pairs of different seeds of the same robot.

    The mean of y_a(e) y_b(f) over such pairs, less the product of the means: unbiased but for the means, and 0 where
    no robot was simulated twice. What of it is negative is noise, and cut off.
    """
    _, robot = np.unique(samples, return_inverse=True)
    apart = simulated - simulated.mean(axis=0)
    sums = np.zeros((robot.max() + 1, simulated.shape[1]))
    np.add.at(sums, robot, apart)
    sizes = np.bincount(robot)
    pairs = float((sizes * (sizes - 1)).sum())
    if len(sizes) < 2 or not pairs:
        return np.zeros((simulated.shape[1],) * 2)
    values, vectors = np.linalg.eigh((sums.T @ sums - apart.T @ apart) / pairs)
    found: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return found


def _real(evidence: RobotEvidence) -> tuple[Floats, Floats]:
    """Arcsine of the real rates and their variance; infinite where there are no trials."""
    successes, trials = evidence.real.T
    seen = np.arcsin(np.sqrt((successes + 0.375) / (trials + 0.75)))
    return seen, np.where(trials > 0, 1.0 / (4.0 * trials + 2.0), np.inf)


@functools.cache
def _priors(count: int) -> Floats:
    """Covariances `(G, N, N)` of shift and gap over the grid of their sizes, all equally likely."""
    shifts, gaps = halfnorm.ppf(_GRID, scale=SHIFT_SCALE), halfnorm.ppf(_GRID, scale=GAP_SCALE)
    found = [shift**2 * np.ones((count, count)) + gap**2 * np.eye(count) for shift in shifts for gap in gaps]
    return np.array(found)


def _posterior(mean: Floats, covariance: Floats, seen: Floats, noise: Floats) -> tuple[Floats, Floats, Floats]:
    """Means `(G, N)`, covariances and weights of the real arcsine rates over the grid of shift and gap."""
    prior = covariance + _priors(len(mean))
    there = np.flatnonzero(np.isfinite(noise))
    if not len(there):
        weights = np.full(len(prior), 1.0 / len(prior))
        return np.tile(mean, (len(prior), 1)), prior, weights
    total = prior[:, there[:, None], there] + np.diag(noise[there])
    apart = seen[there] - mean[there]
    gain = prior[:, :, there] @ np.linalg.inv(total)
    fit = np.einsum("i,gij,j->g", apart, np.linalg.inv(total), apart)
    log_weight = -0.5 * (np.linalg.slogdet(total)[1] + fit)
    weights = np.exp(log_weight - log_weight.max())
    return mean + gain @ apart, prior - gain @ prior[:, there], weights / weights.sum()


def _posterior_covariance(mean: Floats, covariance: Floats, seen: Floats, noise: Floats, weights: Floats) -> Floats:
    """What the covariance would be with less behind it, at the same sizes of shift and gap."""
    means, covariances, _ = _posterior(mean, covariance, seen, noise)
    found: Floats = np.einsum("g,gij->ij", weights, covariances)
    return found + _spread(means, weights @ means, weights)


def _spread(means: Floats, mean: Floats, weights: Floats) -> Floats:
    found: Floats = np.einsum("g,gi,gj->ij", weights, means - mean, means - mean)
    return found


def _probability(means: Floats, covariances: Floats, weights: Floats, pair: tuple[int, int]) -> float:
    i, j = pair
    variance = covariances[:, i, i] + covariances[:, j, j] - 2 * covariances[:, i, j]
    chance = weights @ norm.cdf((means[:, i] - means[:, j]) / np.sqrt(np.maximum(variance, 1e-12)))
    return min(float(chance), 1.0)  # weights may add up to a little more


def _best(
    means: Floats, covariances: Floats, weights: Floats, draws: int, generator: np.random.Generator
) -> list[float]:
    component = generator.choice(len(weights), size=draws, p=weights)
    roots = np.linalg.cholesky(covariances + 1e-12 * np.eye(means.shape[1]))
    noise = generator.standard_normal((draws, means.shape[1]))
    drawn = means[component] + np.einsum("dij,dj->di", roots[component], noise)
    shares = np.bincount(drawn.argmax(axis=1), minlength=means.shape[1]) / draws
    return [float(share) for share in shares]


def _duel(
    evidence: RobotEvidence,
    pair: tuple[int, int],
    probability: float,
    covariance: Floats,
    reduced: Mapping[str, Floats],
    explained: Mapping[str, Floats],
) -> Duel:
    i, j = pair
    sign = np.zeros(len(evidence.policies))
    sign[i], sign[j] = 1.0, -1.0
    total = float(sign @ covariance @ sign)
    saved = {name: max(total - float(sign @ without @ sign), 0.0) / total for name, without in reduced.items()}
    scale = max(sum(saved.values()), 1.0)
    shares = {name: share / scale for name, share in saved.items()}
    shares["sim-real gap"] = max(1.0 - sum(shares.values()), 0.0)
    seeds = len(evidence.simulated)
    left = {
        f"{MORE_REAL} more real trials of each": _after_real(covariance, sign) / total,
        f"{MORE_SIM} more simulated episodes of each": 1 - shares["simulated trials"] * MORE_SIM / (seeds + MORE_SIM),
    }
    for name, r_squared in explained.items():
        left[f"the exact {name}"] = 1 - shares["calibration"] * float(r_squared[i, j])
    return Duel(
        evidence.policies[i],
        evidence.policies[j],
        probability,
        shares,
        tuple(sorted(left.items(), key=lambda item: item[1])),
    )


def _after_real(covariance: Floats, sign: Floats) -> float:
    """Variance of the difference after `MORE_REAL` more real trials of both, as if it were normal."""
    precision = np.where(sign != 0, 4.0 * MORE_REAL, 0.0)
    after = np.linalg.inv(np.linalg.inv(covariance + 1e-12 * np.eye(len(sign))) + np.diag(precision))
    return float(sign @ after @ sign)


def _explained(evidence: RobotEvidence) -> dict[str, Floats]:
    """Share `(N, N)` of the spread over robots of each difference that each parameter explains.

    The squared slope of the difference of outcomes against the parameter, times its variance, less what chance gives,
    over the spread of the difference over robots.
    """
    simulated = evidence.simulated.astype(np.float64)
    differences = simulated[:, :, None] - simulated[:, None, :]
    spread = _between(simulated, evidence.samples)
    diagonal = np.diag(spread)
    between = diagonal[:, None] + diagonal - 2 * spread
    found = {}
    for name, values in evidence.parameters.items():
        apart = values - values.mean()
        variance = float((apart**2).mean())
        if variance <= 0:
            continue
        slope = np.einsum("e,eij->ij", apart, differences) / len(apart) / variance
        chance = differences.var(axis=0) / len(apart)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.maximum(slope**2 * variance - chance, 0.0) / between
        found[name] = np.clip(np.nan_to_num(share, nan=0.0, posinf=0.0), 0.0, 1.0)
    return found


def duel_words(duel: Duel, real: str = "robot") -> str:
    """One or two sentences: who is probably better, what makes it unsure, and what to measure next."""
    ahead, behind, chance = (
        (duel.a, duel.b, duel.probability) if duel.probability >= 0.5 else (duel.b, duel.a, 1 - duel.probability)
    )
    split = ", ".join(f"{100 * share:.0f} % {name}" for name, share in sorted(duel.shares.items(), key=lambda s: -s[1]))
    what, left = duel.next[0]
    gain = 100 * (1 - math.sqrt(left))
    return (
        f"{ahead} is better than {behind} on the {real} with probability {chance:.2f}. What makes it unsure: {split}. "
        f"Most would be learnt from {what}: the uncertainty would shrink by {gain:.0f} %."
    )


def evidence_words(ranking: RobotRanking, trials: Sequence[float]) -> list[str]:
    """What a reader has to know of what the probabilities rest on."""
    notes = []
    if not any(trials):
        notes.append(
            "there are no real trials: how far the robot is from the simulation rests on an assumption (a gap of about "
            f"{100 * GAP_SCALE:.0f} points a policy), not on data"
        )
    if ranking.samples < 2:
        notes.append("one robot was simulated: what the calibration leaves open is not in these probabilities")
    elif not ranking.identified:
        notes.append("no simulated robot was tried twice, so what the calibration leaves open could not be measured")
    return notes
