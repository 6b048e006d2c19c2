"""What a run left in its folder, gathered for a report."""

import json
import math
from pathlib import Path

from barkyard.errors import ResultError
from barkyard.evaluation.report import DatasetFacts, Report, TrainingCurve
from barkyard.evaluation.result import EvalResult

VIDEOS_A_FOLDER = 3
"""Videos embedded from each folder: the first by name, which is by seed, so that nobody picks the pretty ones."""


def gather_run(folder: Path | str) -> Report:
    """Make a report of a run's folder.

    The folder holds `results/*.json`, and where the run made them `dataset/`, `policy/log.jsonl`, `videos/**/*.mp4`
    and `commands.txt` (one command a line). What is missing is left out.

    Raises:
        ResultError: there is no result, or a result or log is damaged.
        DatasetError: the dataset is damaged.
    """
    folder = Path(folder)
    files = sorted((folder / "results").glob("*.json"))
    if not files:
        raise ResultError(f"{folder / 'results'} holds no *.json; run barkyard evaluate with --out into it first")
    videos = sorted((folder / "videos").rglob("*.mp4"))
    folders = sorted({video.parent for video in videos})
    shown = [video for each in folders for video in sorted(each.glob("*.mp4"))[:VIDEOS_A_FOLDER]]
    log = folder / "policy" / "log.jsonl"
    commands = folder / "commands.txt"
    return Report(
        title=folder.resolve().name,
        results=tuple(EvalResult.load(file) for file in files),
        curves=(read_training_log(log, "policy"),) if log.exists() else (),
        videos=tuple(shown),
        videos_left_out=len(videos) - len(shown),
        dataset=_dataset_facts(folder / "dataset") if (folder / "dataset").exists() else None,
        commands=tuple(_lines(commands)) if commands.exists() else (),
    )


def read_training_log(path: Path | str, name: str) -> TrainingCurve:
    """Read `step`, `loss` and `heldout_loss` from a training log, one JSON object a line.

    A step that stands there twice (training was resumed from before it) counts as the later line says. An unfinished
    last line (training was killed while it wrote) is left out, and so is a loss that is not finite.

    Raises:
        ResultError: another line is damaged; the message names it.
    """
    lines = _lines(Path(path))
    losses: dict[int, float] = {}
    heldout: dict[int, float] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            step = int(record["step"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise ResultError(f"{path}, line {number}: not a log record with a step: {line!r:.80}") from error
        for values, key in ((losses, "loss"), (heldout, "heldout_loss")):
            value = record.get(key)
            if isinstance(value, int | float) and math.isfinite(value):
                values[step] = float(value)
    return TrainingCurve(name, tuple(sorted(losses.items())), tuple(sorted(heldout.items())))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    return [line for line in text.split("\n") if line.strip()]


def _dataset_facts(path: Path) -> DatasetFacts:
    from barkyard.datasets import Dataset  # pyarrow is only needed where there is a dataset

    dataset = Dataset.open(path)
    return DatasetFacts(
        path=path.name,
        env_id=dataset.env_id,
        episodes=dataset.num_episodes,
        frames=dataset.num_frames,
        successes=sum(map(bool, dataset.successes)),
        fingerprint=dataset.fingerprint,
    )
