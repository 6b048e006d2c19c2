"""An evaluation on a Ray cluster of two nodes on this machine, one of which is killed midway, against the serial run.

Both nodes are real: each has its own raylet, workers and one core; the second is killed with SIGKILL.
"""

import argparse
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    warnings.simplefilter("ignore")
    from ray.cluster_utils import Cluster

    one_core: dict[str, Any] = {"num_cpus": 1, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args=one_core)
    second = cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE)
    done, killed_at = 0, 0

    def count(item: Item) -> None:
        nonlocal done, killed_at
        done += len(item.seeds)
        if not killed_at and done >= len(seeds) / 3:
            killed_at = done
            threading.Thread(target=cluster.remove_node, args=(second, False)).start()

    try:
        with tempfile.TemporaryDirectory() as folder:
            backend = make_backend("ray", workers=1, address=cluster.address)
            began = time.perf_counter()
            result = evaluate_by_fleet(work, seeds, backend, Path(folder) / "items", on_item=count)
            print(f"{time.perf_counter() - began:.1f} s on the cluster")
            return result, killed_at
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
