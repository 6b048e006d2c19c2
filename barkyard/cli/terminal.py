"""What a person or a program sees: results on standard output, everything else on standard error."""

import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, Any, Final, Self

from tyro.conf import arg

Json = Annotated[bool, arg(name="json", help="Print the result as JSON on standard output.")]
Quiet = Annotated[bool, arg(help="Show no progress.")]

_SECONDS_BETWEEN_LINES: Final = 10.0


def print_text(text: str) -> None:
    """Prints a result."""
    print(text, flush=True)


def print_json(value: Any) -> None:
    """Prints a result for a program."""
    print(json.dumps(value, indent=2), flush=True)


def print_note(text: str) -> None:
    """Prints what is not the result: what is being done, a warning, an error."""
    print(text, file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return "\n".join(line.rstrip() for line in lines)


class Progress:
    """Progress with a rate and an estimate: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, what: str, total: int, *, unit: str, quiet: bool = False, done: int = 0) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._begun_with = self._done = done
        self._began = self._printed = time.monotonic()
        self._bar: Any = None
        self._plain = not quiet and not sys.stderr.isatty()
        if not quiet and not self._plain:
            from tqdm import tqdm

            self._bar = tqdm(desc=what, total=total, initial=done, unit=f" {unit}", file=sys.stderr)

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        """Closes the bar, or prints the last line."""
        if self._bar is not None:
            self._bar.close()
        elif self._plain and kind is None:
            print_note(self._line(""))

    def advance(self, to: int, note: str = "") -> None:
        """Says that `to` of the total are done."""
        moved, self._done = to - self._done, to
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(moved)
        elif self._plain and time.monotonic() - self._printed > _SECONDS_BETWEEN_LINES:
            self._printed = time.monotonic()
            print_note(self._line(note))

    def _line(self, note: str) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (self._done - self._begun_with) / seconds
        left = f", {(self._total - self._done) / rate:.0f} s left" if rate > 0 and self._done < self._total else ""
        note = f", {note}" if note else ""
        return f"{self._what}: {self._done}/{self._total} {self._unit}, {rate:.1f}/s{left}{note}"
