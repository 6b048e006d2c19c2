"""The state of a training run and its one step; a run stopped anywhere goes on as if it had not been."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from barkyard.errors import BarkyardError, CheckpointError
from barkyard.policies.averaging import average_of
from barkyard.policies.checkpoint import WEIGHTS, read_json, read_tensors, replacing, write_policy, write_tensors
from barkyard.policies.parallel import Group
from barkyard.policies.policy import Policy
from barkyard.policies.training_config import TrainingConfig
from barkyard.policies.training_data import BatchOrder, JoinedWindows, TrainingData

TENSORS = "training.safetensors"
STATE = "training.json"
HELD_OUT_WINDOWS = 1024
"""At most this many windows, the same each time, measure the held-out loss."""


class Trainer:
    """A policy in training.

    Each step's batch and noise are pure functions of the seed and the step's number, so that weights, moments, average
    and step are the whole state. A run is repeated bit for bit with the same number of torch threads. Several processes
    each take some of the batch's shards, whose noise does not depend on who takes them.

    Attributes:
        policy: the weights that the optimiser moves.
        average: their running average; what is saved, measured and acts.
        step: steps done.
    """

    def __init__(
        self, policy: Policy, data: TrainingData, config: TrainingConfig, seed: int, group: Group | None = None
    ) -> None:
        self.policy, self.data, self.config, self.seed = policy.train(), data, config, seed
        self._averaged = average_of(policy)
        self.average = cast(Policy, self._averaged.module).eval()
        self.optimizer = torch.optim.AdamW(
            _groups(policy, config.weight_decay), config.learning_rate, config.betas, fused=True
        )
        self.order = BatchOrder(len(data.training), config.batch_size, seed, data.weights)
        self.step = 0
        self.group = group or Group()
        self._shards = self.group.share(config.shards)
        self._loss = self.group.wrap(policy)

    @property
    def learning_rate(self) -> float:
        """Of the next step: linear warm-up, then a cosine that would reach 0 after the last step."""
        config = self.config
        if self.step < config.warmup_steps:
            return config.learning_rate * (self.step + 1) / config.warmup_steps
        done = (self.step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def advance(self) -> float:
        """Do one step and return its loss.

        Raises:
            BarkyardError: the loss is not finite; the weights are left as they were.
        """
        self.optimizer.zero_grad()
        value = self.group.mean(self._accumulate_gradients())
        if not math.isfinite(value):
            raise BarkyardError(
                f"the loss is {value} at step {self.step}: the last checkpoint is from before. Lower the learning rate "
                f"(now {self.learning_rate:.3g}) or clip the gradient (gradient_clip, now {self.config.gradient_clip})."
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.policy.parameters(), self.config.gradient_clip)
        self.optimizer.step()
        self._averaged.update_parameters(self.policy)
        self.step += 1
        return value

    def _accumulate_gradients(self) -> float:
        """Mean loss of this process's shards, whose gradients are added up; the last one's is when processes meet."""
        parts = np.split(self.order.batch(self.step), self.config.shards)
        narrow = torch.autocast(self.policy.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
        value = 0.0
        for shard in self._shards:
            batch = self.data.training.gather(parts[shard])
            later = shard != self._shards[-1]
            alone = self._loss.no_sync() if later and isinstance(self._loss, DistributedDataParallel) else nullcontext()
            with _own_randomness(self.seed, self.step, shard) as generator, alone:
                with narrow:
                    loss = self._loss(batch, generator) / len(self._shards)
                loss.backward()
            value += loss.item()
        return value

    def held_out_loss(self) -> float:
        """Loss of the average on the same held-out windows with the same noise each time."""
        return mean_loss(self.average, self.data.held_out, self.seed)

    def save(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint at `folder` by one that `restore` can go on from.

        Args:
            folder: the checkpoint.
            state: JSON that `restore` gives back.

        Raises:
            CheckpointError: it could not be written; what was there still is.
        """
        tensors = {f"weight/{name}": tensor for name, tensor in self.policy.state_dict().items()}
        for name, parameter in self.policy.named_parameters():
            moments = self.optimizer.state.get(parameter, {})
            tensors |= {f"{key}/{name}": moments[key] for key in ("exp_avg", "exp_avg_sq") if key in moments}
        with replacing(folder) as fresh:
            self._write_average(fresh)
            write_tensors(tensors, fresh / TENSORS)
            (fresh / STATE).write_text(json.dumps({"step": self.step, **state}, indent=1) + "\n")

    def save_average(self, folder: Path) -> None:
        """Replace the checkpoint at `folder` by the average alone. Raises CheckpointError."""
        with replacing(folder) as fresh:
            self._write_average(fresh)

    def restore(self, folder: Path) -> dict[str, Any]:
        """Go on from a checkpoint written by `save`.

        Returns:
            The state that was saved with it.

        Raises:
            CheckpointError: it is damaged.
        """
        state = read_json(folder / STATE)
        tensors, average = read_tensors(folder / TENSORS), read_tensors(folder / WEIGHTS)
        try:
            self.step = int(state["step"])
            if self.step < 0:
                raise ValueError(f"step is {self.step}")
            self._averaged.n_averaged.fill_(self.step)
            self.policy.load_state_dict({name: tensors[f"weight/{name}"] for name in self.policy.state_dict()})
            self.average.load_state_dict(average)
            if self.step:
                for name, parameter in self.policy.named_parameters():
                    self.optimizer.state[parameter] = {
                        "step": torch.tensor(float(self.step), device=parameter.device),
                        **{key: tensors[f"{key}/{name}"].to(parameter.device) for key in ("exp_avg", "exp_avg_sq")},
                    }
        except (KeyError, RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise CheckpointError(f"{folder} is damaged: {type(error).__name__}: {error}") from error
        return state

    def _write_average(self, folder: Path) -> None:
        self.average.origin = replace(self.average.origin, step=self.step)
        write_policy(self.average, folder)


def mean_loss(policy: Policy, windows: JoinedWindows, seed: int) -> float:
    """Loss of `policy` on at most `HELD_OUT_WINDOWS` windows, the same at every call, with the same noise."""
    chosen = np.random.default_rng(seed).permutation(len(windows))[:HELD_OUT_WINDOWS]
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(chosen), 256):
            numbers = chosen[start : start + 256]
            with _own_randomness(seed, start) as generator:
                total += policy.loss(windows.gather(numbers), generator).item() * len(numbers)
    return total / len(chosen)


@contextmanager
def _own_randomness(seed: int, step: int, shard: int = 0) -> Iterator[torch.Generator]:
    """A generator for a shard of a step; torch's global one (dropout takes no other) is seeded alike, then put back."""
    number = int(np.random.SeedSequence((seed, step)).generate_state(shard + 1, np.uint64)[shard]) >> 1
    with torch.random.fork_rng():
        torch.manual_seed(number)
        yield torch.Generator().manual_seed(number)


def _groups(policy: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    decayed: list[Tensor] = []
    others: list[Tensor] = []
    for module in policy.modules():
        for name, parameter in module.named_parameters(recurse=False):
            matrix = name == "weight" and isinstance(module, nn.Linear | nn.Conv1d | nn.ConvTranspose1d)
            (decayed if matrix else others).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
