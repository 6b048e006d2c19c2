"""Results as a table, for the terminal and for Markdown."""

import json
from collections.abc import Mapping, Sequence
from math import inf, sqrt
from statistics import fmean, stdev
from typing import Any

from barkyard.evaluation.intervals import Interval, clopper_pearson
from barkyard.evaluation.result import SEARCH, SEQUENTIAL, EvalResult

COLUMNS = ("task", "actor", "n", "successes", "rate", "95 % interval", "seconds")
NORMAL_95 = 1.96
_NUMERIC_FROM = 2

PARTIAL_NOTE = (
    "* stopped early: what was finished favours short episodes, and success often ends one early, so the rate is no "
    "estimate."
)
SEQUENTIAL_NOTE = (
    "+ ended when the answer was known: the interval is one that allows for that, and the rate is no fair estimate."
)
SEARCH_NOTE = (
    "! not a fair sample: a search looked for failures, so the rate says nothing about how often the actor fails."
)


def text_table(results: Sequence[EvalResult]) -> str:
    """Aligned plain text, one line a result."""
    rows = [COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [_align(row, widths) for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines + sampling_notes(results))


def metrics_text(result: EvalResult) -> str:
    """A line a metric: how often, and its exact 95 % interval, where it is 0 or 1; else its mean and a normal one."""
    lines = []
    for name, values in result.metrics().items():
        mean, count = fmean(values), len(values)
        if set(values) <= {0.0, 1.0}:
            low, high = (100 * bound for bound in clopper_pearson(round(sum(values)), count))
            lines.append((name, f"{round(sum(values))}/{count} = {100 * mean:.1f} %", f"[{low:.1f}, {high:.1f}]"))
        else:
            low, high = _normal_interval(values)
            lines.append((name, f"mean {mean:.4g}", f"[{low:.4g}, {high:.4g}]"))
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(2)]
    return "\n".join(f"  {_align(line, [*widths, 0], left=3)}" for line in lines)


def score_texts(result: EvalResult) -> tuple[str, str] | None:
    """Mean score and its normal 95 % interval, such as `0.887` and `0.876 - 0.898`; None where there is no score."""
    scores = result.metrics().get("score")
    if not scores:
        return None
    low, high = _normal_interval(scores)
    return f"{fmean(scores):.3f}", f"{low:.3f} - {high:.3f}"


def _normal_interval(values: Sequence[float]) -> tuple[float, float]:
    mean, half = fmean(values), NORMAL_95 * stdev(values) / sqrt(len(values)) if len(values) > 1 else inf
    return mean - half, mean + half


def choices_text(result: EvalResult, results: Sequence[EvalResult]) -> str:
    """The arguments of its environment that are not the same in all results of it, such as `torque_limit 12.0`."""
    others = [other.env_kwargs for other in results if other.env_id == result.env_id]
    told = [name for name, value in result.env_kwargs.items() if any(other.get(name) != value for other in others)]
    return ", ".join(f"{name} {_brief(result.env_kwargs[name])}" for name in told)


def _brief(value: Any) -> str:
    """An object that has a name by that."""
    return str(value["name"]) if isinstance(value, Mapping) and "name" in value else json.dumps(value)


def markdown_table(results: Sequence[EvalResult]) -> str:
    """A Markdown table, one line a result."""
    rule = ["---" if i < _NUMERIC_FROM else "---:" for i in range(len(COLUMNS))]
    rows = [COLUMNS, rule, *(map(_escape, _cells(result)) for result in results)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines + [f"\n{_escape(note)}" for note in sampling_notes(results)])


def task_name(result: EvalResult) -> str:
    """The task without the package, and the source where it is not the simulation."""
    name = result.env_id.removeprefix("barkyard/")
    return name if result.source == "sim" else f"{name} ({result.source})"


def count_text(result: EvalResult) -> str:
    """Number of episodes; `37/100 *` where not all that were asked for were finished, and marks of no fair sample."""
    if result.sampling == SEQUENTIAL:
        return f"{result.num_episodes}/{result.episodes_asked} +"
    if result.sampling == SEARCH:
        return f"{result.num_episodes} !"
    return str(result.num_episodes) if result.complete else f"{result.num_episodes}/{result.episodes_asked} *"


def interval_text(interval: Interval) -> str:
    """Such as `88.7 - 98.4 %`."""
    return f"{100 * interval.low:.1f} - {100 * interval.high:.1f} %"


def _cells(result: EvalResult) -> tuple[str, ...]:
    return (
        _printable(task_name(result)),
        _printable(result.actor),
        count_text(result),
        str(result.num_successes),
        f"{100 * result.success_rate:.1f} %",
        interval_text(result.interval),
        f"{result.seconds:.1f}",
    )


def _align(row: Sequence[str], widths: list[int], left: int = _NUMERIC_FROM) -> str:
    cells = [
        cell.ljust(width) if i < left else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def sampling_notes(results: Sequence[EvalResult]) -> list[str]:
    """What a reader has to know of how episodes were chosen, once each."""
    kinds = {result.sampling for result in results}
    partial = any(not result.complete for result in results if result.sampling != SEQUENTIAL)
    found = ((partial, PARTIAL_NOTE), (SEQUENTIAL in kinds, SEQUENTIAL_NOTE), (SEARCH in kinds, SEARCH_NOTE))
    return [note for there, note in found if there]


def _printable(name: str) -> str:
    """Without the control characters with which a file from elsewhere could drive a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _escape(cell: str) -> str:
    for character in "\\|*_<`[":
        cell = cell.replace(character, "\\" + character)
    return cell
