"""How sure the trials are about the agreement of real and simulated success.

An observed correlation is too low, because trial noise on both sides blurs it, and a bootstrap around it blurs it
twice: its interval never holds 1 although the policies may agree perfectly. So the rates are modelled instead: each
policy has a true real and a true simulated success probability, drawn from a population of policies with an unknown
mean and covariance, and seen through a limited number of trials. Draws from the posterior give every measure with one
kind of interval, for these policies and for others like them.

Where a test cannot exclude that the disagreement is the luck of the trials alone, the interval is closed at perfect
agreement, which no draw hits exactly. Coverage, and where it is weak: docs/statistics.md.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import Interval

CONFIDENCE: Final = 0.95
CHAINS: Final = 20
WARM_UP: Final = 200
KEPT_SWEEPS: Final = 300
SPREAD_PRIOR: Final = 1.0
"""Scale of the half-t prior of the population's spread, in arcsine units [rad], of which there are pi / 2 in all; our
choice, wide enough to say little."""
_FREEDOM: Final = 1.0
"""Half-Cauchy spreads, and a prior of the correlation that leans to both ends. 2 would make it uniform, but then the
intervals of a population of 4 to 6 policies cover a correlation of 0.95 too rarely."""


@dataclass(frozen=True)
class Counts:
    """Trials of N policies, real and simulated.

    Attributes:
        successes: `(..., N, 2)`, real then simulated. Rates averaged over tasks give fractions.
        trials: `(..., N, 2)`.
    """

    successes: Floats
    trials: Floats

    def __post_init__(self) -> None:
        """Raises InvalidInput when these cannot be counts."""
        if self.successes.shape != self.trials.shape or self.successes.shape[-1:] != (2,) or self.successes.ndim < 2:
            raise InvalidInput(
                f"successes has shape {self.successes.shape} and trials {self.trials.shape}; both must be (N, 2)"
            )
        if not (np.isfinite(self.trials).all() and (self.trials > 0).all()):
            raise InvalidInput(f"trials are {self.trials.tolist()}; every policy needs real and simulated trials")
        if not ((self.successes >= 0) & (self.successes <= self.trials)).all():
            raise InvalidInput(f"successes are {self.successes.tolist()}, of {self.trials.tolist()} trials")

    @property
    def rates(self) -> Floats:
        """Observed success rates `(..., N, 2)`."""
        return self.successes / self.trials


@dataclass(frozen=True)
class Posterior:
    """Draws of what the success probabilities may be.

    Attributes:
        rates: of these policies, `(S, ..., N, 2)`, real then simulated.
        correlation: of the population that the policies come from, on the arcsine scale, `(S, ...)`.
        others: of N other policies from that population, `(S, ..., N, 2)`.
    """

    rates: Floats
    correlation: Floats
    others: Floats


def sample_posterior(counts: Counts, seed: int = 0) -> Posterior:
    """Draws of the success probabilities of N policies, given their trials; S = CHAINS * KEPT_SWEEPS draws.

    Chains run side by side from the same start with draws of their own. See `sweep_posterior` for the model.

    Args:
        counts: `(N, 2)`.
        seed: of the draws.

    Raises:
        InvalidInput: there are fewer than 3 policies; fewer say nothing about a correlation.
    """
    if counts.trials.ndim != 2 or len(counts.trials) < 3:
        raise InvalidInput(f"counts have shape {counts.trials.shape}; give at least 3 policies, (N, 2)")
    chains = Counts(*(np.tile(values, (CHAINS, 1, 1)) for values in (counts.successes, counts.trials)))
    found = sweep_posterior(chains, WARM_UP, KEPT_SWEEPS, np.random.default_rng(seed))
    return Posterior(*(draws.reshape(-1, *draws.shape[2:]) for draws in (found.rates, found.correlation, found.others)))


def sweep_posterior(counts: Counts, warm_up: int, sweeps: int, generator: np.random.Generator) -> Posterior:
    """Gibbs sampling for D data sets side by side.

    The arcsine of the root of a rate is nearly normal with variance 1 / (4 n + 2) (Anscombe 1948, with his 3/8). Its
    true value is normal over policies with mean mu (flat prior) and covariance Sigma, whose prior is Huang and Wand's
    ("Simple marginally noninformative prior distributions for covariance matrices", Bayesian Analysis 8, 2013). All
    conditional distributions are then normal, inverse-Wishart and inverse-gamma.

    Args:
        counts: `(D, N, 2)`.
        warm_up: sweeps that are thrown away.
        sweeps: sweeps that are kept, S.
        generator: of the draws.

    Returns:
        Arrays with leading `(S, D)`.
    """
    size, policies, _ = counts.trials.shape
    seen = np.arcsin(np.sqrt((counts.successes + 0.375) / (counts.trials + 0.75)))
    precision = 4.0 * counts.trials + 2.0
    true, mean, scale = seen, seen.mean(axis=1), np.ones((size, 2))
    rates, others = (np.empty((sweeps, size, policies, 2)) for _ in range(2))
    correlation = np.empty((sweeps, size))
    for sweep in range(-warm_up, sweeps):
        inverse = _draw_inverse_covariance(true - mean[:, None], scale, generator)
        covariance = _inverse(inverse)
        diagonal = inverse[:, [0, 1], [0, 1]]
        scale = 1.0 / generator.gamma(_FREEDOM / 2 + 1, 1.0 / (_FREEDOM * diagonal + SPREAD_PRIOR**-2))
        mean = true.mean(axis=1) + _draw_normal(covariance / policies, generator, (size,))
        true = _draw_true(seen, precision, mean, inverse, generator)
        if sweep >= 0:
            rates[sweep] = _to_rates(true)
            others[sweep] = _to_rates(mean[:, None] + _draw_normal(covariance[:, None], generator, (size, policies)))
            spreads = np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
            correlation[sweep] = np.clip(covariance[:, 0, 1] / spreads, -1.0, 1.0)
    return Posterior(rates, correlation, others)


def shortest_interval(draws: Floats, confidence: float = CONFIDENCE) -> Interval | None:
    """The shortest interval that holds `confidence` of the draws `(S,)`; nan stands for undefined and does not count.

    None where more than 1 - `confidence` of the draws are undefined.
    """
    defined = np.sort(draws[~np.isnan(draws)])
    if len(defined) < confidence * len(draws) or not len(defined):
        return None
    held = math.ceil(confidence * len(defined))
    widths = defined[held - 1 :] - defined[: len(defined) - held + 1]
    first = int(widths.argmin())
    return Interval(float(defined[first]), float(defined[first + held - 1]))


def _draw_true(
    seen: Floats, precision: Floats, mean: Floats, inverse: Floats, generator: np.random.Generator
) -> Floats:
    """True arcsine rates `(D, N, 2)` given what was seen and the population."""
    joint = inverse[:, None] + precision[..., None] * np.eye(2)
    pull = precision * seen + np.einsum("dij,dj->di", inverse, mean)[:, None]
    covariance = _inverse(joint)
    return np.einsum("dnij,dnj->dni", covariance, pull) + _draw_normal(covariance, generator, seen.shape[:-1])


def _draw_inverse_covariance(apart: Floats, scale: Floats, generator: np.random.Generator) -> Floats:
    """Inverse of a covariance `(D, 2, 2)` from the policies' distances to the mean `(D, N, 2)`: Wishart."""
    scatter = np.einsum("dni,dnj->dij", apart, apart)
    scatter[:, [0, 1], [0, 1]] += 2.0 * _FREEDOM / scale
    freedom = _FREEDOM + 1.0 + apart.shape[1]
    first = np.sqrt(scatter[:, 0, 0])
    below = scatter[:, 1, 0] / first
    second = np.sqrt(np.maximum(scatter[:, 1, 1] - below**2, 1e-300))
    factor = np.zeros_like(scatter)
    factor[:, 1, 1] = np.sqrt(generator.chisquare(freedom - 1.0, len(apart))) / second
    factor[:, 1, 0] = generator.standard_normal(len(apart)) / second
    factor[:, 0, 0] = np.sqrt(generator.chisquare(freedom, len(apart))) / first - below / first * factor[:, 1, 0]
    factor[:, 0, 1] = -below / first * factor[:, 1, 1]
    return factor @ factor.swapaxes(-1, -2)


def _draw_normal(covariance: Floats, generator: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draws of mean 0 `(*shape, 2)`; the covariance `(..., 2, 2)` broadcasts to `shape`."""
    noise = generator.standard_normal((*shape, 2))
    first = np.sqrt(covariance[..., 0, 0])
    below = covariance[..., 1, 0] / first
    second = np.sqrt(np.maximum(covariance[..., 1, 1] - below**2, 0.0))
    return np.stack([first * noise[..., 0], below * noise[..., 0] + second * noise[..., 1]], axis=-1)


def _inverse(matrix: Floats) -> Floats:
    """Inverse of symmetric matrices `(..., 2, 2)`."""
    determinant = matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] ** 2
    swapped = np.empty_like(matrix)
    swapped[..., 0, 0], swapped[..., 1, 1] = matrix[..., 1, 1], matrix[..., 0, 0]
    swapped[..., 0, 1] = swapped[..., 1, 0] = -matrix[..., 0, 1]
    return swapped / np.maximum(determinant, 1e-300)[..., None, None]


def _to_rates(true: Floats) -> Floats:
    rates: Floats = np.square(np.sin(np.clip(true, 0.0, math.pi / 2)))
    return rates
