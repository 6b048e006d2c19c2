"""The diffusion transformer with adaptive layer norm (DiT, Peebles and Xie, arXiv 2212.09748) over action tokens."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import DitConfig
from barkyard.policies.diffusion.network import DenoisingNetwork, SinusoidalEmbedding


class DiffusionTransformer(DenoisingNetwork):
    """Self-attention among all actions, every layer norm of which is scaled and shifted by step and observations.

    The condition is the sum of the embedded step and the embedded observations, as DiT's is that of step and class. At
    the start every gate is zero, so that a block is the identity, and the head is zero (adaLN-zero).

    Raises:
        InvalidInput: the width is odd, or no multiple of heads.
    """

    def __init__(
        self, config: DitConfig, horizon: int, action_dim: int, observation_steps: int, observation_dim: int
    ) -> None:
        super().__init__()
        width = config.width
        if width % config.heads or width % 2:
            raise InvalidInput(f"width {width} must be even and a multiple of heads, {config.heads}")
        self.action_embedding = nn.Linear(action_dim, width)
        self.action_position = nn.Parameter(torch.empty(1, horizon, width).normal_(std=0.02))
        self.step_embedding = nn.Sequential(
            SinusoidalEmbedding(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.observation_embedding = nn.Sequential(
            nn.Linear(observation_steps * observation_dim, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.blocks = nn.ModuleList([AdaptiveBlock(width, config.heads) for _ in range(config.layers)])
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.head = nn.Linear(width, action_dim)
        self.modulation_sizes = [6 * width] * config.layers + [2 * width]
        self.modulation = nn.Linear(width, sum(self.modulation_sizes))
        self.apply(_initialise)
        for last in (self.modulation, self.head):
            nn.init.zeros_(last.weight)

    def encode_observations(self, observations: Tensor) -> Tensor:
        """`(B, To, O)` -> `(B, width)`."""
        condition: Tensor = self.observation_embedding(observations.flatten(1))
        return condition

    def encode_steps(self, steps: Tensor) -> Tensor:
        """`(S,)` -> `(S, width)`."""
        condition: Tensor = self.step_embedding(steps)
        return condition

    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        """Denoise `(B, Tp, A)` actions."""
        every = self.modulation(nn.functional.silu(steps + observations))[:, None]
        *modulations, last = every.split(self.modulation_sizes, dim=-1)
        x = self.action_embedding(actions) + self.action_position
        for block, modulation in zip(self.blocks, modulations, strict=True):
            x = block(x, modulation)
        shift, scale = last.chunk(2, dim=-1)
        out: Tensor = self.head(modulate(self.norm(x), shift, scale))
        return out


class AdaptiveBlock(nn.Module):
    """Self-attention and a feed-forward (GELU, four times as wide), each behind a modulated norm and before a gate."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.projection, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """`(B, T, width)` tokens and their `(B, 1, 6 width)` modulation -> `(B, T, width)`.

        The modulation is shift, scale and gate of the attention, then of the feed-forward.
        """
        shift, scale, gate, forward_shift, forward_scale, forward_gate = modulation.chunk(6, dim=-1)
        x = x + gate * self._attend(modulate(self.norm(x), shift, scale))
        out: Tensor = x + forward_gate * self.feed_forward(modulate(self.norm(x), forward_shift, forward_scale))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.projection(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        attended = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out: Tensor = self.out(attended)
        return out


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """`x (1 + scale) + shift`."""
    return torch.addcmul(x + shift, x, scale)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
