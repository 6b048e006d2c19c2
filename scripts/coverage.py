"""How often the intervals hold the truth: the tables of docs/statistics.md.

`python scripts/coverage.py agreement|population|differences|sequential|stopping|predictions`, each a table in
Markdown on standard output.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from barkyard.evaluation.agreement import Counts, shortest_interval, sweep_posterior
from barkyard.evaluation.correlation import Floats, Metric, batch_mmrv, batch_pearson, batch_spearman
from barkyard.evaluation.exact import paired_interval, paired_p, unpaired_interval, unpaired_p
from barkyard.evaluation.luck import line_test, order_test
from barkyard.evaluation.planning import paired_power, trials_to_tell_apart
from barkyard.evaluation.prediction import predict_success
from barkyard.evaluation.sequential import BestPolicy, log_evidence
from barkyard.evaluation.task_agreement import SIGNIFICANT, interval_for_these

SEED = 20260101
WARM_UP, SWEEPS, RESAMPLES = 150, 500, 500
BOSCHLOO_UP_TO = 10  # trials of each: all tables of a Boschloo test take minutes beyond it
LONGEST = 1000  # pairs of a sequential comparison in the study of equal power
METRICS: tuple[tuple[str, Metric, float], ...] = (
    ("r", batch_pearson, 1.0),
    ("rho", batch_spearman, 1.0),
    ("MMRV", batch_mmrv, 0.0),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--studies", type=int, default=400, help="simulated studies a line")
    parser.add_argument("--plot", type=Path, help="picture of the stopping study")
    arguments = parser.parse_args(argv)
    if arguments.plot is not None and arguments.study != "stopping":
        parser.error("--plot is for stopping")
    study = partial(stopping, plot=arguments.plot) if arguments.study == "stopping" else STUDIES[arguments.study]
    for line in study(arguments.studies):
        print(line, flush=True)
    return 0


def scenarios() -> Iterator[tuple[str, Floats, int, int]]:
    """Name, true rates `(N, 2)`, real and simulated trials of each policy."""
    for policies in (3, 6, 10):
        spread = np.linspace(0.1, 0.9, policies)
        generator = np.random.default_rng(policies)
        close, high = np.linspace(0.45, 0.65, policies), np.linspace(0.99, 0.9, policies)
        blurred = np.clip(spread + 0.2 * generator.standard_normal(policies), 0.02, 0.98)
        yield f"{policies}, sim = real", np.stack([spread, spread], axis=-1), 24, 72
        yield f"{policies}, sim = real", np.stack([spread, spread], axis=-1), 75, 300
        yield f"{policies}, on a curve", np.stack([spread, spread**2], axis=-1), 50, 200
        yield f"{policies}, near ties, sim = real", np.stack([close, close], axis=-1), 50, 200
        yield f"{policies}, near 1, sim = 2 real - 1", np.stack([high, 2 * high - 1], axis=-1), 50, 200
        yield f"{policies}, noisy simulator", np.stack([spread, blurred], axis=-1), 50, 200
        yield f"{policies}, unrelated", np.stack([spread, generator.uniform(0.1, 0.9, policies)], axis=-1), 50, 200
    tied = np.array([[0.9, 0.8], [0.6, 0.5], [0.4, 0.5], [0.2, 0.1], [0.3, 0.2], [0.7, 0.7]])
    yield "6, two tied exactly in simulation", tied, 50, 200


def agreement(studies: int) -> Iterator[str]:
    """Coverage for fixed policies: our intervals, and percentile bootstraps of trials, and of trials and policies."""
    header = "policies and truth | trials real / sim | r | rho | MMRV | ours: r, rho, MMRV | bootstrap of trials"
    yield f"| {header} | of trials and policies |"
    yield "|---|---|---:|---:|---:|---|---|---|"
    for name, rates, real_trials, sim_trials in scenarios():
        generator = np.random.default_rng(SEED)
        trials = np.broadcast_to([real_trials, sim_trials], (studies, *rates.shape))
        drawn = Counts(generator.binomial(trials, rates).astype(np.float64), trials.astype(np.float64))
        ours = _ours(drawn, rates, generator)
        trial_noise = _bootstrap(drawn, rates, generator, policies=False)
        both = _bootstrap(drawn, rates, generator, policies=True)
        truth = [float(metric(*rates.T)) for _, metric, _ in METRICS]
        cells = [*(f"{value:.2f}" for value in truth), _shares(ours), _shares(trial_noise), _shares(both)]
        yield f"| {name} | {real_trials} / {sim_trials} | {' | '.join(cells)} |"


def _ours(drawn: Counts, rates: Floats, generator: np.random.Generator) -> list[float]:
    posterior = sweep_posterior(drawn, WARM_UP, SWEEPS, generator)
    held = np.zeros((len(METRICS), len(drawn.trials)))
    for i in range(len(drawn.trials)):
        counts = Counts(drawn.successes[i], drawn.trials[i])
        line, order = line_test(counts, i), order_test(counts, i)
        for j, (name, metric, perfect) in enumerate(METRICS):
            observed, truth = float(metric(*counts.rates.T)), float(metric(*rates.T))
            reached = [perfect] if (line if name == "r" else max(line, order)) > SIGNIFICANT else []
            interval = (
                None if math.isnan(observed) else interval_for_these(metric, posterior.rates[:, i], observed, *reached)
            )
            held[j, i] = interval is None or interval.low - 1e-9 <= truth <= interval.high + 1e-9
    return list(held.mean(axis=1))


def _bootstrap(drawn: Counts, rates: Floats, generator: np.random.Generator, policies: bool) -> list[float]:
    studies, count, _ = drawn.trials.shape
    shape = (RESAMPLES, studies, count)
    chosen = generator.integers(count, size=shape) if policies else np.broadcast_to(np.arange(count), shape)
    index = np.arange(studies)[:, None]
    trials = drawn.trials[index, chosen]
    resampled = generator.binomial(trials.astype(np.int64), drawn.rates[index, chosen]) / trials
    shares = []
    for _, metric, _ in METRICS:
        values = metric(resampled[..., 0], resampled[..., 1])
        low, high = np.nanquantile(values, [0.025, 0.975], axis=0)
        truth = float(metric(*rates.T))
        shares.append(float(((low - 1e-9 <= truth) & (truth <= high + 1e-9)).mean()))
    return shares


def population(studies: int) -> Iterator[str]:
    """Coverage of the correlation of the population that the policies are drawn from."""
    yield "| policies | correlation | ours | mean lower end | Fisher's z of the observed rates | mean lower end |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for policies in (4, 6, 10):
        for correlation in (0.0, 0.5, 0.8, 0.95):
            generator = np.random.default_rng(SEED)
            noise = generator.standard_normal((studies, policies, 2))
            noise[..., 1] = correlation * noise[..., 0] + math.sqrt(1 - correlation**2) * noise[..., 1]
            rates = np.sin(np.clip(math.pi / 4 + 0.3 * noise, 0, math.pi / 2)) ** 2
            trials = np.broadcast_to([50, 200], rates.shape)
            drawn = Counts(generator.binomial(trials, rates).astype(np.float64), trials.astype(np.float64))
            draws = sweep_posterior(drawn, WARM_UP, SWEEPS, generator).correlation
            intervals = [shortest_interval(draws[:, i]) for i in range(studies)]
            bounds = np.array([each for each in intervals if each is not None]).T
            observed = batch_pearson(drawn.rates[..., 0], drawn.rates[..., 1])
            z, half = np.arctanh(np.clip(observed, -0.9999, 0.9999)), 1.96 / math.sqrt(policies - 3)
            cells = [(low, high) for low, high in (bounds, (np.tanh(z - half), np.tanh(z + half)))]
            shown = [
                f"{100 * ((low <= correlation) & (correlation <= high)).mean():.1f} | {low.mean():.2f}"
                for low, high in cells
            ]
            yield f"| {policies} | {correlation} | {' | '.join(shown)} |"


def differences(_: int) -> Iterator[str]:
    """Exact coverage of the intervals of a difference, and level of the tests, over grids of true rates."""
    yield "| | trials of each | least coverage | at | mean coverage | largest false-positive rate of the test at 5 % |"
    yield "|---|---:|---:|---|---:|---:|"
    for trials in (10, 25, 50, 100):
        yield _enumerated("independent (Newcombe; Boschloo)", trials, *_independent(trials))
    for trials in (10, 25, 50):
        yield _enumerated("paired (Tango; McNemar)", trials, *_paired(trials))


def _enumerated(name: str, trials: int, coverage: dict[tuple[float, float], float], level: float) -> str:
    at = min(coverage, key=lambda key: coverage[key])
    mean = float(np.mean(list(coverage.values())))
    shown = (f"{100 * coverage[at]:.1f}", f"{at[0]:.2f}, {at[1]:.2f}", f"{100 * mean:.1f}")
    return f"| {name} | {trials} | {' | '.join(shown)} | {'not run' if math.isnan(level) else f'{100 * level:.1f}'} |"


def _independent(trials: int) -> tuple[dict[tuple[float, float], float], float]:
    counts = range(trials + 1)
    bounds = np.array([[unpaired_interval(a, trials, b, trials) for b in counts] for a in counts])
    grid = np.linspace(0.02, 0.98, 25)
    pmf = {rate: binom.pmf(np.arange(trials + 1), trials, rate) for rate in grid}
    coverage = {}
    for a in grid:
        for b in grid:
            held = (bounds[..., 0] <= a - b + 1e-9) & (a - b - 1e-9 <= bounds[..., 1])
            coverage[float(a), float(b)] = float(pmf[a] @ held @ pmf[b])
    if trials > BOSCHLOO_UP_TO:
        return coverage, math.nan
    rejected = np.array([[unpaired_p(a, trials, b, trials) <= 0.05 for b in counts] for a in counts])
    return coverage, max(float(pmf[rate] @ rejected @ pmf[rate]) for rate in grid)


def _paired(trials: int) -> tuple[dict[tuple[float, float], float], float]:
    cells = [(wins, losses) for wins in range(trials + 1) for losses in range(trials + 1 - wins)]
    wins, losses = np.array(cells).T
    bounds = np.array([paired_interval(*cell, trials) for cell in cells])
    rejected = np.array([paired_p(*cell) <= 0.05 for cell in cells])
    coverage, level = {}, 0.0
    for discordant in np.linspace(0.05, 0.95, 19):
        for lean in np.linspace(-1, 1, 21):
            difference, win = lean * discordant, (1 + lean) / 2
            differing = wins + losses
            chance = binom.pmf(differing, trials, discordant) * binom.pmf(wins, differing, win)
            held = (bounds[:, 0] <= difference + 1e-9) & (difference - 1e-9 <= bounds[:, 1])
            coverage[float(discordant), float(difference)] = float(chance @ held)
            level = max(level, float(chance @ rejected) if lean == 0 else 0.0)
    return coverage, level


def sequential(studies: int) -> Iterator[str]:
    """False alarms under peeking after every pair, and episodes saved against a fixed number at equal power."""
    generator = np.random.default_rng(SEED)
    horizon = 600
    wins, losses = np.meshgrid(np.arange(horizon + 1), np.arange(horizon + 1), indexing="ij")
    evidence = log_evidence(wins, losses)
    yield from _false_alarms(evidence, horizon, max(studies, 10_000), generator)
    yield ""
    yield from _savings(evidence, horizon, max(studies, 4_000), generator)
    yield ""
    yield from _best_of_many(studies, generator)


def _false_alarms(evidence: Floats, horizon: int, nulls: int, generator: np.random.Generator) -> Iterator[str]:
    yield "| success of both | nulls | pairs | wrong verdicts of the e-process, % | of McNemar's p <= 0.05, % |"
    yield "|---:|---:|---:|---:|---:|"
    differing = np.arange(horizon + 1)
    fewest = binom.ppf(0.025, differing, 0.5)
    fewest -= binom.cdf(fewest, differing, 0.5) > 0.025
    for rate in (0.05, 0.3, 0.5, 0.9):
        wins, losses = _paths(rate, rate, horizon, nulls, generator)
        stopped = (np.maximum(evidence[wins, losses], evidence[losses, wins]) >= math.log(2 / 0.05)).any(axis=1)
        naive = (np.minimum(wins, losses) <= fewest[wins + losses]).any(axis=1)
        yield f"| {rate} | {nulls} | {horizon} | {100 * stopped.mean():.1f} | {100 * naive.mean():.1f} |"


def _savings(evidence: Floats, horizon: int, studies: int, generator: np.random.Generator) -> Iterator[str]:
    """A fixed number planned for 70 % against 50 %; the sequential test may go on until it has the same power there."""
    planned = 0.7, 0.5
    fixed = trials_to_tell_apart(*planned, discordant=0.5)
    stops = _stops(evidence, *planned, horizon, studies, generator)
    most = int(np.quantile(stops, 0.8))
    yield f"Planned for 70 % against 50 %, power 0.8: {fixed} pairs fixed, at most {most} pairs in sequence."
    yield ""
    yield "| true difference | power, fixed | power, sequential | mean pairs, sequential | saved, % |"
    yield "|---:|---:|---:|---:|---:|"
    for difference in (0.0, 0.1, 0.2, 0.3, 0.4):
        a, b = 0.6 + difference / 2, 0.6 - difference / 2
        stops = _stops(evidence, a, b, horizon, studies, generator)
        power = paired_power(fixed, difference, a * (1 - b) + b * (1 - a))
        mean = float(np.minimum(stops, most).mean())
        shown = (stops <= most).mean()
        yield f"| {difference} | {power:.2f} | {shown:.2f} | {mean:.0f} | {100 * (1 - mean / fixed):.0f} |"


def stopping(studies: int, plot: Path | None = None) -> Iterator[str]:
    """Both have power 0.8 at the true difference: the fixed number is planned for it, the sequential test cut off."""
    generator, curve = np.random.default_rng(SEED), []
    wins, losses = np.meshgrid(np.arange(LONGEST + 1), np.arange(LONGEST + 1), indexing="ij")
    evidence = log_evidence(wins, losses)
    yield "| true difference | pairs, fixed | pairs, sequential | at most | saved, % | saved at the median, % |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for difference in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6):
        a, b = 0.5 + difference / 2, 0.5 - difference / 2
        fixed = trials_to_tell_apart(a, b, discordant=a * (1 - b) + b * (1 - a))
        stops = _stops(evidence, a, b, LONGEST, max(studies, 4_000), generator)
        most = int(np.quantile(stops, 0.8))
        used = np.minimum(stops, most)
        shares = [100 * (1 - each / fixed) for each in (used.mean(), np.median(used))]
        yield f"| {difference} | {fixed} | {used.mean():.0f} | {most} | {shares[0]:.0f} | {shares[1]:.0f} |"
        curve.append((difference, *shares))
    if plot is not None:
        _draw_savings(np.array(curve), plot)


def _draw_savings(curve: Floats, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(100 * curve[:, 0], curve[:, 1], marker="o", label="on average")
    axes.plot(100 * curve[:, 0], curve[:, 2], marker="o", label="at the median")
    axes.axhline(0, color="0.6", linewidth=1)
    axes.set(
        xlabel="true difference of the success rates, points",
        ylabel="episodes saved, %",
        title="Stopping early against a fixed number, both with power 0.8",
    )
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _best_of_many(studies: int, generator: np.random.Generator) -> Iterator[str]:
    yield "| true success | seeds at most | best dropped, % | best found, % | episodes used, % of all |"
    yield "|---|---:|---:|---:|---:|"
    for rates in ((0.9, 0.7, 0.6, 0.5, 0.3, 0.1), (0.9, 0.85, 0.8, 0.75), (0.5, 0.5, 0.5, 0.5)):
        seeds, names = 200, [str(i) for i in range(len(rates))]
        dropped = found = used = 0
        for _ in range(studies):
            race = BestPolicy(names)
            for outcomes in generator.random((seeds, len(rates))) < rates:
                used += len(race.left)
                race.update(dict(zip(names, outcomes.tolist(), strict=True)))
                if len(race.left) == 1:
                    break
            dropped += "0" not in race.left
            found += race.left == ("0",)
        shares = (dropped / studies, found / studies, used / (studies * seeds * len(rates)))
        yield f"| {', '.join(map(str, rates))} | {seeds} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |"


def _paths(
    a: float, b: float, horizon: int, studies: int, generator: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Wins and losses of A after every pair of independent episodes `(studies, horizon)`."""
    first, second = (generator.random((studies, horizon)) < rate for rate in (a, b))
    return np.cumsum(first & ~second, axis=1), np.cumsum(second & ~first, axis=1)


def _stops(
    evidence: Floats, a: float, b: float, horizon: int, studies: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Pairs after which either side is shown to be better; more than `horizon` where neither is."""
    wins, losses = _paths(a, b, horizon, studies, generator)
    shown = np.maximum(evidence[wins, losses], evidence[losses, wins]) >= math.log(2 / 0.05)
    return np.where(shown.any(axis=1), shown.argmax(axis=1) + 1, horizon + 1)


def predictions(studies: int) -> Iterator[str]:
    """Predicted success of 50 real trials, from robots that differ or do not."""
    yield "| simulated | intraclass correlation | mean success | held, % | width | one robot, held, % | width |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for robots, episodes in ((25, 2), (20, 3)):
        for alike in (0.0, 0.05, 0.2, 0.5):
            for mean in (0.5, 0.9):
                generator, cells = np.random.default_rng(SEED), []
                for _ in range(studies):
                    scale = (1.0 - alike) / max(alike, 1e-9)
                    drawn = generator.beta(mean * scale, (1.0 - mean) * scale, robots + 1)
                    won = generator.binomial(episodes, drawn[1:])
                    seen = generator.binomial(50, drawn[0]) / 50
                    alone = generator.binomial(robots * episodes, drawn[1])
                    for found in (
                        predict_success(won, np.full(robots, episodes), 50),
                        predict_success([alone], [robots * episodes], 50),
                    ):
                        low, high = found.interval
                        cells.append((low <= seen <= high, high - low))
                held = np.array(cells).reshape(studies, 4).mean(axis=0)
                told = f"{100 * held[0]:.1f} | {held[1]:.2f} | {100 * held[2]:.1f} | {held[3]:.2f}"
                yield f"| {robots} robots, {episodes} episodes each | {alike} | {mean} | {told} |"


def _shares(shares: Sequence[float]) -> str:
    return ", ".join(f"{100 * share:.0f}" for share in shares)


STUDIES: dict[str, Callable[[int], Iterator[str]]] = {
    "agreement": agreement,
    "population": population,
    "differences": differences,
    "sequential": sequential,
    "stopping": stopping,
    "predictions": predictions,
}

if __name__ == "__main__":
    raise SystemExit(main())
