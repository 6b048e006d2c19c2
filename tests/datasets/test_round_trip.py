"""An episode comes back from disk bit for bit, and LeRobot's reader finds what it looks for."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from barkyard.datasets import Dataset, DatasetSpec, DatasetWriter, episode_fingerprint
from barkyard.episode import Episode

from .synthetic import assert_same, make_episode

UNUSUAL = np.array([-0.0, np.nan, np.inf, -np.inf, 1e-45, np.float32(0.1)], dtype=np.float32)


def record(path: Path, episodes: list[Episode]) -> Dataset:
    with DatasetWriter.create(path, episodes[0]) as writer:
        assert [writer.write(episode) for episode in episodes] == list(range(len(episodes)))
    return Dataset.open(path)


def unusual_episode() -> Episode:
    episode = make_episode(3, length=5)
    quiet_nan = np.array([0x7FC00123], dtype=np.uint32).view(np.float32)
    joint_pos = episode.observations["joint_pos"].copy()
    joint_pos[:, 0], joint_pos[2, 1] = UNUSUAL, quiet_nan[0]
    states = np.array(episode.states)
    states[-1, 0] = np.nan
    changed = episode.observations | {"joint_pos": joint_pos}
    return replace(episode, observations=changed, states=states, end="simulation_error", success=False)


@pytest.mark.parametrize(
    "episodes",
    [
        [make_episode(i, length=1 + i) for i in range(4)],
        [make_episode(i, length=2, images=True) for i in range(2)],
        [make_episode(0, states=False, source="real", env_kwargs={})],
        [make_episode(2_000_000_000, source="real")],
        [make_episode(0, vectors={"height": (1,)}), make_episode(1, vectors={"height": (1,)})],
        [make_episode(0, vectors={"object_pos_world": (3,)}, metrics={})],
        [unusual_episode()],
    ],
    ids=["vectors", "images", "no states", "real", "one element", "environment only", "unusual floats"],
)
def test_episodes_come_back_bit_for_bit(tmp_path: Path, episodes: list[Episode]) -> None:
    dataset = record(tmp_path, episodes)
    assert len(dataset) == len(episodes)
    for stored, episode in zip(dataset, episodes, strict=True):
        assert_same(stored, episode)
        stored.actions[0] = 0.5  # what is handed out is the caller's own


def test_rows_are_what_happened_before_the_final_observation(tmp_path: Path) -> None:
    episodes = [make_episode(0, length=3), make_episode(1, length=2)]
    dataset = record(tmp_path, episodes)
    assert dataset.starts.tolist() == [0, 3, 5]
    assert (dataset.num_frames, dataset.fps, dataset.control_dt) == (5, 20, 0.05)
    expected = np.concatenate([episode.observations["joint_pos"][:-1] for episode in episodes])
    assert np.array_equal(dataset.take(["joint_pos"], np.arange(5))["joint_pos"], expected)
    assert np.array_equal(dataset.actions, np.concatenate([episode.actions for episode in episodes]))
    assert np.array_equal(dataset.rewards, np.concatenate([episode.rewards for episode in episodes]))
    assert dataset.seeds.tolist() == [0, 1]
    assert dataset.successes.tolist() == [False, True]
    assert dataset.observation_shapes["terrain"] == (2, 3)


def test_every_column_is_declared_with_the_type_lerobot_casts_to(tmp_path: Path) -> None:
    record(tmp_path, [make_episode(0, images=True), make_episode(1, images=True)])
    features = json.loads((tmp_path / "meta/info.json").read_text())["features"]
    for path in sorted((tmp_path / "data").glob("*/*.parquet")):
        schema = pq.read_schema(path)
        assert set(schema.names) == set(features)
        for name, feature in features.items():
            assert schema.field(name).type == expected_type(feature), name
        assert json.loads(schema.metadata[b"huggingface"]) == {
            "info": {"features": {"observation.images.front": {"_type": "Image"}}}
        }


def expected_type(feature: dict[str, Any]) -> pa.DataType:
    if feature["dtype"] == "image":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    plain = {"float32": pa.float32(), "float64": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}
    value = plain.get(feature["dtype"], pa.string())
    return value if feature["shape"] == [1] else pa.list_(value, feature["shape"][0])


def test_parts_lie_where_info_says(tmp_path: Path) -> None:
    episode = make_episode(4, length=3)
    record(tmp_path, [episode])
    ours = json.loads((tmp_path / "meta/info.json").read_text())["barkyard"]
    rows = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    state, environment = "observation.state", "observation.environment_state"
    assert {name: (part["key"], part["start"], part["stop"]) for name, part in ours["parts"].items()} == {
        "joint_pos": (state, 0, 7),
        "gripper_pos": (state, 7, 9),
        "object_pos_world": (environment, 0, 3),
        "command": (environment, 3, 4),
        "terrain": (environment, 4, 10),
    }
    for name, part in ours["parts"].items():
        column = np.array(rows[part["key"]].to_pylist(), dtype=np.float32)
        values = column[:, part["start"] : part["stop"]].reshape(-1, *part["shape"])
        assert np.array_equal(values, episode.observations[name][:-1])
    assert rows["next.done"].to_pylist() == [False, False, True]
    assert rows["barkyard.acted_by"].to_pylist() == ["expert", "expert", "human"]


def test_stored_images_are_png_files(tmp_path: Path) -> None:
    episode = make_episode(4, length=2, images=True)
    record(tmp_path, [episode])
    rows = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    images = episode.observations["image_front"][:-1]
    for row, pixels in zip(rows["observation.images.front"].to_pylist(), images, strict=True):
        with Image.open(io.BytesIO(row["bytes"])) as image:
            assert image.format == "PNG"
            assert np.array_equal(np.asarray(image), pixels)


def test_metadata_counts_frames_as_lerobot_does(tmp_path: Path) -> None:
    record(tmp_path, [make_episode(0, length=3), make_episode(1, length=2)])
    info = json.loads((tmp_path / "meta/info.json").read_text())
    expected = {
        "codebase_version": "v3.0",
        "fps": 20,
        "total_episodes": 2,
        "total_frames": 5,
        "total_tasks": 1,
        "chunks_size": 1000,
        "video_path": None,
        "splits": {"train": "0:2"},
    }
    assert {name: info[name] for name in expected} == expected
    episodes = pq.read_table(tmp_path / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    places = [
        "episode_index",
        "length",
        "dataset_from_index",
        "dataset_to_index",
        "data/chunk_index",
        "data/file_index",
    ]
    assert [[row[name] for name in places] for row in episodes] == [[0, 3, 0, 3, 0, 0], [1, 2, 3, 5, 0, 1]]
    assert [row["tasks"] for row in episodes] == [["barkyard/Lift-v0"]] * 2
    assert [row["barkyard/success"] for row in episodes] == [False, True]
    rows = pq.read_table(tmp_path / "data")
    assert rows["index"].to_pylist() == [0, 1, 2, 3, 4]
    assert rows["frame_index"].to_pylist() == [0, 1, 2, 0, 1]
    assert rows["timestamp"].to_pylist() == pytest.approx([0, 0.05, 0.1, 0, 0.05])
    tasks = pq.read_table(tmp_path / "meta/tasks.parquet")
    assert tasks.to_pylist() == [{"task_index": 0, "task": "barkyard/Lift-v0"}]
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_fingerprint_follows_content(tmp_path: Path) -> None:
    episodes = [make_episode(0), make_episode(1)]
    dataset = record(tmp_path / "a", episodes)
    assert dataset.fingerprint == record(tmp_path / "b", episodes).fingerprint
    assert dataset.fingerprint != record(tmp_path / "c", episodes[::-1]).fingerprint
    fingerprint = episode_fingerprint(episodes[0])
    assert dataset.records[0].fingerprint == fingerprint
    reordered = dict(reversed(episodes[0].observations.items()))
    assert episode_fingerprint(make_episode(0, observations=reordered)) == fingerprint
    changes: list[dict[str, Any]] = [
        {"dt": 0.1},
        {"end": "failure"},
        {"success": True},
        {"metrics": {}},
        {"states": False},
        {"env_kwargs": {}},
        {"source": "real"},
    ]
    for change in changes:
        assert episode_fingerprint(make_episode(0, **change)) != fingerprint, change
    assert episode_fingerprint(replace(episodes[0], seed=5)) != fingerprint
    for name in ("actions", "rewards"):
        values = getattr(episodes[0], name).copy()
        values.flat[0] += 1e-6
        assert episode_fingerprint(make_episode(0, **{name: values})) != fingerprint


def test_spec_survives_json() -> None:
    spec = DatasetSpec.of(make_episode(0, images=True), task="lift the cube", robot_type="panda")
    assert DatasetSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
