"""Episodes of a dataset as recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.calibration.dataset_logs import read_dataset
from barkyard.datasets import DatasetWriter
from barkyard.errors import InvalidInput
from tests.calibration.synthetic import chirp
from tests.datasets.synthetic import make_episode

JOINTS = ("shoulder", "elbow")
SHAPES: dict[str, tuple[int, ...]] = {"joint_pos": (2,), "joint_target": (2,)}


def dataset(path: Path, **changes: Any) -> Path:
    time, command = chirp(0, 4.0)
    late = np.concatenate([command[:1].repeat(3, axis=0), command[:-3]])
    in_force = np.concatenate([command[:1], command[:-1]])
    observations = {"joint_pos": late.astype(np.float32), "joint_target": in_force.astype(np.float32)}
    fields = {"dt": 0.02, "source": "real", "states": None, "observations": observations, "seed": 1, **changes}
    episode = make_episode(length=len(time) - 1, vectors=SHAPES, **fields)
    with DatasetWriter.create(path, episode) as writer:
        writer.write(episode)
    return path


def test_commands_stand_in_the_observation_after_them(tmp_path: Path) -> None:
    (log,) = read_dataset(dataset(tmp_path / "runs"), JOINTS)
    time, command = chirp(0, 4.0)
    assert log.name == "runs-0" and log.joints == JOINTS and log.source == "real" and len(log.sha256) > 8
    assert np.allclose(log.command, command[:-1], atol=1e-6) and np.allclose(log.command_time, time[:-1])
    assert np.allclose(log.position[3:], command[:-3], atol=1e-6) and log.duration == pytest.approx(time[-1])


@pytest.mark.parametrize(
    ("changes", "joints", "message"),
    [
        ({"source": "sim"}, JOINTS, "episode 0 is from 'sim'; only real or surrogate"),
        ({}, ("shoulder",), r"joint_pos has the shape \(2,\); the model has 1 joints"),
        (
            {"observations": {"joint_pos": np.zeros((200, 2), np.float32)}},
            JOINTS,
            "has the parts joint_pos and joint_target",
        ),
    ],
)
def test_what_tells_nothing_is_refused(
    changes: dict[str, Any], joints: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    folder = dataset(tmp_path / "runs", **changes)
    with pytest.raises(InvalidInput, match=message):
        read_dataset(folder, joints)


def test_degrees_are_refused(tmp_path: Path) -> None:
    _, command = chirp(0, 4.0)
    observations = {name: np.rad2deg(command).astype(np.float32) for name in SHAPES}
    with pytest.raises(InvalidInput, match="runs, episode 0: q_cmd of .* no angle in radians"):
        read_dataset(dataset(tmp_path / "runs", observations=observations), JOINTS)
    with pytest.raises(InvalidInput, match="none: .* a dataset to calibrate from"):
        read_dataset(tmp_path / "none", JOINTS)
