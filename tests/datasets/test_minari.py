"""Minari's datasets: round trips, those of others, and Minari itself reading ours."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from barkyard.cli.main import main
from barkyard.datasets import Dataset, DatasetWriter
from barkyard.datasets.minari import read_minari, write_minari
from barkyard.errors import DatasetError, InvalidInput

from .synthetic import assert_same, make_episode

PYTHON = os.environ.get("BARKYARD_MINARI_PYTHON")
PROBE = """
import json, os, sys
os.environ["MINARI_DATASETS_PATH"] = sys.argv[1]
import minari
dataset = minari.load_dataset("lift-v0")
episodes = list(dataset.iterate_episodes())
print("RESULT", json.dumps({
    "id": dataset.spec.dataset_id,
    "env": dataset.env_spec.id,
    "kwargs": dataset.env_spec.kwargs,
    "steps": dataset.total_steps,
    "space": dataset.action_space.low.tolist(),
    "contained": [dataset.observation_space.contains({k: v[0] for k, v in e.observations.items()}) for e in episodes],
    "actions": [e.actions.tolist() for e in episodes],
    "rewards": [e.rewards.tolist() for e in episodes],
    "ends": [[e.terminations.tolist(), e.truncations.tolist()] for e in episodes],
    "observations": [{k: v.tolist() for k, v in e.observations.items()} for e in episodes],
    "states": [e.infos["state"].tolist() for e in episodes],
    "seeds": [m["seed"] for m in dataset.storage.get_episode_metadata(dataset.episode_indices)],
}))
"""
WRITE = """
import os, sys
os.environ["MINARI_DATASETS_PATH"] = sys.argv[1]
import gymnasium, minari, numpy as np
from minari.data_collector import EpisodeBuffer
box = gymnasium.spaces.Box
observations = gymnasium.spaces.Dict({"arm": gymnasium.spaces.Dict({"pos": box(-1, 1, (3,))}),
    "view": box(0, 255, (40, 48, 3), np.uint8)})
image = np.zeros((5, 40, 48, 3), np.uint8) + np.arange(5, dtype=np.uint8)[:, None, None, None] * 40
buffer = EpisodeBuffer(id=0, seed=7,
    observations={"arm": {"pos": np.arange(15.0).reshape(5, 3)}, "view": list(image)}, actions=np.ones((4, 2)),
    rewards=[0.0, 0.0, 0.0, 1.0], terminations=[False, False, False, True], truncations=[False] * 4,
    infos={"success": np.array([0, 0, 0, 0, 1])})
minari.create_dataset_from_buffers("it-v0", [buffer], env=None, observation_space=observations,
    action_space=box(-1, 1, (2,)))
"""


def _dataset(path: Path, *, images: bool = False, states: bool = True) -> Dataset:
    with DatasetWriter.create(path, make_episode(0, images=images, states=states)) as writer:
        for seed, length in enumerate((3, 5, 1)):
            writer.write(make_episode(seed, length, images=images, states=states))
    return Dataset.open(path)


def _foreign(root: Path, observations: dict[str, Any], **metadata: Any) -> Path:
    """One episode of four steps, as Minari's own collector writes it."""
    (root / "data").mkdir(parents=True)
    with h5py.File(root / "data/main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group.attrs["id"], group.attrs["total_steps"] = 0, 4
        group["actions"], group["rewards"] = np.ones((4, 2)), np.arange(4.0)
        group["terminations"], group["truncations"] = np.zeros(4, bool), np.arange(4) == 3
        for name, values in observations.items():
            group[name] = values
    space = json.dumps({"type": "Box", "dtype": "float32", "shape": [2], "low": [-1, -1], "high": [1, 1]})
    content = {"data_format": "hdf5", "total_episodes": 1, "dataset_id": "it-v0", "action_space": space}
    (root / "data/metadata.json").write_text(json.dumps(content | metadata))
    return root


def _run(code: str, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(PYTHON), "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(("images", "states"), [(False, True), (True, False)])
def test_there_and_back_is_the_same_bit_for_bit(tmp_path: Path, images: bool, states: bool) -> None:
    dataset = _dataset(tmp_path / "dataset", images=images, states=states)
    assert write_minari(dataset, tmp_path / "lift-v0") == 3
    for original, again in zip(dataset, read_minari(tmp_path / "lift-v0"), strict=True):
        in_order = {name: again.observations[name] for name in original.observations}
        again.observations.clear()
        again.observations.update(in_order)
        assert_same(original, again)


def test_the_command_goes_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = _dataset(tmp_path / "dataset")
    there, again = tmp_path / "lift-v0", tmp_path / "again"
    assert main(["convert", str(dataset.path), str(there), "--to", "minari"]) == 0
    assert main(["convert", str(there), str(again)]) == 0
    assert "3 episodes" in capsys.readouterr().out
    assert Dataset.open(again).fingerprint == dataset.fingerprint


def test_a_dataset_of_others_tells_what_it_knows(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    positions = np.arange(10.0).reshape(5, 2)
    parts = {"observations/arm/pos": positions, "observations/view": pictures, "infos/success": np.arange(5) == 4}
    spec = json.dumps({"id": "FetchReach-v4", "kwargs": {"reward": "sparse"}})
    (episode,) = read_minari(_foreign(tmp_path / "it-v0", parts, env_spec=spec), fps=25)
    assert (episode.env_id, episode.env_kwargs, episode.dt) == ("FetchReach-v4", {"reward": "sparse"}, 0.04)
    assert (episode.success, episode.end, episode.seed, episode.source) == (True, "success", 0, "sim")
    np.testing.assert_array_equal(episode.observations["arm_pos"], positions.astype(np.float32))
    np.testing.assert_array_equal(episode.observations["image_view"], pictures)


def test_a_single_space_is_the_part_observation_and_without_success_there_is_none(tmp_path: Path) -> None:
    (episode,) = read_minari(_foreign(tmp_path / "it-v0", {"observations": np.zeros((5, 3))}), fps=50)
    assert {name: values.shape for name, values in episode.observations.items()} == {"observation": (5, 3)}
    assert (episode.success, episode.end, episode.env_id) == (False, "time_limit", "minari/it-v0")


def test_pictures_stored_as_jpegs_are_decoded(tmp_path: Path) -> None:
    encoded = []
    for level in range(5):
        buffer = io.BytesIO()
        Image.fromarray(np.full((40, 48, 3), 40 * level, np.uint8)).save(buffer, "JPEG")
        encoded.append(np.frombuffer(buffer.getvalue(), np.uint8))
    root = _foreign(tmp_path / "it-v0", {"observations/state": np.zeros((5, 3))})
    with h5py.File(root / "data/main_data.hdf5", "a") as file:
        file["episode_0"].create_dataset("observations/view", data=encoded, dtype=h5py.vlen_dtype(np.uint8))
    (episode,) = read_minari(root, fps=50)
    images = episode.observations["image_view"]
    assert images.shape == (5, 40, 48, 3) and np.abs(images[:, 0, 0, 0] - 40.0 * np.arange(5)).max() <= 2


@pytest.mark.parametrize(
    ("observations", "metadata", "message"),
    [
        ({}, {"data_format": "arrow"}, "stored as 'arrow'; valid: 'hdf5'"),
        ({}, {"action_space": '{"type": "Discrete", "n": 3, "start": 0}'}, "actions are of a Discrete space"),
        ({"observations/_index_0": np.zeros((5, 2))}, {}, "Tuple space"),
        ({"observations": np.array([b"a"] * 5)}, {}, "not numbers"),
        ({}, {}, "cannot be read as Minari's dataset: KeyError"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, observations: Any, metadata: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        list(read_minari(_foreign(tmp_path / "it-v0", observations, **metadata), fps=10))


def test_the_control_period_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = _foreign(tmp_path / "it-v0", {"observations": np.zeros((5, 3))})
    assert main(["convert", str(root), str(tmp_path / "ours")]) == 2
    assert "--fps" in capsys.readouterr().err
    assert main(["convert", str(root), str(tmp_path / "ours"), "--fps", "25", "--quiet"]) == 0
    assert Dataset.open(tmp_path / "ours").fps == 25


def test_nothing_is_overwritten_and_names_are_ids(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "dataset")
    (tmp_path / "mine-v0").mkdir()
    with pytest.raises(DatasetError, match="exists; choose another name"):
        write_minari(dataset, tmp_path / "mine-v0")
    with pytest.raises(InvalidInput, match="'lift' is no id of Minari's"):
        write_minari(dataset, tmp_path / "lift")
    rows = next((dataset.path / "data").rglob("*.parquet"))
    rows.write_bytes(rows.read_bytes()[:-200])
    with pytest.raises(DatasetError):
        write_minari(dataset, tmp_path / "new-v0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "mine-v0"]


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="BARKYARD_MINARI_PYTHON names no interpreter with minari >= 0.5.4")
def test_minari_reads_the_same_episodes(tmp_path: Path) -> None:
    images = make_episode(0, images=True)
    images.observations["image_front"] = np.random.default_rng(0).integers(0, 256, (6, 40, 48, 3), dtype=np.uint8)
    with DatasetWriter.create(tmp_path / "dataset", images) as writer:
        writer.write(images)
    dataset = Dataset.open(tmp_path / "dataset")
    write_minari(dataset, tmp_path / "lift-v0")
    line = next(line for line in _run(PROBE, tmp_path).splitlines() if line.startswith("RESULT "))
    found, episode = json.loads(line.removeprefix("RESULT ")), dataset.episode(0)
    assert (found["id"], found["env"], found["steps"]) == ("lift-v0", dataset.env_id, 5)
    assert found["kwargs"] == {"env_id": dataset.env_id, **dataset.env_kwargs} and found["contained"] == [True]
    assert found["space"] == [-1.0] * 4 and found["seeds"] == [0]
    assert found["ends"] == [[[False] * 5, [False] * 4 + [True]]]
    np.testing.assert_array_equal(np.array(found["actions"][0], np.float32), episode.actions)
    np.testing.assert_array_equal(np.array(found["rewards"][0], np.float32), episode.rewards)
    assert episode.states is not None and found["states"][0] == episode.states.tolist()
    for name, values in episode.observations.items():
        np.testing.assert_array_equal(np.array(found["observations"][0][name], values.dtype), values)


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="BARKYARD_MINARI_PYTHON names no interpreter with minari >= 0.5.4")
def test_what_minari_writes_is_read(tmp_path: Path) -> None:
    _run(WRITE, tmp_path)
    (episode,) = read_minari(tmp_path / "it-v0", fps=10)
    assert (episode.seed, episode.success, episode.end) == (7, True, "success")
    np.testing.assert_array_equal(episode.observations["arm_pos"], np.arange(15.0).reshape(5, 3).astype(np.float32))
    levels = episode.observations["image_view"].mean(axis=(1, 2, 3))
    assert np.abs(levels - 40.0 * np.arange(5)).max() <= 2, "as JPEGs, which lose a little"
