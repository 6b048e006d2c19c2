"""Merging the files of a dataset, with no moment at which a kill loses anything.

The merged files are built in a folder beside `data`, checked, synced, and put in its place by two renames. Between the
two there is no `data` folder; `finish_replacement`, which the next reader or writer runs, then puts the old one back.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from barkyard.datasets.encoding import (
    EpisodeExtras,
    EpisodeRecord,
    decode_episode,
    encode_file,
    episode_fingerprint,
    place_rows,
)
from barkyard.datasets.files import (
    COMPACTED,
    DAMAGED,
    DATA,
    REPLACED,
    DataFile,
    DataFileError,
    RowReader,
    damage_report,
    data_path,
    locked,
    no_space,
    scan,
    write_whole,
)
from barkyard.datasets.metadata import load_info, write_metadata
from barkyard.datasets.spec import DatasetSpec
from barkyard.errors import DatasetError
from barkyard.files import synchronise

FILE_BYTES = 100_000_000


def compact(path: str | Path, *, file_bytes: int = FILE_BYTES, skip_damaged: bool = False) -> int:
    """Merge a dataset's files into files of about `file_bytes`, and number its episodes without gaps.

    The content, and so the fingerprint, stays as it is; every merged episode is read back and compared before the
    files it came from are removed. Needs as much free space as the dataset takes.

    Args:
        path: the dataset.
        file_bytes: size at which a file is full.
        skip_damaged: merge the usable files and move the damaged ones to the dataset's `damaged` folder.

    Returns:
        The number of files.

    Raises:
        DatasetError: it is being written, a file is damaged, or the disk is full; nothing has changed then.
    """
    root = Path(path)
    info, spec = load_info(root)
    with locked(root):
        finish_replacement(root)
        files, unusable = scan(root, spec)
        if unusable and not skip_damaged:
            raise DatasetError(damage_report(root, unusable))
        if not files:
            return 0
        try:
            merged = _build(root, spec, files, file_bytes)
            _set_aside(root, unusable)
            _replace(root)
            write_metadata(root, spec, merged, info["barkyard"]["versions"])
        except OSError as error:
            size = sum(file.path.stat().st_size for file in files if file.path.exists())
            raise DatasetError(
                f"{no_space('the merged files', root, size, error)} Every episode is still there; free some space and "
                "compact again."
            ) from error
        finally:
            finish_replacement(root)
    return len(merged)


def finish_replacement(root: Path) -> None:
    """Undo a merge that was cut short, or clear up after one that was not; the caller holds the lock."""
    data, compacted, replaced = root / DATA, root / COMPACTED, root / REPLACED
    if replaced.exists() and not data.exists():
        os.rename(replaced, data)
        synchronise(root)
    for leftover in (compacted, replaced):
        if leftover.exists():
            shutil.rmtree(leftover)


def _build(root: Path, spec: DatasetSpec, files: list[DataFile], file_bytes: int) -> list[DataFile]:
    """Write and check the merged files in their folder; returns them where they will be after the replacement."""
    merged = []
    for number, group in enumerate(_groups(spec, files, file_bytes)):
        records = [record for _, record, _ in group]
        final_path = root / data_path(number)
        staged = root / COMPACTED / final_path.relative_to(root / DATA)
        write_whole(staged, encode_file(spec, group))
        written = DataFile(staged, number, tuple(records))
        reader = RowReader(written)
        for row_group, record in enumerate(records):
            rows, final = reader.read(row_group=row_group), reader.extras[row_group].final
            if episode_fingerprint(decode_episode(spec, rows, record, final)) != record.fingerprint:
                raise DatasetError(
                    f"episode {record.episode_index} does not read back as it was recorded; nothing has changed"
                )
        merged.append(replace(written, path=final_path))
    synchronise(root)
    return merged


def _groups(
    spec: DatasetSpec, files: list[DataFile], file_bytes: int
) -> Iterator[list[tuple[pa.Table, EpisodeRecord, EpisodeExtras]]]:
    """Episodes, renumbered without gaps, in groups that fill one file each."""
    group: list[tuple[pa.Table, EpisodeRecord, EpisodeExtras]] = []
    size = episode_index = first_index = 0
    for file in files:
        reader = RowReader(file)
        bytes_each = file.path.stat().st_size // len(file.records)
        for row_group, old in enumerate(file.records):
            if group and size + bytes_each > file_bytes:
                yield group
                group, size = [], 0
            record = replace(old, episode_index=episode_index, first_index=first_index)
            rows = place_rows(reader.read(row_group=row_group), record, spec.fps)
            group.append((rows, record, reader.extras[row_group]))
            size += bytes_each
            episode_index, first_index = episode_index + 1, first_index + record.length
    yield group


def _set_aside(root: Path, unusable: list[DataFileError]) -> None:
    for file in unusable:
        folder = root / DAMAGED
        folder.mkdir(exist_ok=True)
        os.rename(file.path, folder / f"{file.path.parent.name}-{file.path.name}")


def _replace(root: Path) -> None:
    os.rename(root / DATA, root / REPLACED)
    synchronise(root)
    os.rename(root / COMPACTED, root / DATA)
    synchronise(root)
