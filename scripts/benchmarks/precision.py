"""Processor time of a training step in float32 and in bf16, and how far their losses are apart.

Both train from the same weights on the same batches, a step of one after a step of the other, on one thread, so that
other work on the machine slows both alike; the first steps are not counted.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from barkyard.datasets import Dataset
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.registry import find
from barkyard.policies.trainer import Trainer
from barkyard.policies.training_config import PRECISIONS
from barkyard.policies.training_data import TrainingData

WARM = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Train both for some steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--policies", nargs="+", default=["diffusion-unet", "diffusion-transformer", "locomotion-mlp"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    print("| policy | float32 [ms] | bf16 [ms] | ratio | losses differ by |\n|---|---|---|---|---|")
    for name in arguments.policies:
        seconds, losses = compare(arguments.dataset, name, arguments.batch_size, arguments.steps + WARM)
        wide, narrow = (1e3 * median(seconds[precision][WARM:]) for precision in PRECISIONS)
        apart = max(abs(b - a) / a for a, b in zip(*losses.values(), strict=True))
        print(f"| `{name}` | {wide:.0f} | {narrow:.0f} | {narrow / wide:.2f} | {100 * apart:.2f} % |", flush=True)
    return 0


def compare(
    dataset: Path, name: str, batch_size: int, steps: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Processor seconds and loss of each step, for each precision."""
    entry = find(name)
    config = entry.make_config()
    data = TrainingData(Dataset.open(dataset), config, None, 0.1, 0, entry.policy_class().fit_observation)
    trainers = {}
    for precision in PRECISIONS:
        training = replace(entry.make_training(), batch_size=batch_size, precision=precision)
        policy = make_policy(name, data.features, data.normalizers, config=config)
        trainers[precision] = Trainer(policy, data, training, 0)
    seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    losses: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for _ in range(steps):
        for precision, trainer in trainers.items():
            began = time.process_time()
            losses[precision].append(trainer.advance())
            seconds[precision].append(time.process_time() - began)
    return seconds, losses


if __name__ == "__main__":
    sys.exit(main())
