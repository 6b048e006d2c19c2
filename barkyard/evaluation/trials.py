"""Trials of policies on tasks, from results and from tables of real trials, and whether they may be compared."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from barkyard.episode import CALIBRATION_SAMPLE, SOURCES
from barkyard.errors import InvalidInput, ResultError
from barkyard.evaluation.result import SCHEMA as RESULT_SCHEMA
from barkyard.evaluation.result import EvalResult
from barkyard.provenance import fingerprint
from barkyard.untrusted import parse_json

REAL_TRIALS_SCHEMA: Final = "barkyard/real-trials-v1"
REQUIRED_COLUMNS: Final = ("policy", "task", "trial", "success")
PROVENANCE_COLUMNS: Final = ("log", "checkpoint")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")
_TASK_PREFIX: Final = "barkyard/"


@dataclass(frozen=True)
class Trial:
    """One attempt of one policy at one task.

    Attributes:
        policy: name of the policy.
        task: name of the task, without the package.
        trial: names the attempt among those of the policy on the task: the seed in simulation.
        success: whether it succeeded.
        factors: conditions of the attempt, such as the lighting, by name.
        log: SHA-256 of its recording's file, or "".
        checkpoint: fingerprint of the weights, or "".
        sample: which sample of a calibration's posterior the simulated robot was, or None.
    """

    policy: str
    task: str
    trial: str
    success: bool
    factors: Mapping[str, str] = field(default_factory=dict)
    log: str = ""
    checkpoint: str = ""
    sample: int | None = None


@dataclass(frozen=True)
class TrialSet:
    """Trials from one side, real or simulated.

    Attributes:
        source: one of `SOURCES`.
        trials: at least one.
        files: where they come from: name and content fingerprint of each file.
        calibration_logs: SHA-256 of the logs that the simulation was calibrated with.
        notes: what a reader has to know, such as versions that differ.
    """

    source: str
    trials: tuple[Trial, ...]
    files: tuple[tuple[str, str], ...]
    calibration_logs: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidInput when there are none, one counts twice, or a policy on a task has two sets of weights."""
        if self.source not in SOURCES:
            raise InvalidInput(f"source is {self.source!r}; it must be one of {', '.join(SOURCES)}")
        if not self.trials:
            raise InvalidInput("there are no trials")
        for (policy, task, trial), count in Counter((t.policy, t.task, t.trial) for t in self.trials).items():
            if count > 1:
                raise InvalidInput(
                    f"policy {policy!r}, task {task!r}, trial {trial!r} is there {count} times; each counts once. Two "
                    "policies need two names: NAME=FILE"
                )
        _one_checkpoint_a_policy(self.trials)

    @property
    def policies(self) -> list[str]:
        """Names in the order in which they come."""
        return list(dict.fromkeys(trial.policy for trial in self.trials))

    @property
    def tasks(self) -> list[str]:
        """Names in the order in which they come."""
        return list(dict.fromkeys(trial.task for trial in self.trials))

    def count(self, policy: str, task: str) -> tuple[int, int]:
        """Successes and trials of a policy on a task."""
        outcomes = [trial.success for trial in self.trials if (trial.policy, trial.task) == (policy, task)]
        return sum(outcomes), len(outcomes)

    def count_by_sample(self, policy: str, task: str) -> tuple[list[int], list[int]]:
        """Successes and trials of a policy on a task, of each simulated robot; one where none were drawn."""
        outcomes: dict[int | None, list[bool]] = {}
        for trial in self.trials:
            if (trial.policy, trial.task) == (policy, task):
                outcomes.setdefault(trial.sample, []).append(trial.success)
        return [sum(each) for each in outcomes.values()], [len(each) for each in outcomes.values()]


def read_real_trials(path: Path | str) -> TrialSet:
    """Read a table of real trials, `.csv` or `.json`.

    CSV: a header and one line a trial, with the columns policy, task, trial, success (1 or 0, true or false, yes or
    no); `log` (SHA-256 of the recording's file, as `sha256sum` prints it) and `checkpoint` (fingerprint) where they are
    known; every other column is a factor. JSON: `{"schema":
    "barkyard/real-trials-v1", "source": "real", "trials": [{...}, ...]}` with the same names in each trial.

    Raises:
        ResultError: the file is missing or damaged; the message names line, column and value.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResultError(f"{path}: is not UTF-8 text: {error}. Save it as CSV with UTF-8.") from error
    try:
        if path.suffix == ".csv":
            source, trials = "real", _trials_from_csv(text)
        elif path.suffix == ".json":
            source, trials = _trials_from_json(text)
        else:
            raise InvalidInput("a table of real trials ends in .csv or .json")
        return TrialSet(source, tuple(trials), ((path.name, fingerprint(content)),))
    except InvalidInput as error:
        raise ResultError(f"{path}: {error}") from error


def is_result(path: Path) -> bool:
    """Whether a file says that it is a result of an evaluation, and not a table of trials."""
    try:
        data = parse_json(path.read_text(encoding="utf-8")) if path.suffix == ".json" else None
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("schema") == RESULT_SCHEMA


def trials_of_results(results: Sequence[tuple[str, EvalResult]]) -> TrialSet:
    """Trials of evaluations, each with the name of its policy.

    Environment arguments that differ between results of one task, other than the calibration, become factors.

    Raises:
        InvalidInput: a result is no fair sample, sources or calibrations of one task are mixed, or the same episode
            or two sets of weights stand under one policy's name.
    """
    for name, result in results:
        if result.unfair:
            raise InvalidInput(f"the result of {name!r} on {result.env_id}: {result.unfair}")
    sources = sorted({result.source for _, result in results})
    if len(sources) > 1:
        raise InvalidInput(f"the results are of sources {', '.join(sources)}; give one side at a time")
    varied = _varied_arguments([result for _, result in results])
    return TrialSet(
        source=sources[0] if sources else "sim",
        trials=tuple(trial for name, result in results for trial in _trials_of(name, result, varied)),
        files=tuple((f"{name}, {short_task(result.env_id)}", result.fingerprint) for name, result in results),
        calibration_logs=frozenset(log for _, result in results for log in _calibration_logs(result)),
        notes=tuple(_differences([result for _, result in results])),
    )


def join(sets: Sequence[TrialSet]) -> TrialSet:
    """One set of several from the same side. Raises InvalidInput when they do not go together."""
    sources = sorted({each.source for each in sets})
    if len(sources) != 1:
        raise InvalidInput(f"the trials are of sources {', '.join(sources) or 'none'}; give one side at a time")
    return TrialSet(
        sources[0],
        tuple(trial for each in sets for trial in each.trials),
        tuple(file for each in sets for file in each.files),
        frozenset(log for each in sets for log in each.calibration_logs),
        tuple(note for each in sets for note in each.notes),
    )


def check_fair(*, real: TrialSet, sim: TrialSet) -> list[str]:
    """Whether real trials may judge a simulation, and what of it cannot be checked.

    Raises:
        InvalidInput: the simulation was calibrated with a log of one of the trials, which would then vouch for
        itself; a
            policy has other weights on the two sides; or the sides are the same.
    """
    if sim.source != "sim" or real.source == "sim":
        raise InvalidInput(f"--real holds {real.source} trials and the other side {sim.source} ones; is it swapped?")
    used = [trial for trial in real.trials if trial.log in sim.calibration_logs]
    if used:
        raise InvalidInput(
            f"{len(used)} real trials were used to calibrate this simulation (log {used[0].log} of policy "
            f"{used[0].policy!r}, trial {used[0].trial!r}); judge it with trials that it has not seen"
        )
    _one_checkpoint_a_policy((*real.trials, *sim.trials))
    notes = []
    if sim.calibration_logs and not all(trial.log for trial in real.trials):
        notes.append(
            "the simulation is calibrated, and some real trials name no log: that none of them was used to calibrate "
            "it cannot be checked"
        )
    unknown = [name for name in real.policies if not _checkpoints(name, real) or not _checkpoints(name, sim)]
    if unknown:
        notes.append(f"that the weights are the same on both sides cannot be checked for {', '.join(unknown)}")
    return [*notes, *sim.notes, *real.notes]


def short_task(env_id: str) -> str:
    """The task's name without the package."""
    return env_id.removeprefix(_TASK_PREFIX)


def _trials_from_csv(text: str) -> list[Trial]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise InvalidInput(f"line 1: {error}") from error
    missing = [name for name in REQUIRED_COLUMNS if name not in header]
    if missing:
        raise InvalidInput(f"column {missing[0]!r} is missing; the columns are {', '.join(header) or 'none'}")
    if len(set(header)) < len(header) or "" in header:
        raise InvalidInput(f"the columns are {header}; each needs a name of its own")
    reader.fieldnames = header
    return _rows(reader, len(header))


def _rows(reader: "csv.DictReader[str]", columns: int) -> list[Trial]:
    trials = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InvalidInput(f"line {reader.line_num} does not have {columns} values, one a column")
            trials.append(_trial_from_row(row, f"line {reader.line_num}"))
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num}: {error}") from error
    return trials


def _trials_from_json(text: str) -> tuple[str, list[Trial]]:
    try:
        data = parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"not a JSON file: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != REAL_TRIALS_SCHEMA:
        raise InvalidInput(f'not a table of real trials: its "schema" must be {REAL_TRIALS_SCHEMA!r}')
    rows = data.get("trials")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput("trials must be a list of objects, one a trial")
    return str(data.get("source", "real")), [_trial_from_row(row, f"trials[{i}]") for i, row in enumerate(rows)]


def _trial_from_row(row: Mapping[str, Any], where: str) -> Trial:
    missing = [name for name in REQUIRED_COLUMNS if str(row.get(name, "")).strip() == ""]
    if missing:
        raise InvalidInput(f"{where}: {missing[0]} is empty; a trial needs {', '.join(REQUIRED_COLUMNS)}")
    cells = {name: str(value).strip() for name, value in row.items()}
    success = cells["success"].lower()
    if success not in (*_TRUE, *_FALSE):
        raise InvalidInput(
            f"{where}: success is {row['success']!r}; write {' or '.join(map('/'.join, (_TRUE, _FALSE)))}"
        )
    factors = {k: v for k, v in cells.items() if k not in (*REQUIRED_COLUMNS, *PROVENANCE_COLUMNS)}
    return Trial(
        policy=cells["policy"],
        task=short_task(cells["task"]),
        trial=cells["trial"],
        success=success in _TRUE,
        factors=factors,
        log=cells.get("log", ""),
        checkpoint=cells.get("checkpoint", ""),
    )


def _trials_of(name: str, result: EvalResult, varied: Iterable[str]) -> list[Trial]:
    factors = {key: _factor_text(result.env_kwargs.get(key)) for key in varied}
    variant = "".join(f", {key}={value}" for key, value in factors.items())
    return [
        Trial(
            policy=name,
            task=short_task(result.env_id),
            trial=f"seed {record.seed}{variant}",
            success=record.success,
            factors=factors,
            checkpoint=result.fingerprints.get("checkpoint", ""),
            sample=int(record.metrics[CALIBRATION_SAMPLE]) if CALIBRATION_SAMPLE in record.metrics else None,
        )
        for record in result.episodes
    ]


def _factor_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _varied_arguments(results: Sequence[EvalResult]) -> list[str]:
    """Environment arguments that differ within a task. Raises InvalidInput when the calibration does."""
    varied: dict[str, None] = {}
    for env_id in dict.fromkeys(result.env_id for result in results):
        settings = [result.env_kwargs for result in results if result.env_id == env_id]
        for key in dict.fromkeys(key for each in settings for key in each):
            if len({_factor_text(each.get(key)) for each in settings}) == 1:
                continue
            if key == "calibration":
                raise InvalidInput(
                    f"the results on {env_id} are of different calibrations; correlate each simulation on its own"
                )
            varied[key] = None
    return list(varied)


def _calibration_logs(result: EvalResult) -> Sequence[str]:
    calibration = result.env_kwargs.get("calibration")
    return [log["sha256"] for log in calibration["logs"]] if isinstance(calibration, Mapping) else ()


def _differences(results: Sequence[EvalResult]) -> list[str]:
    notes = []
    for package in sorted({name for result in results for name in result.versions}):
        found = sorted({result.versions.get(package, "absent") for result in results})
        if len(found) > 1:
            notes.append(f"the results were made with different versions of {package}: {', '.join(found)}")
    return notes


def _checkpoints(policy: str, trials: TrialSet) -> set[str]:
    return {trial.checkpoint for trial in trials.trials if trial.policy == policy and trial.checkpoint}


def _one_checkpoint_a_policy(trials: Sequence[Trial]) -> None:
    known: dict[tuple[str, str], str] = {}
    for trial in trials:
        key = (trial.policy, trial.task)
        if trial.checkpoint and known.setdefault(key, trial.checkpoint) != trial.checkpoint:
            raise InvalidInput(
                f"policy {trial.policy!r} stands for two sets of weights on {trial.task}, {known[key]} and "
                f"{trial.checkpoint}; name them apart with NAME=FILE"
            )
