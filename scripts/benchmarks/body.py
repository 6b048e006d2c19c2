"""Speed of the Body Transformer against the straightforward one, in one run, with equal weights.

The straightforward one is as the paper's release has it: `nn.TransformerEncoder` with a float mask, and a Python loop
over limbs with one `nn.Linear` each, into tokens and out of them. Both compute the same function, which is checked.
Both run on one thread, in turn, and what counts is the processor's time, of which other programs take none; medians,
and the 95 % interval of their ratio by bootstrap.

`./scripts/bench body [--seconds S] [--out FILE]`
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from barkyard.assets.robots.bodies import robot_body
from barkyard.policies.body_transformer.config import BodyTransformerConfig, published, published_a1
from barkyard.policies.body_transformer.layout import Layout, lay_out
from barkyard.policies.body_transformer.network import BodyTransformer, Layer
from barkyard.policies.policy import FeatureSpec
from barkyard.provenance import versions

PARTS = {"base_up": (3,), "base_linear_velocity": (3,), "base_angular_velocity": (3,), "command": (3,),
         "joint_pos": (12,), "joint_vel": (12,), "last_action": (12,)}  # fmt: skip
"""48 numbers, as the A1 of the paper observes."""
BATCH = 256
SIZES = {"8 layers of 64": published_a1(), "16 layers of 320": published()}
LEAST = {"forward, batch 1": 2.0, f"training step, batch {BATCH}": 1.3}
"""What is asked of the ratios at the first size."""


class Straightforward(nn.Module):
    """The release's way, with the weights of `ours`."""

    def __init__(self, ours: BodyTransformer, config: BodyTransformerConfig, layout: Layout) -> None:
        super().__init__()
        self.inputs = [list(own) for own in layout.inputs]
        self.commanded = [[i for i, limb in enumerate(layout.outputs) if limb == n] for n in range(len(layout.inputs))]
        width = config.width
        tokenizers = [nn.Linear(len(own), width) for own in self.inputs]
        detokenizers = [nn.Linear(width, len(own)) for own in self.commanded if own]
        self.tokenizers, self.detokenizers = nn.ModuleList(tokenizers), nn.ModuleList(detokenizers)
        block = nn.TransformerEncoderLayer(width, config.heads, config.feed_forward, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(block, config.layers, enable_nested_tensor=False)
        self.position = None if ours.position is None else nn.Parameter(ours.position.detach().clone())
        self.masks = ours.bias()
        with torch.no_grad():
            rows = ours.encoder.rows
            for limb, tokenizer in enumerate(tokenizers):
                tokenizer.weight.copy_(ours.encoder.weight[rows[limb, : len(self.inputs[limb])]].T)
                tokenizer.bias.copy_(ours.encoder.bias[limb])
            for detokenizer, own in zip(detokenizers, filter(None, self.commanded), strict=True):
                detokenizer.weight.copy_(ours.decoder.weight[own])
                detokenizer.bias.copy_(ours.decoder.bias[own])
            for theirs, layer in zip(self.encoder.layers, ours.layers, strict=True):
                assert isinstance(layer, Layer)
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
        pairs = zip(self.tokenizers, self.inputs, strict=True)
        tokens = torch.stack([tokenizer(observations[:, own]) for tokenizer, own in pairs], dim=1)
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


def flops(config: BodyTransformerConfig, layout: Layout) -> dict[str, int]:
    """Floating point operations of one row forward, by what they are for; a multiply-add is two."""
    limbs, width = len(layout.inputs), config.width
    return {
        "tokens": 2 * width * sum(map(len, layout.inputs)),
        "products of layers": 2 * config.layers * limbs * (4 * width**2 + 2 * width * config.feed_forward),
        "attention between limbs": 4 * config.layers * limbs**2 * width,
        "actions": 2 * width * len(layout.outputs),
    }


def forward(network: nn.Module) -> Callable[[], None]:
    """Acting on one row."""
    row = torch.randn(1, sum(size for (size,) in PARTS.values()))

    def act() -> None:
        with torch.no_grad():
            network(row)

    return act


def training_step(network: nn.Module) -> Callable[[], None]:
    """Loss, gradients and AdamW on one batch."""
    seen, wanted = torch.randn(BATCH, sum(size for (size,) in PARTS.values())), torch.randn(BATCH, 12)
    fused = isinstance(network, BodyTransformer)  # as our trainer has it; the release has torch's default
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=fused)

    def step() -> None:
        loss = (network(seen) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def in_turn(functions: Sequence[Callable[[], None]], seconds: float) -> list[list[float]]:
    """CPU times of each [s], for so long, at least 10 rounds.

    With one thread, the time that a process computes is the time it takes where nothing else runs.
    """
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 10:
        for found, function in zip(times, functions, strict=True):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
    return times


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, list[float]]:
    """Their median time over ours, with its 95 % interval: rounds are drawn again, together, as they were measured."""
    pairs, rng = np.array([ours, theirs]), np.random.default_rng(0)
    drawn = [pairs[:, rng.integers(pairs.shape[1], size=pairs.shape[1])] for _ in range(1000)]
    found = [np.median(both[1]) / np.median(both[0]) for both in drawn]
    return statistics.median(theirs) / statistics.median(ours), np.quantile(found, [0.025, 0.975]).tolist()


def measure(config: BodyTransformerConfig, seconds: float) -> dict[str, Any]:
    """Everything of one size."""
    body = robot_body("barkour_vb")
    layout = lay_out(FeatureSpec(PARTS, 12, "", 0.02, embodiment=body))
    torch.manual_seed(0)
    ours = BodyTransformer(config, layout, body.limb_graph.hop)
    theirs = Straightforward(ours, config, layout)
    rows = torch.randn(64, sum(map(len, layout.inputs)))
    with torch.no_grad():
        apart = float((ours(rows) - theirs(rows)).abs().max())
    if apart > 1e-4:
        raise SystemExit(f"the two networks differ by {apart}: they are not the same function")
    result: dict[str, Any] = {
        "parameters": sum(weights.numel() for weights in ours.parameters()),
        "flops of a row": flops(config, layout),
        "largest difference": apart,
    }
    for name, make, mode in (
        ("forward, batch 1", forward, False),
        (f"training step, batch {BATCH}", training_step, True),
    ):
        times = in_turn([make(network.train(mode)) for network in (ours, theirs)], seconds)
        found, interval = ratio(*times)
        ms = [1e3 * statistics.median(each) for each in times]
        result[name] = {
            "ours_ms": ms[0],
            "theirs_ms": ms[1],
            "ratio": found,
            "interval": interval,
            "rounds": len(times[0]),
        }
    return result


def main() -> None:
    """Measure, print a table, and exit with 1 where a ratio is less than is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, Any] = {"load": os.getloadavg(), "versions": versions(), "sizes": {}}
    short = []
    for size, config in SIZES.items():
        found = report["sizes"][size] = measure(config, options.seconds)
        total = sum(found["flops of a row"].values())
        share = found["flops of a row"]["attention between limbs"] / total
        print(f"{size}: {found['parameters']:,} parameters, {total / 1e6:.2f} MFLOP a row, {share:.1%} of it attention")
        for name, least in LEAST.items():
            row = found[name]
            low, high = row["interval"]
            print(
                f"  {name:26} {row['ours_ms']:9.3f} ms  straightforward {row['theirs_ms']:9.3f} ms  "
                f"{row['ratio']:.2f} times as fast (95 %: {low:.2f} to {high:.2f}, {row['rounds']} rounds)"
            )
            if size == next(iter(SIZES)) and row["ratio"] < least:
                short.append(f"{name} at {size}: {row['ratio']:.2f}, asked for {least}")
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    if short:
        sys.exit("; ".join(short))


if __name__ == "__main__":
    main()
