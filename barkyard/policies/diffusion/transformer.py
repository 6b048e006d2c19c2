"""The transformer decoder over action tokens (Chi et al., arXiv 2303.04137, section 3.1, and its code)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import TransformerConfig
from barkyard.policies.diffusion.network import DenoisingNetwork, SinusoidalEmbedding


class ConditionalTransformer(DenoisingNetwork):
    """Pre-norm decoder: causal self-attention over actions, cross-attention to one step and To observation tokens.

    Action t sees actions up to t, the step, and observation s where s <= t (both counted from the window's start).

    Memory tokens do not see one another, so the keys and values of the observation tokens are the same at every
    denoising step, and those of the step token the same for every row.
    """

    def __init__(
        self, config: TransformerConfig, horizon: int, action_dim: int, observation_steps: int, observation_dim: int
    ) -> None:
        super().__init__()
        width = config.width
        if width % config.heads or width % 2:
            raise InvalidInput(f"width {width} must be even and a multiple of heads, {config.heads}")
        self.layers, self.heads = config.layers, config.heads
        self.action_embedding = nn.Linear(action_dim, width)
        self.action_position = nn.Parameter(torch.zeros(1, horizon, width))
        self.step_embedding = SinusoidalEmbedding(width)
        self.observation_embedding = nn.Linear(observation_dim, width)
        self.memory_position = nn.Parameter(torch.zeros(1, 1 + observation_steps, width))
        self.memory_encoder = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width))
        self.memory_keys_values = nn.Linear(width, config.layers * 2 * width)
        self.blocks = nn.ModuleList(
            [DecoderBlock(width, config.heads, config.attention_dropout) for _ in range(config.layers)]
        )
        self.dropout = nn.Dropout(config.embedding_dropout)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, action_dim)
        visible = torch.arange(horizon)[:, None] >= torch.arange(1 + observation_steps)[None] - 1
        self.register_buffer("visible", visible, persistent=False)
        self.visible: Tensor
        self.apply(_initialise)
        for position in (self.action_position, self.memory_position):
            nn.init.normal_(position, std=0.02)

    def encode_observations(self, observations: Tensor) -> Tensor:
        """`(B, To, O)` -> `(B, layers, 2, heads, To, width / heads)` keys and values."""
        return self._encode_memory(self.observation_embedding(observations), self.memory_position[:, 1:])

    def encode_steps(self, steps: Tensor) -> Tensor:
        """`(S,)` -> `(S, layers, 2, heads, 1, width / heads)` keys and values."""
        return self._encode_memory(self.step_embedding(steps)[:, None], self.memory_position[:, :1])

    def _encode_memory(self, tokens: Tensor, position: Tensor) -> Tensor:
        memory = self.memory_encoder(self.dropout(tokens + position))
        keys_values: Tensor = self.memory_keys_values(memory)
        batch, count, _ = keys_values.shape
        return keys_values.view(batch, count, self.layers, 2, self.heads, -1).permute(0, 2, 3, 4, 1, 5)

    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        """Denoise `(B, Tp, A)` actions."""
        memory = torch.cat((steps.expand(actions.shape[0], *steps.shape[1:]), observations), dim=-2)
        x = self.dropout(self.action_embedding(actions) + self.action_position)
        for i, block in enumerate(self.blocks):
            x = block(x, memory[:, i, 0], memory[:, i, 1], self.visible)
        out: Tensor = self.head(self.norm(x))
        return out


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention and feed-forward (GELU, four times as wide), each behind a layer norm."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.self_norm, self.cross_norm, self.forward_norm = (nn.LayerNorm(width) for _ in range(3))
        self.self_projection, self.self_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.cross_query, self.cross_out = nn.Linear(width, width), nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, visible: Tensor) -> Tensor:
        """`(B, T, width)` actions and `(B, heads, S, width / heads)` memory -> `(B, T, width)`."""
        rate = self.rate if self.training else 0.0
        query, key, value = (self._split(part) for part in self.self_projection(self.self_norm(x)).chunk(3, dim=-1))
        attended = scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=rate)
        x = x + self.dropout(self.self_out(_merge(attended)))
        query = self._split(self.cross_query(self.cross_norm(x)))
        attended = scaled_dot_product_attention(query, keys, values, attn_mask=visible, dropout_p=rate)
        x = x + self.dropout(self.cross_out(_merge(attended)))
        out: Tensor = x + self.dropout(self.feed_forward(self.forward_norm(x)))
        return out

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
