"""What the kill tests run in a child process until they kill it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from barkyard.datasets import DatasetWriter, compact

from .synthetic import make_episode


def length_of(seed: int) -> int:
    """Between 1 and 60 steps."""
    return int(np.random.default_rng(seed).integers(1, 61))


def record(path: Path, log: Path) -> None:
    """Record without end, after what is there; each seed goes to `log`, synced, once its `write` has returned."""
    seed = 0
    if (path / "meta/info.json").exists():
        writer = DatasetWriter.resume(path)
        seed = int(writer.seeds.max(initial=-1)) + 1
    else:
        writer = DatasetWriter.create(path, make_episode(0, images=True))
    with writer, log.open("a") as file:
        while True:
            writer.write(make_episode(seed, length_of(seed), images=True))
            file.write(f"{seed}\n")
            file.flush()
            os.fsync(file.fileno())
            seed += 1


def record_two_and_die(path: Path, log: Path, step: int) -> None:
    """Record two episodes, but be killed before sync or rename number `step` (from 0) takes place."""
    passed = 0

    def unless_killed(call: Callable[..., None]) -> Callable[..., None]:
        def counted(*arguments: Any) -> None:
            nonlocal passed
            if passed == step:
                os.kill(os.getpid(), signal.SIGKILL)
            passed += 1
            call(*arguments)

        return counted

    fsync = os.fsync
    os.fsync, os.replace = unless_killed(os.fsync), unless_killed(os.replace)
    with DatasetWriter.create(path, make_episode(0)) as writer, log.open("a") as file:
        for seed in range(2):
            writer.write(make_episode(seed))
            file.write(f"{seed}\n")
            file.flush()
            fsync(file.fileno())


def merge(path: Path, file_bytes: int) -> None:
    """Merge without end."""
    while True:
        compact(path, file_bytes=file_bytes)
