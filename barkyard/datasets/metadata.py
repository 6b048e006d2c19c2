"""LeRobot's `meta/` folder, derived from the data files alone."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from barkyard import provenance
from barkyard.datasets.encoding import SCHEMA, EpisodeRecord, layout_columns
from barkyard.datasets.files import (
    CHUNK_SIZE,
    DATA_PATH,
    EPISODES_PATH,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    DataFile,
    RowReader,
    load_json,
    replacing,
    write_whole,
)
from barkyard.datasets.spec import DatasetSpec
from barkyard.datasets.statistics import Aggregate, FeatureStatistics, vector_statistics
from barkyard.errors import DatasetError

CODEBASE_VERSION = "v3.0"
ROW_GROUP = 100
"""Episodes in a row group of the table of episodes."""
_CONVERT = "barkyard convert makes one of ours of it"
DATA_FILE_MEGABYTES, VIDEO_FILE_MEGABYTES = 100, 200


def write_metadata(root: Path, spec: DatasetSpec, files: Sequence[DataFile], versions: dict[str, str]) -> None:
    """Write all of `meta/`; info.json last, so that it never describes more than is there.

    Args:
        root: the dataset.
        spec: what its episodes share.
        files: all its data files, in order.
        versions: package versions at its creation.

    Raises:
        OSError: the disk is full or the folder cannot be written; what was there before is unchanged.
    """
    write_whole(root / TASKS_PATH, _parquet(_tasks(spec)))
    totals: dict[str, Aggregate] = {}
    rows = _episode_rows(spec, files, totals)
    if files:
        with replacing(root / EPISODES_PATH) as path:
            _write_rows(path, rows)
    write_whole(root / STATS_PATH, _json({feature: total.statistics() for feature, total in totals.items()}))
    write_whole(root / INFO_PATH, _json(_info(spec, files, versions)))


def begin_metadata(root: Path, spec: DatasetSpec, versions: dict[str, str]) -> None:
    """Write the metadata of a dataset without episodes; info.json first, for it alone makes a folder a dataset."""
    write_whole(root / INFO_PATH, _json(_info(spec, [], versions)))
    write_metadata(root, spec, [], versions)


def load_info(root: Path) -> tuple[dict[str, Any], DatasetSpec]:
    """The content of info.json, and what it says of the episodes.

    Raises:
        DatasetError: there is no dataset, or one of another kind or version.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder; give the folder of a dataset")
    if not (root / INFO_PATH).is_file():
        raise DatasetError(f"{root} is no dataset: it has no {INFO_PATH}. Give the folder that `collect` wrote.")
    info = load_json(root / INFO_PATH)
    version = info.get("codebase_version")
    if version != CODEBASE_VERSION:
        raise DatasetError(
            f"{root} has layout {version!r}; this version of Barkyard reads {CODEBASE_VERSION!r}. If it is LeRobot's, "
            f"{_CONVERT}"
        )
    ours = info.get("barkyard")
    if not isinstance(ours, dict):
        raise DatasetError(f"{root} is a LeRobot dataset that Barkyard did not record; {_CONVERT}")
    if ours.get("schema") != SCHEMA:
        raise DatasetError(f"{root} has schema {ours.get('schema')!r}; this version of Barkyard reads {SCHEMA}")
    if info.get("data_path") != DATA_PATH:
        raise DatasetError(f"{root / INFO_PATH} gives data_path {info.get('data_path')!r}; valid: {DATA_PATH!r}")
    try:
        spec = DatasetSpec.from_json(ours)
    except DatasetError as error:
        raise DatasetError(f"{root / INFO_PATH}: {error}") from error
    for name, holder, kind in (("total_episodes", info, int), ("versions", ours, dict)):
        if type(holder.get(name)) is not kind:
            raise DatasetError(f"{root / INFO_PATH}: {name} is {holder.get(name)!r:.80}, no {kind.__name__}")
    return info, spec


def is_current(info: dict[str, Any], files: Sequence[DataFile]) -> bool:
    """Whether the metadata describes exactly these data files."""
    return bool(info["barkyard"].get("contents") == _contents(files))


def _contents(files: Sequence[DataFile]) -> str:
    return provenance.fingerprint([[file.number, [record.fingerprint for record in file.records]] for file in files])


def _info(spec: DatasetSpec, files: Sequence[DataFile], versions: dict[str, str]) -> dict[str, Any]:
    records = [record for file in files for record in file.records]
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": spec.robot_type,
        "total_episodes": len(records),
        "total_frames": sum(record.length for record in records),
        "total_tasks": 1,
        "chunks_size": CHUNK_SIZE,
        "data_files_size_in_mb": DATA_FILE_MEGABYTES,
        "video_files_size_in_mb": VIDEO_FILE_MEGABYTES,
        "fps": spec.fps,
        "splits": {"train": f"0:{len(records)}"},
        "data_path": DATA_PATH,
        "video_path": None,
        "features": spec.features(),
        "barkyard": {"schema": SCHEMA, **spec.to_json(), "versions": versions, "contents": _contents(files)},
    }


def _episode_rows(
    spec: DatasetSpec, files: Sequence[DataFile], totals: dict[str, Aggregate]
) -> Iterator[dict[str, Any]]:
    """A row for each episode; what it says of a feature is counted into `totals`."""
    for file in files:
        for record, extras in zip(file.records, RowReader(file).extras, strict=True):
            layout = layout_columns(record, spec.fps)
            statistics = extras.statistics | {name: vector_statistics(values) for name, values in layout.items()}
            for feature, numbers in statistics.items():
                totals.setdefault(feature, Aggregate()).add(numbers)
            yield _episode_row(spec, file, record, statistics)


def _write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """A parquet file of rows, of which only a group at a time is in memory."""
    group = pa.Table.from_pylist(list(islice(rows, ROW_GROUP)))
    with pq.ParquetWriter(path, group.schema, compression="snappy") as writer:
        while len(group):
            writer.write_table(group)
            group = pa.Table.from_pylist(list(islice(rows, ROW_GROUP)), schema=group.schema)


def _episode_row(
    spec: DatasetSpec, file: DataFile, record: EpisodeRecord, statistics: dict[str, FeatureStatistics]
) -> dict[str, Any]:
    chunk, number = divmod(file.number, CHUNK_SIZE)
    row: dict[str, Any] = {
        "episode_index": record.episode_index,
        "tasks": [spec.task],
        "length": record.length,
        "data/chunk_index": chunk,
        "data/file_index": number,
        "dataset_from_index": record.first_index,
        "dataset_to_index": record.first_index + record.length,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        "barkyard/seed": record.seed,
        "barkyard/success": record.success,
        "barkyard/end": record.end,
        "barkyard/source": record.source,
        "barkyard/total_reward": record.total_reward,
        "barkyard/metrics": json.dumps(record.metrics),
        "barkyard/fingerprint": record.fingerprint,
    }
    for feature, values in statistics.items():
        row |= {f"stats/{feature}/{name}": value for name, value in values.items()}
    return row


def _tasks(spec: DatasetSpec) -> pa.Table:
    """The task table; its index is the task, which pandas (and so LeRobot) reads from the schema's metadata."""
    described = [("task_index", "int64", "int64"), ("task", "unicode", "object")]
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
            for name, kind, dtype in described
        ],
        "pandas_version": "2.0.0",
    }
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([spec.task], pa.string())})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
