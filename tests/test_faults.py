"""The faults of `./scripts/bench faults`, each a few times; docs/faults.md has the table of many."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "rows"),
    [("kill", 3), ("server", 1), ("worker", 1), ("disk", 3), ("read-only", 3), ("clock", 3), ("two", 3), ("nan", 1)],
)
def test_nothing_finished_is_lost(fault: str, rows: int) -> None:
    words = [
        sys.executable,
        str(ROOT / "scripts/benchmarks/faults.py"),
        "--only",
        fault,
        "--kills",
        "3",
        "--others",
        "1",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    if "not tried: mounting takes root" not in done.stderr:
        assert len(done.stdout.splitlines()) == 2 + rows


@pytest.mark.slow
def test_the_memory_is_flat() -> None:
    words = [sys.executable, str(ROOT / "scripts/benchmarks/soak.py"), "--steps", "60000", "--allowed", "10"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "growth over the last nine tenths" in done.stdout
