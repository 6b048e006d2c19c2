"""What is to be done: work on items of seeds, each of which leaves one file or folder."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from barkyard import provenance
from barkyard.errors import InvalidInput

Perform = Callable[[Any, tuple[int, ...], Path], None]
"""Does the work for some seeds, and leaves its result, whole or not at all, at a path. A function of a module."""


@dataclass(frozen=True)
class Item:
    """Some seeds of the work.

    Attributes:
        number: its place in the plan.
        work: what is done with them: plain values, no large ones; what is large is named by its path.
        seeds: one an episode.
        target: where its result will be, in a folder that all machines see.
    """

    number: int
    work: Any
    seeds: tuple[int, ...]
    target: Path


@dataclass(frozen=True)
class Failure:
    """An item that was given up.

    Attributes:
        item: which.
        tries: how often it was tried.
        reason: the traceback of the last try, or what became of its worker.
    """

    item: Item
    tries: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """Work cut into items; what they are does not depend on who will do them.

    Attributes:
        perform: does an item.
        items: the items.
    """

    perform: Perform
    items: tuple[Item, ...]

    @classmethod
    def of(cls, perform: Perform, work: Any, seeds: Sequence[int], size: int, folder: Path, key: Any) -> "Plan":
        """Cut `seeds` into items of `size`; an item's file is named by its content, so that it is found again.

        Args:
            perform: does an item.
            work: its first argument.
            seeds: one an episode.
            size: seeds of an item.
            folder: for the results.
            key: JSON that tells this work from others.

        Raises:
            InvalidInput: `size` is below 1.
        """
        if size < 1:
            raise InvalidInput(f"an item of {size} episodes; give at least 1")
        parts = [tuple(seeds[start : start + size]) for start in range(0, len(seeds), size)]
        names = [provenance.fingerprint(key, list(part)) for part in parts]
        items = [Item(i, work, part, folder / name) for i, (part, name) in enumerate(zip(parts, names, strict=True))]
        return cls(perform, tuple(items))


class Backend(Protocol):
    """Does items, in any order."""

    def do(self, plan: Plan, items: Iterator[Item]) -> Iterator[tuple[Item, str]]:
        """Items as they end, with the reason where they failed, else "". Takes the next item when it has room.

        Closing the iterator stops the work.
        """
