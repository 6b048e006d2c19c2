"""Files that are there whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from barkyard.errors import ResultError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `path` through a temporary file beside it, synced and renamed; folders are made as needed.

    Raises:
        ResultError: the disk is full or the place cannot be written. An earlier file at `path` is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ResultError(
            f"could not write {path} ({len(content)} bytes): {error.strerror}. Free some space or choose another "
            "place, and save again; what was there before is unchanged."
        ) from error
    finally:
        _remove(temporary)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):  # the folder itself is not there or not ours, and the error on its way says so
        path.unlink(missing_ok=True)
