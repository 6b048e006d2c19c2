"""SIGKILL at random moments."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from fault_suite.jobs import Job, Left, output
from fault_suite.processes import PATIENCE
from fault_suite.table import Row


def kill_job(job: Job, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """Kill a job, go on with it and kill it again, until it is done; then the next, until there were `count` kills.

    Raises:
        AssertionError: something finished was lost, or the result is another.
    """
    whole, seconds = job.measure(output(job, fresh(folder / "whole")))
    lost: list[float] = []
    while len(lost) < count:
        out = output(job, fresh(folder / "killed"))
        kept = 0
        while True:
            running = job.begin(out)
            running.wait(draw.uniform(0.0, seconds) if len(lost) < count else PATIENCE)
            if not running.kill():
                break
            lost.append(time.monotonic() - max(running.began, _newest(out)))
            assert job.progress(out) >= kept, f"{job.unit} are gone that were there"
            kept = job.progress(out)
        print(f"{job.name}: {len(lost)} of {count} kills", file=sys.stderr)
        running.finish(0, 2)  # 2: killed when all was done, it says that the result is there
        check(job, out, whole)
    cost = f"at most {job.at_most} {job.unit}: {median(lost):.2f} s of work in the median, {max(lost):.2f} s at most"
    return Row("SIGKILL", job.name, len(lost), cost, job.command)


def strike_workers(job: Job, folder: Path, count: int, seconds: float, how: signal.Signals) -> Row:
    """Kill or stop a worker of a running job, once a job; the job itself goes on."""
    whole, _ = job.measure(output(job, fresh(folder / "whole")))
    for _ in range(count):
        out = output(job, fresh(folder / "struck"))
        running = job.begin(out)
        while not (workers := _workers(running.pid)) or job.progress(out) < 1:
            assert running.wait(0.05) is None, running.says.read_text()
        os.kill(workers[-1], how)
        running.finish()
        check(job, out, whole)
    if how == signal.SIGKILL:
        return Row("SIGKILL", "worker of a fleet", count, "its item, which is tried again", "nothing")
    lost = f"its item and {seconds:.0f} s (`--timeout`), after which it is killed and its item tried again"
    return Row("hangs (SIGSTOP)", "worker of a fleet", count, lost, "nothing")


def check(job: Job, out: Path, whole: Left) -> None:
    """Raises AssertionError where the job did not leave what it leaves in one go."""
    left = job.left(out)
    differing = [name for name in {*left, *whole} if left.get(name) != whole.get(name)]
    assert not differing, f"the {job.name} left something else: {differing}"


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _newest(out: Path) -> float:
    """When something was last finished beside `out` or in it, on `time.monotonic`."""
    files = [file for file in out.parent.rglob("[!.]*") if file.is_file()]
    newest = max((file.stat().st_mtime for file in files), default=0.0)
    return time.monotonic() - (time.time() - newest)


def _workers(pid: int) -> list[int]:
    """Processes that a process has spawned to work for it."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
        except OSError:
            continue
    return found
