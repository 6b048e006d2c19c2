"""What was found of one fault."""

from dataclasses import dataclass
from typing import Final

HEAD: Final = ("fault", "done to", "times", "lost", "recovered by")


@dataclass(frozen=True)
class Row:
    """One fault done to one job; every time the result was equal to that of an uninterrupted run.

    Attributes:
        fault: what was done.
        job: to whom.
        times: how often.
        lost: at most, and as measured.
        recovered: the command that went on.
    """

    fault: str
    job: str
    times: int
    lost: str
    recovered: str

    def __str__(self) -> str:
        return line(self.fault, self.job, str(self.times), self.lost, self.recovered)


def line(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head() -> str:
    """The table's first two lines."""
    return "\n".join((line(*HEAD), line(*("---" for _ in HEAD))))
