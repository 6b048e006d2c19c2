"""Memory that training on datasets of many hands takes: read into memory, and mapped from flat files.

The datasets are synthetic (random numbers in the shape of a 16-joint hand's demonstrations: what they say does not
matter here), and copies of one another. Each measurement is a process of its own that does what `barkyard train` does
before its first step (opens, splits, fits normalizers) and then draws batches. Both ways have to draw the same bytes.

"own" is the most memory that was the process's alone (RssAnon, sampled); "resident" its highest resident set (VmHWM),
which has the pages of the mapped files too that were read last: the system takes these back when it wants to.

`./scripts/bench memory [--hands 10 40] [--episodes E] [--out FILE]`
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from barkyard.assets.robots.bodies import robot_body
from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.datasets import Dataset, DatasetWriter, compact
from barkyard.episode import Episode
from barkyard.policies.registry import find
from barkyard.policies.training_data import BatchOrder, TrainingData
from barkyard.provenance import versions

STEPS, JOINTS = 500, 16
BATCH = 256


def write_hand(path: Path, episodes: int) -> None:
    """One dataset, merged into few files as `compact` leaves it."""
    rng = np.random.default_rng(0)

    def draw(steps: int, size: int) -> Any:
        return rng.uniform(-1, 1, (steps, size)).astype(np.float32)

    def made(seed: int) -> Episode:
        parts = {"joint_pos": JOINTS, "joint_target": JOINTS, "clock": 2}
        return Episode(
            observations={key: draw(STEPS + 1, size) for key, size in parts.items()},
            actions=draw(STEPS, JOINTS),
            rewards=np.zeros(STEPS, dtype=np.float32),
            success=True,
            end="success",
            dt=0.05,
            seed=seed,
            env_id="barkyard/HandRotate-v0",
            env_kwargs={},
            acted_by=np.full(STEPS, "expert"),
        )

    with DatasetWriter.create(path, made(0)) as writer:
        for seed in range(episodes):
            writer.write(made(seed))
    compact(path)


class PeakOfOwn:
    """The most anonymous memory of this process while the block runs [MiB]."""

    def __enter__(self) -> "PeakOfOwn":
        self.mib, self._over = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.mib = max(self.mib, status("RssAnon"))


def status(name: str) -> float:
    """An entry of /proc/self/status [MiB]."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def measure(folders: list[Path], mapped: bool, batches: int) -> dict[str, Any]:
    """What this process takes."""
    entry, bodies = find("get-zero"), [robot_body("leap_hand")] * len(folders)
    fit, before, digest = entry.policy_class().fit_observation, status("RssAnon"), hashlib.sha256()
    with PeakOfOwn() as peak:
        datasets = [Dataset.open(folder, mapped=mapped) for folder in folders]
        data = TrainingData(datasets, entry.make_config(), None, 0.02, 0, fit, bodies)
        order = BatchOrder(len(data.training), BATCH, 0)
        for step in range(batches):
            batch = data.training.gather(order.batch(step))
            for values in (*batch.observations.values(), batch.actions):
                digest.update(values.tobytes())
    return {
        "windows": len(data.training),
        "before": before,
        "own": peak.mib - before,
        "resident": status("VmHWM"),
        "digest": digest.hexdigest(),
    }


def in_own_process(root: Path, hands: int, mapped: bool, batches: int) -> dict[str, Any]:
    """`measure` in a new process."""
    words = [str(root), str(hands), str(int(mapped)), str(batches)]
    done = subprocess.run(
        [sys.executable, __file__, "--measure", *words], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hands", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--episodes", type=int, default=100, help="of each hand, of 500 steps")
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        root, hands, mapped, batches = options.measure
        folders = [Path(root) / name for name in load_split().train[: int(hands)]]
        print(json.dumps(measure(folders, bool(int(mapped)), int(batches))))
        return
    report: dict[str, Any] = {"versions": versions(), "episodes": options.episodes, "steps": STEPS, "found": []}
    with tempfile.TemporaryDirectory() as folder:
        names = load_split().train[: max(options.hands)]
        write_hand(Path(folder) / names[0], options.episodes)
        for name in names[1:]:
            shutil.copytree(Path(folder) / names[0], Path(folder) / name)
        in_own_process(Path(folder), max(options.hands), True, 1)  # makes the flat files, which later runs find
        for hands in options.hands:
            ways = {
                way: in_own_process(Path(folder), hands, way == "mapped", options.batches)
                for way in ("in memory", "mapped")
            }
            if len({found["digest"] for found in ways.values()}) != 1:
                raise SystemExit(f"{hands} hands: the two ways drew different batches")
            for way, found in ways.items():
                report["found"].append({"hands": hands, "way": way, **found})
                print(
                    f"{hands:3} hands, {found['windows']:9,} windows, {way:9}: own {found['own']:7.0f} MiB over "
                    f"{found['before']:.0f} before; resident at most {found['resident']:7.0f} MiB",
                    flush=True,
                )
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
