"""Environment steps per second against robosuite 1.5.2 and against bare physics, side by side in one run.

Each round measures everything in turn for a fixed time, so that a machine that slows down slows all alike; medians
over rounds are compared. OSC_POSE, random actions, low-dimensional observations. robosuite runs on the same MuJoCo
through the tests' compatibility patches. "physics" is `Batch.step` of the same model from the same states with
constant controls: no controller, no observation, no reward.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from tests.robosuite_reference import make_reference

TASKS = ("Lift", "Stack", "NutAssemblySquare", "Door", "PickPlaceCan")
SIZES = (1, 64, 256)
Burst = Callable[[], int]


def robosuite_burst(task: str) -> Burst:
    """Ten steps of robosuite's own environment a call, reset every 100 steps without recompiling the model."""
    env = make_reference(task, "OSC_POSE")
    env.reset()
    draw = np.random.default_rng(0)
    done = [0]

    def burst() -> int:
        for _ in range(10):
            env.step(draw.uniform(-1, 1, 7))
        done[0] += 10
        if done[0] % 100 == 0:
            env.reset()
        return 10

    return burst


def environment_burst(env: RobotVectorEnv) -> Burst:
    """A few steps of our environment a call, reset every 100 steps."""
    steps = max(1, 32 // env.num_envs)
    draw = np.random.default_rng(0)
    actions = draw.uniform(-1, 1, (100, env.num_envs, 7)).astype(np.float32)
    done = [0]
    env.reset(seed=0)

    def burst() -> int:
        for _ in range(steps):
            env.step(actions[done[0] % 100])
            done[0] += 1
            if done[0] % 100 == 0:
                env.reset()
        return steps * env.num_envs

    return burst


def physics_burst(env: RobotVectorEnv) -> Burst:
    """The same number of control periods as bare physics, from the states of ten random steps."""
    env.reset(seed=0)
    draw = np.random.default_rng(0)
    for _ in range(10):
        env.step(draw.uniform(-1, 1, env.action_space.shape).astype(np.float32))
    start, batch, substeps = env.get_states(), env.simulation.batch, env.simulation.substeps
    steps = max(1, 32 // env.num_envs)

    def burst() -> int:
        batch.state[:] = start
        for _ in range(steps):
            batch.step(nstep=substeps)
        return steps * env.num_envs

    return burst


def rate(burst: Burst, seconds: float) -> float:
    """Steps per second of wall time over at least `seconds`."""
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        count += burst()
    return count / elapsed


def reset_milliseconds(task: str) -> tuple[float, float]:
    """Time of one reset that draws everything anew: robosuite's default, which recompiles the model, and ours."""
    env = make_vec_env(f"barkyard/{task}-v0", 64)
    env.reset(seed=0)
    ours = 1.0 / rate(lambda: (env.reset(), env.num_envs)[1], 0.5)
    reference = make_reference(task, "OSC_POSE", hard_reset=True)
    theirs = 1.0 / rate(lambda: (reference.reset(), 1)[1], 1.0)
    return 1e3 * theirs, 1e3 * ours


def measure(task: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Rates of everything for one task, `rounds` each."""
    bursts: dict[str, Burst] = {"robosuite": robosuite_burst(task)}
    for size in SIZES:
        bursts[f"barkyard N={size}"] = environment_burst(make_vec_env(f"barkyard/{task}-v0", size))
        bursts[f"physics N={size}"] = physics_burst(make_vec_env(f"barkyard/{task}-v0", size))
    for burst in bursts.values():
        burst()
    rates: dict[str, list[float]] = {name: [] for name in bursts}
    for _ in range(rounds):
        for name, burst in bursts.items():
            rates[name].append(rate(burst, seconds))
    return rates


def report(task: str, rates: dict[str, list[float]]) -> None:
    """Print one task's table."""
    base = median(rates["robosuite"])
    print(f"\n{task}: control steps per second (20 Hz, 25 physics steps each)")
    print(f"{'':18}{'median':>9}{'min':>9}{'max':>9}{'x robosuite':>13}{'% of physics':>14}")
    for name, values in rates.items():
        row = f"{name:18}{median(values):9.0f}{min(values):9.0f}{max(values):9.0f}{median(values) / base:13.1f}"
        if name.startswith("barkyard"):
            bare = rates[name.replace("barkyard", "physics")]
            row += f"{100 * median(v / b for v, b in zip(values, bare, strict=True)):14.0f}"
        print(row)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each measurement")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    options = parser.parse_args(arguments)
    print(f"{len(os.sched_getaffinity(0))} cores, {options.rounds} rounds of {options.seconds} s")
    for task in options.tasks:
        report(task, measure(task, options.rounds, options.seconds))
        theirs, ours = reset_milliseconds(task)
        print(f"one reset: robosuite {theirs:.1f} ms, barkyard {ours:.2f} ms (among 64)")


if __name__ == "__main__":
    main()
