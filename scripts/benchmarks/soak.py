"""A million environment steps in one process: is the memory flat?

Random actions, every episode run through the loop that all commands use, and recorded as collecting does, then let go.
Resident memory is read as the steps go by; its growth is the slope over the last nine tenths.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from barkyard.acting import make_actor
from barkyard.envs.registry import make_vec_env
from barkyard.rollout import rollout

READINGS = 200
Readings = NDArray[np.float64]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps and print what the memory did; 1 where it grew by more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="barkyard/QuadrupedVelocity-v0")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--allowed", type=float, default=20.0, help="MB of growth over all the steps")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args(argv)
    steps, megabytes, seconds = soak(arguments.env, arguments.num_envs, arguments.steps)
    settled = steps > 0.1 * arguments.steps
    slope = np.polyfit(steps[settled], megabytes[settled], 1)[0]
    print(f"{arguments.env}, {arguments.num_envs} environments: {steps[-1]:,.0f} steps in {seconds:.0f} s")
    for share in (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 1.0):
        at = min(int(np.searchsorted(steps, share * arguments.steps)), len(steps) - 1)
        print(f"after {steps[at]:>9,.0f} steps: {megabytes[at]:.1f} MB")
    print(f"growth over the last nine tenths: {1e6 * slope:+.2f} MB per million steps")
    if arguments.picture is not None:
        draw(steps, megabytes, f"{arguments.env}, {arguments.num_envs} environments", arguments.picture)
    return 0 if slope * arguments.steps <= arguments.allowed else 1


def soak(env_id: str, num_envs: int, total: int) -> tuple[Readings, Readings, float]:
    """Steps done and resident memory [MB] at each reading, and the seconds that all took."""
    env = make_vec_env(env_id, num_envs, autoreset_mode=AutoresetMode.DISABLED)
    actor, _ = make_actor("random", env)
    done, readings = 0, [(0, resident())]
    began = time.monotonic()
    seeds = range(10**9)
    for number in count():
        first = number * num_envs
        for episode in rollout(env, actor, seeds[first : first + num_envs], record_states=False):
            done += len(episode.actions)
            if done - readings[-1][0] >= total / READINGS:
                readings.append((done, resident()))
        if done >= total:
            break
    steps, megabytes = zip(*readings, strict=True)
    return np.array(steps, dtype=np.float64), np.array(megabytes), time.monotonic() - began


def resident() -> float:
    """Megabytes of this process that are in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell the resident memory")


def draw(steps: Readings, megabytes: Readings, title: str, path: Path) -> None:
    """The curve."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
    axes.plot(steps / 1e6, megabytes)
    axes.set(title=title, xlabel="environment steps [million]", ylabel="resident memory [MB]")
    axes.set_ylim(0, 1.15 * megabytes.max())
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
