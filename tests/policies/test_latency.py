"""Acting with chunks that are late: actions by hand, and what real-time chunking holds on to."""

from collections.abc import Mapping
from dataclasses import replace
from math import e, expm1
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from barkyard.datasets import WindowBatch
from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.latency import Latency, prefix_weights
from barkyard.policies.policy import Origin, Policy
from tests.policies.synthetic import FEATURES, NORMALIZERS, TINY_UNET, make_tiny
from tests.policies.test_actor import act_out


class Echo(Policy):
    """Action i of a chunk of eight is `(newest x + i / 100, 0)`: says when it was asked. Keeps what it is told."""

    def __init__(self, action_steps: int) -> None:
        super().__init__(replace(TINY_UNET, action_steps=action_steps), FEATURES, NORMALIZERS, Origin("echo"))
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.told: list[tuple[np.ndarray, np.ndarray]] = []

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        return (1, 8, 2)

    @property
    def inpaints(self) -> bool:
        return True

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return self.weight

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        x = observations["position"][:, -1:, 0] + torch.arange(8) / 100
        return torch.stack((x, torch.zeros_like(x)), dim=-1)

    def inpaint(self, observations: Mapping[str, Tensor], noise: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        self.told.append((known[0, :, 0].numpy().copy(), weights.numpy().copy()))
        return self.predict(observations, noise)


def observe(value: float) -> Observations:
    return {"position": np.array([[value, 0.0]], dtype=np.float32), "target": np.zeros((1, 2), dtype=np.float32)}


def begin(actor: PolicyActor, seed: int = 0) -> None:
    actor.reset(np.array([0], dtype=np.intp), np.array([seed], dtype=np.int64))


def act(actor: PolicyActor, steps: int) -> list[float]:
    """First elements of the actions; the observation of step k is k / 10."""
    return [round(float(actor.act(observe(0.1 * step))[0, 0]), 5) for step in range(steps)]


def test_the_old_chunk_goes_on_until_the_new_one_is_there() -> None:
    """To 2, so action 1 belongs to the newest observation. Four actions a chunk, two steps late: what is asked for at
    step 4, of observation 0.4, acts from step 6 on, with its action 1 + 2."""
    actor = PolicyActor(Echo(4), 1, latency=Latency(2))
    begin(actor)
    late = [0.05, 0.06, 0.43, 0.44, 0.45, 0.46, 0.83]
    assert act(actor, 11) == [0.01, 0.02, 0.03, 0.04, *late]
    assert actor.name == "echo with delay 2"


def test_a_delay_beyond_the_chunk_makes_the_chunk_longer() -> None:
    """Two actions a chunk, three steps late: one inference runs at a time, so three actions are executed of each."""
    actor = PolicyActor(Echo(2), 1, latency=Latency(3))
    begin(actor)
    assert act(actor, 11) == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.34, 0.35, 0.36, 0.64, 0.65]


def test_a_new_episode_begins_with_a_chunk_of_its_own_and_without_delay() -> None:
    actor = PolicyActor(Echo(4), 1, latency=Latency(2))
    begin(actor)
    act(actor, 5)
    begin(actor, seed=1)
    assert act(actor, 7) == [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.43]


@pytest.mark.parametrize("seed", [0, 1])
def test_without_delay_nothing_changes(seed: int) -> None:
    policy = make_tiny("unet")
    actors = PolicyActor(policy, 1), PolicyActor(policy, 1, latency=Latency(0))
    for actor in actors:
        begin(actor, seed)
    for step in range(9):
        first, second = (actor.act(observe(0.1 * step)) for actor in actors)
        assert first.tobytes() == second.tobytes()


def test_what_real_time_chunking_is_told() -> None:
    """Four actions a chunk, two steps late. At step 4 the old chunk has its actions 4..7 for the new one's 0..3, of
    which 0 was executed and 1 and 2 will be; 3 counts by half: 0.5 (e^0.5 - 1) / (e - 1)."""
    policy = Echo(4)
    actor = PolicyActor(policy, 1, latency=Latency(2, real_time_chunking=True))
    begin(actor)
    act(actor, 9)
    (first, weights), (second, _) = policy.told
    np.testing.assert_allclose(first, [0.04, 0.05, 0.06, 0.07, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(second, [0.44, 0.45, 0.46, 0.47, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(weights, [1, 1, 1, 0.5 * expm1(0.5) / (e - 1), 0, 0, 0, 0], atol=1e-6)
    assert actor.name == "echo with delay 2 by real-time chunking"


def test_what_was_executed_is_told_as_it_was() -> None:
    """Two actions a chunk, two steps late. The chunk asked for at step 2 acts from step 4 on; the one asked for at
    step 4 is told that step 3's action, its own number 0, was 0.04 of the first chunk and not 0.22 of the second."""
    policy = Echo(2)
    actor = PolicyActor(policy, 1, latency=Latency(2, real_time_chunking=True))
    begin(actor)
    assert act(actor, 5) == [0.01, 0.02, 0.03, 0.04, 0.23]
    np.testing.assert_allclose(policy.told[1][0], [0.04, 0.23, 0.24, 0.25, 0.26, 0.27, 0, 0], atol=1e-6)


def test_weights_by_hand() -> None:
    """One frozen action and three that fade: c = 3/4, 2/4, 1/4, each c (e^c - 1) / (e - 1)."""
    faded = [c * expm1(c) / (e - 1) for c in (0.75, 0.5, 0.25)]
    np.testing.assert_allclose(prefix_weights(6, 1, 4), [1.0, *faded, 0.0, 0.0], rtol=1e-6)
    assert prefix_weights(3, 0, 0).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "changes", [{}, {"objective": "flow", "sampler": "euler"}, {"objective": "flow", "sampler": "heun"}]
)
def test_real_time_chunking_keeps_to_what_is_frozen(changes: dict[str, Any]) -> None:
    """Without weights it is a plain prediction; with them it comes nearer to what is known, there and not elsewhere."""
    policy = make_tiny("unet", inference_steps=4, **changes).eval()
    generator = torch.Generator().manual_seed(0)
    seen = {key: torch.rand(16, 2, 2, generator=generator) for key in ("position", "target")}
    noise = torch.randn(16, *policy.noise_shape, generator=generator)
    known = 0.5 * torch.rand(16, 8, 2, generator=generator)
    with torch.inference_mode():
        free = policy.predict(seen, noise)
        torch.testing.assert_close(policy.inpaint(seen, noise, known, torch.zeros(8)), free, atol=1e-5, rtol=0)
        held = policy.inpaint(seen, noise, known, torch.tensor([1.0] * 4 + [0.0] * 4))
    before, after = ((chunk - known).square().mean(dim=(0, 2)) for chunk in (free, held))
    assert (after[:4] < 0.5 * before[:4]).all()


def test_an_episode_does_not_depend_on_slot_or_neighbours() -> None:
    """Bit for bit, gradients and all."""
    policy = make_tiny("unet", inference_steps=2, action_steps=2)
    late = Latency(2, real_time_chunking=True)
    alone = {seed: act_out(policy, 1, {seed: 0}, {seed: 0}, late)[seed] for seed in range(3)}
    together = act_out(policy, 19, {0: 18, 1: 16, 2: 3}, {0: 0, 1: 1, 2: 4}, late)
    assert together == alone
    assert len(set(alone.values())) == 3


def test_what_cannot_be_late() -> None:
    with pytest.raises(InvalidInput, match="a delay of 4 steps needs a horizon of 9 actions and the policy predicts 8"):
        PolicyActor(Echo(4), 1, latency=Latency(4))
    with pytest.raises(InvalidInput, match="'diffusion-unet' cannot do real-time chunking"):
        PolicyActor(make_tiny("unet", sampler="ddpm"), 1, latency=Latency(0, real_time_chunking=True))
    with pytest.raises(InvalidInput, match="delay -1 must be at least 0"):
        Latency(-1)
