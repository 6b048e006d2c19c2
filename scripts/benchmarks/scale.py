"""Seconds and memory of collecting, training and evaluating against the number of episodes.

Each is a command of `barkyard` in a process of its own, whose time and largest resident memory the system tells.
Training makes one pass over the windows of the dataset, 256 a step.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BATCH = 256
KINDS = ("collect", "train", "evaluate")


@dataclass(frozen=True)
class Cost:
    """What a command cost: seconds of wall time and of processors, and its largest resident memory [MB]."""

    seconds: float
    processor: float
    megabytes: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the commands and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--env", default="barkyard/QuadrupedVelocity-v0")
    parser.add_argument("--actor", default="random", help="random ends most episodes soon, which is cheap")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--policy", default="locomotion-mlp")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args(argv)
    print(f"{arguments.env}, {arguments.actor}, --num-envs {arguments.num_envs}; {arguments.policy}, one pass")
    print("| episodes | command | s | s of processors | ms of processors for each further episode | MB |")
    print("|---|---|---|---|---|---|")
    found: dict[str, dict[int, Cost]] = {kind: {} for kind in KINDS}
    for episodes in sorted(arguments.episodes):
        for kind, spent in measure(episodes, arguments).items():
            each = further(found[kind], episodes, spent)
            found[kind][episodes] = spent
            print(f"| {episodes:,} | {kind} | {spent.seconds:.1f} | {spent.processor:.1f} | {each} | "
                  f"{spent.megabytes:.0f} |", flush=True)  # fmt: skip
    if arguments.picture is not None:
        draw(found, arguments.picture)
    return 0


def measure(episodes: int, words: argparse.Namespace) -> dict[str, Cost]:
    """What collecting, training on and evaluating so many episodes costs."""
    with tempfile.TemporaryDirectory() as folder:
        dataset, run, result = (Path(folder) / name for name in ("dataset", "run", "result.json"))
        count = (words.env, "--actor", words.actor, "--episodes", episodes, "--num-envs", words.num_envs)
        collected = cost("collect", *count, "--keep-failures", "--no-states", "--out", dataset)
        frames = json.loads((dataset / "meta/info.json").read_text())["total_frames"]
        steps = math.ceil(frames / BATCH)
        learn = ("--policy", words.policy, "--batch-size", BATCH, "--steps", steps, "--out", run)
        trained = cost("train", dataset, *learn, "--override", "training.warmup_steps=1")
        return {
            "collect": collected,
            "train": trained,
            "evaluate": cost("evaluate", *count, "--out", result),
        }


def cost(*words: object) -> Cost:
    """What a command costs. Raises SystemExit where it fails."""
    began = time.monotonic()
    command = [sys.executable, "-m", "barkyard", *map(str, words), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said[-2000:]}")
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def further(before: Mapping[int, Cost], episodes: int, spent: Cost) -> str:
    """Processor time of each episode beyond the largest number before [ms], in which the start does not count."""
    if not before:
        return ""
    fewer = max(before)
    return f"{1e3 * (spent.processor - before[fewer].processor) / (episodes - fewer):.1f}"


def draw(found: Mapping[str, Mapping[int, Cost]], path: Path) -> None:
    """Time and memory against episodes."""
    from matplotlib import pyplot as plt

    figure, (times, memory) = plt.subplots(1, 2, figsize=(8.0, 3.2), layout="constrained")
    for kind, costs in found.items():
        episodes = sorted(costs)
        times.loglog(episodes, [costs[number].processor for number in episodes], "o-", label=kind)
        memory.semilogx(episodes, [costs[number].megabytes for number in episodes], "o-", label=kind)
    times.set(xlabel="episodes", ylabel="processor time, start included [s]")
    memory.set(xlabel="episodes", ylabel="largest resident memory [MB]", ylim=(0, None))
    for axes in (times, memory):
        axes.grid(alpha=0.3)
    times.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
