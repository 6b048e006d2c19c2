"""When did it begin to fail? A bisection over checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass

from barkyard.errors import InvalidInput


@dataclass(frozen=True)
class Change:
    """Two checkpoints next to each other, with different outcomes of one episode.

    Attributes:
        before: number of the earlier one.
        after: number of the later one, `before + 1`.
        outcomes: success of each checkpoint that was tried, by number.
    """

    before: int
    after: int
    outcomes: dict[int, bool]


def bisect_outcome(succeeds: Callable[[int], bool], count: int) -> Change:
    """Find neighbours between which the outcome changes for the last time that is known, in few episodes.

    Where the first and the last differ, about log2(count) episodes do. Where they agree, since training is not
    monotone, the middle, the quarters and so on are tried until one differs from the last. The outcome may change
    several times; then this is one of the changes.

    Args:
        succeeds: whether the episode succeeds with the checkpoint of this number, from 0; called once a number.
        count: number of checkpoints.

    Raises:
        InvalidInput: there are fewer than 2, or all have the same outcome.
    """
    if count < 2:
        raise InvalidInput(f"{count} checkpoints; a bisection needs at least 2")
    after = count - 1
    outcomes = {after: succeeds(after)}
    for before in _spreading(after):
        outcomes[before] = succeeds(before)
        if outcomes[before] != outcomes[count - 1]:
            break
    else:
        raise InvalidInput(f"all {count} checkpoints {'succeed' if outcomes[after] else 'fail'}; there is no change")
    while after - before > 1:
        middle = (before + after) // 2
        if middle not in outcomes:
            outcomes[middle] = succeeds(middle)
        before, after = (middle, after) if outcomes[middle] != outcomes[count - 1] else (before, middle)
    return Change(before, after, dict(sorted(outcomes.items())))


def _spreading(count: int) -> list[int]:
    """0 to `count` - 1: the first, then the middle, then the quarters, and so on."""
    order, step = [0], count
    while step > 1:
        step = (step + 1) // 2
        order += [number for number in range(0, count, step) if number not in order]
    return order
