"""Vectors that are mapped are those that are read, and never older than the data."""

from pathlib import Path

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetWriter, Windows, compact
from barkyard.datasets.files import data_path
from barkyard.datasets.vectors import FOLDER
from barkyard.errors import DatasetError

from .synthetic import make_episode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    record(tmp_path / "dataset", range(3))
    return tmp_path / "dataset"


def record(path: Path, seeds: range) -> None:
    new = not path.exists()
    with DatasetWriter.create(path, make_episode(0)) if new else DatasetWriter.resume(path) as writer:
        for seed in seeds:
            writer.write(make_episode(seed, 4 + seed))


def is_mapped(values: np.ndarray) -> bool:
    while values.base is not None:
        if isinstance(values.base, np.memmap):
            return True
        values = values.base
    return False


def everything(dataset: Dataset) -> list[bytes]:
    frames = np.arange(dataset.num_frames)
    parts = dataset.take(list(dataset.observation_shapes), frames)
    return [values.tobytes() for values in (*parts.values(), dataset.actions, dataset.rewards)]


def test_mapped_values_are_those_in_memory_bit_for_bit(path: Path) -> None:
    memory, mapped = Dataset.open(path), Dataset.open(path, mapped=True)
    assert everything(mapped) == everything(memory)
    assert is_mapped(mapped.actions) and not is_mapped(memory.actions)
    order = np.random.default_rng(0).integers(mapped.num_frames, size=40)
    one, other = (Windows(each, 3, 4, -2, ["joint_pos", "terrain"]).gather(order) for each in (memory, mapped))
    assert one.actions.tobytes() == other.actions.tobytes()
    assert all(one.observations[key].tobytes() == other.observations[key].tobytes() for key in one.observations)
    assert mapped.fingerprint == memory.fingerprint


def test_nothing_is_written_unless_asked_and_then_once(path: Path) -> None:
    Dataset.open(path)
    assert not (path / FOLDER).exists()
    Dataset.open(path, mapped=True)
    files = sorted((path / FOLDER).glob("*/*"))
    made = [file.stat().st_mtime_ns for file in files]
    Dataset.open(path, mapped=True)
    assert [file.stat().st_mtime_ns for file in sorted((path / FOLDER).glob("*/*"))] == made


def test_more_episodes_or_other_order_make_new_files_in_the_place_of_the_old(path: Path) -> None:
    old = Dataset.open(path, mapped=True)
    before = everything(old)
    record(path, range(3, 5))
    assert everything(Dataset.open(path, mapped=True)) == everything(Dataset.open(path))
    assert len([each for each in (path / FOLDER).iterdir() if each.is_dir()]) == 1
    assert everything(old) == before
    compact(path)
    assert everything(Dataset.open(path, mapped=True)) == everything(Dataset.open(path))


def test_files_that_were_cut_are_made_again(path: Path) -> None:
    Dataset.open(path, mapped=True)
    for file in (path / FOLDER).glob("*/*"):
        file.write_bytes(file.read_bytes()[:-4])
    assert everything(Dataset.open(path, mapped=True)) == everything(Dataset.open(path))


def test_where_files_cannot_be_made_vectors_are_read(path: Path) -> None:
    (path / FOLDER).write_text("in the way")
    dataset = Dataset.open(path, mapped=True)
    assert not is_mapped(dataset.actions)
    assert everything(dataset) == everything(Dataset.open(path))


def test_damage_is_found_while_files_are_made(path: Path) -> None:
    file = path / data_path(1)
    content = bytearray(file.read_bytes())
    content[40:400] = bytes(360)
    file.write_bytes(content)
    with pytest.raises(DatasetError, match="file-001.parquet"):
        Dataset.open(path, mapped=True)
    with pytest.warns(UserWarning, match="file-001"):
        assert Dataset.open(path, mapped=True, skip_damaged=True).num_episodes == 2
