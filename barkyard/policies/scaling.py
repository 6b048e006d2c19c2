"""Normalisation by mean and standard deviation, as a part of a network."""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from barkyard.datasets import Normalizer

LARGEST_OBSERVATION = 5.0
"""Standard deviations at which a normalised observation is cut off, so that what is rarely seen stays harmless."""


def by_deviation(blocks: Collection[NDArray[np.float32]]) -> Normalizer:
    """Mean and standard deviation of the rows of `(n, d)` blocks, as limits one deviation to either side."""
    rows = sum(len(block) for block in blocks)
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks) / rows
    deviation = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for block in blocks) / rows)
    return Normalizer.from_limits(mean - deviation, mean + deviation)


class Scaling(nn.Module):
    """Normalises parts that stand side by side on the last axis, and cuts off at `+-largest`."""

    def __init__(self, normalizers: Sequence[Normalizer], largest: float) -> None:
        super().__init__()
        self.largest = largest
        for name in ("center", "half_range"):
            values = np.concatenate([getattr(normalizer, name) for normalizer in normalizers])
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)), persistent=False)
        self.center: Tensor
        self.half_range: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """`(..., d)` values, shifted, scaled and cut off."""
        return ((values - self.center) / self.half_range).clamp(-self.largest, self.largest)

    def denormalize(self, values: Tensor) -> Tensor:
        """`(..., d)` normalised values, cut off, in their own scale."""
        return values.clamp(-self.largest, self.largest) * self.half_range + self.center
