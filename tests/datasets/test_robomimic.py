"""robomimic's HDF5: round trips, files of others, and robomimic itself reading ours."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from barkyard.cli.main import main
from barkyard.datasets import Dataset, DatasetWriter
from barkyard.datasets.robomimic import read_robomimic, write_robomimic
from barkyard.errors import DatasetError

from .synthetic import assert_same, make_episode

PYTHON = os.environ.get("BARKYARD_ROBOMIMIC_PYTHON")
ENV_ARGS = {"env_name": "Lift", "env_version": "1.5.1", "type": 1, "env_kwargs": {"control_freq": 20}}
PROBE = """
import json, sys
import robomimic.utils.obs_utils as obs
from robomimic.utils.dataset import SequenceDataset
obs.initialize_obs_utils_with_obs_specs({"obs": {"low_dim": ["joint_pos", "object_pos_world"], "rgb": []}})
dataset = SequenceDataset(sys.argv[1], obs_keys=("joint_pos", "object_pos_world"), dataset_keys=("actions", "rewards",
    "dones"), frame_stack=1, seq_length=2, pad_frame_stack=True, pad_seq_length=True, goal_mode=None,
    hdf5_cache_mode="all", hdf5_use_swmr=False, load_next_obs=True)
items = [dataset[i] for i in range(len(dataset))]
print("RESULT", json.dumps({
    "env": json.loads(dataset.hdf5_file["data"].attrs["env_args"]),
    "demos": dataset.n_demos,
    "actions": [item["actions"].tolist() for item in items],
    "joint_pos": [item["obs"]["joint_pos"].tolist() for item in items],
    "next": [item["next_obs"]["object_pos_world"].tolist() for item in items],
}))
"""


def _dataset(path: Path, *, images: bool = False, states: bool = True) -> Dataset:
    with DatasetWriter.create(path, make_episode(0, images=images, states=states)) as writer:
        for seed, length in enumerate((3, 5, 1)):
            writer.write(make_episode(seed, length, images=images, states=states))
    return Dataset.open(path)


def _foreign(path: Path, lengths: tuple[int, ...] = (4, 6), next_obs: bool = True) -> dict[str, Any]:
    """A file as robomimic's own scripts write it, and its arrays."""
    draw, arrays = np.random.default_rng(0), {}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["total"], data.attrs["env_args"] = sum(lengths), json.dumps(ENV_ARGS)
        for i, length in enumerate(lengths):
            demo = data.create_group(f"demo_{i}")
            demo.attrs["num_samples"], demo.attrs["model_file"] = length, "<mujoco/>"
            values = {
                "states": draw.normal(size=(length, 5)),
                "actions": draw.uniform(-1, 1, (length, 7)),
                "rewards": np.arange(length) / (length - 1 + i),
                "obs/object": draw.normal(size=(length, 10)),
                "obs/agentview_image": draw.integers(0, 256, (length, 8, 8, 3), dtype=np.uint8),
            }
            if next_obs:
                values |= {f"next_{name}": values[name] + 1 for name in values if name.startswith("obs/")}
            for name, array in values.items():
                demo[name] = array
            arrays[f"demo_{i}"] = values
        file["mask/train"] = np.array([b"demo_1"])
    return arrays


@pytest.mark.parametrize(("images", "states"), [(False, True), (True, True), (True, False)])
def test_there_and_back_is_the_same_bit_for_bit(tmp_path: Path, images: bool, states: bool) -> None:
    dataset = _dataset(tmp_path / "dataset", images=images, states=states)
    assert write_robomimic(dataset, tmp_path / "demo.hdf5") == 3
    for original, again in zip(dataset, read_robomimic(tmp_path / "demo.hdf5"), strict=True):
        in_order = {name: again.observations[name] for name in original.observations}
        again.observations.clear()
        again.observations.update(in_order)
        assert_same(original, again)


def test_the_command_goes_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = _dataset(tmp_path / "dataset")
    file, folder = tmp_path / "demo.hdf5", tmp_path / "again"
    assert main(["convert", str(dataset.path), str(file)]) == 0
    assert main(["convert", str(file), str(folder)]) == 0
    assert "3 episodes" in capsys.readouterr().out
    assert Dataset.open(folder).fingerprint == dataset.fingerprint


def test_states_and_actions_of_others_survive_a_round_trip(tmp_path: Path) -> None:
    source, folder, back = (tmp_path / name for name in ("low_dim.hdf5", "dataset", "back.hdf5"))
    arrays = _foreign(source)
    assert main(["convert", str(source), str(folder), "--quiet"]) == main(["convert", str(folder), str(back)]) == 0
    with h5py.File(back) as file:
        for name, values in arrays.items():
            demo = file["data"][name]
            np.testing.assert_array_equal(demo["states"], values["states"])
            np.testing.assert_array_equal(demo["actions"], values["actions"].astype(np.float32))
            np.testing.assert_array_equal(demo["obs/object"], values["obs/object"].astype(np.float32))
            np.testing.assert_array_equal(demo["obs/image_agentview"], values["obs/agentview_image"])


def test_a_file_of_others_tells_what_it_knows(tmp_path: Path) -> None:
    arrays = _foreign(tmp_path / "low_dim.hdf5")
    first, second = read_robomimic(tmp_path / "low_dim.hdf5")
    assert (first.env_id, first.dt, first.seed, second.seed) == ("robosuite/Lift", 0.05, 0, 1)
    assert (first.success, second.success) == (True, False), "the last rewards are 1 and 5/6"
    np.testing.assert_array_equal(
        first.observations["object"][-1], arrays["demo_0"]["next_obs/object"][-1].astype(np.float32)
    )
    assert [e.seed for e in read_robomimic(tmp_path / "low_dim.hdf5", "train")] == [1]


def test_without_next_observations_the_last_is_repeated(tmp_path: Path) -> None:
    _foreign(tmp_path / "low_dim.hdf5", next_obs=False)
    for episode in read_robomimic(tmp_path / "low_dim.hdf5"):
        np.testing.assert_array_equal(episode.observations["object"][-1], episode.observations["object"][-2])
        assert len(episode.observations["object"]) == episode.length + 1


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.hdf5").write_text("no HDF5")
    with pytest.raises(DatasetError, match=r"text\.hdf5 cannot be read as robomimic's HDF5"):
        list(read_robomimic(tmp_path / "text.hdf5"))
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["numbers"] = np.zeros(3)
    with pytest.raises(DatasetError, match="other.hdf5 cannot be read as robomimic's HDF5: KeyError"):
        list(read_robomimic(tmp_path / "other.hdf5"))
    _foreign(tmp_path / "low_dim.hdf5")
    with pytest.raises(DatasetError, match=r"no filter key 'valid'; it has \['train'\]"):
        list(read_robomimic(tmp_path / "low_dim.hdf5", "valid"))


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "dataset")
    (tmp_path / "mine.hdf5").write_text("precious")
    with pytest.raises(DatasetError, match="exists; choose another name"):
        write_robomimic(dataset, tmp_path / "mine.hdf5")
    assert (tmp_path / "mine.hdf5").read_text() == "precious"
    rows = next((dataset.path / "data").rglob("*.parquet"))
    rows.write_bytes(rows.read_bytes()[:-200])
    with pytest.raises(DatasetError):
        write_robomimic(dataset, tmp_path / "new.hdf5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "mine.hdf5"]


def test_one_side_must_be_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(tmp_path), str(tmp_path / "other")]) == 2
    assert "does not end in .hdf5" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "absent"), str(tmp_path / "other")]) == 2
    assert "absent does not exist" in capsys.readouterr().err
    _foreign(tmp_path / "low_dim.hdf5")
    assert main(["convert", str(tmp_path / "low_dim.hdf5"), str(tmp_path / "other.hdf5")]) == 2
    assert "becomes a dataset of ours" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="BARKYARD_ROBOMIMIC_PYTHON names no interpreter with robomimic")
def test_robomimic_reads_the_same_sequences(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "dataset")
    write_robomimic(dataset, tmp_path / "demo.hdf5")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(PYTHON), "-c", PROBE, str(tmp_path / "demo.hdf5")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    assert (found["env"]["type"], found["env"]["env_name"], found["demos"]) == (2, dataset.env_id, 3)
    assert found["env"]["env_kwargs"] == dataset.env_kwargs
    episodes = list(dataset)
    firsts = np.concatenate([e.observations["joint_pos"][:-1] for e in episodes])
    seconds = np.concatenate([e.observations["object_pos_world"][1:] for e in episodes])
    np.testing.assert_array_equal(np.array(found["joint_pos"], np.float32)[:, 0], firsts)
    np.testing.assert_array_equal(np.array(found["next"], np.float32)[:, 0], seconds)
    actions = np.concatenate([e.actions for e in episodes])
    np.testing.assert_array_equal(np.array(found["actions"], np.float32)[:, 0], actions)
