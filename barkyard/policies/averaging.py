"""The running average of a policy's weights, which is what acts and is measured."""

import math

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from barkyard.policies.policy import Policy

POWER = 0.75
LARGEST_DECAY = 0.9999


def decay(updates: int) -> float:
    """Weight of the old average after `updates` updates: `1 - (1 + updates)^-0.75`, at most 0.9999.

    Chi et al., arXiv 2303.04137, code.
    """
    return min(1.0 - math.pow(1 + updates, -POWER), LARGEST_DECAY)


def average_of(policy: Policy) -> AveragedModel:
    """An average that begins as a copy of `policy` and follows it with every `update_parameters`."""

    def update(
        averages: tuple[Tensor, ...] | list[Tensor], weights: tuple[Tensor, ...] | list[Tensor], updates: Tensor | int
    ) -> None:
        torch._foreach_lerp_(averages, weights, 1.0 - decay(int(updates)))

    return AveragedModel(policy, multi_avg_fn=update)
