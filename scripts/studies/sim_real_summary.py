"""What the study of simulated against real success found: tables, a picture, and how long evaluations take."""

import itertools
import json
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sim_real_plan import CALIBRATED, POSTERIOR, REAL, SHIPPED, SIMULATIONS, Study, Task

from barkyard.cli.opening import make_actor, open_environment
from barkyard.evaluation import EvalResult, evaluation_seeds
from barkyard.evaluation import evaluate as run_evaluation
from barkyard.evaluation.correlation import Metric, batch_mmrv, batch_pearson, batch_spearman
from barkyard.evaluation.correlation_report import MEAN_OF_TASKS

Floats = NDArray[np.float64]
RESAMPLES: Final = 2000
MEASURES: Final[Mapping[str, tuple[str, Metric | None]]] = {
    "pearson": ("Pearson r", batch_pearson),
    "spearman": ("Spearman rho", batch_spearman),
    "mmrv": ("MMRV", batch_mmrv),
    "error": ("mean error", None),
}


def write_summary(study: Study) -> None:
    """OUT/summary.md and OUT/sim_real.png, from the reports and the results."""
    reports = {side: json.loads((study.report(side) / "correlation.json").read_text()) for side in SIMULATIONS}
    parts = [rates_table(study), agreement_table(reports), gains_table(study), prediction_table(reports)]
    (study.out / "summary.md").write_text("\n\n".join(parts) + "\n")
    picture(study, reports).savefig(study.out / "sim_real.png", dpi=110)


def outcomes(study: Study, task: Task, side: str) -> Floats:
    """`(P, E)` successes, 0 or 1, of every policy's episodes on one side."""
    results = [EvalResult.load(study.result(task, policy, side)) for policy in task.policies]
    return np.array([[record.success for record in result.episodes] for result in results], dtype=np.float64)


def rates_table(study: Study) -> str:
    """Success of every policy everywhere."""
    lines = ["| task | policy | surrogate | shipped | calibrated | posterior |", "|---|---|---:|---:|---:|---:|"]
    for task in study.plan.tasks:
        rates = [100 * outcomes(study, task, side).mean(axis=1) for side in (REAL, *SIMULATIONS)]
        for policy, *cells in zip(task.policies, *rates, strict=True):
            lines.append(f"| {task.name} | {policy} | {' | '.join(f'{cell:.0f} %' for cell in cells)} |")
    return "\n".join(lines)


def agreement_table(reports: Mapping[str, Any]) -> str:
    """Pearson, Spearman and MMRV of each simulation, with their intervals for these policies."""
    names = list(MEASURES)[:3]
    lines = [f"| task | simulation | {' | '.join(f'{MEASURES[name][0]}, 95 %' for name in names)} |"]
    lines += ["|---|---|" + "---|" * len(names)]
    for number, task in enumerate(reports[SHIPPED]["tasks"]):
        for side, report in reports.items():
            measures = report["tasks"][number]["measures"]
            cells = [_measured(measures[name]) for name in names]
            if task["task"] != MEAN_OF_TASKS:
                lines.append(f"| {task['task']} | {side} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _measured(measure: Mapping[str, Any]) -> str:
    if measure["value"] is None or measure["interval"] is None:
        return "undefined"
    return f"{measure['value']:.3f} [{measure['interval'][0]:.2f}, {measure['interval'][1]:.2f}]"


def gains_table(study: Study) -> str:
    """What calibrating changes: measures averaged over tasks, and their differences to the simulation as shipped."""
    seen, drawn = _resampled(study)
    lines = ["| over all tasks | shipped | calibrated | posterior | calibrated - shipped | posterior - shipped |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, (title, _) in MEASURES.items():
        cells = [f"{seen[side][name]:.3f}" for side in SIMULATIONS]
        for side in (CALIBRATED, POSTERIOR):
            change = drawn[side][name] - drawn[SHIPPED][name]
            low, high = np.nanquantile(change, [0.025, 0.975])
            cells.append(f"{seen[side][name] - seen[SHIPPED][name]:+.3f} [{low:+.3f}, {high:+.3f}]")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _resampled(study: Study) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Floats]]]:
    """Measures averaged over tasks, as seen and with resampled episodes; simulations share theirs, as their seeds."""
    generator = np.random.default_rng(0)
    seen: dict[str, list[dict[str, Floats]]] = {side: [] for side in SIMULATIONS}
    drawn: dict[str, list[dict[str, Floats]]] = {side: [] for side in SIMULATIONS}
    for task in study.plan.tasks:
        real = outcomes(study, task, REAL)
        episodes = real.shape[1]
        share = np.full((1, episodes), 1.0 / episodes)
        weights = [generator.multinomial(episodes, share[0], RESAMPLES) / episodes for _ in range(2)]
        for side in SIMULATIONS:
            sim = outcomes(study, task, side)
            seen[side].append(_measures(share @ real.T, share @ sim.T))
            drawn[side].append(_measures(weights[0] @ real.T, weights[1] @ sim.T))
    averages = {side: {name: float(np.mean([each[name] for each in seen[side]])) for name in MEASURES} for side in seen}
    return averages, {
        side: {name: np.mean([each[name] for each in drawn[side]], axis=0) for name in MEASURES} for side in drawn
    }


def _measures(real: Floats, sim: Floats) -> dict[str, Floats]:
    """Of rates `(B, P)`."""
    found = {name: metric(real, sim) for name, (_, metric) in MEASURES.items() if metric}
    return {**found, "error": np.abs(real - sim).mean(axis=1)}


def prediction_table(reports: Mapping[str, Any]) -> str:
    """How many intervals hold what the surrogate showed, and how wide they are."""
    lines = ["| task | " + " | ".join(f"{side}: held, mean width" for side in reports) + " |"]
    lines += ["|---|" + "---|" * len(reports)]
    tasks = list(dict.fromkeys(each["task"] for each in reports[SHIPPED]["predictions"]))
    for name, chosen in (*((task, {task}) for task in tasks), ("all", set(tasks))):
        cells = []
        for report in reports.values():
            group = [each for each in report["predictions"] if each["task"] in chosen]
            bounds = [each["prediction"]["interval"] for each in group]
            width = float(np.mean([high - low for low, high in bounds]))
            cells.append(f"{sum(each['held'] for each in group)} of {len(group)}, {100 * width:.0f} points")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def picture(study: Study, reports: Mapping[str, Any]) -> Figure:
    """Real against predicted success: a row a simulation, a column a task; bars are predicted intervals."""
    figure = Figure(figsize=(3.1 * len(study.plan.tasks), 3.0 * len(reports)), layout="constrained")
    for row, (side, report) in enumerate(reports.items()):
        for column, task in enumerate(study.plan.tasks):
            axes = figure.add_subplot(len(reports), len(study.plan.tasks), row * len(study.plan.tasks) + column + 1)
            axes.plot([0, 100], [0, 100], "--", color="#b8c0c8", linewidth=1)
            for each in report["predictions"]:
                if each["task"].removesuffix("-v0") != task.name:
                    continue
                real, predicted = 100 * each["real"][0] / each["real"][1], each["prediction"]
                colour = "#1f6feb" if each["held"] else "#d9730d"
                low, high = (100 * bound for bound in predicted["interval"])
                axes.hlines(real, low, high, color=colour, linewidth=3, alpha=0.3)
                axes.plot([100 * predicted["mean"]], [real], "o", color=colour, markersize=5)
            axes.set(xlim=(-4, 104), ylim=(-4, 104), aspect="equal", title=f"{task.name}, {side}")
            axes.set(xlabel="predicted success [%]", ylabel="surrogate's success [%]")
    return figure


def compare_speed(study: Study, episodes: int) -> str:
    """Time of every policy, the kinds of simulation in turn, in one batch and one environment at a time."""
    together = alone = 0.0
    cells = [(task, policy) for task in study.plan.tasks for policy in task.policies]
    for number, ((task, policy), side) in enumerate(zip(cells, itertools.cycle((REAL, SHIPPED, POSTERIOR)))):
        sizes = (study.plan.episodes, 1)
        for size in sizes if number % 2 else reversed(sizes):
            count = study.plan.episodes if size > 1 else episodes
            seconds = _seconds(study, task, policy, side, size, count) / count
            together, alone = (together + seconds, alone) if size > 1 else (together, alone + seconds)
    scale = study.plan.episodes
    return (
        f"{len(cells)} evaluations of {scale} episodes: {scale * together:.0f} s in batches of {scale}, "
        f"{scale * alone:.0f} s one environment at a time (from {episodes} episodes each): {alone / together:.1f} times"
    )


def _seconds(study: Study, task: Task, policy: str, side: str, size: int, count: int) -> float:
    actor = str(study.training(task, policy)) if policy in task.learners else "expert"
    with open_environment(task.env, size, {**study.arguments(task, side), "num_threads": 1}) as env:
        who, _ = make_actor(actor, env, task.noise.get(policy, 0.0))
        began = time.perf_counter()
        run_evaluation(env, who, evaluation_seeds(count))
        return time.perf_counter() - began
