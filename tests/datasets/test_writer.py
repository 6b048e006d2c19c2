"""What the writer refuses, and that refusing costs nothing already written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetSpec, DatasetWriter, compact
from barkyard.episode import EVALUATION_SEED_START, Episode
from barkyard.errors import DatasetError, InvalidInput

from .synthetic import CHILD_ENVIRONMENT, VECTORS, assert_same, make_episode


@pytest.mark.parametrize(
    ("episode", "message"),
    [
        (make_episode(1, env_id="barkyard/PickPlaceCan-v0"), "PickPlaceCan"),
        (make_episode(1, env_kwargs={"controller": "JOINT_POSITION"}), "JOINT_POSITION"),
        (make_episode(1, vectors=VECTORS | {"joint_pos": (6,)}), "joint_pos"),
        (make_episode(1, vectors={"joint_pos": (7,)}), "absent"),
        (make_episode(1, vectors=VECTORS | {"extra": (1,)}), "extra"),
        (make_episode(1, states=False), "state_size"),
        (make_episode(1, dt=0.1), "control_dt"),
        (make_episode(1, actions=np.zeros((5, 3), np.float32)), "action_size"),
        (make_episode(1, actions=np.zeros((5, 4), np.float64)), "float64"),
        (make_episode(1, actions=np.zeros((4, 4), np.float32)), "rows"),
        (make_episode(1, actions=np.zeros((0, 4), np.float32)), "without actions"),
        (make_episode(1, rewards=np.zeros(4, np.float32)), "rewards"),
        (make_episode(1, end="tired"), "tired"),
        (make_episode(1, source="dream"), "dream"),
        (make_episode(EVALUATION_SEED_START), "evaluation"),
    ],
)
def test_an_episode_that_does_not_fit_is_refused(tmp_path: Path, episode: Episode, message: str) -> None:
    with DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        writer.write(make_episode(0))
        with pytest.raises(InvalidInput, match=message):
            writer.write(episode)
        writer.write(make_episode(2))
    assert Dataset.open(tmp_path).seeds.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": {"arm/pos": (2,)}}, "arm/pos"),
        ({"vectors": {"image_front": (4,)}}, "image_front"),
        ({"vectors": {"nothing": (0,)}}, "empty"),
        ({"dt": 0.03}, "0.03"),
        ({"env_kwargs": {"robot": object()}}, "JSON"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_recording(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        DatasetWriter.create(tmp_path, make_episode(0, **changes))
    assert not list(tmp_path.iterdir())


def test_create_refuses_a_folder_in_use(tmp_path: Path) -> None:
    DatasetWriter.create(tmp_path / "a", make_episode(0)).close()
    with pytest.raises(DatasetError, match="resume"):
        DatasetWriter.create(tmp_path / "a", make_episode(0))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("dear")
    with pytest.raises(DatasetError, match="not empty"):
        DatasetWriter.create(tmp_path / "b", make_episode(0))
    assert (tmp_path / "b" / "thesis.txt").read_text() == "dear"
    with pytest.raises(DatasetError, match="cannot make"):
        DatasetWriter.create(tmp_path / "b" / "thesis.txt" / "c", make_episode(0))


def test_resume_goes_on(tmp_path: Path) -> None:
    episodes = [make_episode(i, length=2 + i) for i in range(4)]
    with DatasetWriter.create(tmp_path, DatasetSpec.of(episodes[0], task="lift")) as writer:
        writer.write(episodes[0])
    for episode in episodes[1:]:
        with DatasetWriter.resume(tmp_path) as writer:
            assert writer.seeds.tolist() == list(range(episode.seed))
            assert writer.write(episode) == episode.seed
    dataset = Dataset.open(tmp_path)
    for stored, episode in zip(dataset, episodes, strict=True):
        assert_same(stored, episode)
    assert dataset.spec.task == "lift"
    with pytest.raises(DatasetError, match="no dataset"):
        DatasetWriter.resume(tmp_path / "meta")


def test_a_closed_writer_refuses(tmp_path: Path) -> None:
    writer = DatasetWriter.create(tmp_path, make_episode(0))
    writer.close()
    writer.close()
    with pytest.raises(DatasetError, match="closed"):
        writer.write(make_episode(0))


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        writer.write(make_episode(0))
        with pytest.raises(DatasetError, match=f"pid {os.getpid()}"):
            DatasetWriter.resume(tmp_path)
        assert len(Dataset.open(tmp_path)) == 1
        writer.write(make_episode(1))
    with DatasetWriter.resume(tmp_path) as writer:
        assert writer.num_episodes == 2


def test_an_error_while_recording_keeps_the_finished_episodes(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        writer.write(make_episode(0))
        raise KeyboardInterrupt
    assert Dataset.open(tmp_path).info["total_episodes"] == 1


def test_an_episode_is_synced_before_it_gets_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_sync(descriptor: int) -> None:
        steps.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> None:
        steps.append(f"rename {source.name} {target.name}")
        replace(source, target)

    with DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        writer.write(make_episode(0))
        monkeypatch.setattr(os, "fsync", note_sync)
        monkeypatch.setattr(os, "replace", note_rename)
        writer.write(make_episode(1))
        monkeypatch.undo()
    partial = ".file-001.parquet.partial"
    assert steps == [f"sync {partial}", f"rename {partial} file-001.parquet", "sync chunk-000"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_full_disk(small_disk: Path) -> None:
    path, ballast = small_disk / "dataset", small_disk / "ballast"
    ballast.write_bytes(bytes(320 * 1024))
    written = []
    with pytest.raises(DatasetError) as caught, DatasetWriter.create(path, make_episode(0)) as writer:
        for seed in range(100):
            episode = make_episode(seed, length=20)
            writer.write(episode)
            written.append(episode)
    message = str(caught.value)
    assert "No space left on device" in message
    assert "bytes are free" in message
    assert f"The {len(written)} episodes before it are safe" in message
    assert len(written) >= 3
    assert not list(path.rglob("*.partial"))
    for stored, episode in zip(Dataset.open(path), written, strict=True):
        assert_same(stored, episode)
    ballast.unlink()
    with DatasetWriter.resume(path) as writer:
        assert writer.write(make_episode(50, length=20)) == len(written)
    assert Dataset.open(path).info["total_episodes"] == len(written) + 1


FILE_TOO_LARGE = """
import resource, sys
from barkyard.datasets import DatasetWriter
from barkyard.errors import DatasetError
from datasets.synthetic import make_episode
writer = DatasetWriter.create(sys.argv[1], make_episode(0))
writer.write(make_episode(0))
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
try:
    writer.write(make_episode(1, length=500))
except DatasetError as error:
    print(error)
"""


def test_a_write_that_the_system_cuts_short_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILE_TOO_LARGE, str(tmp_path / "d")]
    done = subprocess.run(command, env=CHILD_ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert "The 1 episodes before it are safe" in done.stdout
    assert not list(tmp_path.rglob("*.partial"))
    assert Dataset.open(tmp_path / "d").seeds.tolist() == [0]


def test_the_last_episode_can_be_removed_and_its_number_is_used_again(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        for seed in (0, 1):
            writer.write(make_episode(seed))
        assert writer.remove_last() == 1
        assert Dataset.open(tmp_path).seeds.tolist() == [0]
        assert writer.write(make_episode(2)) == 1
    assert Dataset.open(tmp_path).seeds.tolist() == [0, 2]
    with DatasetWriter.resume(tmp_path) as writer:
        assert (writer.remove_last(), writer.remove_last()) == (1, 0)
        with pytest.raises(InvalidInput, match="no episode to remove"):
            writer.remove_last()
    with pytest.raises(DatasetError, match="closed"):
        writer.remove_last()


def test_an_episode_that_was_compacted_is_not_removed(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path, make_episode(0)) as writer:
        for seed in (0, 1):
            writer.write(make_episode(seed))
    compact(tmp_path)
    with DatasetWriter.resume(tmp_path) as writer, pytest.raises(InvalidInput, match="compacted"):
        writer.remove_last()
    assert Dataset.open(tmp_path).num_episodes == 2
