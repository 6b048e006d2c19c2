"""Small LeRobot datasets as LeRobot's own library lays them out, v2.1 and v3.0."""

import io
import json
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

LENGTHS = (3, 5, 2)
HEIGHT, WIDTH, FPS = 32, 48, 10
CAMERA = "observation.images.front"
TASKS = ("push the block", "pull it")


def frame_of(episode: int, step: int) -> NDArray[np.uint8]:
    """A picture of one colour that tells episode and step."""
    return np.full((HEIGHT, WIDTH, 3), (40 * episode + 20, 30 * step + 20, 128), np.uint8)


def state_of(episode: int, step: int) -> list[float]:
    return [float(episode), float(step), 0.5]


def write_lerobot(root: Path, version: str, dtype: str, **changes: Any) -> Path:
    """Three episodes; `dtype` of the camera is `image` or `video`, `changes` go into info.json."""
    shape = {"dtype": dtype, "shape": [HEIGHT, WIDTH, 3], "names": ["height", "width", "channels"], "info": {}}
    scalar = {"shape": [1], "names": None}
    features = {
        "observation.state": {"dtype": "float32", "shape": [3], "names": ["a", "b", "c"]},
        "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
        CAMERA: shape,
        "next.reward": {"dtype": "float32", **scalar},
        "next.success": {"dtype": "bool", **scalar},
        "timestamp": {"dtype": "float32", **scalar},
        **{name: {"dtype": "int64", **scalar} for name in ("frame_index", "episode_index", "index", "task_index")},
    }
    old = version == "v2.1"
    info = {
        "codebase_version": version,
        "robot_type": "so101",
        "fps": FPS,
        "features": features,
        "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        if old
        else "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None
        if dtype == "image"
        else "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
        if old
        else "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }
    (root / "meta").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info | changes))
    tables = [_table(episode, length, dtype) for episode, length in enumerate(LENGTHS)]
    pictures = [[frame_of(e, t) for t in range(length)] for e, length in enumerate(LENGTHS)]
    (_write_old if old else _write_new)(root, tables, pictures if dtype == "video" else None)
    return root


def _table(episode: int, length: int, dtype: str) -> pa.Table:
    steps = range(length)
    columns: dict[str, Any] = {
        "observation.state": pa.array([state_of(episode, t) for t in steps], pa.list_(pa.float32())),
        "action": pa.array([[10.0 * t, -1.0] for t in steps], pa.list_(pa.float32(), 2)),
        "next.reward": pa.array([0.1 * t for t in steps], pa.float32()),
        "next.success": pa.array([episode == 1 and t == length - 1 for t in steps]),
        "timestamp": pa.array([t / FPS for t in steps], pa.float32()),
        "frame_index": pa.array(list(steps)),
        "episode_index": pa.array([episode] * length),
        "task_index": pa.array([episode % 2] * length),
    }
    if dtype == "image":
        columns[CAMERA] = pa.array([{"bytes": _png(frame_of(episode, t)), "path": None} for t in steps])
    return pa.table(columns)


def _write_old(root: Path, tables: list[pa.Table], pictures: list[list[NDArray[np.uint8]]] | None) -> None:
    (root / "data/chunk-000").mkdir(parents=True)
    for episode, table in enumerate(tables):
        pq.write_table(table, root / f"data/chunk-000/episode_{episode:06d}.parquet")
        if pictures:
            _film(root / f"videos/chunk-000/{CAMERA}/episode_{episode:06d}.mp4", pictures[episode])
    rows = [{"episode_index": e, "tasks": [TASKS[e % 2]], "length": len(table)} for e, table in enumerate(tables)]
    _lines(root / "meta/episodes.jsonl", rows)
    _lines(root / "meta/tasks.jsonl", [{"task_index": i, "task": task} for i, task in enumerate(TASKS)])


def _write_new(root: Path, tables: list[pa.Table], pictures: list[list[NDArray[np.uint8]]] | None) -> None:
    (root / "data/chunk-000").mkdir(parents=True)
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.concat_tables(tables), root / "data/chunk-000/file-000.parquet")
    if pictures:
        _film(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", [frame for film in pictures for frame in film])
    rows, first = [], 0
    for episode, table in enumerate(tables):
        rows.append(
            {
                "episode_index": episode,
                "length": len(table),
                "data/chunk_index": 0,
                "data/file_index": 0,
                f"videos/{CAMERA}/chunk_index": 0,
                f"videos/{CAMERA}/file_index": 0,
                f"videos/{CAMERA}/from_timestamp": first / FPS,
                "stats/action/max": [1.0, 2.0],
            }
        )
        first += len(table)
    pq.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    tasks = pa.table({"task_index": [0, 1], "task": list(TASKS)})
    pq.write_table(tasks, root / "meta/tasks.parquet")


def _film(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio_ffmpeg.write_frames(str(path), (WIDTH, HEIGHT), fps=FPS, quality=10, macro_block_size=1)
    writer.send(None)
    for frame in frames:
        writer.send(frame.tobytes())
    writer.close()


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
