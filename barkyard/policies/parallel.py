"""One training in several processes, begun by torchrun: who this process is, and what all of them agree on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from barkyard.datasets import WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.policy import Policy


@dataclass(frozen=True)
class Group:
    """The processes that train one policy together.

    Attributes:
        rank: of this process; 0 measures, logs and saves.
        size: how many they are.
        device: of this process.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """Mean over the processes; each gets the same."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return total.item() / self.size

    def any(self, value: bool) -> bool:
        """Whether it is so in one of the processes."""
        return self.mean(float(value)) > 0.0

    def share(self, parts: int) -> range:
        """Which of so many equal parts of a batch are this process's.

        Raises:
            InvalidInput: they cannot be shared out evenly.
        """
        if parts % self.size:
            raise InvalidInput(
                f"training.shards is {parts}, which {self.size} processes cannot share out evenly: give a multiple of "
                f"{self.size}, as --override training.shards={self.size}"
            )
        each = parts // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def wrap(self, policy: Policy) -> nn.Module:
        """The loss of `policy` as a module, whose gradients are averaged over the processes."""
        loss = _Loss(policy)
        return loss if self.size == 1 else DistributedDataParallel(loss, broadcast_buffers=False)


class _Loss(nn.Module):
    """DistributedDataParallel knows modules that are called, and nothing of `Policy.loss`."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return self.policy.loss(batch, generator)


def launched() -> Group:
    """This process among those that torchrun started, or alone."""
    return Group(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))


def restarts() -> int:
    """How often torchrun started the group of this process anew, after one of it had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))


@contextmanager
def join(device: str) -> Iterator[Group]:
    """Meet the other processes, on gloo or, with a GPU each, on NCCL; leave when all are done."""
    group = launched()
    if group.size == 1:
        yield Group(device=device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    store, rank, size = next(distributed.rendezvous("env://"))  # type: ignore[attr-defined]
    # torchrun keeps its store: without a prefix, a group that is started anew may find addresses of the dead one
    store = distributed.PrefixStore(f"restart_{restarts()}", store)  # type: ignore[attr-defined]
    backend = "nccl" if device.startswith("cuda") else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield Group(group.rank, group.size, device)
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
