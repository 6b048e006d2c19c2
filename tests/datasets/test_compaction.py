"""Merging keeps every episode, at every moment."""

import os
from pathlib import Path

import pytest

from barkyard.datasets import Dataset, DatasetWriter, compact
from barkyard.datasets.files import RowReader, scan
from barkyard.errors import DatasetError

from .synthetic import assert_same, make_episode

EPISODES = [make_episode(i, length=3 + i, images=True) for i in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with DatasetWriter.create(tmp_path, EPISODES[0]) as writer:
        for episode in EPISODES:
            writer.write(episode)
    return tmp_path


def assert_whole(path: Path) -> None:
    for stored, episode in zip(Dataset.open(path), EPISODES, strict=True):
        assert_same(stored, episode)


def num_files(path: Path) -> int:
    return len(list((path / "data").rglob("*.parquet")))


def test_content_and_fingerprint_stay(path: Path) -> None:
    before = Dataset.open(path).fingerprint
    largest = max(file.stat().st_size for file in (path / "data").rglob("*.parquet"))
    assert compact(path, file_bytes=2 * largest) == num_files(path) == 3
    assert_whole(path)
    assert compact(path) == num_files(path) == 1
    assert_whole(path)
    assert Dataset.open(path).fingerprint == before
    assert {entry.name for entry in path.iterdir()} == {"data", "meta", ".lock"}


def test_recording_goes_on_after_a_merge(path: Path) -> None:
    compact(path)
    with DatasetWriter.resume(path) as writer:
        assert writer.write(make_episode(9, images=True)) == 6
    dataset = Dataset.open(path)
    assert dataset.seeds.tolist() == [0, 1, 2, 3, 4, 5, 9]
    assert num_files(path) == 2
    assert_same(dataset.episode(6), make_episode(9, images=True))


def test_rows_of_a_merged_file_do_not_carry_its_footer(path: Path) -> None:
    """The footer holds every episode's record; kept with each table, it would fill the memory."""
    compact(path)
    files, unusable = scan(path, Dataset.open(path).spec)
    assert (len(files), unusable) == (1, [])
    reader = RowReader(files[0])
    for number, episode in enumerate(EPISODES):
        rows = reader.read(row_group=number)
        assert len(rows) == episode.length
        assert rows.schema.metadata is None


class Killed(BaseException):
    """Stands for a kill: nothing may run after it."""


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_the_steps_loses_nothing(path: Path, renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops after 0, 1 or 2 of the renames; `finish_replacement` does not run then, as after a kill."""
    before, done = Dataset.open(path).fingerprint, 0
    rename = os.rename

    def rename_until_killed(source: Path, target: Path) -> None:
        nonlocal done
        if done == renames:
            raise Killed
        rename(source, target)
        done += 1

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("barkyard.datasets.compaction.os.rename", rename_until_killed)
    monkeypatch.setattr("barkyard.datasets.compaction.write_metadata", die)
    monkeypatch.setattr("barkyard.datasets.compaction.finish_replacement", lambda root: None)
    with pytest.raises(Killed):
        compact(path)
    present = {name for name in ("data", "data.compacted", "data.replaced") if (path / name).exists()}
    assert (
        present == [{"data", "data.compacted"}, {"data.compacted", "data.replaced"}, {"data", "data.replaced"}][renames]
    )
    monkeypatch.undo()
    assert Dataset.open(path).fingerprint == before
    assert_whole(path)
    with DatasetWriter.resume(path) as writer:
        assert writer.num_episodes == 6
    assert {entry.name for entry in path.iterdir()} == {"data", "meta", ".lock"}
    compact(path)
    assert_whole(path)


def test_a_merge_that_would_lose_something_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barkyard.datasets.compaction.episode_fingerprint", lambda episode: "other")
    with pytest.raises(DatasetError, match="does not read back"):
        compact(path)
    monkeypatch.undo()
    assert num_files(path) == 6
    assert_whole(path)
    assert {entry.name for entry in path.iterdir()} == {"data", "meta", ".lock"}


def test_a_dataset_being_recorded_is_not_merged(path: Path) -> None:
    with DatasetWriter.resume(path), pytest.raises(DatasetError, match="being written"):
        compact(path)
    assert_whole(path)
