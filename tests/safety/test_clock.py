"""Nothing is timed by the clock of the day, which jumps: only by clocks that go on."""

import ast
from pathlib import Path

import pytest

import barkyard

PACKAGE = Path(barkyard.__file__).parent
JUMPING = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow")}


def uses_of_the_clock(source: str) -> list[int]:
    """Lines that ask for the time of day."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in JUMPING:
                found.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node.lineno for alias in node.names if ("time", alias.name) in JUMPING]
    return found


def test_no_module_reads_the_clock_of_the_day() -> None:
    found = {str(path.relative_to(PACKAGE)): uses_of_the_clock(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert len(found) > 100
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source", ["import time\ntime.time()", "from time import time", "import datetime\ndatetime.datetime.now()"]
)
def test_a_use_is_caught(source: str) -> None:
    assert uses_of_the_clock(source)
