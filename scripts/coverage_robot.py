"""How often predictions of the robot hold: tables and a picture of docs/statistics.md.

`python scripts/coverage_robot.py rate|finite|ranking [--plot FILE.png]`, each a table in Markdown on standard output.
`rate` is exact, by enumeration; the others are simulated.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import multinomial, norm

from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.evaluation.prediction_powered import PairedCounts, powered_interval, real_rate
from barkyard.evaluation.reliability import reliability, reliability_figure
from barkyard.evaluation.robot_ranking import RobotEvidence, rank_on_robot

SEED = 20260101
SIMULATORS = {
    "perfect": (1.0, 0.0),
    "good": (0.9, 0.1),
    "weak": (0.7, 0.4),
    "useless": (0.6, 0.6),
    "optimistic": (1.0, 0.8),
    "adversarial": (0.1, 0.9),
}
"""Probability that the simulation succeeds where the robot does, and where the robot fails."""
LARGE = 10**6
POLICIES, SIM_EPISODES, ROBOTS = 4, 200, 50


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--studies", type=int, default=600, help="simulated studies a line")
    parser.add_argument("--plot", type=Path, help="picture of the ranking study")
    arguments = parser.parse_args(argv)
    for line in STUDIES[arguments.study](arguments.studies, arguments.plot):
        print(line, flush=True)
    return 0


def joint(simulator: str, rate: float) -> Floats:
    """Probabilities of (real, sim) = (1, 1), (0, 1), (1, 0), (0, 0)."""
    right, wrong = SIMULATORS[simulator]
    return np.array([rate * right, (1 - rate) * wrong, rate * (1 - right), (1 - rate) * (1 - wrong)])


def rate(_: int, plot: Path | None) -> Iterator[str]:
    """Exact coverage with endless simulated trials, of ours and of the normal interval of PPI++."""
    yield "| simulator | real rate | real trials | ours, % | width against real only, % | normal PPI++, % |"
    yield "|---|---:|---:|---:|---:|---:|"
    for trials in (5, 10, 20):
        for simulator, real in itertools.product(SIMULATORS, (0.5, 0.8, 0.95)):
            ours, width, normal = exact_coverage(simulator, real, trials)
            yield f"| {simulator} | {real} | {trials} | {100 * ours:.1f} | {100 * width:.0f} | {100 * normal:.1f} |"


def exact_coverage(simulator: str, real: float, trials: int) -> tuple[float, float, float]:
    """Coverage of ours, its mean width over Clopper and Pearson's, and coverage of the normal interval of PPI++."""
    cells = joint(simulator, real)
    share = float(cells[:2].sum())
    held = normal = width = alone_width = 0.0
    for a, b, c in itertools.product(range(trials + 1), repeat=3):
        d = trials - a - b - c
        if d < 0:
            continue
        chance = float(multinomial.pmf((a, b, c, d), trials, cells))
        if chance < 1e-12:
            continue
        counts = PairedCounts((a, a + b), (c, c + d), (LARGE // 2, LARGE))
        powered, alone = powered_interval(counts, sim_share=share), clopper_pearson(a + c, trials)
        chosen = min(alone, powered, key=lambda interval: interval.high - interval.low)
        held += chance * (chosen.low - 1e-9 <= real <= chosen.high + 1e-9)
        width += chance * (chosen.high - chosen.low)
        alone_width += chance * (alone.high - alone.low)
        normal += chance * _normal_holds(a, b, c, d, share, real)
    return held, width / alone_width, normal


def _normal_holds(a: int, b: int, c: int, d: int, share: float, real: float) -> bool:
    """Whether the normal interval of PPI++ with tuned lambda and endless simulated trials holds the rate."""
    happened = np.repeat([1.0, 0.0, 1.0, 0.0], (a, b, c, d))
    predicted = np.repeat([1.0, 1.0, 0.0, 0.0], (a, b, c, d))
    variance = predicted.var()
    weight = np.mean((happened - happened.mean()) * (predicted - predicted.mean())) / variance if variance else 0.0
    rest = happened - weight * predicted
    half = 1.96 * math.sqrt(rest.var(ddof=1) / len(rest))
    return bool(abs(rest.mean() + weight * share - real) <= half + 1e-12)


def finite(studies: int, plot: Path | None) -> Iterator[str]:
    """Coverage with 200 simulated trials, 20 of them paired, and the real trials that were saved."""
    yield "| simulator | real rate | real / sim trials | held, % | simulation used, % | mean real trials saved |"
    yield "|---|---:|---|---:|---:|---:|"
    generator = np.random.default_rng(SEED)
    for simulator, real in itertools.product(SIMULATORS, (0.5, 0.8)):
        held, used, saved = [], [], []
        for _ in range(studies):
            drawn = generator.multinomial(20, joint(simulator, real))
            more = generator.binomial(180, joint(simulator, real)[:2].sum())
            a, b, c, d = map(int, drawn)
            found = real_rate(PairedCounts((a, a + b), (c, c + d), (int(a + b + more), 200)))
            held.append(found.interval.low <= real <= found.interval.high)
            used.append(found.saved > 0)
            saved.append(found.saved)
        shown = (f"{100 * np.mean(held):.1f}", f"{100 * np.mean(used):.0f}", f"{np.mean(saved):.1f}")
        yield f"| {simulator} | {real} | 20 / 200 | {' | '.join(shown)} |"


def ranking(studies: int, plot: Path | None) -> Iterator[str]:
    """Stated probabilities against how often they were right, over worlds that the model does not know.

    In the last lines every gap between simulation and robot is three times as large as in the others.
    """
    yield "| gaps | real trials | said | pairs | said on average | right, % | simulation alone said | right, % |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|"
    curves = {}
    for trials, factor in ((0, 1), (5, 1), (20, 1), (0, 3), (5, 3), (20, 3)):
        generator = np.random.default_rng(SEED)
        said, alone, right = (np.array(x) for x in zip(*_worlds(studies, trials, factor, generator), strict=True))
        bins, naive = reliability(said, right), reliability(alone, right)
        if factor == 1:
            curves[trials] = bins
        for ours, theirs in zip(bins, naive, strict=True):
            shown = [f"{each.said:.2f} | {100 * each.right:.0f}" if each.count else "- | -" for each in (ours, theirs)]
            gaps = "usual" if factor == 1 else "threefold"
            yield f"| {gaps} | {trials} | {ours.low:g} to {ours.high:g} | {ours.count} | {' | '.join(shown)} |"
    if plot is not None:
        plot.parent.mkdir(parents=True, exist_ok=True)
        labels = {f"{trials} real trials": bins for trials, bins in curves.items()}
        reliability_figure(labels, "P(A beats B on the robot)").savefig(plot, dpi=120)


def _worlds(
    studies: int, real_trials: int, factor: float, generator: np.random.Generator
) -> Iterator[tuple[float, float, bool]]:
    """What was said of each pair, what the simulated trials alone say, and whether the one is truly better.

    Success is a logistic curve of a hidden parameter, other for each policy; the calibration knows the parameter to
    within its posterior; the robot differs besides by a shift of all policies and one of each.
    """
    for _ in range(studies):
        skill, sensitivity = generator.normal(0.5, 1.0, POLICIES), generator.normal(0, 0.6, POLICIES)
        truth = generator.standard_normal()
        robots = truth + generator.standard_normal() + generator.standard_normal(ROBOTS)
        shift, gap = generator.normal(0, 0.7), generator.normal(0, generator.choice([0.2, 0.5, 0.8]), POLICIES)
        real_rates = expit(skill + sensitivity * truth + factor * (shift + gap))
        samples = generator.integers(ROBOTS, size=SIM_EPISODES)
        luck = generator.random((SIM_EPISODES, 1))
        simulated = luck < expit(skill + sensitivity * robots[samples, None])
        counts = np.stack([generator.binomial(real_trials, real_rates), np.full(POLICIES, real_trials)], axis=1)
        evidence = RobotEvidence(tuple("abcd"), simulated, samples, counts.astype(np.float64), {})
        means = simulated.mean(axis=0)
        for duel in rank_on_robot(evidence, draws=10).duels:
            i, j = (evidence.policies.index(name) for name in (duel.a, duel.b))
            apart = simulated[:, i].astype(float) - simulated[:, j]
            sd = max(float(apart.std()) / math.sqrt(SIM_EPISODES), 1e-6)
            alone = float(norm.cdf((means[i] - means[j]) / sd))
            yield duel.probability, alone, bool(real_rates[i] > real_rates[j])


STUDIES: dict[str, Callable[[int, Path | None], Iterator[str]]] = {"rate": rate, "finite": finite, "ranking": ranking}

if __name__ == "__main__":
    raise SystemExit(main())
