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
    """Find neighbours between which the outcome changes, in about log2(count) episodes.

    The first and the last must differ. The outcome may change several times, since training is not monotone; then this
    is one of the changes.

    Args:
        succeeds: whether the episode succeeds with the checkpoint of this number, from 0; called once a number.
        count: number of checkpoints.

    Raises:
        InvalidInput: there are fewer than 2, or the first and the last agree.
    """
    if count < 2:
        raise InvalidInput(f"{count} checkpoints; a bisection needs at least 2")
    outcomes = {number: succeeds(number) for number in (0, count - 1)}
    if outcomes[0] == outcomes[count - 1]:
        both = "succeed" if outcomes[0] else "fail"
        raise InvalidInput(f"the first and the last checkpoint both {both}; between them there may be no change")
    before, after = 0, count - 1
    while after - before > 1:
        middle = (before + after) // 2
        outcomes[middle] = succeeds(middle)
        before, after = (middle, after) if outcomes[middle] == outcomes[0] else (before, middle)
    return Change(before, after, dict(sorted(outcomes.items())))
