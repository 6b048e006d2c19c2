"""The policy's function for one body at its present weights, laid out for speed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import elu, scaled_dot_product_attention

from barkyard.policies.body_transformer.network import matrices, matrix
from barkyard.policies.get_zero.network import JointTransformer
from barkyard.policies.get_zero.tokens import Parts


@dataclass(frozen=True)
class OwnBody:
    """What is constant as long as one body acts.

    Attributes:
        bias: `(layers, 1, heads or 1, J, J)`, or None.
        fixed: `(1, J, F)` the tokens' features that do not change.
        order: `(1, J)` places in depth-first order.
        scale, shift: `(J, F)` of the features that change: what is observed is multiplied and added to.
    """

    bias: Tensor | None
    fixed: Tensor
    order: Tensor
    scale: Tensor
    shift: Tensor


class Snapshot:
    """A policy's actions without gradients: for one row several times as fast as its modules one by one.

    Attention biases are looked up once, and all of a token that does not change is one vector for each joint, to which
    the product of what changes is added (without a layer norm of raw features; with it, features stand side by side).
    """

    def __init__(self, network: JointTransformer, own: OwnBody, parts: Parts) -> None:
        self._sources = list(network.parameters())
        self._state = self._read_state()
        self._own, self._parts, config = own, parts, network.config
        self._heads, self._width, self._norm = config.heads, config.width, network.norm
        weight, bias = network.encoder.weight.detach().T.contiguous(), network.encoder.bias.detach()
        if network.places is not None:
            bias = bias + network.places(own.order)[0].detach()
        if self._norm is None:
            changing = own.scale.shape[-1]
            bias = own.shift @ weight[:changing] + own.fixed[0] @ weight[changing:] + bias
            weight = weight[:changing].contiguous()
        self._weight, self._bias = weight, bias
        biases = [None] * config.layers if own.bias is None else [each.contiguous() for each in own.bias.detach()]
        self._layers: list[Any] = [(*matrices(layer), bias) for layer, bias in zip(network.layers, biases, strict=True)]
        self._head = [matrix(layer) for layer in network.action]

    def is_current(self) -> bool:
        """Whether the network's weights are still what they were."""
        return self._state == self._read_state()

    def _read_state(self) -> list[int]:
        """Changes when weights are written to, and when all of them are copied or moved."""
        return [self._sources[0].data_ptr(), *(weights._version for weights in self._sources)]

    def __call__(self, seen: Mapping[str, Tensor]) -> Tensor:
        """`(N, J)` actions from windows `(N, steps, ...)` of the parts."""
        raw = observed(seen, self._parts)
        (batch, joints, features), width = raw.shape, self._width
        split, shape = (batch, joints, 3, self._heads, width // self._heads), (width,)
        changing = raw * self._own.scale
        if self._norm is not None:
            changing = torch.cat([changing + self._own.shift, self._own.fixed.expand(batch, -1, -1)], dim=-1)
            changing = self._norm(changing)
            features = changing.shape[-1]
        products = torch.mm(changing.view(-1, features), self._weight).view(batch, joints, width)
        tokens = products.add_(self._bias).view(-1, width)
        for mix, out, rise, fall, attention_norm, forward_norm, bias in self._layers:
            normed = torch.layer_norm(tokens, shape, *attention_norm)
            queries, keys, values = torch.addmm(mix[1], normed, mix[0]).view(split).permute(2, 0, 3, 1, 4).unbind()
            attended = scaled_dot_product_attention(queries, keys, values, bias).transpose(1, 2).reshape(-1, width)
            tokens = torch.addmm(out[1], attended, out[0]).add_(tokens)
            normed = torch.layer_norm(tokens, shape, *forward_norm)
            hidden = torch.addmm(rise[1], normed, rise[0]).relu_()
            tokens = torch.addmm(fall[1], hidden, fall[0]).add_(tokens)
        (first, first_bias), (last, last_bias) = self._head
        hidden = elu(torch.addmm(first_bias, tokens, first), inplace=True)
        return torch.addmm(last_bias, hidden, last).view(batch, joints)


def observed(seen: Mapping[str, Tensor], parts: Parts) -> Tensor:
    """`(N, J, F)` what is observed, each number's steps in a row: of the whole first, then of the joint."""
    own = [seen[key].transpose(1, 2) for key in parts.joint]
    whole = [seen[key].transpose(1, 2).flatten(1) for key, _ in parts.whole]
    shared = [torch.cat(whole, dim=1)[:, None].expand(-1, own[0].shape[1], -1)] if whole else []
    return torch.cat([*shared, *own], dim=-1)
