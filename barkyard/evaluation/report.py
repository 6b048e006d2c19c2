"""One self-contained page about a run."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.comparison import MARGIN, SUCCESS, compare
from barkyard.evaluation.path_log import PLOT
from barkyard.evaluation.plots import interval_svg, training_svg
from barkyard.evaluation.result import SEARCH, SEQUENTIAL, EvalResult
from barkyard.evaluation.table import choices_text, count_text, interval_text, sampling_notes, score_texts, task_name
from barkyard.evaluation.verdicts import ranking_words
from barkyard.evaluation.video import film_strip

STILLS = 6


@dataclass(frozen=True)
class TrainingCurve:
    """Losses over a training run.

    Attributes:
        name: what was trained.
        loss: (step, training loss), by step.
        heldout_loss: (step, loss on held-out episodes), by step; may be empty.
    """

    name: str
    loss: tuple[tuple[int, float], ...]
    heldout_loss: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class DatasetFacts:
    """What a report says of a dataset."""

    path: str
    env_id: str
    episodes: int
    frames: int
    successes: int
    fingerprint: str


@dataclass(frozen=True)
class Report:
    """What goes on the page.

    Attributes:
        title: the heading.
        results: at least one.
        curves: training curves.
        videos: mp4 files to embed; each is shown under its folder's and its own name, and with it the picture of the
            run's path, where one lies beside it.
        videos_left_out: how many more there were; the page says so.
        dataset: the demonstrations, if any.
        commands: the commands that made it all, in order.
    """

    title: str
    results: tuple[EvalResult, ...]
    curves: tuple[TrainingCurve, ...] = ()
    videos: tuple[Path, ...] = ()
    videos_left_out: int = 0
    dataset: DatasetFacts | None = None
    commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidInput when there is nothing to report."""
        if not self.results:
            raise InvalidInput("results is empty; a report needs at least one result of barkyard evaluate")


def write_report(report: Report, path: Path | str) -> None:
    """Write one HTML file that needs nothing else: no network, no scripts, no other file.

    Raises:
        ResultError: the file cannot be written; an earlier one stays as it was.
        RenderingError: there are videos, and no ffmpeg to take stills from them.
        BarkyardError: a video or a picture of a path cannot be read.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = resources.files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        report=report,
        rows=[_result_row(result, report.results) for result in report.results],
        scored=any(score_texts(result) for result in report.results),
        sampling_notes=sampling_notes(report.results),
        comparisons=comparison_words(report.results),
        curves=[(curve, Markup(training_svg(curve.loss, curve.heldout_loss))) for curve in report.curves],
        films=[_film(video) for video in report.videos],
        versions=_versions(report.results),
    )
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))


def seeds_text(result: EvalResult) -> str:
    """Such as `100 seeds, 1000000000 to 1000000099`, and whether some between are missing."""
    seeds = sorted(record.seed for record in result.episodes)
    if len(seeds) == 1:
        return f"1 seed, {seeds[0]}"
    gaps = "" if seeds[-1] - seeds[0] + 1 == len(seeds) else ", not all between"
    return f"{len(seeds)} seeds, {seeds[0]} to {seeds[-1]}{gaps}"


def comparison_words(results: Sequence[EvalResult]) -> list[str]:
    """Which actor is better on each task where two or more were measured alike, what races ended with, and failures."""
    words, groups = [], dict[tuple[str, str, str], list[EvalResult]]()
    for result in results:
        if not result.unfair:
            key = (result.env_id, result.source, json.dumps(result.env_kwargs, sort_keys=True))
            groups.setdefault(key, []).append(result)
    for group in groups.values():
        names = [result.actor for result in group]
        if len(set(names)) < len(names):
            names = [f"{name} ({result.fingerprint[:6]})" for name, result in zip(names, group, strict=True)]
        if len(group) > 1 and len(set(names)) == len(names):
            ranking = compare(list(zip(names, group, strict=True)))
            words += [f"{task_name(group[0])}: {line}" for line in ranking_words(ranking, SUCCESS, MARGIN)]
    words += [
        f"{task_name(result)}, {result.actor}: stopped early, {result.sampling_note}"
        for result in results
        if result.sampling == SEQUENTIAL
    ]
    for result in (result for result in results if result.sampling == SEARCH):
        seeds = [record.seed for record in result.episodes if not record.success]
        found = f"{len(seeds)} failures found by a search" + (f", such as seed {seeds[0]}" if seeds else "")
        words.append(f"{task_name(result)}, {result.actor}: {found} (not a fair sample)")
    return words


def _result_row(result: EvalResult, results: Sequence[EvalResult]) -> dict[str, Any]:
    ends = Counter(record.end for record in result.episodes)
    lengths = sorted(record.length for record in result.episodes)
    return {
        "result": result,
        "task": task_name(result),
        "choices": choices_text(result, results),
        "score": score_texts(result),
        "count": count_text(result),
        "rate": f"{100 * result.success_rate:.1f} %",
        "interval": interval_text(result.interval),
        "plot": Markup(interval_svg(result.success_rate, result.interval)),
        "ends": ", ".join(f"{end.replace('_', ' ')} {count}" for end, count in ends.most_common()),
        "median_length": lengths[len(lengths) // 2],
        "seeds": seeds_text(result),
    }


def _versions(results: Sequence[EvalResult]) -> list[tuple[str, list[str]]]:
    """Every package with the versions found in the results; more than one only where the results differ."""
    names = sorted({name for result in results for name in result.versions})
    return [(name, sorted({result.versions.get(name, "absent") for result in results})) for name in names]


def _film(video: Path) -> dict[str, Any]:
    stills = [_data_uri("image/jpeg", still) for still in film_strip(video, STILLS)]
    plot = video.with_suffix(PLOT)
    content, path = _content(video), _content(plot) if plot.exists() else None
    return {
        "name": f"{video.parent.name} / {video.stem.replace('_', ' ')}",
        "source": _data_uri("video/mp4", content),
        "path": None if path is None else _data_uri("image/png", path),
        "stills": stills,
    }


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BarkyardError(f"{path}: cannot be read: {error.strerror}") from error


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
