"""What the trials of several policies say about one task: rates, measures with intervals, and what cannot be said."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import t as student

from barkyard.errors import InvalidInput
from barkyard.evaluation.agreement import CONFIDENCE, Counts, Posterior, sample_posterior, shortest_interval
from barkyard.evaluation.correlation import (
    Floats,
    Metric,
    batch_mmrv,
    batch_pearson,
    batch_spearman,
    chance_of_better,
    violations,
)
from barkyard.evaluation.exact import unpaired_interval, unpaired_p
from barkyard.evaluation.intervals import Interval, clopper_pearson
from barkyard.evaluation.luck import line_test, order_test
from barkyard.evaluation.planning import trials_for_width

SIGNIFICANT: Final = 0.05
BOOTSTRAPS: Final = 2000
FEW_POLICIES: Final = 5
WIDE: Final = 0.25
"""An interval of a real rate wider than this is worth a warning; our choice."""


@dataclass(frozen=True)
class Measure:
    """One measure of agreement.

    Attributes:
        value: of the observed rates; None is "undefined".
        interval: 95 %, for these policies: trial noise on both sides.
        others: 95 %, for as many other policies of the same kind: Pearson's r of their population on the arcsine scale,
            otherwise where the measure of a new set falls.
        chance: permutation p: how often shuffled policies agree as well.
        bootstrap: percentile interval with resampled trials and policies, for comparison only: it covers too little.
    """

    value: float | None
    interval: Interval | None
    others: Interval | None
    chance: float | None
    bootstrap: Interval | None


@dataclass(frozen=True)
class PolicyOutcome:
    """Real and simulated success of one policy.

    Attributes:
        policy: its name.
        real: successes and trials; fractions where tasks are averaged.
        sim: successes and trials.
        real_interval: exact 95 %.
        sim_interval: exact 95 %.
        difference: 95 % interval of the real minus the simulated success probability.
        p: exact, of both being equal.
        violation: largest real margin to a policy that the simulation ranks the other way round.
        against: the name of that policy, or "".
    """

    policy: str
    real: tuple[float, float]
    sim: tuple[float, float]
    real_interval: Interval
    sim_interval: Interval
    difference: Interval
    p: float
    violation: float
    against: str

    @property
    def real_rate(self) -> float:
        """Observed real success rate."""
        return self.real[0] / self.real[1]

    @property
    def sim_rate(self) -> float:
        """Observed simulated success rate."""
        return self.sim[0] / self.sim[1]


@dataclass(frozen=True)
class TopPolicy:
    """Whether the simulation finds the best policy.

    Attributes:
        picked: policies with the highest observed simulated rate.
        best: probability that the first of them is the best in reality.
        same: probability that the best in simulation, whichever it truly is, is the best in reality.
        loss: mean real success lost by taking the first of them, and its 95 % upper bound.
    """

    picked: tuple[str, ...]
    best: float
    same: float
    loss: tuple[float, float]


@dataclass(frozen=True)
class TaskAgreement:
    """Real against simulated success on one task.

    Attributes:
        task: its name.
        outcomes: one a policy.
        measures: `pearson`, `spearman` and `mmrv`.
        top: whether the simulation finds the best policy.
        line_p: p of "the true rates lie on a line, the rest is luck".
        order_p: p of "the true rates have one order, the rest is luck".
        warnings: what the numbers cannot bear.
    """

    task: str
    outcomes: tuple[PolicyOutcome, ...]
    measures: dict[str, Measure]
    top: TopPolicy | None
    line_p: float | None
    order_p: float | None
    warnings: tuple[str, ...]


def measure_agreement(task: str, policies: tuple[str, ...], counts: Counts, seed: int = 0) -> TaskAgreement:
    """Everything that the trials of N policies say about one task.

    Args:
        task: its name.
        policies: N names.
        counts: `(N, 2)`.
        seed: of all draws.

    Raises:
        InvalidInput: the names do not fit the counts, or there are fewer than 2 policies.
    """
    if len(policies) < 2 or counts.trials.shape != (len(policies), 2):
        raise InvalidInput(
            f"{task}: {len(policies)} policies with counts {counts.trials.shape}; agreement needs at least 2 policies"
        )
    outcomes = tuple(_outcome(i, policies, counts) for i in range(len(policies)))
    warnings = (*_policy_warnings(len(policies)), *_trial_warnings(outcomes))
    if len(policies) < 3:
        real, sim = counts.rates.T
        alone = Measure(float(batch_mmrv(real, sim)), None, None, None, None)
        undefined = Measure(None, None, None, None, None)
        measures = {"pearson": undefined, "spearman": undefined, "mmrv": alone}
        return TaskAgreement(task, outcomes, measures, None, None, None, warnings)
    posterior = sample_posterior(counts, seed)
    line_p, order_p = line_test(counts, seed), order_test(counts, seed)
    resampled = _bootstrap(counts, seed)
    measures = {}
    for name, metric, perfect, p in (
        ("pearson", batch_pearson, 1.0, line_p),
        ("spearman", batch_spearman, 1.0, max(line_p, order_p)),
        ("mmrv", batch_mmrv, 0.0, max(line_p, order_p)),
    ):
        reached = (perfect,) if p > SIGNIFICANT else ()
        measures[name] = _measure(metric, counts, posterior, resampled, reached)
    return TaskAgreement(task, outcomes, measures, _top_policy(policies, counts, posterior), line_p, order_p, warnings)


def interval_for_these(metric: Metric, draws: Floats, *values: float) -> Interval | None:
    """Shortest 95 % interval of a measure over draws of the rates `(S, N, 2)`, widened to hold `values`.

    These are the observed value, and that of perfect agreement where a test cannot exclude it.
    """
    interval = shortest_interval(metric(draws[..., 0], draws[..., 1]))
    return None if interval is None else Interval(min(interval.low, *values), max(interval.high, *values))


def _measure(
    metric: Metric, counts: Counts, posterior: Posterior, resampled: Floats, reached: tuple[float, ...]
) -> Measure:
    real, sim = counts.rates.T
    value = float(metric(real, sim))
    if math.isnan(value):
        return Measure(None, None, None, None, None)
    others = posterior.correlation if metric is batch_pearson else metric(*np.moveaxis(posterior.others, -1, 0))
    drawn = metric(resampled[..., 0], resampled[..., 1])
    quantiles = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Measure(
        value=value,
        interval=interval_for_these(metric, posterior.rates, value, *reached),
        others=shortest_interval(others),
        chance=chance_of_better(metric, real=real, sim=sim),
        bootstrap=Interval(*map(float, quantiles)),
    )


def _bootstrap(counts: Counts, seed: int) -> Floats:
    """Rates of resampled trials of resampled policies `(B, N, 2)`."""
    generator = np.random.default_rng(seed)
    size = len(counts.trials)
    chosen = generator.integers(size, size=(BOOTSTRAPS, size))
    trials = np.round(counts.trials).astype(np.int64)[chosen]
    return generator.binomial(trials, counts.rates[chosen]) / trials


def _top_policy(policies: tuple[str, ...], counts: Counts, posterior: Posterior) -> TopPolicy:
    sim = counts.rates[:, 1]
    picked = np.flatnonzero(sim == sim.max())
    real = posterior.rates[..., 0]
    loss = real.max(axis=-1) - real[:, picked[0]]
    best = real.argmax(axis=-1)
    return TopPolicy(
        picked=tuple(policies[i] for i in picked),
        best=float((best == picked[0]).mean()),
        same=float((best == posterior.rates[..., 1].argmax(axis=-1)).mean()),
        loss=(float(loss.mean()), float(np.quantile(loss, CONFIDENCE))),
    )


def _outcome(i: int, policies: tuple[str, ...], counts: Counts) -> PolicyOutcome:
    margins = violations(real=counts.rates[:, 0], sim=counts.rates[:, 1])[i]
    real, sim = ((float(k), float(n)) for k, n in zip(counts.successes[i], counts.trials[i], strict=True))
    whole_real, whole_sim = ((round(k), round(n)) for k, n in (real, sim))
    return PolicyOutcome(
        policy=policies[i],
        real=real,
        sim=sim,
        real_interval=clopper_pearson(*whole_real),
        sim_interval=clopper_pearson(*whole_sim),
        difference=unpaired_interval(*whole_real, *whole_sim),
        p=unpaired_p(*whole_real, *whole_sim),
        violation=float(margins.max()),
        against=policies[int(margins.argmax())] if margins.max() > 0 else "",
    )


def _policy_warnings(count: int) -> list[str]:
    if count < 3:
        return [f"{count} policies: two always lie on a line, so correlations are undefined and MMRV has no interval"]
    if count >= FEW_POLICIES:
        return []
    quantile = student.ppf(1 - SIGNIFICANT / 2, count - 2)
    critical = quantile / math.sqrt(count - 2 + quantile**2)
    return [
        f"{count} policies are few: a perfect order comes by chance with p = 1/{math.factorial(count)} = "
        f"{1 / math.factorial(count):.3f}, and r is significant only beyond {critical:.3f}"
    ]


def _trial_warnings(outcomes: tuple[PolicyOutcome, ...]) -> list[str]:
    widest = max(outcomes, key=lambda outcome: outcome.real_interval.high - outcome.real_interval.low)
    low, high = widest.real_interval
    if high - low <= WIDE:
        return []
    wide = sum(each.real_interval.high - each.real_interval.low > WIDE for each in outcomes)
    needed = trials_for_width(WIDE, widest.real_rate)
    return [
        f"{wide} of {len(outcomes)} policies have few real trials: {widest.policy} has {widest.real[1]:.0f}, and its "
        f"interval is {100 * low:.0f} - {100 * high:.0f} %; {needed} trials would make it {100 * WIDE:.0f} points wide"
    ]
