"""A study of real against simulated success, whole: every task, their mean, shifts, and where the trials come from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from barkyard.errors import InvalidInput
from barkyard.evaluation.agreement import Counts
from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.prediction import PredictedOutcome, predict_outcomes
from barkyard.evaluation.shifts import Shift, compare_shifts
from barkyard.evaluation.task_agreement import TaskAgreement, measure_agreement
from barkyard.evaluation.trials import TrialSet, check_fair
from barkyard.provenance import versions

SCHEMA: Final = "barkyard/correlation-v1"
MEAN_OF_TASKS: Final = "mean of tasks"


@dataclass(frozen=True)
class CorrelationReport:
    """What real and simulated trials say about each other.

    Attributes:
        title: a heading.
        tasks: one agreement a task, and last, where there are several, that of the rates averaged over tasks.
        shifts: which change of conditions costs success on either side.
        predictions: real success as the simulated trials predict it, beside what the real ones showed.
        notes: what could not be checked, or was left out.
        real_source: `real` or `surrogate`.
        real_files: name and fingerprint of each file of real trials.
        sim_files: name and fingerprint of each simulated result.
        seed: of all draws.
        command: that made it, or "".
        versions: package versions.
    """

    title: str
    tasks: tuple[TaskAgreement, ...]
    shifts: tuple[Shift, ...] = ()
    predictions: tuple[PredictedOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    real_source: str = "real"
    real_files: tuple[tuple[str, str], ...] = ()
    sim_files: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)

    def to_json(self) -> dict[str, Any]:
        """The file's content; intervals are [low, high], what is undefined is null."""
        content = asdict(self)
        for task in content["tasks"]:
            for outcome in task["outcomes"]:
                for side in ("real", "sim"):
                    successes, trials = outcome[side]
                    outcome[f"{side}_rate"] = successes / trials
        for shift, told in zip(self.shifts, content["shifts"], strict=True):
            told["verdict"] = shift.verdict
        for predicted, told in zip(self.predictions, content["predictions"], strict=True):
            told["held"] = predicted.held
        whole: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **content}, allow_nan=False))
        return whole

    def save(self, path: Path | str) -> None:
        """Write JSON, whole or not at all. Raises ResultError when the file cannot be written."""
        write_atomically(Path(path), (json.dumps(self.to_json(), indent=1) + "\n").encode())


def correlate(*, real: TrialSet, sim: TrialSet, title: str, seed: int = 0, command: str = "") -> CorrelationReport:
    """Compare real and simulated trials, task by task.

    A policy counts on a task where it has trials on both sides; the notes say which were left out.

    Args:
        real: real or surrogate trials.
        sim: simulated trials.
        title: of the report.
        seed: of all draws.
        command: that made it.

    Raises:
        InvalidInput: the trials may not be compared (see `check_fair`), or no task has 2 policies on both sides.
    """
    notes = check_fair(real=real, sim=sim)
    tasks, counted = [], {}
    for task in dict.fromkeys((*real.tasks, *sim.tasks)):
        policies, counts, left_out = _counts(task, real, sim)
        notes += left_out
        if len(policies) >= 2:
            tasks.append(measure_agreement(task, policies, counts, seed))
            counted[task] = dict(zip(policies, zip(counts.successes, counts.trials, strict=True), strict=True))
        elif policies:
            notes.append(f"{task}: only {policies[0]} has trials on both sides; agreement needs at least 2 policies")
    if not tasks:
        raise InvalidInput(
            f"no task has 2 policies with trials on both sides. Real: {_names(real)}. Simulated: {_names(sim)}. Names "
            "must be equal; NAME=FILE names the policy of a result"
        )
    whole = set.intersection(*(set(policies) for policies in counted.values()))
    if len(tasks) > 1 and len(whole) >= 2:
        order = tuple(name for name in real.policies if name in whole)
        tasks.append(measure_agreement(MEAN_OF_TASKS, order, _mean_over_tasks(counted, order), seed))
    return CorrelationReport(
        title=title,
        tasks=tuple(tasks),
        shifts=compare_shifts(real=real, sim=sim),
        predictions=predict_outcomes(real=real, sim=sim),
        notes=tuple(dict.fromkeys(notes)),
        real_source=real.source,
        real_files=real.files,
        sim_files=sim.files,
        seed=seed,
        command=command,
    )


def _counts(task: str, real: TrialSet, sim: TrialSet) -> tuple[tuple[str, ...], Counts, list[str]]:
    """Policies with trials on both sides, their counts `(N, 2)`, and who was left out."""
    policies, cells, left_out = [], [], []
    for policy in dict.fromkeys((*real.policies, *sim.policies)):
        pair = real.count(policy, task), sim.count(policy, task)
        trials = [trials for _, trials in pair]
        if all(trials):
            policies.append(policy)
            cells.append(pair)
        elif any(trials):
            side = "simulated" if trials[0] else "real"
            left_out.append(f"{task}: {policy} is left out, it has no {side} trials")
    array = np.array(cells, dtype=np.float64).reshape(-1, 2, 2)
    return tuple(policies), Counts(array[..., 0], array[..., 1]), left_out


def _mean_over_tasks(counted: Mapping[str, Mapping[str, Any]], policies: tuple[str, ...]) -> Counts:
    """Rates averaged over tasks, as counts of the trials that would be as sure of one rate: T^2 / sum(1 / n).

    A binomial of the mean rate varies at least as much as the mean of binomials, so this claims no more than is known.
    """
    trials = np.array([[counted[task][name][1] for name in policies] for task in counted])
    rates = np.array([[counted[task][name][0] for name in policies] for task in counted]) / trials
    as_sure = len(counted) ** 2 / (1.0 / trials).sum(axis=0)
    return Counts(rates.mean(axis=0) * as_sure, as_sure)


def _names(trials: TrialSet) -> str:
    return ", ".join(sorted({f"{trial.policy} on {trial.task}" for trial in trials.trials}))
