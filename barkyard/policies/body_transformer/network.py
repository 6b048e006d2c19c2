"""The transformer over limbs, and the same for acting."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout, pad, relu, scaled_dot_product_attention

from barkyard.policies.body_transformer.config import Attention, BodyTransformerConfig
from barkyard.policies.body_transformer.layout import Layout
from barkyard.policies.body_transformer.maps import LimbDecoder, LimbEncoder


class BodyTransformer(nn.Module):
    """`(B, I)` flat observations -> `(B, A)` actions, or `(B, limbs)` values.

    Args:
        config: its size and attention.
        layout: who sees and commands what.
        hop: `(limbs, limbs)` distances in the body's graph.
        values: whether each limb gives one number, of which the mean is the value of a state, in place of actions.
    """

    def __init__(
        self, config: BodyTransformerConfig, layout: Layout, hop: NDArray[np.int64], values: bool = False
    ) -> None:
        super().__init__()
        width, limbs = config.width, len(layout.inputs)
        self.encoder = LimbEncoder(layout.inputs, layout.input_map, width)
        self.position = nn.Parameter(0.02 * torch.randn(limbs, width)) if config.position else None
        self.bias = AttentionBias(config.attention, config.layers, config.heads, hop, config.shuffle_seed)
        self.layers = nn.ModuleList([Layer(width, config.heads, config.feed_forward) for _ in range(config.layers)])
        outputs, numbers = (range(limbs), layout.input_map) if values else (layout.outputs, layout.output_map)
        self.decoder = LimbDecoder(outputs, numbers, width)
        self._snapshot: Snapshot | None = None

    def forward(self, observations: Tensor) -> Tensor:
        """Actions, or values of limbs; without gradients from a snapshot of the weights, which is faster."""
        if not torch.is_grad_enabled():
            if self._snapshot is None or not self._snapshot.is_current():
                self._snapshot = Snapshot(self)
            return self._snapshot(observations)
        tokens = self.encoder(observations)
        if self.position is not None:
            tokens = tokens + self.position
        for layer, bias in zip(self.layers, self.bias(), strict=True):
            tokens = layer(tokens, bias)
        out: Tensor = self.decoder(tokens)
        return out


class MeanOfLimbs(nn.Module):
    """`(B, limbs)` values -> `(B, 1)`."""

    def forward(self, values: Tensor) -> Tensor:
        """Their mean."""
        return values.mean(dim=-1, keepdim=True)


class AttentionBias(nn.Module):
    """What is added to the attention of one limb to another, for each layer; masks are made once, as the body is.

    Args:
        attention: which limbs a limb sees.
        layers: number of layers.
        heads: of every attention.
        hop: `(limbs, limbs)` distances in the body's graph.
        shuffle_seed: of the `shuffled` graph.
    """

    def __init__(
        self, attention: Attention, layers: int, heads: int, hop: NDArray[np.int64], shuffle_seed: int = 0
    ) -> None:
        super().__init__()
        self.attention, self.layers = attention, layers
        if attention == "shuffled":
            order = np.random.default_rng(shuffle_seed).permutation(len(hop))
            hop = hop[np.ix_(order, order)]
        distances = torch.from_numpy(hop)
        self.table: nn.Parameter | None = None
        if attention == "soft":
            self.table = nn.Parameter(torch.zeros(layers, heads, int(distances.max()) + 1))
        self.register_buffer("hop", distances, persistent=False)
        mask = torch.zeros(distances.shape).masked_fill(distances > 1, -torch.inf)
        self.register_buffer("mask", mask, persistent=False)
        self.hop: Tensor
        self.mask: Tensor

    def forward(self) -> list[Tensor | None]:
        """For each layer `(limbs, limbs)`, `(heads, limbs, limbs)` or None."""
        if self.table is not None:
            return list(self.table[:, :, self.hop])
        if self.attention == "mix":
            return [None if layer % 2 else self.mask for layer in range(self.layers)]
        return [None if self.attention == "full" else self.mask] * self.layers


class Layer(nn.Module):
    """Self-attention and feed-forward (ReLU), each added to the tokens.

    A layer norm follows each sum, as in the paper's release, or, with `pre_norm`, comes before each of the two.

    Args:
        width: of a token.
        heads: of the attention.
        feed_forward: width of the hidden layer.
        pre_norm: where the layer norms are.
        dropout: of what is added, and of what is hidden.
    """

    def __init__(self, width: int, heads: int, feed_forward: int, pre_norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.pre_norm, self.dropout = heads, pre_norm, dropout
        self.queries_keys_values, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.rise, self.fall = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.attention_norm, self.forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        nn.init.xavier_uniform_(self.queries_keys_values.weight)
        for linear in (self.queries_keys_values, self.out):
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        """`(B, limbs, width)` tokens; `bias` is added to the attention, (..., limbs, limbs)."""
        if self.pre_norm:
            tokens = tokens + self._drop(self._attend(self.attention_norm(tokens), bias))
            return tokens + self._drop(self._feed(self.forward_norm(tokens)))
        tokens = self.attention_norm(tokens + self._drop(self._attend(tokens, bias)))
        out: Tensor = self.forward_norm(tokens + self._drop(self._feed(tokens)))
        return out

    def _attend(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        batch, limbs, width = tokens.shape
        split = self.queries_keys_values(tokens).view(batch, limbs, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind()
        rate = self.dropout if self.training else 0.0
        attended = scaled_dot_product_attention(queries, keys, values, attn_mask=bias, dropout_p=rate)
        out: Tensor = self.out(attended.transpose(1, 2).reshape(batch, limbs, width))
        return out

    def _feed(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.fall(self._drop(relu(self.rise(tokens))))
        return out

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training) if self.dropout else values


class Snapshot:
    """A network's function at its present weights, for acting: a row alone takes less than half the time.

    Most of that time is Python's and the dispatcher's, so the weights are laid out once as the products want them, and
    a layer is ten calls.
    """

    def __init__(self, network: BodyTransformer) -> None:
        self._sources = list(network.parameters())
        self._state = self._read_state()
        encoder, decoder = network.encoder, network.decoder
        self._seen, (self._limbs, self._most) = encoder.seen, encoder.rows.shape
        self._token_weight, bias = encoder.padded()
        self._token_bias = bias if network.position is None else bias + network.position[:, None]
        first = network.layers[0]
        assert isinstance(first, Layer)
        self._heads, self._width = first.heads, encoder.weight.shape[1]
        self._layers = [(*matrices(layer), bias) for layer, bias in zip(network.layers, network.bias(), strict=True)]
        self._outputs = decoder.limbs
        self._output_weight, self._output_bias = decoder.weight[decoder.numbers], decoder.bias[decoder.numbers]

    def is_current(self) -> bool:
        """Whether the network's weights are still what they were."""
        return self._state == self._read_state()

    def _read_state(self) -> list[int]:
        """Changes when weights are written to, and when all of them are copied or moved."""
        return [self._sources[0].data_ptr(), *(weights._version for weights in self._sources)]

    def __call__(self, observations: Tensor) -> Tensor:
        """As the network."""
        batch, limbs, width = observations.shape[0], self._limbs, self._width
        split, shape = (batch, limbs, 3, self._heads, width // self._heads), (width,)
        padded = pad(observations, (0, 1)).index_select(1, self._seen).view(batch, limbs, self._most).transpose(0, 1)
        tokens = torch.baddbmm(self._token_bias, padded, self._token_weight).transpose(0, 1).reshape(-1, width)
        for mix, out, rise, fall, attention_norm, forward_norm, bias in self._layers:
            queries, keys, values = torch.addmm(mix[1], tokens, mix[0]).view(split).permute(2, 0, 3, 1, 4).unbind()
            attended = scaled_dot_product_attention(queries, keys, values, bias).transpose(1, 2).reshape(-1, width)
            tokens = torch.addmm(out[1], attended, out[0]).add_(tokens)
            tokens = torch.layer_norm(tokens, shape, *attention_norm)
            hidden = torch.addmm(rise[1], tokens, rise[0]).relu_()
            tokens = torch.addmm(fall[1], hidden, fall[0]).add_(tokens)
            tokens = torch.layer_norm(tokens, shape, *forward_norm)
        products = tokens.view(batch, limbs, width).index_select(1, self._outputs) * self._output_weight
        return products.sum(dim=-1) + self._output_bias


def matrix(linear: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight as a product of rows wants it, and bias."""
    assert isinstance(linear, nn.Linear)
    return linear.weight.detach().T.contiguous(), linear.bias.detach()


def matrices(layer: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Of queries, keys and values together, the attention's output, the two of the feed-forward, and both norms."""
    assert isinstance(layer, Layer)
    linears = (layer.queries_keys_values, layer.out, layer.rise, layer.fall)
    norms = (layer.attention_norm, layer.forward_norm)
    return [*map(matrix, linears), *((norm.weight.detach(), norm.bias.detach()) for norm in norms)]
