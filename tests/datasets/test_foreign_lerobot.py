"""LeRobot datasets written by others become ours; what is not supported is refused in words."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.datasets.lerobot import read_lerobot, read_lerobot_info
from barkyard.episode import Episode
from barkyard.errors import DatasetError, InvalidInput

from .foreign_lerobot import CAMERA, LENGTHS, frame_of, state_of, write_lerobot

PYTHON = os.environ.get("BARKYARD_LEROBOT_PYTHON")
KINDS = [("v2.1", "image"), ("v2.1", "video"), ("v3.0", "image"), ("v3.0", "video")]
WRITE = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
root, dtype = sys.argv[1:]
features = {
    "observation.state": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
    "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
    "observation.images.front": {"dtype": dtype, "shape": (64, 96, 3), "names": ["height", "width", "channels"]},
    "next.success": {"dtype": "bool", "shape": (1,), "names": None},
}
dataset = LeRobotDataset.create("local/it", 10, features, root, "so101", use_videos=dtype == "video")
for episode, length in enumerate((3, 5, 2)):
    for step in range(length):
        dataset.add_frame({
            "observation.state": np.array([episode, step, 0.5], np.float32),
            "action": np.array([10 * step, -1], np.float32),
            "observation.images.front": np.full((64, 96, 3), (40 * episode + 20, 30 * step + 20, 128), np.uint8),
            "next.success": np.array([episode == 1 and step == length - 1]),
            "task": "push the block",
        })
    dataset.save_episode()
dataset.finalize()
"""


def read(root: Path, **more: Any) -> list[Episode]:
    return list(read_lerobot(read_lerobot_info(root, **more), "real"))


def check(episodes: list[Episode], tolerance: int) -> None:
    """What `write_lerobot` wrote, pictures up to the encoder's loss."""
    assert [episode.length for episode in episodes] == list(LENGTHS)
    for number, episode in enumerate(episodes):
        steps = [*range(episode.length), episode.length - 1]  # the last observation is repeated
        assert episode.observations["state"].tolist() == [state_of(number, t) for t in steps]
        assert episode.actions.tolist() == [[10.0 * t, -1.0] for t in range(episode.length)]
        colours = episode.observations["image_front"].mean(axis=(1, 2))
        expected = np.array([frame_of(number, t)[0, 0] for t in steps], dtype=float)
        assert np.abs(colours - expected).max() <= tolerance
    assert [episode.success for episode in episodes] == [False, True, False]
    assert [episode.seed for episode in episodes] == [0, 1, 2]
    assert {(episode.source, episode.env_id, episode.dt) for episode in episodes} == {("real", "lerobot/so101", 0.1)}


@pytest.mark.parametrize(("version", "dtype"), KINDS)
def test_every_frame_is_read(tmp_path: Path, version: str, dtype: str) -> None:
    episodes = read(write_lerobot(tmp_path / "it", version, dtype))
    check(episodes, 0 if dtype == "image" else 6)
    np.testing.assert_array_equal(episodes[1].rewards, (0.1 * np.arange(5)).astype(np.float32))
    assert [episode.metrics["task_index"] for episode in episodes] == [0.0, 1.0, 0.0]


def test_the_command_makes_a_dataset_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lerobot(tmp_path / "it", "v3.0", "video")
    assert main(["convert", str(source), str(tmp_path / "ours"), "--origin", "real"]) == 0
    told = capsys.readouterr()
    assert "3 episodes" in told.out and "2 tasks" in told.err
    dataset = Dataset.open(tmp_path / "ours")
    check(list(dataset), 6)
    assert dataset.spec.robot_type == "so101"


def test_where_it_comes_from_must_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lerobot(tmp_path / "it", "v2.1", "image")
    assert main(["convert", str(source), str(tmp_path / "ours")]) == 2
    assert "--origin real or --origin sim" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()
    assert main(["convert", str(source), str(tmp_path / "ours"), "--origin", "sim", "--fps", "3"]) == 2
    assert "--fps tells the control period of a dataset of Minari" in capsys.readouterr().err


def test_cameras_can_be_left_out(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "it", "v2.1", "image")
    assert set(read(root, without=(CAMERA,))[0].observations) == {"state"}
    with pytest.raises(InvalidInput, match=r"'observation\.depth' is not one of its features: action"):
        read_lerobot_info(root, ("observation.depth",))


def changed(root: Path, change: Any) -> Path:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))
    return root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i.update(codebase_version="v2.0"), r"layout 'v2\.0'; valid: v2\.1, v3\.0\. LeRobot's own scripts"),
        (lambda i: i.update(codebase_version="v4.0"), r"newer Barkyard"),
        (lambda i: i.update(data_path="{chunk_index.__class__}/../x"), "gives data_path"),
        (lambda i: i["features"].pop("action"), "has no actions"),
        (lambda i: i["features"][CAMERA].update(info={"is_depth_map": True}), f"depth map.*--without {CAMERA}"),
        (lambda i: i["features"][CAMERA].update(shape=[32, 48, 1]), "only RGB pictures are read"),
        (lambda i: i["features"]["observation.state"].update(dtype="language"), "is not LeRobot's"),
        (lambda i: i["features"].update({"observation.a/../b": {"dtype": "video", "shape": [4, 4, 3]}}), "a slash"),
        (lambda i: i.pop("fps"), "is not LeRobot's: KeyError: 'fps'"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, change: Any, message: str) -> None:
    root = changed(write_lerobot(tmp_path / "it", "v3.0", "image"), change)
    with pytest.raises(DatasetError, match=message):
        read_lerobot_info(root)


def test_pictures_with_the_channels_first_are_turned(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "it", "v2.1", "image")
    check(read(changed(root, lambda i: i["features"][CAMERA].update(shape=[3, 32, 48]))), 0)


def test_missing_and_short_files_are_named(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "it", "v2.1", "video")
    film = root / f"videos/chunk-000/{CAMERA}/episode_000001.mp4"
    film.write_bytes((root / f"videos/chunk-000/{CAMERA}/episode_000000.mp4").read_bytes())
    with pytest.raises(DatasetError, match=r"episode_000001\.mp4 ends after 3 frames; 5 are needed"):
        read(root)
    for damaged in (b"no film", b""):
        film.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"episode_000001\.mp4 ends after 0 frames"):
            read(root)
    film.unlink()
    with pytest.raises(DatasetError, match=r"episode_000001\.mp4 is missing"):
        read(root)
    rows = root / "data/chunk-000/episode_000000.parquet"
    pq.write_table(pq.read_table(rows).slice(0, 2), rows)
    with pytest.raises(DatasetError, match="episode 0 has 2 frames where its description says 3"):
        read(root, without=(CAMERA,))


def test_films_of_another_size_are_refused(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "it", "v3.0", "video")
    with pytest.raises(DatasetError, match=r"file-000\.mp4 has frames that are not 44 x 32 pixels"):
        read(changed(root, lambda i: i["features"][CAMERA].update(shape=[32, 44, 3])))


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="BARKYARD_LEROBOT_PYTHON names no interpreter with lerobot >= 0.4")
@pytest.mark.parametrize("dtype", ["image", "video"])
def test_what_lerobot_writes_is_read(tmp_path: Path, dtype: str) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "huggingface")}
    environment.pop("PYTHONPATH", None)
    command = [str(PYTHON), "-c", WRITE, str(tmp_path / "it"), dtype]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    check(read(tmp_path / "it"), 0 if dtype == "image" else 8)
