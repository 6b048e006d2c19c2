from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from barkyard.datasets import Normalizer
from barkyard.errors import InvalidInput
from barkyard.policies.locomotion.config import LocomotionConfig, TransformerConfig
from barkyard.policies.locomotion.policy import LocomotionPolicy
from barkyard.policies.locomotion.transformer import attention_bias
from barkyard.policies.scaling import LARGEST_OBSERVATION, Scaling
from tests.policies.synthetic_locomotion import (
    FEATURES,
    NORMALIZERS,
    SHAPES,
    STEPS,
    TINY,
    batch,
    make_full,
    make_tiny,
)

KINDS = sorted(TINY)
ROWS = 32


def tensors(size: int = 16, seed: int = 0) -> dict[str, Tensor]:
    return {key: torch.from_numpy(values) for key, values in batch(size, seed).observations.items()}


def noise(policy: LocomotionPolicy, rows: int) -> Tensor:
    return torch.zeros(rows, *policy.noise_shape)


def predict(policy: LocomotionPolicy, seen: Mapping[str, Tensor]) -> Tensor:
    with torch.inference_mode():
        return policy.predict(seen, noise(policy, len(seen["joint_pos"])))


def act(policy: LocomotionPolicy, seen: Mapping[str, Tensor]) -> Tensor:
    with torch.inference_mode():
        return policy.act(seen, noise(policy, len(seen["joint_pos"])))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_attention_bias_by_hand() -> None:
    """Two steps: action 0, state 0, action 1, state 1, reading 0, reading 1; the second head falls half as fast."""
    x = -np.inf
    first = [
        [0, x, x, x, x, x],
        [0, 0, x, x, x, x],
        [-1, -1, 0, x, x, x],
        [-1, -1, 0, 0, x, x],
        [0, 0, x, x, 0, x],
        [-1, -1, 0, 0, x, 0],
    ]
    np.testing.assert_array_equal(attention_bias(2, 2, 2), np.array([first, first]) / [[[1]], [[2]]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", SHAPES)
@pytest.mark.parametrize("changed", range(STEPS))
def test_an_action_sees_its_past_and_never_its_future(kind: str, key: str, changed: int) -> None:
    """Bit for bit. Of height scans it sees its own step's alone."""
    policy, seen = make_tiny(kind), tensors()
    others = {**seen, key: seen[key].clone()}
    others[key][:, changed] += 0.5
    same = torch.isclose(predict(policy, seen), predict(policy, others), rtol=0, atol=0).all(dim=-1).all(dim=0)
    expected = [step != changed if key == "terrain" else step < changed for step in range(STEPS)]
    assert same.tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_acting_is_the_newest_of_a_prediction(kind: str) -> None:
    policy, seen = make_tiny(kind), tensors()
    assert act(policy, seen).shape == (16, 1, 2)
    torch.testing.assert_close(act(policy, seen)[:, 0], predict(policy, seen)[:, -1], rtol=0, atol=1e-6)


def test_the_mlp_sees_an_older_step_as_at_an_episodes_start() -> None:
    policy, seen = make_tiny("mlp"), tensors()
    early = {key: torch.cat((value[:, :1], value[:, :1], value[:, :2]), dim=1) for key, value in seen.items()}
    torch.testing.assert_close(predict(policy, seen)[:, 1], act(policy, early)[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", ["last_action", "terrain"])
@pytest.mark.parametrize("kind", KINDS)
def test_previous_action_and_scan_may_be_absent(kind: str, key: str) -> None:
    shapes = {name: shape for name, shape in SHAPES.items() if name != key}
    policy, seen = make_tiny(kind, features=replace(FEATURES, observations=shapes)), tensors()
    del seen[key]
    assert predict(policy, seen).shape == (16, STEPS, 2)
    data = batch(8)
    del data.observations[key]
    policy.train().loss(data, generator()).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in policy.parameters())


def test_sizes() -> None:
    """On the course: two thirds of a million, and the baseline as large to 5 %."""
    sizes = {kind: sum(weights.numel() for weights in make_full(kind).parameters()) for kind in KINDS}
    assert 600_000 < sizes["transformer"] < 700_000
    assert abs(sizes["mlp"] / sizes["transformer"] - 1) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_loss_by_hand(kind: str) -> None:
    """Squared errors in units of half the action's range, over the steps that are real and learnt from."""
    policy, data = make_tiny(kind), batch(8)
    predicted = predict(policy, {key: torch.from_numpy(values) for key, values in data.observations.items()}).numpy()
    errors = ((predicted - data.actions) ** 2).mean(axis=-1)
    expected = errors[:, -1].mean() if kind == "mlp" else errors[~data.is_pad].mean()
    assert policy.loss(data, generator()).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_actions_are_weighed_by_their_range(kind: str) -> None:
    wide = {**NORMALIZERS, "action": Normalizer.fit([[-2.0, -2.5], [2.0, 1.5]])}
    policies = [make_tiny(kind) for _ in range(2)]
    policies[1].action_scaling = Scaling([wide["action"]], 1.0)
    data = batch(8)
    twice = replace(data, actions=2 * data.actions + np.array([0.0, -1.5], dtype=np.float32))
    assert policies[1].loss(twice, generator()).item() == pytest.approx(policies[0].loss(data, generator()).item())


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_actions(kind: str) -> None:
    """Hidden while training alone, by the given generator alone."""
    policy, data = make_tiny(kind, action_dropout=1.0).train(), batch(8)
    other = replace(data, observations={**data.observations, "last_action": -data.observations["last_action"]})
    assert torch.equal(policy.loss(data, generator()), policy.loss(other, generator()))
    policy.eval()
    assert not torch.equal(policy.loss(data, generator()), policy.loss(other, generator()))

    policy = make_tiny(kind, action_dropout=0.5).train()
    losses = {policy.loss(data, generator(seed)).item() for seed in (0, 0, 1, 2, 3)}
    assert 1 < len(losses) <= 4
    assert policy.loss(data, generator(1)).item() == policy.loss(data, generator(1)).item()


def test_actions_are_hidden_by_whole_windows() -> None:
    """A window is as if it were seen in full, or as if none of its actions were."""
    policy, data = make_tiny("transformer", action_dropout=0.5).train(), batch(1)
    data.is_pad[:] = False
    hidden = replace(data, observations={**data.observations, "last_action": np.zeros((1, STEPS, 2), np.float32)})
    whole, none = (policy.eval().loss(each, generator()).item() for each in (data, hidden))
    assert {policy.train().loss(data, generator(seed)).item() for seed in range(20)} == {whole, none}


def test_observations_are_normalised_by_mean_and_deviation() -> None:
    """Mean 3, deviation 2 by hand; a dimension that never changes is shifted to 0."""
    values = np.array([[1.0, 7.0], [5.0, 7.0], [1.0, 7.0], [5.0, 7.0]], dtype=np.float32)
    normalizer = LocomotionPolicy.fit_observation([values[:1], values[1:]])
    np.testing.assert_allclose(normalizer.center, [3.0, 7.0])
    np.testing.assert_allclose(normalizer.half_range, [2.0, 1.0])
    scaling = Scaling([normalizer], LARGEST_OBSERVATION)
    np.testing.assert_allclose(scaling(torch.tensor([[4.0, 7.5], [99.0, -99.0]])), [[0.5, 0.5], [5.0, -5.0]])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_the_same_wherever_it_stands(kind: str, threads: int) -> None:
    """Bit for bit, at the registered size, for random rows, places and neighbours."""
    torch.set_num_threads(threads)
    policy = make_full(kind)
    draws, shapes = generator(), policy.features.observations

    def draw() -> dict[str, Tensor]:
        return {key: torch.randn(ROWS, 15, *shape, generator=draws) for key, shape in shapes.items()}

    for _ in range(4 if threads == 1 else 2):
        first, second = draw(), draw()
        reference = act(policy, first)
        order = torch.randperm(ROWS, generator=draws)
        assert torch.equal(act(policy, {key: part[order] for key, part in first.items()}), reference[order])
        source, place = torch.randint(ROWS, (2,), generator=draws).tolist()
        for key, part in second.items():
            part[place] = first[key][source]
        assert torch.equal(act(policy, second)[place], reference[source])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"joint_pos": (3,), "terrain": (10,)}, r"terrain holds 10 numbers, but scan_shape \(4, 3\) asks for 12: set"),
        ({"terrain": (12,)}, "at least one of them other than terrain and last_action; given: terrain, of which none"),
        ({}, "given: nothing"),
        ({"joint_pos": (3, 2)}, "given: joint_pos, of which joint_pos have another number of axes"),
    ],
)
def test_observations_that_it_cannot_read(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_tiny("transformer", features=replace(FEATURES, observations=shapes))


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match="width 32 must be a multiple of heads, 5"):
        make_tiny("transformer", FEATURES, **{"network.heads": 5})
    with pytest.raises(InvalidInput, match="observation_steps 0 must be at least 1"):
        LocomotionConfig(TransformerConfig(1, 1, 8), observation_steps=0)
    with pytest.raises(InvalidInput, match="action_dropout 1.5 must be between 0 and 1"):
        LocomotionConfig(TransformerConfig(1, 1, 8), action_dropout=1.5)
