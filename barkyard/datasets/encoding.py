"""Between an `Episode` and the rows and footer of a parquet file, bit for bit."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from barkyard import provenance
from barkyard.datasets import spec as names
from barkyard.datasets.spec import DatasetSpec
from barkyard.datasets.statistics import FeatureStatistics, image_statistics, vector_statistics
from barkyard.episode import Episode, Observations
from barkyard.errors import DatasetError

FOOTER = "barkyard"
"""Key of our entry among the parquet file's own key-value metadata."""
SCHEMA = 1
PNG_COMPRESSION = 3
"""zlib level: nearly three times as fast as the default 6 at 128x128, for files a tenth larger."""


@dataclass(frozen=True)
class EpisodeRecord:
    """What is known of a stored episode, and kept in memory; it travels in the footer of the file with its rows.

    Attributes:
        episode_index: number in the dataset.
        first_index: number of its first row, counted over the whole dataset.
        length: number of actions, which is the number of rows.
        seed: the seed it was reset with.
        success: whether the task had succeeded when it ended.
        end: why it ended.
        source: one of `episode.SOURCES`.
        metrics: named numbers measured at its end.
        total_reward: sum of the rewards.
        fingerprint: hash of its content, independent of where it is stored.
        versions: versions of the packages that recorded it.
    """

    episode_index: int
    first_index: int
    length: int
    seed: int
    success: bool
    end: str
    source: str
    metrics: dict[str, float]
    total_reward: float
    fingerprint: str
    versions: dict[str, str]


@dataclass(frozen=True)
class EpisodeExtras:
    """What else the footer holds of an episode: too large to be kept in memory for all of them.

    Attributes:
        statistics: LeRobot's statistics of each feature.
        final: the row after the last action: raw values (little-endian), or a PNG, of each feature.
    """

    statistics: dict[str, FeatureStatistics]
    final: dict[str, bytes]


def footer_entry(record: EpisodeRecord, extras: EpisodeExtras) -> dict[str, Any]:
    """An episode in the footer, as a dictionary that JSON can hold."""
    final = {key: base64.b64encode(value).decode() for key, value in extras.final.items()}
    return vars(record) | {"statistics": extras.statistics, "final": final}


def read_entry(entry: dict[str, Any]) -> tuple[EpisodeRecord, EpisodeExtras]:
    """What `footer_entry` was given. Raises KeyError, TypeError or ValueError where it is none."""
    for name in ("episode_index", "first_index", "length"):
        if type(entry[name]) is not int or not 0 <= entry[name] < 2**62:
            raise ValueError(f"{name} is {entry[name]!r:.80}")
    for feature, numbers in entry["statistics"].items():
        if not {"min", "max", "mean", "std", "count"} <= numbers.keys():
            raise ValueError(f"statistics of {feature!r:.80} are incomplete")
    final = {key: base64.b64decode(value) for key, value in entry["final"].items()}
    known = {name: value for name, value in entry.items() if name not in ("statistics", "final")}
    return EpisodeRecord(**known), EpisodeExtras(entry["statistics"], final)


def episode_fingerprint(episode: Episode) -> str:
    """Hash of everything in `episode`; the order of its observation parts does not count."""
    facts = {
        "seed": int(episode.seed),
        "success": bool(episode.success),
        "end": episode.end,
        "dt": float(episode.dt),
        "env_id": episode.env_id,
        "env_kwargs": dict(episode.env_kwargs),
        "source": episode.source,
        "metrics": {name: float(value) for name, value in episode.metrics.items()},
        "acted_by": [str(name) for name in episode.acted_by],
    }
    parts: list[Any] = [facts, episode.actions, episode.rewards]
    for name in sorted(episode.observations):
        parts += [name, episode.observations[name]]
    return provenance.fingerprint(*parts, "no states" if episode.states is None else episode.states)


def encode_episode(
    spec: DatasetSpec, episode: Episode, episode_index: int, first_index: int, versions: dict[str, str]
) -> tuple[pa.Table, EpisodeRecord, EpisodeExtras]:
    """The rows of one episode, recorded with these package versions, and what the footer says of it."""
    length = episode.length
    last = np.arange(length) == length - 1
    vectors: dict[str, NDArray[Any]] = _concatenate(spec, episode.observations)
    if episode.states is not None:
        vectors[names.SIMULATOR_STATE] = episode.states
    final = {key: values[-1].tobytes() for key, values in vectors.items()}
    vectors = {key: values[:-1] for key, values in vectors.items()}
    vectors |= {
        names.ACTION: episode.actions,
        names.REWARD: episode.rewards,
        names.DONE: last,
        names.SUCCESS: last & episode.success,
    }
    columns = {key: _vector_column(vectors[key]) for key in spec.vectors}
    statistics = {key: vector_statistics(vectors[key]) for key in spec.vectors}
    for part, place in spec.parts.items():
        if place.key in spec.cameras:
            images = episode.observations[part]
            columns[place.key] = _image_column(images[:-1])
            final[place.key] = encode_png(images[-1])
            statistics[place.key] = image_statistics(images[:-1])
    columns[names.ACTED_BY] = pa.array([str(name) for name in episode.acted_by], pa.string())
    record = EpisodeRecord(
        episode_index=episode_index,
        first_index=first_index,
        length=length,
        seed=int(episode.seed),
        success=bool(episode.success),
        end=episode.end,
        source=episode.source,
        metrics={name: float(value) for name, value in episode.metrics.items()},
        total_reward=episode.total_reward,
        fingerprint=episode_fingerprint(episode),
        versions=versions,
    )
    return place_rows(pa.table(columns), record, spec.fps), record, EpisodeExtras(statistics, final)


def layout_columns(record: EpisodeRecord, fps: int) -> dict[str, NDArray[Any]]:
    """The columns that depend on where the episode is in the dataset, each `(T,)`."""
    frames = np.arange(record.length)
    return {
        "timestamp": (frames / fps).astype(np.float32),
        "frame_index": frames,
        "episode_index": np.full(record.length, record.episode_index),
        "index": record.first_index + frames,
        "task_index": np.zeros(record.length, dtype=np.int64),
    }


def place_rows(table: pa.Table, record: EpisodeRecord, fps: int) -> pa.Table:
    """`table` with the layout columns that `record` says."""
    kept = table.select([name for name in table.column_names if name not in names.LAYOUT_FEATURES])
    for name, values in layout_columns(record, fps).items():
        kept = kept.append_column(name, pa.array(values))
    return kept


def encode_file(spec: DatasetSpec, episodes: Sequence[tuple[pa.Table, EpisodeRecord, EpisodeExtras]]) -> bytes:
    """A parquet file of whole episodes, one row group each, with what is known of them in its footer."""
    schema = episodes[0][0].schema.with_metadata(_huggingface_metadata(spec))
    entries = [footer_entry(record, extras) for _, record, extras in episodes]
    footer = {"schema": SCHEMA, "spec": spec.to_json(), "episodes": entries}
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, schema, compression="snappy", use_dictionary=[names.ACTED_BY], write_page_checksum=True
    ) as writer:
        for table, _, _ in episodes:
            writer.write_table(table.cast(schema), row_group_size=len(table))
        writer.add_key_value_metadata({FOOTER: json.dumps(footer)})
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode_episode(spec: DatasetSpec, table: pa.Table, record: EpisodeRecord, final: Mapping[str, bytes]) -> Episode:
    """The episode that `encode_episode` was given.

    Raises:
        DatasetError: an image cannot be decoded.
    """
    observations: Observations = {}
    vectors = {key: read_vectors(table[key], size) for key, (size, _) in spec.vectors.items()}
    for key, values in vectors.items():
        if key in final:
            vectors[key] = np.concatenate([values, np.frombuffer(final[key], values.dtype)[None]])
    for part, place in spec.parts.items():
        if place.key in spec.cameras:
            encoded = [*png_bytes(table[place.key]), final[place.key]]
            observations[part] = np.stack([decode_image(content, place.shape) for content in encoded])
        else:
            values = vectors[place.key][:, place.start : place.stop]
            observations[part] = np.ascontiguousarray(values).reshape(-1, *place.shape)
    return Episode(
        observations=observations,
        actions=vectors[names.ACTION].copy(),
        rewards=vectors[names.REWARD].ravel().copy(),
        success=record.success,
        end=record.end,
        dt=spec.control_dt,
        seed=record.seed,
        env_id=spec.env_id,
        env_kwargs=dict(spec.env_kwargs),
        acted_by=np.array(table[names.ACTED_BY].to_pylist()),
        states=vectors.get(names.SIMULATOR_STATE),
        source=record.source,
        metrics=dict(record.metrics),
    )


def read_vectors(column: pa.ChunkedArray, size: int) -> NDArray[Any]:
    """`(T, size)` values of a numeric column."""
    array = column.combine_chunks()
    flat = array.flatten() if pa.types.is_fixed_size_list(array.type) else array
    values: NDArray[Any] = flat.to_numpy(zero_copy_only=False).reshape(-1, size)
    return values


def png_bytes(column: pa.ChunkedArray) -> list[bytes]:
    """The encoded images of an image column."""
    encoded: list[bytes] = column.combine_chunks().field("bytes").to_pylist()
    return encoded


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """`(H, W, 3)` as PNG, losslessly."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def decode_image(content: bytes, shape: tuple[int, ...], formats: Sequence[str] = ("PNG",)) -> NDArray[np.uint8]:
    """The `(H, W, 3)` image of a PNG, or of another of `formats`, which are Pillow's names.

    Raises:
        DatasetError: it is none, or has another size.
    """
    try:
        with Image.open(io.BytesIO(content), formats=tuple(formats)) as image:
            if (image.height, image.width) != shape[:2]:  # before memory is taken
                raise ValueError(f"it has {image.width} x {image.height} pixels instead of {shape[1]} x {shape[0]}")
            pixels = np.array(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"a stored image cannot be decoded: {error}") from error
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise DatasetError(f"a stored image has shape {pixels.shape} {pixels.dtype} instead of {shape} uint8")
    return pixels


def _concatenate(spec: DatasetSpec, observations: Observations) -> dict[str, NDArray[Any]]:
    """The parts that are vectors, joined into the features that hold them, each `(T+1, size)`."""
    joined: dict[str, list[NDArray[Any]]] = {}
    for name, place in spec.parts.items():
        if place.key not in spec.cameras:
            joined.setdefault(place.key, []).append(observations[name].reshape(len(observations[name]), -1))
    return {key: np.concatenate(values, axis=1) for key, values in joined.items()}


def _vector_column(values: NDArray[Any]) -> pa.Array:
    """One element a frame is a plain column for LeRobot, more are a fixed-size list."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    size = values.size // len(values)
    return flat if size == 1 else pa.FixedSizeListArray.from_arrays(flat, size)


def _image_column(images: NDArray[np.uint8]) -> pa.Array:
    encoded = pa.array([encode_png(image) for image in images], pa.binary())
    return pa.StructArray.from_arrays([encoded, pa.nulls(len(images), pa.string())], ["bytes", "path"])


def _huggingface_metadata(spec: DatasetSpec) -> dict[str, str] | None:
    """What `datasets` reads to know an image column from a struct."""
    if not spec.cameras:
        return None
    features = {key: {"_type": "Image"} for key in spec.cameras}
    return {"huggingface": json.dumps({"info": {"features": features}})}
