"""The vectors of all frames: in memory, or as flat files that are mapped into it.

Flat files lie in the dataset's folder `.arrays`. They are made once, and anew when the episodes have changed; they can
be deleted at any time.
"""

import fcntl
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from barkyard import provenance
from barkyard.datasets import spec as names
from barkyard.datasets.encoding import read_vectors
from barkyard.datasets.files import DataFile, DataFileError, RowReader
from barkyard.datasets.spec import DatasetSpec
from barkyard.files import synchronise

FOLDER = ".arrays"
_LAYOUT = 1
_LOCK, _PARTIAL = ".lock", ".partial"

Vectors = dict[str, NDArray[np.float32]]


def kept_vectors(spec: DatasetSpec) -> dict[str, int]:
    """The features that training reads, with their elements a frame."""
    kept = (names.STATE, names.ENVIRONMENT_STATE, names.ACTION, names.REWARD)
    return {key: size for key, (size, _) in spec.vectors.items() if key in kept}


def read_file(file: DataFile, sizes: Mapping[str, int]) -> Vectors:
    """The vectors of one data file. Raises DataFileError where they cannot be read."""
    table = RowReader(file).read(columns=list(sizes))
    try:
        return {key: read_vectors(table[key], size) for key, size in sizes.items()}
    except (pa.ArrowException, LookupError, TypeError, ValueError) as error:
        raise DataFileError(file.path, f"is damaged ({error})") from error


def load_vectors(
    files: Sequence[DataFile], sizes: Mapping[str, int]
) -> tuple[list[DataFile], Vectors, list[DataFileError]]:
    """The files that can be read, `(num_frames, size)` by feature of them all, and what is wrong with the others."""
    usable, read, damaged = [], [], []
    for file in files:
        try:
            read.append(read_file(file, sizes))
            usable.append(file)
        except DataFileError as error:
            damaged.append(error)
    empty = {key: np.empty((0, size), dtype=np.float32) for key, size in sizes.items()}
    return usable, {key: np.concatenate([each[key] for each in [empty, *read]]) for key in sizes}, damaged


def map_vectors(root: Path, files: Sequence[DataFile], sizes: Mapping[str, int]) -> Vectors | None:
    """Map the vectors of all frames, from flat files that are made if they are not there.

    Args:
        root: the dataset's folder.
        files: its data files.
        sizes: elements of a frame, by feature.

    Returns:
        `(num_frames, size)` by feature, read-only; None where flat files cannot be made: the folder cannot be written,
        the disk is full, or a data file is damaged.
    """
    records = [record for file in files for record in file.records]
    frames = sum(record.length for record in records)
    if not frames:
        return None
    prints = [record.fingerprint for record in records]
    folder = root / FOLDER / provenance.fingerprint(_LAYOUT, sys.byteorder, dict(sizes), prints)
    try:
        if not _is_complete(folder, frames, sizes):
            _make(folder, files, frames, sizes)
        maps = {key: np.memmap(folder / key, np.float32, "r", shape=(frames, size)) for key, size in sizes.items()}
    except (OSError, DataFileError):
        return None
    return {key: np.asarray(values) for key, values in maps.items()}


def _is_complete(folder: Path, frames: int, sizes: Mapping[str, int]) -> bool:
    return all(
        (folder / key).is_file() and (folder / key).stat().st_size == 4 * frames * size for key, size in sizes.items()
    )


def _make(folder: Path, files: Sequence[DataFile], frames: int, sizes: Mapping[str, int]) -> None:
    """Write the flat files, one data file in memory at a time; whoever else makes them is waited for."""
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_complete(folder, frames, sizes):
            return
        for other in folder.parent.iterdir():
            if other.is_dir():
                shutil.rmtree(other)
        partial = folder.with_name(_PARTIAL)
        partial.mkdir()
        try:
            _write(partial, files, sizes)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _write(folder: Path, files: Sequence[DataFile], sizes: Mapping[str, int]) -> None:
    with ExitStack() as stack:
        flat = {key: stack.enter_context((folder / key).open("wb")) for key in sizes}
        for file in files:
            for key, values in read_file(file, sizes).items():
                flat[key].write(np.ascontiguousarray(values, dtype=np.float32).data)
    for key in sizes:
        synchronise(folder / key)
