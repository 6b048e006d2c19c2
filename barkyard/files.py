"""Files that are there whole or not at all, whenever a process or the machine stops."""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, partial: str | None = None) -> None:
    """Write `path` so that a kill at any moment leaves the old content or the new: temporary file, sync, rename.

    Args:
        path: where; its folder is made if absent.
        content: the whole file.
        partial: ending of the temporary file's name, which is otherwise `path`'s with a dot before it. By default it
            has the process's number, so that two processes never write one temporary file; give one where a later
            process is to find what a killed one left.

    Raises:
        OSError: the disk is full or the place cannot be written; what was there before is unchanged.
    """
    temporary = path.with_name(f".{path.name}{partial or f'.{os.getpid()}.tmp'}")
    make_folder(path.parent)
    try:
        temporary.write_bytes(content)
        synchronise(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # the error on its way says more
            temporary.unlink(missing_ok=True)
    synchronise(path.parent)


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, so that they outlast a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        synchronise(folder.parent)


def synchronise(path: Path) -> None:
    """Make the content of a file, or the names in a folder, outlast a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
