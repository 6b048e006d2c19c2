"""What the two denoising networks share: the interface that lets acting compute each thing once."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class DenoisingNetwork(nn.Module, ABC):
    """Predicts a `(B, Tp, A)` array from a noisy action chunk, a step of the noise schedule, and observations.

    The work is split in three so that acting encodes the observations once for a chunk, and the steps once for the
    whole batch, however many times the chunk is then denoised.
    """

    @abstractmethod
    def encode_observations(self, observations: Tensor) -> Tensor:
        """Everything that depends on the `(B, To, O)` observations alone; the last axis but batch is free."""

    @abstractmethod
    def encode_steps(self, steps: Tensor) -> Tensor:
        """Everything that depends on the `(S,)` float steps alone; the first axis of the result is S."""

    @abstractmethod
    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        """Denoise.

        Args:
            actions: `(B, Tp, A)` noisy actions.
            steps: from `encode_steps`, with S = B, or S = 1 for a step that the whole batch shares.
            observations: from `encode_observations`.

        Returns:
            `(B, Tp, A)`.
        """


class SinusoidalEmbedding(nn.Module):
    """`(S,)` steps -> `(S, width)` sines and cosines, with wavelengths from 2 pi to 20,000 pi."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer(
            "frequencies", torch.exp(torch.linspace(0.0, -math.log(1e4), width // 2)), persistent=False
        )
        self.frequencies: Tensor

    def forward(self, steps: Tensor) -> Tensor:
        """Embed."""
        angles = steps[:, None] * self.frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=-1)
