"""What is around a job goes wrong: its disk, its folder, the clock, another who writes, a policy gone bad."""

import re
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch

from barkyard.policies import load_policy
from fault_suite.jobs import ENV, Job, output
from fault_suite.kills import check, fresh
from fault_suite.processes import begin, small_disk
from fault_suite.table import Row

LARGE: Final = 200_000
"""Kilobytes of a disk that is large enough."""
FULL: Final = re.compile(r"No space left")
READ_ONLY: Final = re.compile(r"Read-only file system")
TAKEN: Final = re.compile(
    r"is being written by another process|exists already|already holds a dataset|is there already"
)
JUMP: Final = 3e8
"""Seconds, nearly ten years, by which the clock jumps at most, back or ahead."""


def fill_disk(job: Job, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """A disk that is full at a random moment; then there is room, and the same command goes on."""
    whole, _ = job.measure(output(job, fresh(folder / "whole")))
    kilobytes = sum(file.stat().st_size for file in (folder / "whole").rglob("*") if file.is_file()) // 1024
    refused = 0
    while refused < count:
        with small_disk(folder / "disk", int(draw.uniform(4, kilobytes))) as change:
            out = output(job, folder / "disk")
            running = job.begin(out)
            said = running.finish(0, 1)
            if running.code:
                assert FULL.search(said), said
                refused += 1
                kept = job.progress(out)
                change(f"size={LARGE}k")
                job.begin(out).finish()
                assert job.progress(out) >= kept
                check(job, out, whole)
    lost = f"at most {job.at_most} {job.unit}; it ends with code 1 and says so"
    return Row("full disk", job.name, count, lost, f"free some space, {job.command}")


def forbid_writing(job: Job, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """A folder that can no longer be written, with half of a job in it; then it can, and the same command goes on."""
    whole, seconds = job.measure(output(job, fresh(folder / "whole")))
    for _ in range(count):
        with small_disk(folder / "disk", LARGE) as change:
            out = output(job, folder / "disk")
            running = job.begin(out)
            running.wait(draw.uniform(0.0, seconds))
            running.kill()
            kept = job.progress(out)
            change("ro")
            said = job.begin(out).finish(1, 2)
            assert READ_ONLY.search(said) or TAKEN.search(said), said
            assert job.progress(out) == kept
            change("rw")
            job.begin(out).finish(0, 2)
            check(job, out, whole)
    return Row(
        "read-only folder", job.name, count, "nothing: it is refused at once", f"make it writable, {job.command}"
    )


def turn_clock(job: Job, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """The clock of the day jumps by years at every look; the monotonic clock, by which all is timed, cannot."""
    whole, _ = job.measure(output(job, fresh(folder / "whole")))
    real = time.time
    for _ in range(count):
        jumps = np.random.default_rng(draw.integers(2**32))

        def before(jumps: np.random.Generator = jumps) -> None:
            time.time = lambda: real() + jumps.uniform(-JUMP, JUMP)

        out = output(job, fresh(folder / "turned"))
        job.begin(out, before).finish()
        check(job, out, whole)
    return Row("clock jumps by years", job.name, count, "nothing", "nothing")


def write_together(job: Job, folder: Path, count: int, draw: np.random.Generator) -> Row:
    """The same command twice at once: one is refused, and the other's result is what it would have been alone."""
    whole, seconds = job.measure(output(job, fresh(folder / "whole")))
    for _ in range(count):
        out = output(job, fresh(folder / "shared"))
        first = job.begin(out)
        first.wait(draw.uniform(0.0, 0.5 * seconds))
        second = job.begin(out, says="says.second")
        ended = [(each.finish(0, 1, 2), each.code) for each in (first, second)]
        refused = [said for said, code in ended if code]
        assert len(refused) == 1 and TAKEN.search(refused[0]), ended
        check(job, out, whole)
    return Row("two writers", job.name, count, "nothing: the second is refused", "nothing")


def spoil_policy(checkpoint: Path, folder: Path) -> Row:
    """A policy one of whose weights is not a number: evaluated, it is told, and what it saw is kept."""
    policy = load_policy(checkpoint)
    with torch.no_grad():
        next(policy.parameters()).view(-1)[0] = float("nan")
    policy.save(fresh(folder) / "bad")
    words = ["evaluate", ENV, "--actor", folder / "bad", "--episodes", 2, "--out", folder / "result.json", "--quiet"]
    said = begin(words, folder / "says").finish(1)
    kept = re.search(r"The observation is in (\S+\.npz)\.", said)
    assert kept is not None and "predicted actions that are not finite" in said, said
    with np.load(kept.group(1)) as seen:
        assert set(policy.features.observations) < set(seen), sorted(seen)
        assert all(np.isfinite(seen[name]).all() for name in seen)
    lost = "the evaluation: it ends with code 1; what the policy saw is in a file that it names"
    return Row("NaN in a policy's output", "evaluator", 1, lost, "mend the policy; `barkyard evaluate`")
