"""The result of an evaluation, and its file."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from barkyard.episode import CALIBRATION_SAMPLE, ENDS, SOURCES
from barkyard.errors import InvalidInput, ResultError
from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.confidence_sequence import anytime_interval
from barkyard.evaluation.intervals import Interval, clopper_pearson
from barkyard.provenance import fingerprint
from barkyard.untrusted import parse_json

SCHEMA = "barkyard/result-v1"
CONFIDENCE = 0.95
FIXED, SEQUENTIAL, SEARCH = "fixed", "sequential", "search"
METHODS = {FIXED: "clopper-pearson", SEQUENTIAL: "betting confidence sequence", SEARCH: "none"}
"""How the episodes were chosen, with the interval that is valid then: their number was fixed beforehand, or they ended
when an answer was known, or they were looked for because they fail."""


@dataclass(frozen=True)
class EpisodeRecord:
    """What an evaluation keeps of one episode.

    Attributes:
        seed: the seed it was reset with, or the trial's number where `source` is `real`.
        success: whether the task had succeeded when the episode ended.
        total_reward: sum of the rewards; `return` in the file.
        length: number of control steps.
        end: why it ended, one of `ENDS`.
        score: the task's own score, or None where it has none.
        metrics: what else the task measured at the end, by name.
    """

    seed: int
    success: bool
    total_reward: float
    length: int
    end: str
    score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InvalidInput when a value cannot be."""
        where = f"episode with seed {self.seed}"
        if self.seed < 0:
            raise InvalidInput(f"{where}: seed must be 0 or more")
        if self.length < 0:
            raise InvalidInput(f"{where}: length is {self.length}; it must be 0 or more")
        if self.end not in ENDS:
            raise InvalidInput(f"{where}: end is {self.end!r}; it must be one of {', '.join(ENDS)}")
        if (self.end == "success" and not self.success) or (self.end == "failure" and self.success):
            raise InvalidInput(f"{where}: end is {self.end!r}, but success is {str(self.success).lower()}")
        for name, value in (("return", self.total_reward), ("score", self.score), *self.metrics.items()):
            if value is not None and not math.isfinite(value):
                raise InvalidInput(f"{where}: {name} is {value}; it must be finite")


@dataclass(frozen=True)
class EvalResult:
    """One actor on one task: a record an episode, and where it all came from.

    Attributes:
        env_id: such as `barkyard/Lift-v0`.
        env_kwargs: the keyword arguments that rebuild the environment; JSON only.
        actor: name of who acted.
        episodes: one record an episode, in the order of the seeds asked for; each seed once.
        episodes_asked: how many were asked for. A result with fewer is partial: see `complete`.
        seconds: wall time [s].
        fingerprints: content hashes of what it was made from: `env`, and `checkpoint`, `dataset` and so on.
        versions: package versions.
        source: one of `SOURCES`.
        num_envs: environments stepped side by side; changes nothing but the time.
        command: the command that made it, or "".
        sampling: how the episodes were chosen, one of `METHODS`.
        sampling_note: what ended them or what was looked for, in words.
    """

    env_id: str
    env_kwargs: Mapping[str, Any]
    actor: str
    episodes: tuple[EpisodeRecord, ...]
    episodes_asked: int
    seconds: float
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    source: str = "sim"
    num_envs: int = 1
    command: str = ""
    sampling: str = FIXED
    sampling_note: str = ""

    def __post_init__(self) -> None:
        """Raises InvalidInput when the values do not fit together."""
        if self.sampling not in METHODS:
            raise InvalidInput(f"sampling is {self.sampling!r}; it must be one of {', '.join(METHODS)}")
        if self.source not in SOURCES:
            raise InvalidInput(f"source is {self.source!r}; it must be one of {', '.join(SOURCES)}")
        if not self.episodes:
            raise InvalidInput("episodes is empty; a result needs at least one episode")
        if self.episodes_asked < len(self.episodes):
            raise InvalidInput(f"episodes_asked is {self.episodes_asked}, but {len(self.episodes)} are given")
        seen: set[int] = set()
        for record in self.episodes:
            if record.seed in seen:
                raise InvalidInput(f"episodes holds seed {record.seed} more than once; each episode counts once")
            seen.add(record.seed)
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise InvalidInput(f"seconds is {self.seconds}; it must be finite and 0 or more")
        if self.num_envs < 1:
            raise InvalidInput(f"num_envs is {self.num_envs}; it must be 1 or more")
        try:
            json.dumps(self.env_kwargs, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"env kwargs are {self.env_kwargs!r}, which JSON cannot hold: {error}") from error

    @property
    def num_episodes(self) -> int:
        """Episodes that were finished."""
        return len(self.episodes)

    @property
    def num_successes(self) -> int:
        """Episodes that ended in success."""
        return sum(record.success for record in self.episodes)

    @property
    def success_rate(self) -> float:
        """Successes over finished episodes. No fair estimate if `unfair` says so."""
        return self.num_successes / self.num_episodes

    @property
    def interval(self) -> Interval:
        """95 % interval of the success probability.

        Exact (Clopper-Pearson) where the number of episodes was fixed, and then valid only if `complete`; a confidence
        sequence where they ended when an answer was known; everything where they were chosen because they fail.
        """
        if self.sampling == SEARCH:
            return Interval(0.0, 1.0)
        if self.sampling == SEQUENTIAL:
            return anytime_interval((float(record.success) for record in self.episodes), CONFIDENCE)
        return clopper_pearson(self.num_successes, self.num_episodes, CONFIDENCE)

    @property
    def unfair(self) -> str:
        """Why the episodes are no fair sample of a number fixed beforehand, and the way out; "" where they are."""
        if self.sampling == SEARCH:
            return "a search for failures chose the episodes, so they are not a fair sample: evaluate without a search"
        if self.sampling == SEQUENTIAL:
            return (
                f"its episodes ended when an answer was known ({self.sampling_note}), so they are not a fair sample "
                "for another question: evaluate without --against and with one actor"
            )
        if not self.complete:
            return (
                f"{self.num_episodes} of {self.episodes_asked} episodes were finished, and what is finished first is "
                "no fair sample: finish the evaluation"
            )
        return ""

    def metrics(self) -> dict[str, list[float]]:
        """The score and the metrics that every episode has, one value an episode; not which robot was drawn."""
        rows = [
            {**({} if record.score is None else {"score": record.score}), **record.metrics} for record in self.episodes
        ]
        names = [name for name in rows[0] if name != CALIBRATION_SAMPLE and all(name in row for row in rows)]
        return {name: [row[name] for row in rows] for name in names}

    @property
    def complete(self) -> bool:
        """Whether every episode asked for was finished.

        What a stopped evaluation has finished favours short episodes, and success often ends one early.
        """
        return self.num_episodes == self.episodes_asked

    @property
    def fingerprint(self) -> str:
        """Hash of what was asked and what happened.

        Equal for equal evaluations at any `num_envs`: time, versions and command do not count.
        """
        data = self.to_json()
        for name in ("seconds", "num_envs", "versions", "command"):
            del data[name]
        return fingerprint(data)

    def to_json(self) -> dict[str, Any]:
        """The file's content."""
        low, high = self.interval
        return {
            "schema": SCHEMA,
            "env": {"id": self.env_id, "kwargs": dict(self.env_kwargs)},
            "actor": self.actor,
            "source": self.source,
            "success_rate": self.success_rate,
            "interval": {"method": METHODS[self.sampling], "confidence": CONFIDENCE, "low": low, "high": high},
            "episodes_asked": self.episodes_asked,
            "seconds": self.seconds,
            "num_envs": self.num_envs,
            "command": self.command,
            "fingerprints": dict(self.fingerprints),
            "versions": dict(self.versions),
            "episodes": [_record_to_json(record) for record in self.episodes],
            **({} if self.sampling == FIXED else {"sampling": {"kind": self.sampling, "note": self.sampling_note}}),
        }

    def save(self, path: Path | str) -> None:
        """Write the result as JSON, whole or not at all.

        Raises:
            ResultError: the file cannot be written (disk full, no permission). An earlier file stays as it was.
        """
        text = json.dumps(self.to_json(), indent=1, allow_nan=False)
        write_atomically(Path(path), (text + "\n").encode())

    @staticmethod
    def load(path: Path | str) -> "EvalResult":
        """Read a result and check it.

        Raises:
            ResultError: the file is missing, is no JSON, has another schema, lacks a field, holds a value of the
                wrong kind, or contradicts itself. The message names file, field and value.
        """
        try:
            data = parse_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ResultError(f"{path}: not a JSON file: {error}. Restore it or evaluate again.") from error
        try:
            return _result_from_json(data)
        except InvalidInput as error:
            raise ResultError(f"{path}: {error}") from error


_TEXT, _YES_NO, _WHOLE, _NUMBER, _OBJECT, _LIST = (str,), (bool,), (int,), (int, float), (dict,), (list,)
_OPTIONAL_NUMBER = (int, float, type(None))
_Fields = dict[str, tuple[type, ...]]

_RESULT_FIELDS: _Fields = {
    "schema": _TEXT,
    "env": _OBJECT,
    "actor": _TEXT,
    "source": _TEXT,
    "success_rate": _NUMBER,
    "interval": _OBJECT,
    "episodes_asked": _WHOLE,
    "seconds": _NUMBER,
    "num_envs": _WHOLE,
    "command": _TEXT,
    "fingerprints": _OBJECT,
    "versions": _OBJECT,
    "episodes": _LIST,
}
_SAMPLING_FIELDS: _Fields = {"kind": _TEXT, "note": _TEXT}
_ENV_FIELDS: _Fields = {"id": _TEXT, "kwargs": _OBJECT}
_INTERVAL_FIELDS: _Fields = {"method": _TEXT, "confidence": _NUMBER, "low": _NUMBER, "high": _NUMBER}
_EPISODE_FIELDS: _Fields = {
    "seed": _WHOLE,
    "success": _YES_NO,
    "score": _OPTIONAL_NUMBER,
    "return": _NUMBER,
    "length": _WHOLE,
    "end": _TEXT,
}
_KIND_NAMES = {
    _TEXT: "a string",
    _YES_NO: "true or false",
    _WHOLE: "a whole number of at most 64 bits",
    _NUMBER: "a number",
    _OBJECT: "an object",
    _LIST: "a list",
    _OPTIONAL_NUMBER: "a number or null",
}


def _record_to_json(record: EpisodeRecord) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "success": record.success,
        "score": record.score,
        "return": record.total_reward,
        "length": record.length,
        "end": record.end,
        **({"metrics": dict(record.metrics)} if record.metrics else {}),
    }


def _result_from_json(data: Any) -> EvalResult:
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InvalidInput(
            f"schema is {schema!r}; this version of Barkyard reads {SCHEMA!r}. Is it a result, and not a newer one?"
        )
    sampling = data.get("sampling", {"kind": FIXED, "note": ""})
    _check_fields({name: value for name, value in data.items() if name != "sampling"}, _RESULT_FIELDS, "")
    _check_kind(sampling, _OBJECT, "sampling")
    _check_fields(sampling, _SAMPLING_FIELDS, "sampling.")
    _check_fields(data["env"], _ENV_FIELDS, "env.")
    for name in ("fingerprints", "versions"):
        _check_fields(data[name], dict.fromkeys(data[name], _TEXT), f"{name}.")
    result = EvalResult(
        env_id=data["env"]["id"],
        env_kwargs=data["env"]["kwargs"],
        actor=data["actor"],
        episodes=tuple(_record_from_json(i, record) for i, record in enumerate(data["episodes"])),
        episodes_asked=data["episodes_asked"],
        seconds=float(data["seconds"]),
        fingerprints=data["fingerprints"],
        versions=data["versions"],
        source=data["source"],
        num_envs=data["num_envs"],
        command=data["command"],
        sampling=sampling["kind"],
        sampling_note=sampling["note"],
    )
    _check_statistics(data, result)
    return result


def _record_from_json(i: int, data: Any) -> EpisodeRecord:
    _check_kind(data, _OBJECT, f"episodes[{i}]")
    metrics = data.get("metrics", {})
    _check_fields({k: v for k, v in data.items() if k != "metrics"}, _EPISODE_FIELDS, f"episodes[{i}].")
    _check_kind(metrics, _OBJECT, f"episodes[{i}].metrics")
    _check_fields(metrics, dict.fromkeys(metrics, _NUMBER), f"episodes[{i}].metrics.")
    return EpisodeRecord(
        seed=data["seed"],
        success=data["success"],
        total_reward=float(data["return"]),
        length=data["length"],
        end=data["end"],
        score=None if data["score"] is None else float(data["score"]),
        metrics={name: float(value) for name, value in metrics.items()},
    )


def _check_statistics(data: dict[str, Any], result: EvalResult) -> None:
    _check_fields(data["interval"], _INTERVAL_FIELDS, "interval.")
    expected = result.to_json()
    pairs = [("success_rate", data["success_rate"], expected["success_rate"])]
    pairs += [(f"interval.{name}", data["interval"][name], value) for name, value in expected["interval"].items()]
    for name, stored, value in pairs:
        agrees = stored == value if isinstance(value, str) else math.isclose(stored, value, abs_tol=1e-6, rel_tol=0)
        if not agrees:
            raise InvalidInput(
                f"{name} is {stored!r}, but {result.num_successes} successes in {result.num_episodes} episodes give "
                f"{value!r}; the file was changed by hand or damaged"
            )


def _check_fields(data: dict[str, Any], fields: _Fields, place: str) -> None:
    for name in fields:
        if name not in data:
            raise InvalidInput(f"{place}{name} is missing; the fields are {', '.join(fields)}")
    for name, value in data.items():
        if name not in fields:
            raise InvalidInput(f"{place}{name} is not a field of {SCHEMA}; the fields are {', '.join(fields)}")
        _check_kind(value, fields[name], place + name)


def _check_kind(value: Any, kind: tuple[type, ...], name: str) -> None:
    too_large = isinstance(value, int) and abs(value) >= 2**63
    if type(value) not in kind or too_large or (isinstance(value, float) and not math.isfinite(value)):
        raise InvalidInput(f"{name} is {value!r:.80}; it must be {_KIND_NAMES[kind]}")
