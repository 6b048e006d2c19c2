"""Where a dataset's files are, how they come to be there whole, and which of them are usable."""

import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from barkyard import files
from barkyard.datasets.encoding import FOOTER, SCHEMA, EpisodeExtras, EpisodeRecord, read_entry
from barkyard.datasets.spec import DatasetSpec
from barkyard.errors import DatasetError
from barkyard.files import FolderLock
from barkyard.untrusted import parse_json

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
INFO_PATH, STATS_PATH, TASKS_PATH = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
DATA, COMPACTED, REPLACED, DAMAGED = "data", "data.compacted", "data.replaced", "damaged"
PARTIAL = ".partial"
"""Suffix of a file being written; readers look for `*.parquet` only."""
CHUNK_SIZE = 1000
"""Files in a chunk folder."""


class DataFileError(DatasetError):
    """A file in a dataset's data folder cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True)
class DataFile:
    """A usable data file.

    Attributes:
        path: where it is.
        number: its number among the files.
        records: its episodes, one row group each.
    """

    path: Path
    number: int
    records: tuple[EpisodeRecord, ...]


def locked(root: Path) -> FolderLock:
    """Hold the dataset's lock. Raises DatasetError if another writer holds it."""
    return FolderLock(root, DatasetError)


def write_whole(path: Path, content: bytes) -> None:
    """Write `path` so that a kill at any moment leaves the old content or the new.

    The lock keeps other writers away; the next one clears up what a killed one left.

    Raises:
        OSError: the disk is full or the place cannot be written; what was there before is unchanged.
    """
    files.write_whole(path, content, PARTIAL)


def replacing(path: Path) -> AbstractContextManager[Path]:
    """As `write_whole`, for a file that is written bit by bit, at the path that is given."""
    return files.replacing(path, PARTIAL)


def no_space(what: str, path: Path, size: int, error: OSError) -> str:
    """A sentence for a failed write of `size` bytes."""
    free = shutil.disk_usage(path).free
    return f"could not write {what} to {path}: {error.strerror}. It needs {size:,} bytes; {free:,} bytes are free."


def damage_report(root: Path, unusable: Sequence[DataFileError]) -> str:
    """What is wrong with each file, and the ways out."""
    listed = "\n".join(f"  {file.path.relative_to(root)} {file.reason}" for file in unusable)
    return (
        f"{len(unusable)} of the files of {root} cannot be used:\n{listed}\n"
        f"Dataset.open({str(root)!r}, skip_damaged=True) reads the rest; compact({str(root)!r}, skip_damaged=True) "
        f"moves these to {root / DAMAGED} and makes the rest whole again."
    )


def data_path(number: int) -> str:
    """Where data file `number` is, relative to the dataset."""
    chunk, file = divmod(number, CHUNK_SIZE)
    return DATA_PATH.format(chunk_index=chunk, file_index=file)


def scan(root: Path, spec: DatasetSpec) -> tuple[list[DataFile], list[DataFileError]]:
    """All data files in order: those that can be used, by their footers, and those that cannot."""
    usable: list[DataFile] = []
    unusable: list[DataFileError] = []
    following = 0
    for path in sorted((root / DATA).glob("*/*.parquet")):
        try:
            file = read_footer(root, path, spec)
            if file.records[0].episode_index < following:
                raise DataFileError(path, f"repeats episode {file.records[0].episode_index}; it is a copy")
        except DataFileError as error:
            unusable.append(error)
            continue
        usable.append(file)
        following = file.records[-1].episode_index + 1
    return usable, unusable


def read_footer(root: Path, path: Path, spec: DatasetSpec) -> DataFile:
    """The records of a data file.

    Raises:
        DataFileError: it is truncated, no parquet file, or not of this dataset.
    """
    place = re.fullmatch(r"data/chunk-(\d{3,})/file-(\d{3})\.parquet", path.relative_to(root).as_posix())
    if not place:
        raise DataFileError(path, "is not named as a data file of this layout")
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataFileError(path, f"is truncated or no parquet file ({_first_line(error)})") from error
    footer = _footer(path, metadata)
    try:
        schema, theirs = footer["schema"], DatasetSpec.from_json(footer["spec"])
        records = tuple(read_entry(entry)[0] for entry in footer["episodes"])
    except (ValueError, TypeError, KeyError, AttributeError, DatasetError) as error:
        raise _damaged_footer(path, error) from error
    if schema != SCHEMA:
        raise DataFileError(path, f"has schema {schema!r}; this version reads {SCHEMA}")
    difference = spec.difference(theirs)
    if difference:
        raise DataFileError(path, f"belongs to another dataset: {difference}")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if not records or groups != [record.length for record in records]:
        raise DataFileError(path, f"has row groups of {groups} rows, which are not its episodes")
    return DataFile(path, int(place[1]) * CHUNK_SIZE + int(place[2]), records)


def _footer(path: Path, metadata: pq.FileMetaData) -> Any:
    entries = metadata.metadata or {}
    if FOOTER.encode() not in entries:
        raise DataFileError(path, "was not written by Barkyard")
    try:
        return parse_json(entries[FOOTER.encode()])
    except ValueError as error:
        raise _damaged_footer(path, error) from error


def _damaged_footer(path: Path, error: Exception) -> DataFileError:
    return DataFileError(path, f"has a damaged footer ({type(error).__name__}: {error})")


class RowReader:
    """Reads rows of one data file, verifying the checksums of what is read; keeps the file open.

    Raises:
        DataFileError: the file is damaged.
    """

    def __init__(self, file: DataFile) -> None:
        self.file = file
        try:
            self._parquet = pq.ParquetFile(file.path, page_checksum_verification=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataFileError(file.path, f"is damaged ({_first_line(error)})") from error

    @cached_property
    def extras(self) -> list[EpisodeExtras]:
        """What the footer holds of each episode besides its record. Raises DataFileError."""
        try:
            return [read_entry(entry)[1] for entry in _footer(self.file.path, self._parquet.metadata)["episodes"]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged_footer(self.file.path, error) from error

    def read(self, *, columns: list[str] | None = None, row_group: int | None = None) -> pa.Table:
        """Rows of one episode, or of all. Raises DataFileError where they are damaged."""
        groups = list(range(len(self.file.records))) if row_group is None else [row_group]
        try:
            table = self._parquet.read_row_groups(groups, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
            raise DataFileError(self.file.path, f"is damaged ({_first_line(error)})") from error
        return table.replace_schema_metadata(None)  # the file's whole footer, which would stay with every table


def load_json(path: Path) -> dict[str, Any]:
    """A JSON object from `path`. Raises DatasetError naming the file where it is none."""
    try:
        content = parse_json(path.read_text())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} holds no JSON object")
    return content


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
