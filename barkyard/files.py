"""Files that are there whole or not at all, whenever a process or the machine stops."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from barkyard.errors import BarkyardError

LOCK: Final = ".lock"
"""The file in a folder that says who writes there."""


@contextmanager
def replacing(path: Path, partial: str | None = None) -> Iterator[Path]:
    """A temporary file to write that becomes `path` at the end, unless an error is raised: sync, then rename.

    A kill at any moment leaves the old content or the new.

    Args:
        path: where; its folder is made if absent.
        partial: ending of the temporary file's name, which is otherwise `path`'s with a dot before it. By default it
            has the process's number, so that two processes never write one temporary file; give one where a later
            process is to find what a killed one left.

    Raises:
        OSError: the disk is full or the place cannot be written; what was there before is unchanged.
    """
    temporary = path.with_name(f".{path.name}{partial or f'.{os.getpid()}.tmp'}")
    make_folder(path.parent)
    try:
        yield temporary
        synchronise(temporary)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # the error on its way says more
            temporary.unlink(missing_ok=True)
    synchronise(path.parent)


def write_whole(path: Path, content: bytes, partial: str | None = None) -> None:
    """Write the `content` of `path`, whole or not at all; as `replacing`, and with its errors."""
    with replacing(path, partial) as temporary:
        temporary.write_bytes(content)


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


class FolderLock:
    """Keeps a folder to one writer; the operating system lets go of it when the process ends, however it ends.

    Args:
        root: the folder, which is there.
        error: what is raised.

    Raises:
        BarkyardError: another writer holds it, or the folder cannot be written.
    """

    def __init__(self, root: Path, error: type[BarkyardError] = BarkyardError) -> None:
        try:
            self._file = (root / LOCK).open("a+")
        except OSError as problem:
            raise error(f"cannot write in {root}: {problem.strerror}. Choose another folder.") from problem
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise error(
                f"{root} is being written by another process (pid {holder}). Wait until it is done, or choose another "
                "folder."
            ) from problem
        with suppress(OSError):  # the number only serves the message above; a full disk may refuse it
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()

    def release(self) -> None:
        """Let the next writer in."""
        self._file.close()

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
