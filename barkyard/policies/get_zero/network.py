"""The transformer over joints, with biases by distances in the body's graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from barkyard.errors import InvalidInput
from barkyard.policies.body_transformer.network import Layer
from barkyard.policies.get_zero.body import JointBody
from barkyard.policies.get_zero.config import GetZeroConfig


@dataclass(frozen=True)
class Structure:
    """What the network has to know of bodies, side by side and padded.

    Attributes:
        index: `(3, E, J, J)` rows of the tables of hops, ancestors and descendants.
        order: `(E, J)` places in depth-first order.
        real: `(E, J)` whether a joint is there.
    """

    index: Tensor
    order: Tensor
    real: Tensor

    @classmethod
    def of(cls, bodies: Sequence[JointBody], joints: int, config: GetZeroConfig) -> "Structure":
        """Read bodies of up to `joints` joints. Raises InvalidInput where `depth_first` has no place for one."""
        index = np.zeros((3, len(bodies), joints, joints), dtype=np.int64)
        order = np.zeros((len(bodies), joints), dtype=np.int64)
        real = np.zeros((len(bodies), joints), dtype=bool)
        for row, body in enumerate(bodies):
            size = len(body)
            if config.structure == "depth_first" and size > config.max_joints:
                raise InvalidInput(f"a body has {size} joints, and max_joints is {config.max_joints}: train with more")
            hop = np.where(body.hop < 0, config.max_distance, body.hop)
            for table, distances in enumerate((hop, body.ancestor, body.descendant)):
                index[table, row, :size, :size] = np.minimum(distances, config.max_distance)
            order[row, :size], real[row, :size] = body.order, True
        return cls(torch.from_numpy(index), torch.from_numpy(order), torch.from_numpy(real))


class JointTransformer(nn.Module):
    """`(B, J, F)` features -> `(B, J)` actions and, with a self-model, `(B, J, 3)` places.

    Args:
        config: its size.
        features: F.
    """

    def __init__(self, config: GetZeroConfig, features: int) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.norm = nn.LayerNorm(features) if config.input_norm else None
        self.encoder = nn.Linear(features, width)
        self.tables: nn.Parameter | None = None
        if config.structure == "graph":
            tables = 0.02 * torch.randn(3, config.heads, config.max_distance + 1)
            tables[1:, :, 0] = 0.0
            self.tables = nn.Parameter(tables.repeat(config.layers, 1, 1, 1))
        self.places = nn.Embedding(config.max_joints, width) if config.structure == "depth_first" else None
        self.layers = nn.ModuleList(
            [
                Layer(width, config.heads, config.feed_forward, pre_norm=True, dropout=config.dropout)
                for _ in range(config.layers)
            ]
        )
        self.dropout = nn.Dropout(config.dropout)
        self.action = nn.ModuleList([nn.Linear(width, config.head_width), nn.Linear(config.head_width, 1)])
        self.place: nn.ModuleList | None = None
        if config.self_model:
            self.place = nn.ModuleList([nn.Linear(width, config.head_width), nn.Linear(config.head_width, 3)])

    def bias(self, structure: Structure) -> Tensor | None:
        """`(layers, E, heads, J, J)` what is added to the attention; a joint that is not there is never looked at.

        Rows 0 of the tables of ancestors and descendants, for joints that are none, stay 0.
        """
        hidden = torch.zeros(structure.real.shape, device=structure.real.device)
        hidden = hidden.masked_fill(~structure.real, -torch.inf)[:, None, None, :]
        if self.tables is None:
            return None if bool(structure.real.all()) else hidden.expand(len(self.layers), *hidden.shape)
        none = torch.zeros_like(self.tables[:, 1:, :, :1])
        relations = torch.cat([none, self.tables[:, 1:, :, 1:]], dim=-1)
        hops = self.tables[:, 0][:, :, structure.index[0]]
        summed = hops + relations[:, 0][:, :, structure.index[1]] + relations[:, 1][:, :, structure.index[2]]
        return summed.transpose(1, 2) + hidden

    def forward(self, features: Tensor, bias: Tensor | None, order: Tensor) -> tuple[Tensor, Tensor | None]:
        """Actions, and places where there is a self-model.

        Args:
            features: `(B, J, F)`.
            bias: `(layers, B or 1, heads or 1, J, J)` or None.
            order: `(B or 1, J)` places in depth-first order.
        """
        tokens = self.encoder(features if self.norm is None else self.norm(features))
        if self.places is not None:
            tokens = tokens + self.places(order)
        tokens = self.dropout(tokens)
        for number, layer in enumerate(self.layers):
            tokens = layer(tokens, None if bias is None else bias[number])
        return _head(self.action, tokens)[..., 0], None if self.place is None else _head(self.place, tokens)


def _head(layers: nn.ModuleList, tokens: Tensor) -> Tensor:
    out: Tensor = layers[1](elu(layers[0](tokens)))
    return out
