"""Wall-clock time for a loop."""

import time
from typing import Final

import numpy as np

_BEHIND: Final = 1.0
"""A loop that is late by more control periods than this does not catch up."""


class Pace:
    """Holds a loop to a period. Final.

    Args:
        period: [s].

    Attributes:
        intervals: between the ends of successive waits [s].
        late: how many periods were over before they were waited for.
    """

    def __init__(self, period: float) -> None:
        self.period = period
        self.intervals: list[float] = []
        self.late = 0
        self._due: float | None = None
        self._last: float | None = None

    def begin(self) -> None:
        """The loop begins anew; the first wait returns at once."""
        self._due = self._last = None

    def wait(self) -> None:
        """Sleep until the period is over."""
        now = time.monotonic()
        if self._due is not None and now < self._due:
            time.sleep(self._due - now)
        elif self._due is not None:
            self.late += 1
        now = time.monotonic()
        if self._last is not None:
            self.intervals.append(now - self._last)
        self._last = now
        late = self._due is not None and now - self._due > _BEHIND * self.period
        self._due = now + self.period if self._due is None or late else self._due + self.period

    def report(self) -> dict[str, float]:
        """Rate [Hz], 95th percentile of the distance of an interval from the period [s], fraction of late periods."""
        if not self.intervals:
            return {}
        intervals = np.array(self.intervals)
        return {
            "rate_hz": float(1.0 / intervals.mean()),
            "jitter_s": float(np.percentile(np.abs(intervals - self.period), 95)),
            "late": self.late / len(intervals),
        }
