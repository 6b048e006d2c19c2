"""LeRobot's own reader opens a dataset of ours, in an interpreter where LeRobot is installed."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetWriter, Windows, compact

from .synthetic import make_episode

PYTHON = os.environ.get("BARKYARD_LEROBOT_PYTHON")
PROBE = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
deltas = {"observation.state": [-0.05, 0.0], "action": [-0.05, 0.0, 0.05, 0.1]}
dataset = LeRobotDataset("local/probe", root=sys.argv[1], delta_timestamps=deltas)
rows = [dataset[i] for i in range(len(dataset))]
stack = lambda key: [row[key].tolist() for row in rows]
print("RESULT", json.dumps({
    "episodes": dataset.num_episodes,
    "frames": len(dataset),
    "fps": dataset.fps,
    "tasks": sorted({row["task"] for row in rows}),
    "actors": [row["barkyard.acted_by"] for row in rows],
    "observation.state": stack("observation.state"),
    "action": stack("action"),
    "action_is_pad": stack("action_is_pad"),
    "next.done": stack("next.done"),
    "image": [(row["observation.images.front"] * 255).round().int().tolist() for row in rows],
    "action_max": dataset.meta.stats["action"]["max"].tolist(),
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="BARKYARD_LEROBOT_PYTHON names no interpreter with lerobot >= 0.4")
@pytest.mark.parametrize("merged", [False, True])
def test_lerobot_reads_the_same_windows(tmp_path: Path, merged: bool) -> None:
    path = tmp_path / "dataset"
    with DatasetWriter.create(path, make_episode(0, images=True)) as writer:
        for seed, length in enumerate((3, 5, 1)):
            writer.write(make_episode(seed, length, images=True))
    if merged:
        compact(path)
    found = read_with_lerobot(path, tmp_path)
    dataset = Dataset.open(path)
    frames = np.arange(dataset.num_frames)
    batch = Windows(dataset, 2, 4, -1, ["joint_pos", "gripper_pos", "image_front"]).gather(frames)
    state = np.concatenate([batch.observations["joint_pos"], batch.observations["gripper_pos"]], axis=-1)
    assert (found["episodes"], found["frames"], found["fps"]) == (3, 9, 20)
    assert found["tasks"] == ["barkyard/Lift-v0"]
    assert found["actors"] == [name for episode in dataset for name in episode.acted_by]
    assert np.array_equal(np.array(found["observation.state"], np.float32), state)
    assert np.array_equal(np.array(found["action"], np.float32), batch.actions)
    assert np.array_equal(found["action_is_pad"], batch.is_pad)
    assert np.flatnonzero(found["next.done"]).tolist() == [2, 7, 8]
    images = np.moveaxis(np.array(found["image"]), 1, -1)
    assert np.array_equal(images, batch.observations["image_front"][:, -1])
    assert found["action_max"] == pytest.approx(dataset.actions.max(axis=0).tolist())


def read_with_lerobot(path: Path, home: Path) -> dict[str, Any]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home / "huggingface")}
    environment.pop("PYTHONPATH", None)
    command = [str(PYTHON), "-c", PROBE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home)
    assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return result
