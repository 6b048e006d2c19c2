"""Work that goes wrong in known ways, for workers that import it."""

import os
import signal
import time
from pathlib import Path


def square(work: int, seeds: tuple[int, ...], target: Path) -> None:
    target.write_text(" ".join(str(work * seed * seed) for seed in seeds))


def first_time(target: Path) -> bool:
    """Whether this item is tried for the first time."""
    mark = target.with_suffix(".tried")
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def dies_once(work: int, seeds: tuple[int, ...], target: Path) -> None:
    if seeds[0] % 3 == 0 and first_time(target):
        os.kill(os.getpid(), signal.SIGKILL)
    square(work, seeds, target)


def hangs_once(work: int, seeds: tuple[int, ...], target: Path) -> None:
    if seeds[0] == 2 and first_time(target):
        time.sleep(600.0)
    square(work, seeds, target)


def fails_at_four(work: int, seeds: tuple[int, ...], target: Path) -> None:
    if 4 in seeds:
        raise ValueError(f"four is not for us: {target.name}")
    square(work, seeds, target)


def forgets(work: int, seeds: tuple[int, ...], target: Path) -> None:
    """Says that all is well."""


def says_who_and_stays(work: int, seeds: tuple[int, ...], target: Path) -> None:
    """Leave the worker's number, and go on for longer than a test waits."""
    target.with_suffix(".worker").write_text(str(os.getpid()))
    time.sleep(600.0)
