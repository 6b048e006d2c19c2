"""Progress of a long run, on standard error: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from tqdm import tqdm


class Progress:
    """Shows steps done, the rate and the time left.

    Args:
        total: steps of the whole run.
        done: steps done before.
        plain: plain lines even in a terminal.
    """

    def __init__(self, total: int, done: int, plain: bool) -> None:
        self.total, self.first, self.done = total, done, done
        self.began = time.monotonic()
        hidden = plain or not sys.stderr.isatty()
        self._bar = None if hidden else tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)

    def advance(self) -> None:
        """One step is done."""
        self.done += 1
        if self._bar is not None:
            self._bar.update()

    def report(self, **numbers: float) -> None:
        """Show the latest numbers."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            rate = (self.done - self.first) / max(time.monotonic() - self.began, 1e-9)
            left = tqdm.format_interval((self.total - self.done) / rate) if rate > 0 else "?"
            self.say(f"step {self.done}/{self.total}  {text}  {rate:.1f} steps/s  {left} left")

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
