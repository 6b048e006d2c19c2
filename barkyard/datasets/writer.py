"""Recording a dataset so that a kill at any moment loses at most the episode in flight."""

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from barkyard import provenance
from barkyard.datasets.compaction import finish_replacement
from barkyard.datasets.encoding import EpisodeRecord, encode_episode, encode_file
from barkyard.datasets.files import (
    INFO_PATH,
    PARTIAL,
    DataFile,
    damage_report,
    data_path,
    locked,
    no_space,
    scan,
    write_whole,
)
from barkyard.datasets.metadata import begin_metadata, load_info, write_metadata
from barkyard.datasets.spec import DatasetSpec, check_episode
from barkyard.episode import Episode
from barkyard.errors import DatasetError, InvalidInput
from barkyard.files import LOCK, FolderLock, make_folder, synchronise


class DatasetWriter:
    """Writes episodes into a dataset, each into a file of its own that is complete once `write` returns.

    Use it as a context manager, or call `close`. Make one with `create` or `resume`.
    """

    def __init__(
        self, root: Path, spec: DatasetSpec, files: list[DataFile], versions: dict[str, str], lock: FolderLock
    ) -> None:
        self._root, self._files = root, files
        self._created_with, self._versions = versions, provenance.versions()
        self._lock: FolderLock | None = lock
        self.spec = spec

    @classmethod
    def create(cls, path: str | Path, like: DatasetSpec | Episode) -> "DatasetWriter":
        """Begin a dataset in a new or empty folder.

        Args:
            path: the folder.
            like: what the episodes will share, or an episode that shows it (which is not written).

        Raises:
            DatasetError: the folder is not empty, is being written, or cannot be written.
            InvalidInput: episodes like this cannot be stored.
        """
        root = Path(path)
        spec = DatasetSpec.of(like) if isinstance(like, Episode) else like
        if (root / INFO_PATH).exists():
            raise DatasetError(f"{root} already holds a dataset; DatasetWriter.resume({str(root)!r}) adds to it")
        try:
            make_folder(root)
        except OSError as error:
            raise DatasetError(f"cannot make {root}: {error.strerror}. Choose another folder.") from error
        lock = locked(root)
        try:
            if any(entry.is_file() and entry.name != LOCK and entry.suffix != PARTIAL for entry in root.rglob("*")):
                raise DatasetError(f"{root} is not empty and holds no dataset; choose another folder")
            versions = provenance.versions()
            begin_metadata(root, spec, versions)
        except OSError as error:
            lock.release()
            raise DatasetError(f"cannot write in {root}: {error.strerror}. Choose another folder.") from error
        except BaseException:
            lock.release()
            raise
        return cls(root, spec, [], versions, lock)

    @classmethod
    def resume(cls, path: str | Path) -> "DatasetWriter":
        """Go on recording a dataset, however its last writer ended.

        Raises:
            DatasetError: there is no dataset, it is being written, or a file in it is damaged.
        """
        root = Path(path)
        info, spec = load_info(root)
        lock = locked(root)
        try:
            finish_replacement(root)
            for leftover in root.rglob(f"*{PARTIAL}"):
                leftover.unlink(missing_ok=True)
            files, unusable = scan(root, spec)
            if unusable:
                raise DatasetError(damage_report(root, unusable))
        except BaseException:
            lock.release()
            raise
        return cls(root, spec, files, info["barkyard"]["versions"], lock)

    @property
    def records(self) -> list[EpisodeRecord]:
        """What is known of each episode, in order."""
        return [record for file in self._files for record in file.records]

    @property
    def num_episodes(self) -> int:
        """Number of episodes written."""
        return sum(len(file.records) for file in self._files)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """`(num_episodes,)` seeds of the episodes written; a collector goes on after them."""
        return np.array([record.seed for record in self.records], dtype=np.int64)

    def write(self, episode: Episode) -> int:
        """Write one episode; when this returns it is on disk.

        Returns:
            The episode's number.

        Raises:
            InvalidInput: the episode does not fit the dataset, or its seed is kept for evaluation.
            DatasetError: the disk is full; the episodes before it are safe, and this one can be written again.
        """
        if self._lock is None:
            raise DatasetError(f"the writer of {self._root} is closed; DatasetWriter.resume({str(self._root)!r})")
        check_episode(self.spec, episode)
        last = self._files[-1].records[-1] if self._files else None
        index = last.episode_index + 1 if last else 0
        first = last.first_index + last.length if last else 0
        number = self._files[-1].number + 1 if self._files else 0
        table, record, extras = encode_episode(self.spec, episode, index, first, self._versions)
        path = self._root / data_path(number)
        if path.exists():
            raise DatasetError(f"{path} is there already; DatasetWriter.resume({str(self._root)!r}) goes on after it")
        content = encode_file(self.spec, [(table, record, extras)])
        try:
            write_whole(path, content)
        except OSError as error:
            raise DatasetError(
                f"{no_space(f'episode {index}', self._root, len(content), error)} The {self.num_episodes} episodes "
                f"before it are safe; free some space, then write it again or go on later with "
                f"DatasetWriter.resume({str(self._root)!r})."
            ) from error
        self._files.append(DataFile(path, number, (record,)))
        return index

    def remove_last(self) -> int:
        """Remove the episode that was written last; when this returns it is gone from the disk.

        Returns:
            The number that it had.

        Raises:
            InvalidInput: there is none, or it shares its file with others.
            DatasetError: the writer is closed.
        """
        if self._lock is None:
            raise DatasetError(f"the writer of {self._root} is closed; DatasetWriter.resume({str(self._root)!r})")
        if not self._files:
            raise InvalidInput(f"{self._root} holds no episode to remove")
        last = self._files[-1]
        if len(last.records) > 1:
            raise InvalidInput(
                f"the last episode of {self._root} lies in one file with {len(last.records) - 1} others since it was "
                "compacted; only episodes recorded after that can be removed"
            )
        last.path.unlink()
        synchronise(last.path.parent)
        self._files.pop()
        return last.records[0].episode_index

    def finalize(self) -> None:
        """Bring the metadata up to date, so that LeRobot reads what has been written so far.

        Raises:
            DatasetError: the disk is full; the episodes are safe, and the metadata is rebuilt when next opened.
        """
        try:
            write_metadata(self._root, self.spec, self._files, self._created_with)
        except OSError as error:
            raise DatasetError(
                f"could not write the metadata of {self._root}: {error.strerror}. All {self.num_episodes} episodes are "
                "safe; free some space and open the dataset, which rebuilds the metadata."
            ) from error

    def close(self) -> None:
        """Finalize, and let another writer in."""
        if self._lock is None:
            return
        try:
            self.finalize()
        finally:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except DatasetError:
            if error is None:  # else what ended the recording is the news, such as a full disk
                raise
