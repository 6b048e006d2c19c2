"""One self-contained page about a dataset."""

import base64
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from barkyard.datasets.reader import Dataset
from barkyard.datasets.spec import IMAGE_PART
from barkyard.datasets.survey import (
    BINS,
    FEWEST_EPISODES,
    OUTLIER_SCORE,
    Outlier,
    action_distributions,
    observation_distributions,
    outliers,
)
from barkyard.errors import BarkyardError, DatasetError
from barkyard.files import write_whole

EPISODES_PICTURED: Final = 24
STILLS: Final = 5
STILL_WIDTH: Final = 160
ROWS_LISTED: Final = 500
OUTLIERS_LISTED: Final = 20
REASONS_LISTED: Final = 4
SEEDS_A_ROW: Final = 100
_CELL: Final = 8

Pictures = Callable[[int, Sequence[int]], Mapping[str, NDArray[np.uint8]]]
"""From an episode's number and steps of it to `(steps, H, W, 3)` pictures by camera."""


def write_page(dataset: Dataset, path: Path, pictures: Pictures | None = None) -> None:
    """Write one HTML file that needs nothing else: no network, no scripts, no other file.

    Args:
        dataset: what it is about.
        path: the file.
        pictures: what shows an episode where the dataset has no images; without it the page says that there are none.

    Raises:
        DatasetError: there are no episodes, or an image is damaged.
        OSError: the file cannot be written; an earlier one stays as it was.
    """
    if not dataset.num_episodes:
        raise DatasetError(f"{dataset.path} holds no episodes yet; barkyard collect adds some")
    unusual = outliers(dataset)
    films, no_films = _films(dataset, unusual, stored_pictures(dataset) or pictures)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"bars": _bars, "number": _number}
    source = resources.files(__package__).joinpath("page.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        dataset=dataset,
        seconds=dataset.lengths * dataset.control_dt,
        facts=_facts(dataset),
        outliers=[(outlier, _reason_words(outlier)) for outlier in unusual[:OUTLIERS_LISTED]],
        outliers_left=max(len(unusual) - OUTLIERS_LISTED, 0),
        marked={outlier.episode for outlier in unusual},
        rule={"score": OUTLIER_SCORE, "fewest": FEWEST_EPISODES},
        seeds=_seed_map(dataset),
        durations=_durations(dataset),
        films=films,
        no_films=no_films,
        actions=action_distributions(dataset),
        observations=observation_distributions(dataset),
        rows_listed=ROWS_LISTED,
    )
    write_whole(path, page.encode("utf-8", errors="replace"))


def stored_pictures(dataset: Dataset) -> Pictures | None:
    """The dataset's own images, of every camera; None where it has none."""
    parts = [part for part in dataset.observation_shapes if part.startswith(IMAGE_PART)]

    def pictures(episode: int, steps: Sequence[int]) -> Mapping[str, NDArray[np.uint8]]:
        found = dataset.take(parts, dataset.starts[episode] + np.array(steps, dtype=np.intp))
        return {part.removeprefix(IMAGE_PART): images for part, images in found.items()}

    return pictures if parts else None


def episodes_pictured(count: int, unusual: Sequence[Outlier]) -> list[int]:
    """Which of `count` episodes: the most unusual, for up to half of the room, and others at equal distances."""
    chosen = {outlier.episode for outlier in unusual[: EPISODES_PICTURED // 2]}
    others = [episode for episode in range(count) if episode not in chosen]
    room = min(EPISODES_PICTURED - len(chosen), len(others))
    return sorted(chosen | {others[i * len(others) // room] for i in range(room)})


def _films(dataset: Dataset, unusual: Sequence[Outlier], pictures: Pictures | None) -> tuple[list[dict[str, Any]], str]:
    """A strip of stills for some episodes; or none, and why."""
    if pictures is None:
        return [], "The dataset has no images, and no simulator states to draw them from."
    words = {outlier.episode: _reason_words(outlier) for outlier in unusual}
    films = []
    for episode in episodes_pictured(dataset.num_episodes, unusual):
        steps = np.linspace(0, dataset.lengths[episode] - 1, STILLS).round().astype(int).tolist()
        try:
            strips = pictures(episode, steps)
        except DatasetError:
            raise
        except BarkyardError as error:
            return [], f"No pictures could be drawn from the stored states: {error}"
        films.append(
            {
                "episode": episode,
                "record": dataset.records[episode],
                "strips": {camera: [_jpeg(image) for image in images] for camera, images in strips.items()},
                "times": [step * dataset.control_dt for step in steps],
                "why": words.get(episode, ""),
            }
        )
    return films, ""


def _facts(dataset: Dataset) -> dict[str, str]:
    seconds = dataset.num_frames * dataset.control_dt
    actors = Counter(dataset.acted_by().tolist())
    sources = Counter(record.source for record in dataset.records)
    ends = Counter(record.end.replace("_", " ") for record in dataset.records)
    lasted = f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 3600:,.1f} h"
    share = dataset.successes.mean()
    return {
        "Episodes": f"{dataset.num_episodes:,}, of which {int(dataset.successes.sum()):,} succeeded ({share:.1%})",
        "Frames": f"{dataset.num_frames:,} at {dataset.fps} Hz: {lasted}",
        "How they ended": ", ".join(f"{end} {count:,}" for end, count in ends.most_common()),
        "Who acted": ", ".join(f"{name} {count / dataset.num_frames:.1%}" for name, count in actors.most_common()),
        "Source": ", ".join(f"{source} {count:,}" for source, count in sources.most_common()),
    }


def _reason_words(outlier: Outlier) -> str:
    words = [
        f"{reason.quantity} {_number(reason.value)} (median {_number(reason.median)}, score {reason.score:+.1f})"
        for reason in outlier.reasons[:REASONS_LISTED]
    ]
    left = len(outlier.reasons) - len(words)
    return "; ".join(words) + (f"; and {left} more" if left else "")


def _seed_map(dataset: Dataset) -> dict[str, Any]:
    """A square for each episode in the order of seeds, as two paths: of successes and of failures."""
    order = np.argsort(dataset.seeds, kind="stable")
    columns = min(SEEDS_A_ROW, len(order))
    paths: dict[bool, list[str]] = {True: [], False: []}
    for place, episode in enumerate(order):
        row, column = divmod(place, columns)
        paths[bool(dataset.successes[episode])].append(f"M{column * _CELL} {row * _CELL}h7v7h-7z")
    failed = np.sort(dataset.seeds[~dataset.successes]).tolist()
    return {
        "width": columns * _CELL,
        "height": -(-len(order) // columns) * _CELL,
        "columns": columns,
        "succeeded": Markup("".join(paths[True])),
        "failed": Markup("".join(paths[False])),
        "first": int(dataset.seeds.min()),
        "last": int(dataset.seeds.max()),
        "repeated": len(order) - len(np.unique(dataset.seeds)),
        "failed_seeds": failed,
    }


def _durations(dataset: Dataset) -> dict[str, Any]:
    """Histograms of all lengths and of those of failures, over the same bins."""
    seconds = dataset.lengths * dataset.control_dt
    everything, edges = np.histogram(seconds, BINS)
    failed, _ = np.histogram(seconds[~dataset.successes], edges)
    return {
        "everything": everything,
        "failed": failed,
        "low": float(edges[0]),
        "high": float(edges[-1]),
        "quantiles": [float(value) for value in np.quantile(seconds, (0.0, 0.5, 1.0))],
    }


def _bars(counts: NDArray[np.int64], most: int | None = None) -> Markup:
    """Bars as one SVG path in a box of 40 x 20, the tallest as high as the box, or as `most` would be."""
    tallest = max(int(counts.max()) if most is None else most, 1)
    tall = [(i, 20 * int(count) / tallest) for i, count in enumerate(counts) if count]
    return Markup("".join(f"M{i} 20v-{max(height, 0.4):.2f}h1V20z" for i, height in tall))


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _jpeg(image: NDArray[np.uint8]) -> str:
    """An image of at most `STILL_WIDTH` pixels across, as a data URI."""
    picture = Image.fromarray(image)
    picture.thumbnail((STILL_WIDTH, STILL_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
