"""HDF5 files are read by a process of its own, so that one that hangs or crashes the library is refused."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from barkyard.datasets.hdf5 import ReadingProcess, read_apart, whole
from barkyard.datasets.robomimic import read_robomimic
from barkyard.episode import Episode
from barkyard.errors import DatasetError, InvalidInput
from barkyard.untrusted import LARGEST_ARRAYS
from tests.datasets.synthetic import make_episode


@pytest.fixture(autouse=True)
def modules_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are found by the reading process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)


def three(path: Path) -> Iterator[Episode]:
    yield from map(make_episode, range(3))


def hang(path: Path) -> Iterator[Episode]:
    yield make_episode(0)
    time.sleep(1000)


def crash(path: Path) -> Iterator[Episode]:
    yield make_episode(0)
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse(path: Path) -> Iterator[Episode]:
    raise InvalidInput(f"{path} is not to its taste")
    yield


def pid(path: Path) -> Iterator[Episode]:
    yield make_episode(os.getpid())


def fill(path: Path) -> Iterator[Episode]:
    np.ones(2 * LARGEST_ARRAYS)
    yield make_episode(0)


def test_episodes_come_in_order_bit_for_bit(tmp_path: Path) -> None:
    for seed, episode in enumerate(read_apart(three, tmp_path)):
        assert episode.seed == seed
        assert np.array_equal(episode.actions, make_episode(seed).actions)
    assert seed == 2


def test_a_file_that_hangs_or_crashes_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    with ReadingProcess(longest=1.0) as process:
        for read, complaint in ((hang, "not read within 1 seconds"), (crash, r"crashed on it \(SIGSEGV\)")):
            episodes = process.read(read, tmp_path)
            assert next(episodes).seed == 0, "what comes before is there"
            with pytest.raises(DatasetError, match=complaint):
                next(episodes)
        assert len(list(process.read(three, tmp_path))) == 3


def test_a_refusal_is_the_readers_own(tmp_path: Path) -> None:
    with ReadingProcess() as process:
        (before,) = process.read(pid, tmp_path)
        with pytest.raises(InvalidInput, match="not to its taste"):
            next(process.read(refuse, tmp_path))
        (after,) = process.read(pid, tmp_path)
        assert after.seed == before.seed != os.getpid()


def test_what_is_left_half_read_does_not_come_with_the_next(tmp_path: Path) -> None:
    with ReadingProcess() as process:
        next(process.read(three, tmp_path))
        assert [episode.seed for episode in process.read(three, tmp_path)] == [0, 1, 2]


def test_memory_is_limited(tmp_path: Path) -> None:
    with pytest.raises(MemoryError):
        next(read_apart(fill, tmp_path))


def test_a_small_file_that_claims_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.hdf5"
    with h5py.File(path, "w") as file:
        shape = (LARGEST_ARRAYS, 7)
        large = file.create_dataset("data/demo_0/actions", shape, np.float32, chunks=(1000, 7))
        file["data"].attrs["env_args"] = '{"env_name": "Lift", "env_kwargs": {"control_freq": 20}}'
        with pytest.raises(MemoryError, match="takes 56,000,000,000 bytes"):
            whole(large)
        with pytest.raises(TypeError, match="is a group"):
            whole(file["data"])
    assert path.stat().st_size < 10_000
    with pytest.raises(DatasetError, match="takes 56,000,000,000 bytes"):
        list(read_robomimic(path))
