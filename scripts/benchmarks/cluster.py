"""An evaluation on a Ray cluster of two nodes on this machine, one of which is killed midway, against the serial run.

Both nodes are real, begun by `ray start`, each with its own raylet, workers and one core; all processes of the second
are killed with SIGKILL.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gymnasium.vector import AutoresetMode

from barkyard.acting import make_actor
from barkyard.envs.registry import make_vec_env
from barkyard.evaluation import EvalResult, evaluate, evaluation_seeds
from barkyard.fleet import Item, Work, make_backend
from barkyard.fleet import evaluate as evaluate_by_fleet

OBJECT_STORE = 100_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print what was found; 1 where the results differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="barkyard/Lift-v0")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--num-envs", type=int, default=16)
    arguments = parser.parse_args(argv)
    seeds = evaluation_seeds(arguments.episodes)
    serial = evaluate_here(arguments.env, arguments.num_envs, seeds)
    print(f"serial: {serial.num_successes}/{serial.num_episodes} in {serial.seconds:.1f} s, {serial.fingerprint}")
    clustered, done_at_kill = evaluate_on_cluster(Work(arguments.env, {}, "expert", arguments.num_envs), seeds)
    print(
        f"two nodes, one killed after {done_at_kill} episodes: {clustered.num_successes}/{clustered.num_episodes} in "
        f"{clustered.seconds:.1f} s, {clustered.fingerprint}"
    )
    same = clustered.fingerprint == serial.fingerprint
    print("identical" if same else "DIFFERENT")
    return 0 if same else 1


def evaluate_here(env_id: str, num_envs: int, seeds: Sequence[int]) -> EvalResult:
    """In this process."""
    env = make_vec_env(env_id, num_envs, autoreset_mode=AutoresetMode.DISABLED)
    return evaluate(env, make_actor("expert", env)[0], seeds)


def evaluate_on_cluster(work: Work, seeds: Sequence[int]) -> tuple[EvalResult, int]:
    """On two nodes, of which one is killed once a third of the episodes are done; the result, and when."""
    import ray

    done, killed_at = 0, 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def count(item: Item) -> None:
        nonlocal done, killed_at
        done += len(item.seeds)
        if not killed_at and done >= len(seeds) / 3:
            killed_at = done
            kill(second)

    nodes = [start_node("--head", f"--port={address.split(':')[1]}", "--include-dashboard=false")]
    try:
        wait_for_nodes(address, 1)
        nodes.append(second := start_node(f"--address={address}"))
        wait_for_nodes(address, 2)
        with tempfile.TemporaryDirectory() as folder:
            backend = make_backend("ray", workers=1, address=address)
            began = time.perf_counter()
            result = evaluate_by_fleet(work, seeds, backend, Path(folder) / "items", on_item=count)
            print(f"{time.perf_counter() - began:.1f} s on the cluster")
            return result, killed_at
    finally:
        ray.shutdown()
        for node in nodes:
            kill(node)


def start_node(*words: str) -> "subprocess.Popen[bytes]":
    """`ray start`, which stays until it is killed."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *words, "--num-cpus=1", "--block"]
    store = f"--object-store-memory={OBJECT_STORE}"
    return subprocess.Popen([*command, store], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_nodes(address: str, count: int) -> None:
    """Until so many nodes are in the cluster. Raises SystemExit after three minutes."""
    import ray

    end = time.monotonic() + 180.0
    while time.monotonic() < end:
        with suppress(ConnectionError, RuntimeError, ValueError):
            if not ray.is_initialized():
                ray.init(address=address, log_to_driver=False, configure_logging=False)
            if sum(node["Alive"] for node in ray.nodes()) >= count:
                return
        time.sleep(0.5)
    raise SystemExit(f"there are no {count} nodes at {address} after three minutes; what does `ray start` say?")


def kill(node: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to all processes of a node."""
    family = [node.pid]
    for pid in family:
        with suppress(OSError):
            family += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


if __name__ == "__main__":
    sys.exit(main())
