"""On many surrogates: is P(A beats B) right as often as it says, and how many real trials does a simulation save?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm
from sim_real_plan import CALIBRATED, POSTERIOR, REAL, Study, robot_study

from barkyard.evaluation import EvalResult
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.evaluation.prediction import PredictedOutcome, predict_outcomes
from barkyard.evaluation.prediction_powered import planned_conditions
from barkyard.evaluation.reliability import ReliabilityBin, reliability, reliability_figure
from barkyard.evaluation.robot_prediction import RobotPrediction, predict_robot
from barkyard.evaluation.trials import trials_of_results

TRIALS: Final = (0, 5, 20)
"""Real trials of each policy."""
Named = list[tuple[str, EvalResult]]
Statement = tuple[float, float, float]
"""What was said, what the simulated episodes alone say, and what came true."""


def write_robots(study: Study, count: int) -> str:
    """OUT/robots.md and OUT/robots.png; the text of the former."""
    robots = [robot_study(study, seed) for seed in range(1, count + 1)]
    said = {trials: [each for robot in robots for each in statements(robot, trials)] for trials in TRIALS}
    text = "\n\n".join([reliability_table(said), savings_table(robots), prediction_table(robots)]) + "\n"
    (study.out / "robots.md").write_text(text)
    picture(said).savefig(study.out / "robots.png", dpi=110)
    return text


def sides(robot: Study, trials: int, side: str = POSTERIOR) -> tuple[Named, Named, Named]:
    """Simulated results, real trials on seeds that a plan chose, and what else the surrogate did, of every policy."""
    (task,) = robot.plan.tasks
    simulated, tried, rest = [], [], []
    for policy in task.policies:
        sim, real = (EvalResult.load(robot.result(task, policy, each)) for each in (side, REAL))
        chosen = {int(seed) for seed in planned_conditions([str(record.seed) for record in sim.episodes])[:trials]}
        simulated.append((policy, sim))
        for where, inside in ((tried, True), (rest, False)):
            episodes = tuple(record for record in real.episodes if (record.seed in chosen) == inside)
            if episodes:
                where.append((policy, replace(real, episodes=episodes, episodes_asked=len(episodes))))
    return simulated, tried, rest


def predicted(simulated: Named, tried: Named, trials: int) -> RobotPrediction:
    """What is foretold of the surrogate."""
    return predict_robot(simulated, trials_of_results(tried) if trials else None)


def statements(robot: Study, trials: int) -> Iterator[Statement]:
    """One a pair of policies; who is truly better is seen in the surrogate's other episodes."""
    simulated, tried, rest = sides(robot, trials)
    ranking = predicted(simulated, tried, trials).ranking
    assert ranking is not None
    truth = {name: result.success_rate for name, result in rest}
    outcomes = {name: np.array([record.success for record in result.episodes], float) for name, result in simulated}
    for duel in ranking.duels:
        apart = outcomes[duel.a] - outcomes[duel.b]
        deviation = max(apart.std() / np.sqrt(len(apart)), 1e-6)
        came = 0.5 + 0.5 * np.sign(truth[duel.a] - truth[duel.b])
        yield duel.probability, float(norm.cdf(apart.mean() / deviation)), float(came)


def reliability_table(said: dict[int, list[Statement]]) -> str:
    """How often statements came true, by how sure they were."""
    lines = ["| real trials of each | probability | pairs | said | right | simulation alone: pairs | said | right |",
             "|---:|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for trials, group in said.items():
        ours, alone, came = np.array(group).T
        for own, other in zip(reliability(ours, came), reliability(alone, came), strict=True):
            cells = " | ".join(_cells(each) for each in (own, other))
            lines.append(f"| {trials} | {own.low:g} to {own.high:g} | {cells} |")
        scores = [np.mean((each - came) ** 2) for each in (ours, alone)]
        lines.append(f"| {trials} | Brier score | | | {scores[0]:.3f} | | | {scores[1]:.3f} |")
    return "\n".join(lines)


def _cells(group: ReliabilityBin) -> str:
    return f"{group.count} | {group.said:.2f} | {100 * group.right:.0f} %" if group.count else "0 | - | -"


def savings_table(robots: Sequence[Study]) -> str:
    """What simulated episodes add to few real ones, policy by policy."""
    trials = TRIALS[-1]
    lines = [f"| policy, {trials} real trials on each of {len(robots)} surrogates | simulation used | trials saved |"
             " width against real trials alone | error [points] | of real trials alone |",
             "|---|---:|---:|---:|---:|---:|"]  # fmt: skip
    rows = [row for robot in robots for row in _savings(robot, trials)]
    names = list(dict.fromkeys(row[0] for row in rows))
    for name, group in [*((name, [row for row in rows if row[0] == name]) for name in names), ("all", rows)]:
        used, saved, width, error, alone = (fmean(row[1][i] for row in group) for i in range(5))
        shares = f"{100 * used:.0f} % | {saved:.1f} | {100 * width:.0f} %"
        lines.append(f"| {name} | {shares} | {100 * error:.1f} | {100 * alone:.1f} |")
    return "\n".join(lines)


def _savings(robot: Study, trials: int) -> Iterator[tuple[str, tuple[float, ...]]]:
    simulated, tried, rest = sides(robot, trials, CALIBRATED)
    truth, real = ({name: result.success_rate for name, result in each} for each in (rest, tried))
    for name, rate in predicted(simulated, tried, trials).rates.items():
        alone = clopper_pearson(round(real[name] * trials), trials)
        width = (rate.interval.high - rate.interval.low) / (alone.high - alone.low)
        errors = abs(rate.rate - truth[name]), abs(real[name] - truth[name])
        yield name, (float(rate.saved > 0), rate.saved, width, *errors)


def prediction_table(robots: Sequence[Study]) -> str:
    """How many intervals from samples of a calibration hold what its surrogate showed."""
    lines = ["| surrogate | intervals that hold | mean width | mean error |", "|---|---:|---:|---:|"]
    every = []
    for number, robot in enumerate(robots, start=1):
        simulated, _, real = sides(robot, 0)
        found = predict_outcomes(real=trials_of_results(real), sim=trials_of_results(simulated))
        every += found
        lines.append(f"| {number} | {_held(found)} |")
    return "\n".join([*lines, f"| all | {_held(every)} |"])


def _held(group: Sequence[PredictedOutcome]) -> str:
    width = fmean(each.prediction.interval.high - each.prediction.interval.low for each in group)
    error = fmean(abs(each.prediction.mean - each.real_rate) for each in group)
    held = sum(each.held for each in group)
    return f"{held} of {len(group)} | {100 * width:.0f} points | {100 * error:.0f} points"


def picture(said: dict[int, list[Statement]]) -> Figure:
    """A reliability diagram."""
    curves = {}
    for trials, group in said.items():
        ours, _, came = np.array(group).T
        curves[f"{trials} real trials of each"] = reliability(ours, came)
    return reliability_figure(curves, "P(A beats B on the surrogate)")
