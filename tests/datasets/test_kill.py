"""SIGKILL at random moments, while recording and while merging."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from barkyard.datasets import Dataset, DatasetWriter, compact, episode_fingerprint

from .recorder import length_of, merge, record, record_two_and_die
from .synthetic import make_episode

KILLS = 20
LONGEST_WAIT_S = 0.05
"""About twice as long as one episode takes to encode and write."""

context = multiprocessing.get_context("forkserver")  # one process imports, each child is a fork of it
context.set_forkserver_preload([record.__module__])


def run_and_kill(work: Callable[..., None], arguments: tuple[Any, ...], log: Path, lines: int, wait_s: float) -> None:
    """Start `work` in a child, wait for `lines` more lines in its log and `wait_s` more, and kill it."""
    wanted = num_lines(log) + lines
    child = context.Process(target=work, args=arguments)
    child.start()
    while num_lines(log) < wanted and child.is_alive():
        time.sleep(0.001)
    time.sleep(wait_s)
    assert child.is_alive(), "the child ended by itself"
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL


def num_lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")


def fingerprint_of(seed: int) -> str:
    return episode_fingerprint(make_episode(seed, length_of(seed), images=True))


def test_every_finished_episode_survives_a_kill_and_recording_goes_on(tmp_path: Path) -> None:
    path, log = tmp_path / "dataset", tmp_path / "log"
    log.touch()
    rng = np.random.default_rng(0)
    for kills in range(1, KILLS + 1):
        run_and_kill(record, (path, log), log, int(rng.integers(0, 4)), rng.uniform(0, LONGEST_WAIT_S))
        finished = [int(line) for line in log.read_text().splitlines()]
        if not (path / "meta/info.json").exists():
            assert not finished
            continue
        dataset = Dataset.open(path)
        seeds = dataset.seeds.tolist()
        assert seeds == list(range(len(seeds)))  # nothing lost, nothing twice, each resumption after the last
        assert set(finished) <= set(seeds)
        assert len(seeds) - len(finished) <= kills  # a kill may come between a write's end and the log
        assert [record.fingerprint for record in dataset.records[-3:]] == [fingerprint_of(seed) for seed in seeds[-3:]]
        assert dataset.info["total_episodes"] == len(dataset)
    dataset = Dataset.open(path)
    assert len(dataset) >= KILLS
    for seed, episode in enumerate(dataset):
        assert episode_fingerprint(episode) == fingerprint_of(seed)
    with DatasetWriter.resume(path) as writer:
        writer.write(make_episode(len(dataset), images=True))
    assert not list(path.rglob("*.partial"))


def test_a_kill_while_merging_loses_nothing(tmp_path: Path) -> None:
    path, log = tmp_path / "dataset", tmp_path / "log"
    log.touch()
    with DatasetWriter.create(path, make_episode(0, images=True)) as writer:
        for seed in range(12):
            writer.write(make_episode(seed, length_of(seed), images=True))
    fingerprint = Dataset.open(path).fingerprint
    rng = np.random.default_rng(1)
    for _ in range(KILLS):
        run_and_kill(merge, (path, int(rng.integers(1, 10**6))), log, 0, rng.uniform(0, 6 * LONGEST_WAIT_S))
        assert Dataset.open(path).fingerprint == fingerprint
    compact(path)
    for seed, episode in enumerate(Dataset.open(path)):
        assert episode_fingerprint(episode) == fingerprint_of(seed)


def test_a_kill_at_every_step_of_a_recording(tmp_path: Path) -> None:
    """Dies before the first sync or rename, before the second, and so on until the recording gets through."""
    for step in range(100):
        path, log = tmp_path / str(step), tmp_path / f"{step}.log"
        log.touch()
        child = context.Process(target=record_two_and_die, args=(path, log, step))
        child.start()
        child.join()
        finished = num_lines(log)
        if child.exitcode == 0:
            break
        assert child.exitcode == -signal.SIGKILL
        if (path / "meta/info.json").exists():
            found = len(Dataset.open(path))
            assert found in (finished, finished + 1)
            writer = DatasetWriter.resume(path)
        else:
            found = 0
            writer = DatasetWriter.create(path, make_episode(0))
        with writer:
            assert writer.write(make_episode(found)) == found
        assert Dataset.open(path).seeds.tolist() == list(range(found + 1))
    assert finished == 2
    assert step > 20  # two writes and the metadata, before and after
