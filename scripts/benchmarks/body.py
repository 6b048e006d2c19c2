"""Speed of the Body Transformer against the straightforward one, in one run, with equal weights.

The straightforward one is as the paper's release has it: `nn.TransformerEncoder` with a float mask, and a Python loop over
limbs with one `nn.Linear` each, into tokens and out of them. Both compute the same function, which is checked first.
Rows are measured in turn, so that what else the machine does falls on all of them; the median of the times counts.

`./scripts/bench body [--threads T] [--seconds S] [--out FILE]`
"""

import torch
from torch import Tensor, nn

from barkyard.policies.body_transformer.config import BodyTransformerConfig, published, published_a1
from barkyard.policies.body_transformer.layout import Layout
from barkyard.policies.body_transformer.network import BodyTransformer

PARTS = {"base_up": (3,), "base_linear_velocity": (3,), "base_angular_velocity": (3,), "command": (3,),
         "joint_pos": (12,), "joint_vel": (12,), "last_action": (12,)}  # fmt: skip
"""48 numbers, as the A1 of the paper observes."""
BATCH = 256
SIZES = {"8 layers of 64": published_a1(), "16 layers of 320": published()}


class Straightforward(nn.Module):
    """The release's way, with the weights of `ours`."""

    def __init__(self, ours: BodyTransformer, config: BodyTransformerConfig, layout: Layout) -> None:
        super().__init__()
        self.inputs = [list(own) for own in layout.inputs]
        self.commanded = [[i for i, limb in enumerate(layout.outputs) if limb == n] for n in range(len(layout.inputs))]
        width = config.width
        self.tokenizers = nn.ModuleList([nn.Linear(len(own), width) for own in self.inputs])
        self.detokenizers = nn.ModuleList([nn.Linear(width, len(own)) for own in self.commanded if own])
        layer = nn.TransformerEncoderLayer(width, config.heads, config.feed_forward, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.position = None if ours.position is None else nn.Parameter(ours.position.detach().clone())
        self.masks = ours.bias()
        self._copy(ours)

    def _copy(self, ours: BodyTransformer) -> None:
        with torch.no_grad():
            rows = ours.encoder.rows
            for limb, tokenizer in enumerate(self.tokenizers):
                tokenizer.weight.copy_(ours.encoder.weight[rows[limb, : len(self.inputs[limb])]].T)
                tokenizer.bias.copy_(ours.encoder.bias[limb])
            for detokenizer, own in zip(self.detokenizers, filter(None, self.commanded), strict=True):
                detokenizer.weight.copy_(ours.decoder.weight[own])
                detokenizer.bias.copy_(ours.decoder.bias[own])
            for theirs, layer in zip(self.encoder.layers, ours.layers, strict=True):
                pairs = {
                    "self_attn.in_proj": layer.queries_keys_values, "self_attn.out_proj.": layer.out,
                    "linear1.": layer.rise, "linear2.": layer.fall,
                    "norm1.": layer.attention_norm, "norm2.": layer.forward_norm,
                }  # fmt: skip
                for name, module in pairs.items():
                    dot = "_" if name.endswith("proj") else ""
                    theirs.get_parameter(f"{name}{dot}weight").copy_(module.weight)
                    theirs.get_parameter(f"{name}{dot}bias").copy_(module.bias)

    def forward(self, observations: Tensor) -> Tensor:
        """`(B, I)` -> `(B, A)`."""
        tokens = torch.stack(
            [tokenizer(observations[:, own]) for tokenizer, own in zip(self.tokenizers, self.inputs, strict=True)],
            dim=1,
        )
        if self.position is not None:
            tokens = tokens + self.position
        for layer, mask in zip(self.encoder.layers, self.masks, strict=True):
            tokens = layer(tokens, src_mask=mask)
        actions = torch.empty(len(observations), sum(map(len, self.commanded)))
        detokenizers = iter(self.detokenizers)
        for limb, own in enumerate(self.commanded):
            if own:
                actions[:, own] = next(detokenizers)(tokens[:, limb])
        return actions
