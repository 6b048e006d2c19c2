"""Reading a dataset."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from barkyard import provenance
from barkyard.datasets import spec as names
from barkyard.datasets.compaction import finish_replacement
from barkyard.datasets.encoding import EpisodeRecord, decode_episode, decode_image, png_bytes, read_vectors
from barkyard.datasets.files import DATA, REPLACED, DataFile, DataFileError, RowReader, damage_report, locked, scan
from barkyard.datasets.metadata import is_current, load_info, write_metadata
from barkyard.datasets.spec import DatasetSpec, Part
from barkyard.episode import Episode, Observations
from barkyard.errors import DatasetError, InvalidInput


class Dataset:
    """A dataset opened for reading; make one with `Dataset.open`.

    Vectors of all frames are in memory; images stay encoded on disk until they are asked for.

    Attributes:
        path: its folder.
        info: the content of info.json.
        spec: what its episodes share.
        records: what is known of each episode.
        actions: `(num_frames, A)` float32.
        rewards: `(num_frames,)` float32.
        starts: `(num_episodes + 1,)` first frame of each episode, and the number of frames.
    """

    def __init__(self, path: Path, info: dict[str, Any], spec: DatasetSpec, loaded: Sequence["_LoadedFile"]) -> None:
        self.path, self.info, self.spec = path, info, spec
        self._parts = spec.parts
        self._places = [(file.data, group) for file in loaded for group in range(len(file.data.records))]
        self.records: list[EpisodeRecord] = [record for file in loaded for record in file.data.records]
        self.starts = np.concatenate([[0], np.cumsum([record.length for record in self.records], dtype=np.intp)])
        vectors = {key: _join(key, spec, loaded) for key in _kept_in_memory(spec)}
        self.actions: NDArray[np.float32] = vectors[names.ACTION]
        self.rewards: NDArray[np.float32] = vectors[names.REWARD].ravel()
        self._vectors = {key: vectors[key] for key in (names.STATE, names.ENVIRONMENT_STATE) if key in vectors}
        self._images: dict[str, _Images] = {}
        self._reader: RowReader | None = None

    @classmethod
    def open(cls, path: str | Path, *, skip_damaged: bool = False) -> "Dataset":
        """Open the dataset in folder `path`, also one whose recording was killed.

        Metadata that lags behind the data is rebuilt on the way, where the folder can be written.

        Args:
            path: the folder.
            skip_damaged: open the usable files where others are damaged or foreign, with a warning.

        Raises:
            DatasetError: there is no dataset, it is of another version, or files are damaged (each is named).
        """
        root = Path(path)
        info, spec = load_info(root)
        if (root / REPLACED).exists():
            with locked(root):
                finish_replacement(root)
        files, unusable = scan(root, spec)
        loaded = []
        for file in files:
            try:
                loaded.append(_LoadedFile(file, spec))
            except DataFileError as error:
                unusable.append(error)
        if unusable and not skip_damaged:
            raise DatasetError(damage_report(root, unusable))
        if unusable:
            warnings.warn(damage_report(root, unusable), stacklevel=2)
        elif _is_whole(root, info, files) and not is_current(info, files):
            with suppress(DatasetError, OSError):  # it is being written, or cannot be: reading needs no metadata
                info = _rebuild(root, info, spec)
        return cls(root, info, spec, loaded)

    @property
    def env_id(self) -> str:
        """The environment's id."""
        return self.spec.env_id

    @property
    def env_kwargs(self) -> dict[str, Any]:
        """The keyword arguments that rebuild the environment."""
        return dict(self.spec.env_kwargs)

    @property
    def fps(self) -> int:
        """Frames a second."""
        return self.spec.fps

    @property
    def control_dt(self) -> float:
        """Control period [s]."""
        return self.spec.control_dt

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return len(self.records)

    @property
    def num_frames(self) -> int:
        """Number of frames (actions) in all episodes."""
        return int(self.starts[-1])

    @property
    def lengths(self) -> NDArray[np.intp]:
        """`(num_episodes,)` numbers of actions."""
        return np.diff(self.starts)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """`(num_episodes,)` seeds."""
        return np.array([record.seed for record in self.records], dtype=np.int64)

    @property
    def successes(self) -> NDArray[np.bool_]:
        """`(num_episodes,)` whether each ended in success."""
        return np.array([record.success for record in self.records], dtype=bool)

    @property
    def observation_shapes(self) -> dict[str, tuple[int, ...]]:
        """Observation parts and their shapes without the time axis."""
        return dict(self.spec.shapes)

    @property
    def action_size(self) -> int:
        """Elements of one action."""
        return self.spec.action_size

    @property
    def fingerprint(self) -> str:
        """Hash of the episodes' content and order; merging files leaves it as it is."""
        return provenance.combine(record.fingerprint for record in self.records)

    def __len__(self) -> int:
        return self.num_episodes

    def __iter__(self) -> Iterator[Episode]:
        return (self.episode(i) for i in range(self.num_episodes))

    def episode(self, index: int) -> Episode:
        """Episode `index`, as it was written, bit for bit.

        Raises:
            InvalidInput: there is no such episode.
            DatasetError: its file has been damaged.
        """
        if not 0 <= index < self.num_episodes:
            raise InvalidInput(f"episode {index} is not one of 0..{self.num_episodes - 1}")
        file, row_group = self._places[index]
        if self._reader is None or self._reader.file is not file:
            self._reader = RowReader(file)
        rows = self._reader.read(row_group=row_group)
        try:
            return decode_episode(self.spec, rows, self.records[index], self._reader.extras[row_group].final)
        except (pa.ArrowException, LookupError, TypeError, ValueError) as error:
            raise DataFileError(file.path, f"is damaged ({error})") from error

    def acted_by(self) -> NDArray[np.str_]:
        """`(num_frames,)` who chose each action; read from disk at every call. Raises DatasetError."""
        files = {file.path: file for file, _ in self._places}
        columns = [RowReader(file).read(columns=[names.ACTED_BY])[names.ACTED_BY] for file in files.values()]
        return np.array([name for column in columns for name in column.to_pylist()], dtype=np.str_)

    def check_parts(self, parts: Sequence[str]) -> None:
        """Refuse a name that is no observation part here. Raises InvalidInput."""
        for part in parts:
            if part not in self.spec.shapes:
                raise InvalidInput(f"{part!r} is not one of the dataset's parts: {', '.join(self.spec.shapes)}")

    def take(self, parts: Sequence[str], frames: NDArray[np.intp]) -> Observations:
        """Observation parts at the given frames.

        Args:
            parts: their names.
            frames: any shape; frame `starts[i] + t` is step `t` of episode `i`. Final observations are no frames.

        Returns:
            Each part, `(*frames.shape, *part's shape)`; vectors may be strided views of one fresh array. Images are
            decoded when first asked for, and kept.

        Raises:
            InvalidInput: there is no such part.
            DatasetError: an image is damaged.
        """
        self.check_parts(parts)
        places = {part: self._parts[part] for part in parts}
        rows = {
            key: self._vectors[key].take(frames, axis=0)
            for key in {place.key for place in places.values()}
            if key in self._vectors
        }
        taken: Observations = {}
        for part, place in places.items():
            if place.key in rows:
                values = rows[place.key][..., place.start : place.stop]
                taken[part] = values if len(place.shape) == 1 else values.reshape(*frames.shape, *place.shape)
            else:
                taken[part] = self._camera(place).take(frames)
        return taken

    def _camera(self, place: Part) -> "_Images":
        if place.key not in self._images:
            files: dict[Path, DataFile] = {file.path: file for file, _ in self._places}
            self._images[place.key] = _Images(place.key, place.shape, list(files.values()), self.num_frames)
        return self._images[place.key]


class _LoadedFile:
    """The vectors of one file; raises DataFileError where they cannot be read."""

    def __init__(self, file: DataFile, spec: DatasetSpec) -> None:
        sizes = _kept_in_memory(spec)
        table = RowReader(file).read(columns=list(sizes))
        self.data = file
        try:
            self.vectors = {key: read_vectors(table[key], size) for key, size in sizes.items()}
        except (pa.ArrowException, LookupError, TypeError, ValueError) as error:
            raise DataFileError(file.path, f"is damaged ({error})") from error


class _Images:
    """One camera's images: kept encoded, decoded when first asked for."""

    def __init__(self, key: str, shape: tuple[int, ...], files: Sequence[DataFile], num_frames: int) -> None:
        self._encoded = [content for file in files for content in png_bytes(RowReader(file).read(columns=[key])[key])]
        self._pixels = np.empty((num_frames, *shape), dtype=np.uint8)
        self._decoded = np.zeros(num_frames, dtype=bool)

    def take(self, frames: NDArray[np.intp]) -> NDArray[np.uint8]:
        wanted = np.unique(frames)
        for frame in wanted[~self._decoded[wanted]]:
            self._pixels[frame] = decode_image(self._encoded[frame], self._pixels.shape[1:])
            self._decoded[frame] = True
        return self._pixels.take(frames, axis=0)


def _kept_in_memory(spec: DatasetSpec) -> dict[str, int]:
    kept = (names.STATE, names.ENVIRONMENT_STATE, names.ACTION, names.REWARD)
    return {key: size for key, (size, _) in spec.vectors.items() if key in kept}


def _join(key: str, spec: DatasetSpec, loaded: Sequence[_LoadedFile]) -> NDArray[np.float32]:
    size = spec.vectors[key][0]
    return np.concatenate([np.empty((0, size), dtype=np.float32), *(file.vectors[key] for file in loaded)])


def _is_whole(root: Path, info: Mapping[str, Any], files: Sequence[DataFile]) -> bool:
    """Whether no episode has gone missing; warns where one has."""
    records = [record for file in files for record in file.records]
    numbers = [record.episode_index for record in records]
    expected = max([int(info.get("total_episodes", 0)), *(number + 1 for number in numbers)])
    there = set(numbers)
    missing = expected - len(there)
    if missing:
        first = next(number for number in range(len(there) + 1) if number not in there)
        warnings.warn(
            f"{root / DATA} lacks the files of {missing} of {expected} episodes, the first of them episode "
            f"{first}. Put them back, or accept the loss with compact({str(root)!r}), which renumbers the rest.",
            stacklevel=3,
        )
    return not missing


def _rebuild(root: Path, info: Mapping[str, Any], spec: DatasetSpec) -> dict[str, Any]:
    with locked(root):
        files, unusable = scan(root, spec)
        if not unusable:
            write_metadata(root, spec, files, info["barkyard"]["versions"])
    return load_info(root)[0]
