"""LeRobot's datasets of others, v2.1 and v3.0, with images or video: read into episodes of ours.

What we record is in LeRobot's v3.0 layout as it is, so there is nothing to write. In v2.1 an episode is a parquet file
and a video of each camera; in v3.0 many episodes share a file, and the table of episodes says where each begins.
"""

import math
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from barkyard.datasets.encoding import decode_image, png_bytes, read_vectors
from barkyard.datasets.files import DATA_PATH, INFO_PATH, load_json
from barkyard.datasets.spec import ACTION, IMAGE_FEATURE, IMAGE_PART, REWARD, SUCCESS
from barkyard.episode import Episode, Observations
from barkyard.errors import DatasetError, InvalidInput
from barkyard.untrusted import parse_json

VERSIONS: Final = ("v2.1", "v3.0")
OBSERVATION: Final = "observation."
_DATA_PATHS: Final = {
    "v2.1": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "v3.0": DATA_PATH,
}
_VIDEO_PATHS: Final = {
    "v2.1": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    "v3.0": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}
_PICTURES: Final = ("image", "video")
_UNREADABLE = (
    *(pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError),
    *(ArithmeticError, MemoryError, RuntimeError),
)


@dataclass(frozen=True)
class LeRobotInfo:
    """What a dataset's `meta/` says.

    Attributes:
        root: its folder.
        version: one of `VERSIONS`.
        fps: frames a second.
        robot_type: the robot, or None.
        tasks: the instructions in words, by number.
        features: LeRobot's features that become parts of the observation, by the part's name.
        shapes: of these, `(H, W, 3)` for pictures.
        videos: the parts that are kept as video.
        says_success: whether the frames say if the task had succeeded.
        says_reward: whether they say the reward.
        chunk_size: episodes or files in a chunk's folder.
    """

    root: Path
    version: str
    fps: float
    robot_type: str | None
    tasks: Sequence[str]
    features: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    videos: frozenset[str]
    says_success: bool
    says_reward: bool
    chunk_size: int


def is_foreign_lerobot(path: Path) -> bool:
    """Whether the folder holds a LeRobot dataset that is not one of ours."""
    if not (path / INFO_PATH).is_file():
        return False
    with suppress(DatasetError):
        return "barkyard" not in load_json(path / INFO_PATH)
    return False


def read_lerobot_info(path: str | Path, without: Sequence[str] = ()) -> LeRobotInfo:
    """What the dataset in folder `path` holds.

    Args:
        path: the folder.
        without: features to leave out, such as `observation.images.depth`.

    Raises:
        DatasetError: it cannot be read, is of another version, or has features of a kind that is not supported.
        InvalidInput: a feature to leave out is not there.
    """
    root = Path(path)
    info = load_json(root / INFO_PATH)
    try:
        return _info(root, info, without)
    except _UNREADABLE as error:
        if isinstance(error, InvalidInput):
            raise
        raise DatasetError(f"{root / INFO_PATH} is not LeRobot's: {type(error).__name__}: {error}") from error


def _info(root: Path, info: Mapping[str, Any], without: Sequence[str]) -> LeRobotInfo:
    version = info.get("codebase_version")
    if version not in VERSIONS:
        raise DatasetError(f"{root} has layout {version!r:.80}; valid: {', '.join(VERSIONS)}. {_older(version)}")
    for name, valid in (("data_path", _DATA_PATHS[version]), ("video_path", _VIDEO_PATHS[version])):
        if info.get(name) not in (valid, None):
            raise DatasetError(f"{root / INFO_PATH} gives {name} {info[name]!r:.120}; valid: {valid!r}")
    features = info["features"]
    unknown = [name for name in without if name not in features]
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is not one of its features: {', '.join(sorted(features))}")
    if features.get(ACTION, {}).get("dtype") in (None, *_PICTURES, "string"):
        raise DatasetError(f"{root} has no actions, so nothing can be learnt from it")
    wanted = {key: feature for key, feature in features.items() if key.startswith(OBSERVATION) and key not in without}
    if any("/" in key for key in wanted):
        raise DatasetError(f"{root} has a feature with a slash in its name, which LeRobot does not allow")
    parts = {_part_name(key, feature["dtype"]): key for key, feature in wanted.items()}
    if len(parts) < len(wanted):
        raise DatasetError(f"{root} has features of which two would have the same name here; leave one out")
    return LeRobotInfo(
        root=root,
        version=version,
        fps=float(info["fps"]),
        robot_type=None if info.get("robot_type") is None else str(info["robot_type"]),
        tasks=_tasks(root, version),
        features=parts,
        shapes={part: _shape(root, key, features[key]) for part, key in parts.items()},
        videos=frozenset(part for part, key in parts.items() if features[key]["dtype"] == "video"),
        says_success=SUCCESS in features,
        says_reward=REWARD in features,
        chunk_size=int(info.get("chunks_size", 1000)),
    )


def _older(version: Any) -> str:
    if isinstance(version, str) and version.startswith(("v1", "v2")):
        return "LeRobot's own scripts bring older ones up to date"
    return "A newer Barkyard may read it"


def _part_name(key: str, dtype: str) -> str:
    name = re.sub(r"\W", "_", key.removeprefix(IMAGE_FEATURE).removeprefix(OBSERVATION))
    return f"{IMAGE_PART}{name.removeprefix(IMAGE_PART)}" if dtype in _PICTURES else name


def _shape(root: Path, key: str, feature: Mapping[str, Any]) -> tuple[int, ...]:
    """Without the time axis; of a picture height, width and 3, also where the file has the channels first."""
    shape, dtype = tuple(int(size) for size in feature["shape"]), feature["dtype"]
    way_out = f"leave it out with --without {key}"
    if dtype not in _PICTURES:
        if np.dtype(dtype).kind not in "biuf":
            raise DatasetError(f"{root}: {key} holds {dtype}, not numbers; {way_out}")
        return shape
    details = {**feature.get("info", {}), **(feature.get("video_info") or {})}
    if any(details.get(name) for name in ("is_depth_map", "video.is_depth_map")):
        raise DatasetError(f"{root}: {key} is a depth map, and only RGB pictures are read; {way_out}")
    if len(shape) == 3 and shape[0] == 3 != shape[2]:
        shape = (*shape[1:], 3)
    if len(shape) != 3 or shape[2] != 3:
        raise DatasetError(f"{root}: {key} has shape {shape}, and only RGB pictures are read; {way_out}")
    return shape


def _tasks(root: Path, version: str) -> list[str]:
    if version == "v2.1":
        rows = _json_lines(root / "meta/tasks.jsonl")
        return [str(row["task"]) for row in sorted(rows, key=lambda row: row["task_index"])]
    table = pq.read_table(root / "meta/tasks.parquet")
    words = "task" if "task" in table.column_names else "__index_level_0__"
    pairs = zip(table["task_index"].to_pylist(), table[words].to_pylist(), strict=True)
    return [str(task) for _, task in sorted(pairs)]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    return [parse_json(line) for line in path.read_text().splitlines() if line.strip()]


def read_lerobot(info: LeRobotInfo, source: str) -> Iterator[Episode]:
    """The episodes of a dataset in their order, one at a time.

    `observation.state` becomes the part `state`, `observation.images.<camera>` the part `image_<camera>`. The seed is
    the episode's number, success the last `next.success`, or else False; the metric `task_index` says which task it is.
    Numbers are rounded to float32. The layout has no observation after the last action: the last one is repeated.

    Args:
        info: the dataset, from `read_lerobot_info`.
        source: `sim` or `real`, which the files do not tell.

    Raises:
        DatasetError: a file is damaged or missing.
    """
    files = _Files(info)
    try:
        for row in _episode_rows(info):
            yield _episode(info, files, row, source)
    except _UNREADABLE as error:
        raise DatasetError(f"{info.root} cannot be read as LeRobot's: {type(error).__name__}: {error}") from error
    finally:
        files.close()


def _episode_rows(info: LeRobotInfo) -> list[dict[str, Any]]:
    if info.version == "v2.1":
        rows = _json_lines(info.root / "meta/episodes.jsonl")
    else:
        paths = sorted((info.root / "meta/episodes").glob("*/*.parquet"))
        if not paths:
            raise DatasetError(f"{info.root} has no meta/episodes")
        tables = [pq.read_table(path) for path in paths]
        rows = [row for table in tables for row in _without_statistics(table).to_pylist()]
    return sorted(rows, key=lambda row: int(row["episode_index"]))


def _without_statistics(table: pa.Table) -> pa.Table:
    return table.select([name for name in table.column_names if not name.startswith("stats/")])


def _episode(info: LeRobotInfo, files: "_Files", row: Mapping[str, Any], source: str) -> Episode:
    number, table = int(row["episode_index"]), files.rows(row)
    length = len(table)
    if not length or length != int(row["length"]):
        raise DatasetError(f"episode {number} has {length} frames where its description says {row['length']}")
    actions = _vectors(table, ACTION)
    success = info.says_success and bool(np.ravel(_vectors(table, SUCCESS))[-1])
    return Episode(
        observations=_observations(info, files, row, table),
        actions=actions.reshape(length, -1),
        rewards=_vectors(table, REWARD).ravel() if info.says_reward else np.zeros(length, np.float32),
        success=success,
        end="success" if success else "time_limit",
        dt=1.0 / info.fps,
        seed=number,
        env_id=f"lerobot/{info.robot_type or info.root.name}",
        env_kwargs={},
        acted_by=np.full(length, "demonstration"),
        source=source,
        metrics={"task_index": float(table["task_index"][0].as_py())},
    )


def _vectors(table: pa.Table, key: str) -> NDArray[np.float32]:
    """`(T, size)` numbers of a column, whose lists must all be as long."""
    column = table[key].combine_chunks()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        values = np.array(column.to_pylist(), dtype=np.float32)
    else:
        values = read_vectors(table[key], _width(column.type)).astype(np.float32)
    return values.reshape(len(table), -1)


def _width(kind: pa.DataType) -> int:
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else 1


def _observations(info: LeRobotInfo, files: "_Files", row: Mapping[str, Any], table: pa.Table) -> Observations:
    found: Observations = {}
    for part, key in info.features.items():
        shape = info.shapes[part]
        if part in info.videos:
            values: NDArray[Any] = files.frames(row, key, shape)
        elif part.startswith(IMAGE_PART):
            encoded = png_bytes(table[key])
            if any(content is None for content in encoded):
                raise DatasetError(f"{key} names files of its own, and only images in the table are read")
            values = np.stack([decode_image(content, shape, ("PNG", "JPEG")) for content in encoded])
        else:
            values = _vectors(table, key).reshape(len(table), *shape)
        found[part] = np.concatenate([values, values[-1:]])
    return found


class _Files:
    """Reads episodes' rows and frames; keeps the last table and each camera's video open, since episodes share them."""

    def __init__(self, info: LeRobotInfo) -> None:
        self._info = info
        self._table: tuple[Path, pa.Table] | None = None
        self._films: dict[str, _Film] = {}

    def rows(self, row: Mapping[str, Any]) -> pa.Table:
        """The rows of an episode."""
        path = self._path(_DATA_PATHS, row, "data/")
        if self._table is None or self._table[0] != path:
            self._table = path, pq.read_table(path)
        table = self._table[1]
        mask = table["episode_index"].combine_chunks().to_numpy() == int(row["episode_index"])
        return table.filter(pa.array(mask))

    def frames(self, row: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """`(T, H, W, 3)` frames of an episode by the camera of feature `key`."""
        path = self._path(_VIDEO_PATHS, row, f"videos/{key}/", video_key=key)
        first = round(float(row.get(f"videos/{key}/from_timestamp") or 0.0) * self._info.fps)
        film = self._films.get(key)
        if film is None or film.path != path or film.next > first:
            if film is not None:
                film.close()
            film = self._films[key] = _Film(path, shape)
        return film.take(first, int(row["length"]))

    def close(self) -> None:
        """Close the videos."""
        for film in self._films.values():
            film.close()

    def _path(self, templates: Mapping[str, str], row: Mapping[str, Any], columns: str, **names: str) -> Path:
        if self._info.version == "v2.1":
            number = int(row["episode_index"])
            names_of_file: dict[str, Any] = {
                "episode_chunk": number // self._info.chunk_size,
                "episode_index": number,
            }
        else:
            names_of_file = {name: int(row[f"{columns}{name}"]) for name in ("chunk_index", "file_index")}
        path = self._info.root / templates[self._info.version].format(**names_of_file, **names)
        if not path.is_file():
            raise DatasetError(f"{path} is missing")
        return path


class _Film:
    """Frames of a video, one after another, as ffmpeg gives them: each a PPM picture, whose head tells its size."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        import imageio_ffmpeg

        self.path, self.next, self._shape = path, 0, shape
        self._head = b"P6\n%d %d\n255\n" % (shape[1], shape[0])
        words = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", f"file:{path}"]
        words += ["-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-"]  # every frame once
        self._ffmpeg = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._ffmpeg.stdout is not None, "it was asked for"
        self._stream = self._ffmpeg.stdout

    def take(self, first: int, count: int) -> NDArray[np.uint8]:
        """`(count, H, W, 3)` frames from number `first` on, which must not lie behind. Raises DatasetError."""
        frames = np.empty((count, *self._shape), dtype=np.uint8)
        for i in range(self.next - first, count):
            content = self._read(first + count)
            if i >= 0:
                frames[i] = content
        return frames

    def close(self) -> None:
        """Stop reading."""
        self._ffmpeg.kill()
        self._stream.close()
        self._ffmpeg.wait()

    def _read(self, needed: int) -> NDArray[np.uint8]:
        head = self._stream.read(len(self._head))
        if head and head != self._head:
            height, width = self._shape[:2]
            raise DatasetError(f"{self.path} has frames that are not {width} x {height} pixels")
        content = self._stream.read(math.prod(self._shape))
        if len(content) < math.prod(self._shape):
            raise DatasetError(f"{self.path} ends after {self.next} frames; {needed} are needed")
        self.next += 1
        return np.frombuffer(content, np.uint8).reshape(self._shape)
