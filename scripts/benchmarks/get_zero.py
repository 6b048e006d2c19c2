"""Speed of our graph embodiment transformer against the straightforward one, in one run, with equal weights.

The straightforward one is as the published release has it: every layer looks its three biases up anew for every row of
the batch (`nn.Embedding`s of distances), adds and permutes them, and attends by plain products and a softmax; a token's
fixed features are copied for every row at every step. Both compute the same function, which is checked. Both run on one
thread, in turn, and what counts is the processor's time, of which other programs take none; medians, and the 95 %
interval of their ratio by bootstrap. The training step is one with hands of 8 to 16 joints in a batch; its tokens, loss
and self-model's truth are the same code for both.

`./scripts/bench get_zero [--seconds S] [--out FILE]`
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from body import in_turn, ratio
from torch import Tensor, nn
from torch.nn.functional import elu

from barkyard.assets.robots.bodies import robot_body
from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.datasets import Normalizer, WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.policies.body_transformer.network import Layer
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.get_zero.config import GetZeroConfig, ours, paper, paper_small
from barkyard.policies.get_zero.policy import GetZeroPolicy, _home
from barkyard.policies.policy import BODY, FeatureSpec
from barkyard.provenance import versions

BATCH = 256
HANDS = load_split().train[:12]
SIZES = {"ours, 4 layers of 128": ours(), "as published, 4 layers of 128": paper_small(), "8 layers of 512": paper()}
LEAST = {"acting, batch 1": 2.0}
"""What is asked of the ratio at the first size."""


class Straightforward(nn.Module):
    """The release's way, with the weights of `policy`."""

    def __init__(self, policy: GetZeroPolicy) -> None:
        super().__init__()
        ours, config = policy.network, policy.get_zero
        self.config, self.norm = config, ours.norm
        self.encoder, self.action, self.place = ours.encoder, ours.action, ours.place
        self.layers = ours.layers
        assert ours.tables is not None
        tables = ours.tables.detach().clone()
        tables[:, 1:, :, 0] = 0.0
        self.embeddings = nn.ModuleList([nn.ModuleList([_embedding(each) for each in layer]) for layer in tables])

    def forward(self, features: Tensor, index: Tensor, real: Tensor) -> tuple[Tensor, Tensor | None]:
        """`(B, J, F)`, `(3, B, J, J)` rows of the tables and `(B, J)` -> actions and places."""
        tokens = self.encoder(features if self.norm is None else self.norm(features))
        for layer, tables in zip(self.layers, self.embeddings, strict=True):
            assert isinstance(layer, Layer) and isinstance(tables, nn.ModuleList)
            tokens = tokens + self._attend(layer, tables, layer.attention_norm(tokens), index, real)
            tokens = tokens + layer.fall(torch.relu(layer.rise(layer.forward_norm(tokens))))
        heads = [None if head is None else head[1](elu(head[0](tokens))) for head in (self.action, self.place)]
        assert heads[0] is not None
        return heads[0][..., 0], heads[1]

    def _attend(self, layer: Layer, tables: nn.ModuleList, tokens: Tensor, index: Tensor, real: Tensor) -> Tensor:
        batch, joints, width = tokens.shape
        heads = layer.heads
        hops, ancestors, descendants = (table(rows) for table, rows in zip(tables, index, strict=True))
        bias = hops + ancestors + descendants
        bias = bias.permute(0, 3, 1, 2).masked_fill(~real[:, None, None, :], -torch.inf)
        split = layer.queries_keys_values(tokens).view(batch, joints, 3, heads, width // heads)
        queries, keys, values = (each.transpose(1, 2).flatten(0, 1) for each in split.unbind(2))
        scores = torch.baddbmm(bias.flatten(0, 1), queries, keys.transpose(1, 2), alpha=(width // heads) ** -0.5)
        mixed = torch.bmm(torch.softmax(scores, dim=-1), values).view(batch, heads, joints, -1)
        out: Tensor = layer.out(mixed.transpose(1, 2).reshape(batch, joints, width))
        return out


def _embedding(table: Tensor) -> nn.Embedding:
    """Of a table `(heads, rows)`."""
    embedding = nn.Embedding(*table.T.shape)
    with torch.no_grad():
        embedding.weight.copy_(table.T)
    return embedding


def features_of(body: Embodiment, bodies: tuple[Embodiment, ...]) -> FeatureSpec:
    """What a hand observes."""
    count = len(body.joints)
    shapes = {"joint_pos": (count,), "joint_target": (count,), "clock": (2,)}
    return FeatureSpec(shapes, count, "barkyard/HandRotate-v0", 0.05, {}, body, bodies)


def policy_of(config: GetZeroConfig) -> GetZeroPolicy:
    """A policy for all hands, with biases that are not nearly 0."""
    bodies = tuple(robot_body(f"leap_hand:{hand}") for hand in HANDS)
    features = features_of(bodies[0], bodies)
    sizes = {**{key: shape[0] for key, shape in features.observations.items()}, "action": features.action_dim}
    limits = {key: Normalizer.from_limits(-np.ones(size), np.ones(size)) for key, size in sizes.items()}
    policy = make_policy("get-zero", features, limits, config=replace(config, dropout=0.0))
    assert isinstance(policy, GetZeroPolicy) and policy.network.tables is not None
    with torch.no_grad():
        policy.network.tables.normal_(generator=torch.Generator().manual_seed(0))
    return policy


def window(rows: int, joints: int, seed: int = 0) -> dict[str, Tensor]:
    """Six steps of what a hand observes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {"joint_pos": joints, "joint_target": joints, "clock": 2}
    return {key: torch.rand(rows, 6, size, generator=generator) for key, size in sizes.items()}


def acting(policy: GetZeroPolicy) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """Our way."""
    none = torch.empty(1, 0)

    def act(seen: Mapping[str, Tensor]) -> Tensor:
        with torch.no_grad():
            return policy.act(seen, none)[:, 0]

    return act


def acting_straightforward(policy: GetZeroPolicy) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """The release's way: tokens put together and biases looked up at every step."""
    network, own = Straightforward(policy).eval(), policy._own
    fixed = policy._fixed(own.tensors, own.home, own.limits, own.is_last)

    def act(seen: Mapping[str, Tensor]) -> Tensor:
        with torch.no_grad():
            rows = len(seen["joint_pos"])
            tokens = torch.cat([policy._changing(seen, own.limits), fixed.repeat(rows, 1, 1)], dim=-1)
            index = own.structure.index.repeat(1, rows, 1, 1)
            return network(tokens, index, own.structure.real.repeat(rows, 1))[0].clamp(-1.0, 1.0)

    return act


def training_batch(policy: GetZeroPolicy) -> WindowBatch:
    """Rows of all hands in turn."""
    seen = {key: values.numpy() for key, values in window(BATCH, 16, 1).items()}
    rows = np.arange(BATCH) % len(HANDS)
    seen[BODY] = rows[:, None, None].astype(np.float32)
    real = policy._learnt.structure.real[rows].numpy()[:, None]
    hidden = {key: np.where(real, v, 0) if key.startswith("joint") else v for key, v in seen.items()}
    actions = np.random.default_rng(0).uniform(-1, 1, (BATCH, 6, 16)) * real
    return WindowBatch(hidden, actions.astype(np.float32), np.zeros((BATCH, 6), dtype=bool))


def straightforward_loss(policy: GetZeroPolicy, network: Straightforward, batch: WindowBatch) -> Tensor:
    """As `GetZeroPolicy.loss` without augmentation, with the other network."""
    config, learnt = policy.get_zero, policy._learnt
    seen = {key: torch.from_numpy(values) for key, values in batch.observations.items()}
    rows = seen.pop(BODY)[:, -1, 0].long()
    bodies, real = learnt.tensors.take(rows), learnt.structure.real[rows]
    tokens = policy._tokens(seen, bodies, _home(learnt.home, rows), learnt.limits[rows], learnt.is_last[rows])
    actions, places = network(tokens, learnt.structure.index[:, rows], real)
    loss = policy._mean((actions - torch.from_numpy(batch.actions[:, -1])).square(), real)
    if places is not None:
        frames = bodies.forward_kinematics(seen["joint_pos"][:, -1])
        truth = frames.tips / config.length_unit if config.tips else frames.joints
        loss = loss + config.self_model * policy._mean((places - truth).square().mean(dim=-1), real)
    return loss


def stepping(parameters: list[nn.Parameter], loss: Callable[[], Tensor]) -> Callable[[], None]:
    """Loss, gradients and AdamW."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def measure(config: GetZeroConfig, seconds: float) -> dict[str, Any]:
    """Everything of one size."""
    policy = policy_of(replace(config, drop_joints=0.0, stretch=0.0)).eval()
    pair = acting(policy), acting_straightforward(policy)
    seen = window(32, 16)
    apart = float((pair[0](seen) - pair[1](seen)).abs().max())
    batch, straight = training_batch(policy), Straightforward(policy_of(replace(config, drop_joints=0.0, stretch=0.0)))
    generator = torch.Generator()
    losses = [policy.loss(batch, generator).item(), straightforward_loss(policy, straight, batch).item()]
    if apart > 1e-4 or abs(losses[0] - losses[1]) > 1e-4 * losses[0]:
        raise SystemExit(f"the two networks differ by {apart} in actions, and have losses {losses}")
    one = window(1, 16, 2)
    functions: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "acting, batch 1": (lambda: pair[0](one), lambda: pair[1](one)),
        f"training step, batch {BATCH}": (
            stepping(list(policy.parameters()), lambda: policy.loss(batch, generator)),
            stepping(list(straight.parameters()), lambda: straightforward_loss(policy, straight, batch)),
        ),
    }
    result: dict[str, Any] = {
        "parameters": sum(weights.numel() for weights in policy.parameters()),
        "largest difference": apart,
    }
    for name, both in functions.items():
        times = in_turn(both, seconds)  # type: ignore[arg-type]
        found, interval = ratio(*times)
        ms = [1e3 * statistics.median(each) for each in times]
        result[name] = {
            "ours_ms": ms[0], "theirs_ms": ms[1], "ratio": found, "interval": interval, "rounds": len(times[0])
        }  # fmt: skip
    return result


def main() -> None:
    """Measure, print a table, and exit with 1 where a ratio is less than is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, Any] = {"load": os.getloadavg(), "versions": versions(), "sizes": {}}
    short = []
    for size in options.sizes:
        found = report["sizes"][size] = measure(SIZES[size], options.seconds)
        print(f"{size}: {found['parameters']:,} parameters, a difference of at most {found['largest difference']:.1g}")
        for name in (name for name in found if isinstance(found[name], dict)):
            row = found[name]
            low, high = row["interval"]
            print(
                f"  {name:26} {row['ours_ms']:9.3f} ms  straightforward {row['theirs_ms']:9.3f} ms  "
                f"{row['ratio']:.2f} times as fast (95 %: {low:.2f} to {high:.2f}, {row['rounds']} rounds)",
                flush=True,
            )
            if size == next(iter(SIZES)) and row["ratio"] < LEAST.get(name, 0.0):
                short.append(f"{name} at {size}: {row['ratio']:.2f}, asked for {LEAST[name]}")
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    if short:
        sys.exit("; ".join(short))


if __name__ == "__main__":
    main()
