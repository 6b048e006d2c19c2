"""The Body Transformer: its size, who sees whom, what is dealt to whom, and that acting is what was trained."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from barkyard.assets.robots.bodies import robot_body
from barkyard.datasets import Normalizer
from barkyard.embodiment import Graph
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.body_transformer import config as configs
from barkyard.policies.body_transformer.config import Attention, BodyTransformerConfig
from barkyard.policies.body_transformer.layout import Layout, lay_out
from barkyard.policies.body_transformer.maps import LimbDecoder, LimbEncoder
from barkyard.policies.body_transformer.network import BodyTransformer
from barkyard.policies.checkpoint import load_policy, make_policy
from barkyard.policies.locomotion.config import mlp
from barkyard.policies.policy import FeatureSpec
from barkyard.policies.train import train
from tests.policies.synthetic import BODY, FEATURES, NORMALIZERS, batch

QUADRUPED = robot_body("barkour_vb")
PARTS: Mapping[str, tuple[int, ...]] = {"base_up": (3,), "joint_pos": (12,), "last_action": (12,), "terrain": (5,)}
WALKER = FeatureSpec(PARTS, 12, "test/Walker-v0", 0.02, embodiment=QUADRUPED)
SMALL = BodyTransformerConfig("full", layers=2, heads=2, width=16, feed_forward=32)


def dealt(limbs: int, observed: int, commanded: int) -> Layout:
    """Observations and actions dealt out in turn."""
    inputs = tuple(tuple(range(limb, observed, limbs)) for limb in range(limbs))
    outputs = tuple(i % limbs for i in range(commanded))
    return Layout(inputs, outputs, tuple(range(limbs)), tuple(range(commanded)))


def line(limbs: int) -> Any:
    return Graph.of_tree(range(-1, limbs - 1)).hop


def make(attention: Attention, limbs: int = 7, **changes: Any) -> BodyTransformer:
    """A line of limbs, each with one observation and one action."""
    torch.manual_seed(0)
    return BodyTransformer(replace(SMALL, attention=attention, **changes), dealt(limbs, limbs, limbs), line(limbs))


def influence(network: BodyTransformer) -> Any:
    """`(A, I)` whether an action depends on an observation."""
    row = torch.randn(1, 7, generator=torch.Generator().manual_seed(1))
    jacobian = torch.autograd.functional.jacobian(network, row)[0, :, 0]  # type: ignore[no-untyped-call]
    return (jacobian != 0).numpy()


@pytest.mark.parametrize(
    ("config", "limbs", "observed", "commanded", "values", "parameters"),
    [
        (configs.published(), 32, 1294, 56, False, 17_544_120),
        (configs.published(), 25, 39, 28, False, 17_131_292),
        (configs.published_a1(), 13, 48, 12, False, 273_292),
        (configs.published_a1(), 13, 48, 12, True, 273_357),
    ],
    ids=["MoCapAct", "Adroit door", "A1 actor", "A1 critic"],
)
def test_published_sizes(
    config: BodyTransformerConfig, limbs: int, observed: int, commanded: int, values: bool, parameters: int
) -> None:
    """The numbers of the paper, and of the release for the A1."""
    network = BodyTransformer(config, dealt(limbs, observed, commanded), line(limbs), values)
    assert sum(weights.numel() for weights in network.parameters()) == parameters


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_hard_mask_sees_as_far_as_it_has_layers(layers: int) -> None:
    assert np.array_equal(influence(make("hard", layers=layers)), line(7) <= layers)


def test_a_mix_is_masked_first() -> None:
    assert np.array_equal(influence(make("mix", layers=1)), line(7) <= 1)
    assert influence(make("mix", layers=2)).all() and influence(make("full", layers=1)).all()


def test_a_shuffled_mask_is_another_bodys() -> None:
    """As many pairs, each limb sees itself, and nothing is cut off."""
    seen = influence(make("shuffled", layers=1))
    assert seen.sum() == (line(7) <= 1).sum() and seen.diagonal().all()
    assert not np.array_equal(seen, line(7) <= 1)
    assert influence(make("shuffled", layers=6)).all()
    assert not np.array_equal(seen, influence(make("shuffled", layers=1, shuffle_seed=1)))


def test_a_soft_mask_begins_as_none_and_acts_by_distance() -> None:
    soft, full = make("soft"), make("full")
    rows = torch.randn(4, 7)
    full.load_state_dict({name: weights for name, weights in soft.state_dict().items() if name != "bias.table"})
    torch.testing.assert_close(soft(rows), full(rows))
    assert soft.bias.table is not None and soft.bias.table.shape == (2, 2, 7), "layers, heads, distances"
    hard = make("hard")
    hard.load_state_dict(full.state_dict())
    with torch.no_grad():
        soft.bias.table[:, :, 2:] = -torch.inf
    torch.testing.assert_close(soft(rows), hard(rows))


def test_maps_are_those_of_each_limb() -> None:
    """One at a time; the third limb observes nothing."""
    inputs, rows = ((0, 3), (1,), (), (2, 4, 5)), torch.randn(5, 6)
    encoder = LimbEncoder(inputs, range(4), 8)
    weight, start = encoder.weight, 0
    for limb, own in enumerate(inputs):
        expected = rows[:, list(own)] @ weight[start : start + len(own)] + encoder.bias[limb]
        torch.testing.assert_close(encoder(rows)[:, limb], expected)
        start += len(own)
    tokens = torch.randn(5, 4, 8)
    decoder = LimbDecoder((3, 0, 3), range(3), 8)
    for i, limb in enumerate((3, 0, 3)):
        torch.testing.assert_close(decoder(tokens)[:, i], tokens[:, limb] @ decoder.weight[i] + decoder.bias[i])


def test_limbs_that_observe_the_same_share_maps() -> None:
    layout = lay_out(WALKER, shared=True)
    assert layout.input_map == (0, *[1] * 12) and layout.output_map == (0,) * 12
    encoder = LimbEncoder(layout.inputs, layout.input_map, 8)
    assert encoder.weight.shape == (8 + 2, 8) and encoder.bias.shape == (2, 8)
    row = torch.zeros(1, 32)
    row[0, 3:15] = 0.5
    tokens = encoder(row)[0]
    assert torch.equal(tokens[1:], tokens[1].expand(12, 8)) and not torch.equal(tokens[0], tokens[1])


def test_what_is_dealt_to_whom() -> None:
    """Joints' parts to the limbs they move; the rest, terrain too, to the root."""
    layout = lay_out(WALKER)
    assert layout.inputs[0] == (0, 1, 2, 27, 28, 29, 30, 31)
    assert layout.inputs[1:] == tuple((3 + joint, 15 + joint) for joint in range(12))
    assert layout.outputs == tuple(range(1, 13))
    assert lay_out(WALKER, steps=2).inputs[1] == (3, 15, 35, 47)


def test_what_cannot_be_dealt() -> None:
    with pytest.raises(InvalidInput, match="needs the embodiment of what it acts with, and the features of test/"):
        lay_out(replace(WALKER, embodiment=None))
    with pytest.raises(InvalidInput, match="part 'joint_pos' has 7 elements, but this body's 'joint' signal has 12"):
        lay_out(replace(WALKER, observations={"joint_pos": (7,)}))
    with pytest.raises(InvalidInput, match="part 'action' has 7 elements"):
        lay_out(replace(WALKER, action_dim=7))
    with pytest.raises(InvalidInput, match="reads vectors; given: scan"):
        lay_out(replace(WALKER, observations={"scan": (3, 4)}))
    with pytest.raises(InvalidInput, match="width 16 must be a multiple of heads, 3"):
        replace(SMALL, heads=3)


@pytest.mark.parametrize("position", [False, True])
@pytest.mark.parametrize("attention", ["hard", "mix", "soft", "full"])
def test_a_snapshot_is_the_network(attention: Attention, position: bool) -> None:
    """At its present weights, whoever changes them, and in copies."""
    network, rows = make(attention, position=position), torch.randn(16, 7)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(network(rows), network.train()(rows))
        expected = network(rows)
        with torch.no_grad():
            torch.testing.assert_close(network(rows), expected.detach(), rtol=1e-4, atol=1e-5)
            other = copy.deepcopy(network)
            for weights in (*network.parameters(), *other.parameters()):
                weights.add_(0.1 * torch.randn(weights.shape))
    with torch.inference_mode():
        found = other(rows)
    torch.testing.assert_close(found, other(rows).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("attention", ["hard", "soft"])
def test_a_row_is_the_same_wherever_it_stands(attention: Attention, threads: int) -> None:
    """Bit for bit, for as many rows as a policy acts on at once."""
    torch.set_num_threads(threads)
    policy = make_policy(f"body-transformer-{attention}", WALKER, ones(WALKER)).eval()
    draws = torch.Generator().manual_seed(0)
    rows: dict[str, Tensor] = {key: torch.randn(32, 1, *shape, generator=draws) for key, shape in PARTS.items()}
    noise = torch.empty(32, *policy.noise_shape)
    with torch.inference_mode():
        first = policy.act(rows, noise)
        for _ in range(3):
            order = torch.randperm(32, generator=draws)
            assert torch.equal(policy.act({key: part[order] for key, part in rows.items()}, noise), first[order])
        others = {key: torch.cat((part[:1], torch.randn(31, 1, *PARTS[key]))) for key, part in rows.items()}
        assert torch.equal(policy.act(others, noise)[0], first[0])


def ones(features: FeatureSpec) -> dict[str, Normalizer]:
    sizes = {**{key: shape[0] for key, shape in features.observations.items()}, "action": features.action_dim}
    return {key: Normalizer.fit([[-1.0] * size, [1.0] * size]) for key, size in sizes.items()}


def test_loss_by_hand() -> None:
    """Squared errors of the newest action in units of half its range; padding does not count."""
    policy = make_policy("body-transformer-mix", FEATURES, NORMALIZERS).eval()
    data = batch(8, policy.config)
    data.is_pad[:] = [[True], *[[False]] * 7]
    seen = {key: torch.from_numpy(values) for key, values in data.observations.items()}
    with torch.no_grad():
        predicted = policy.predict(seen, torch.empty(0)).numpy()
        loss = policy.loss(data, torch.Generator()).item()
    low, high = NORMALIZERS["action"].low, NORMALIZERS["action"].high
    errors = ((predicted - data.actions) / ((high - low) / 2)) ** 2
    assert loss == pytest.approx(errors[1:].mean(), rel=0.2), "but for predictions cut off at the limits"


def test_an_older_step_is_seen_as_at_an_episodes_start() -> None:
    config = replace(configs.mix(), observation_steps=3)
    policy = make_policy("body-transformer-mix", FEATURES, NORMALIZERS, config=config).eval()
    seen = {key: torch.rand(4, 3, 2) for key in FEATURES.observations}
    early = {key: torch.cat((part[:, :1], part[:, :2]), dim=1) for key, part in seen.items()}
    with torch.inference_mode():
        predicted = policy.predict(seen, torch.empty(0))
        torch.testing.assert_close(predicted[:, 1], policy.act(early, torch.empty(0))[:, 0])
        torch.testing.assert_close(predicted[:, 2], policy.act(seen, torch.empty(0))[:, 0])


def test_a_checkpoint_holds_its_body(tmp_path: Path) -> None:
    make_policy("body-transformer-hard", WALKER, ones(WALKER)).save(tmp_path / "saved")
    features = load_policy(tmp_path / "saved").features
    assert features == WALKER and features.embodiment == QUADRUPED
    features.check(PARTS, 12, QUADRUPED)
    features.check(PARTS, 12)
    with pytest.raises(CheckpointError, match="for a body with 13 limbs.*but this one has 13 limbs.*Is the robot the"):
        features.check(PARTS, 12, robot_body("barkour_v0"))


def test_training_lowers_the_loss(dataset_path: Path, tmp_path: Path) -> None:
    """And refuses to begin without a body."""
    with pytest.raises(InvalidInput, match="needs the embodiment"):
        train(dataset_path, "body-transformer-mix", tmp_path / "none", quiet=True)
    small = {"layers": 2, "width": 16, "heads": 2, "feed_forward": 32, "training.warmup_steps": 5}
    losses = []
    for steps in (1, 80):
        out = tmp_path / str(steps)
        changes = {**small, "training.steps": steps, "training.batch_size": 64}
        train(dataset_path, "body-transformer-mix", out, overrides=changes, embodiment=BODY, quiet=True)
        losses.append(float((out / "log.jsonl").read_text().split('"heldout_loss": ')[-1].split(",")[0]))
    assert losses[1] < 0.5 * losses[0]


def test_critics_give_the_mean_of_limbs() -> None:
    policy = make_policy("body-transformer-hard", WALKER, ones(WALKER))
    actor, critic = policy.actor_critic()
    rows = torch.randn(4, 32)
    assert actor(rows).shape == (4, 12) and critic(rows).shape == (4, 1)
    assert isinstance(critic, torch.nn.Sequential) and isinstance(critic[0], BodyTransformer)
    torch.testing.assert_close(critic(rows)[:, 0], critic[0](rows).mean(dim=1))
    with pytest.raises(InvalidInput, match="'diffusion-unet' cannot be trained by reinforcement"):
        make_policy("diffusion-unet", FEATURES, NORMALIZERS).actor_critic()


def test_the_mlp_as_actor_is_itself() -> None:
    """On one step, from a flat row, in the order of its features."""
    features = replace(
        WALKER, observations={"last_action": (12,), "base_up": (3,), "joint_pos": (12,)}, embodiment=None
    )
    config = replace(mlp(), observation_steps=1)
    policy = make_policy("locomotion-mlp", features, ones(features), config=config).eval()
    actor, critic = policy.actor_critic()
    rows = 0.5 * torch.rand(32, 27)
    split = dict(zip(features.observations, rows[:, None].split_with_sizes([12, 3, 12], dim=-1), strict=True))
    torch.testing.assert_close(actor(rows).clamp(-1, 1), policy.act(split, torch.empty(0))[:, 0])
    assert critic(rows).shape == (32, 1)
