"""Reading HDF5 files of others, in a process of its own: a damaged file can make the HDF5 library hang or crash.

Neither can be stopped or caught from Python (HDFGroup/hdf5 issue 1707 is a file that is read for ever).
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Episode
from barkyard.errors import DatasetError
from barkyard.untrusted import LARGEST_ARRAYS

LONGEST: Final = 60.0
"""Seconds that one episode may take to read; a choice."""
LARGEST_EPISODE: Final = 4 * LARGEST_ARRAYS
"""Bytes of memory that reading one may take; a choice."""
Read = Callable[..., Iterator[Episode]]
"""A function of a module, of a path and more, that another process can find by its name."""


def whole(stored: Any) -> NDArray[Any]:
    """All values of an HDF5 dataset.

    Raises:
        TypeError: it is a group.
        MemoryError: it would take more than `LARGEST_ARRAYS` bytes, which a small file can claim.
    """
    if not isinstance(stored, h5py.Dataset):
        raise TypeError(f"{stored.name} is a group, not an array")
    if stored.nbytes > LARGEST_ARRAYS:
        raise MemoryError(f"{stored.name} takes {stored.nbytes:,} bytes, of which {LARGEST_ARRAYS:,} are read")
    return np.asarray(stored[()])


class ReadingProcess:
    """A process that reads files for this one, one after another; a new one where a file was too much for it.

    Args:
        longest: seconds after which the process is killed if it has not read the next episode.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._end(self._process)

    def read(self, read: Read, path: Path, *arguments: object) -> Iterator[Episode]:
        """What `read(path, *arguments)` gives there.

        Raises:
            DatasetError: the HDF5 library hangs or crashes on the file.
            Exception: whatever `read` raises.
        """
        process = self._process = self._process or self._start()
        answer: Episode | Exception | None = None
        try:
            self._connection.send((read, path, arguments))
            while isinstance(answer := self._connection.recv(), Episode):
                yield answer
        except (EOFError, ConnectionError):
            raise DatasetError(f"{path} is damaged, or no HDF5 file: {self._end(process)}") from None
        finally:
            if isinstance(answer, Episode):
                self.__exit__()
        if answer is not None:
            raise answer

    def _start(self) -> "subprocess.Popen[bytes]":
        self._connection, theirs = Pipe()
        command = f"from barkyard.datasets.hdf5 import _serve; _serve({theirs.fileno()}, {self._longest})"
        with theirs:
            return subprocess.Popen([sys.executable, "-c", command], pass_fds=[theirs.fileno()])

    def _end(self, process: "subprocess.Popen[bytes]") -> str:
        self._process = None
        self._connection.close()
        code = process.wait()
        if code == -signal.SIGALRM:
            return f"an episode was not read within {self._longest:g} seconds"
        return f"the HDF5 library crashed on it ({signal.Signals(-code).name if code < 0 else f'code {code}'})"


def read_apart(read: Read, path: Path, *arguments: object) -> Iterator[Episode]:
    """What `read(path, *arguments)` gives, read by another process.

    Raises:
        DatasetError: the HDF5 library hangs or crashes on a file.
        Exception: whatever `read` raises.
    """
    with ReadingProcess() as process:
        yield from process.read(read, path, *arguments)


def _serve(descriptor: int, longest: float) -> None:
    """Read what is asked for until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_EPISODE, LARGEST_EPISODE))
    connection = Connection(descriptor)
    with suppress(EOFError, ConnectionError):
        while True:
            read, path, arguments = connection.recv()
            _answer(connection, read(path, *arguments), longest)


def _answer(connection: "Connection[Any, Any]", episodes: Iterator[Episode], longest: float) -> None:
    """Each episode, and then None or what went wrong."""
    while True:
        with _deadline(longest):
            try:
                answer: Episode | Exception | None = next(episodes, None)
            except Exception as error:
                answer = error
        connection.send(answer)
        if not isinstance(answer, Episode):
            return


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """The process ends by SIGALRM where this takes longer, also within a library."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
