from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from barkyard.datasets import WindowBatch
from barkyard.episode import Observations
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.latency import Latency
from barkyard.policies.policy import Origin, Policy
from barkyard.policies.registry import find
from tests.policies.synthetic import FEATURES, NORMALIZERS, TINY_UNET, make_tiny


class Echo(Policy):
    """Action `t` of a chunk is `(newest x + t / 100, oldest x)`: says what it saw, and when it was asked."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(TINY_UNET, FEATURES, NORMALIZERS, Origin("echo"))
        self.weight = torch.nn.Parameter(torch.tensor(value))
        self.rows: list[int] = []

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        return (1, 8, 2)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return self.weight

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        x = observations["position"][..., 0]
        self.rows.append(len(x))
        time = torch.arange(8) / 100
        return torch.stack((x[:, -1:] + time, x[:, :1].expand(-1, 8)), dim=-1) + self.weight


def observe(values: list[float]) -> Observations:
    position = np.zeros((len(values), 2), dtype=np.float32)
    position[:, 0] = values
    return {"position": position, "target": np.zeros_like(position), "unused": np.zeros((len(values), 5))}


def begin(actor: PolicyActor, slots: list[int], seeds: list[int]) -> None:
    actor.reset(np.array(slots, dtype=np.intp), np.array(seeds, dtype=np.int64))


def test_history_and_chunks() -> None:
    """To 2, Ta 4: a chunk is read from index 1 on, for four steps; the first observation is seen twice."""
    actor = PolicyActor(Echo(), 1)
    begin(actor, [0], [0])
    taken = [actor.act(observe([0.1 * step]))[0] for step in range(6)]
    expected = [[0.01, 0.0], [0.02, 0.0], [0.03, 0.0], [0.04, 0.0], [0.41, 0.3], [0.42, 0.3]]
    np.testing.assert_allclose(taken, expected, atol=1e-6)
    assert taken[0].dtype == np.float32


def test_a_new_episode_forgets_the_old_one_in_its_slot_only() -> None:
    actor = PolicyActor(Echo(), 2)
    begin(actor, [0, 1], [0, 1])
    actor.act(observe([0.1, 0.5]))
    begin(actor, [1], [2])
    np.testing.assert_allclose(actor.act(observe([0.2, 0.9])), [[0.12, 0.1], [0.91, 0.9]], atol=1e-6)


def test_slots_never_reset_are_given_zeros_and_not_computed() -> None:
    policy = Echo()
    actor = PolicyActor(policy, 3)
    begin(actor, [1], [0])
    actions = actor.act(observe([float("nan"), 0.5, float("nan")]))
    np.testing.assert_allclose(actions, np.array([[0, 0], [0.51, 0.5], [0, 0]]), atol=1e-6)


@pytest.mark.parametrize("slots", [1, 16, 17, 40])
def test_every_inference_has_the_same_rows(slots: int) -> None:
    policy = Echo()
    actor = PolicyActor(policy, slots, inference_batch=16)
    begin(actor, list(range(slots)), list(range(slots)))
    values = np.linspace(-1, 1, slots).tolist()
    np.testing.assert_allclose(actor.act(observe(values))[:, 1], values, atol=1e-6)
    assert policy.rows == [16] * -(-slots // 16)


def stream(seed: int, step: int) -> dict[str, NDArray[np.float32]]:
    """What an episode would observe, whatever is done."""
    values = np.random.default_rng((seed, step)).uniform(-1, 1, (2, 2)).astype(np.float32)
    return {"position": values[0], "target": values[1]}


def act_out(
    policy: Policy,
    num_slots: int,
    slot_of: dict[int, int],
    begin_of: dict[int, int],
    latency: Latency = Latency(),  # noqa: B008
) -> dict[int, bytes]:
    """Nine actions of each episode, with other episodes about it that begin at other times."""
    actor = PolicyActor(policy, num_slots, latency=latency)
    neighbours = np.random.default_rng(num_slots)
    taken: dict[int, list[bytes]] = {seed: [] for seed in slot_of}
    for now in range(max(begin_of.values()) + 9):
        starting = [seed for seed, start in begin_of.items() if start == now]
        begin(actor, [slot_of[seed] for seed in starting], starting)
        seen = {key: neighbours.uniform(-1, 1, (num_slots, 2)).astype(np.float32) for key in ("position", "target")}
        for seed, slot in slot_of.items():
            if now >= begin_of[seed]:
                for key, value in stream(seed, now - begin_of[seed]).items():
                    seen[key][slot] = value
        actions = actor.act(seen)
        for seed, slot in slot_of.items():
            if 0 <= now - begin_of[seed] < 9:
                taken[seed].append(actions[slot].tobytes())
    return {seed: b"".join(parts) for seed, parts in taken.items()}


@pytest.mark.parametrize(
    ("network", "changes"),
    [("unet", {}), ("unet", {"sampler": "ddpm"}), ("transformer", {}), ("transformer", {"objective": "mip"})],
)
def test_an_episode_does_not_depend_on_slot_or_neighbours(network: str, changes: dict[str, Any]) -> None:
    policy = make_tiny(network, **changes)
    alone = {seed: act_out(policy, 1, {seed: 0}, {seed: 0})[seed] for seed in range(5)}
    together = act_out(policy, 5, {seed: seed for seed in range(5)}, dict.fromkeys(range(5), 0))
    shuffled = act_out(policy, 23, {0: 22, 1: 17, 2: 3, 3: 15, 4: 16}, {0: 0, 1: 2, 2: 4, 3: 0, 4: 7})
    assert together == alone
    assert shuffled == alone
    assert len(set(alone.values())) == 5


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("network", ["diffusion-unet", "diffusion-transformer"])
def test_a_row_is_the_same_wherever_it_stands(network: str, threads: int) -> None:
    """Bit for bit, in the networks that are trained by default, for random rows, places and neighbours."""
    torch.set_num_threads(threads)
    policy = make_policy(network, FEATURES, NORMALIZERS, config=replace(find(network).make_config(), inference_steps=2))
    generator = torch.Generator().manual_seed(0)

    def draw() -> list[Tensor]:
        seen = [torch.randn(16, 2, 2, generator=generator) for _ in range(2)]
        return [*seen, torch.randn(16, *policy.noise_shape, generator=generator)]

    def predict(parts: list[Tensor]) -> Tensor:
        return policy.predict({"position": parts[0], "target": parts[1]}, parts[2])

    policy.eval()
    with torch.inference_mode():
        for _ in range(10 if threads == 1 else 2):
            first, second = draw(), draw()
            reference = predict(first)
            order = torch.randperm(16, generator=generator)
            assert torch.equal(predict([part[order] for part in first]), reference[order])
            source, place = torch.randint(16, (2,), generator=generator).tolist()
            for ours, theirs in zip(first, second, strict=True):
                theirs[place] = ours[source]
            assert torch.equal(predict(second)[place], reference[source])


def test_noise_comes_from_both_seeds() -> None:
    policy = make_tiny("unet")
    taken = set()
    for actor_seed, episode_seed in ((0, 0), (0, 1), (1, 0), (1, 1)):
        actor = PolicyActor(policy, 1, seed=actor_seed)
        begin(actor, [0], [episode_seed])
        taken.add(actor.act(observe([0.0])).tobytes())
    assert len(taken) == 4


def test_observation_that_is_not_a_number() -> None:
    actor = PolicyActor(Echo(), 2)
    begin(actor, [0, 1], [0, 1])
    with pytest.raises(InvalidInput, match="observation position of slot 1 is not finite"):
        actor.act(observe([0.0, float("nan")]))


def test_weights_that_are_not_numbers_leave_what_they_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    actor = PolicyActor(Echo(float("nan")), 2)
    begin(actor, [1], [0])
    with pytest.raises(CheckpointError, match="policy echo predicted actions that are not finite") as raised:
        actor.act(observe([0.0, 0.25]))
    (saved,) = tmp_path.glob("*/observation.npz")
    assert str(saved) in str(raised.value)
    with np.load(saved) as content:
        assert content["position"].tolist() == [[0.25, 0.0], [0.25, 0.0]]
        assert content["noise"].shape == (1, 8, 2)


def test_where_it_cannot_be_saved_the_error_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/none")
    actor = PolicyActor(Echo(float("nan")), 1)
    begin(actor, [0], [0])
    with pytest.raises(CheckpointError, match="not finite.*could not be saved"):
        actor.act(observe([0.0]))


def test_observations_that_do_not_fit() -> None:
    actor = PolicyActor(Echo(), 1)
    begin(actor, [0], [0])
    with pytest.raises(CheckpointError, match="reads the observations target, which are not among those offered: posi"):
        actor.act({"position": np.zeros((1, 2))})
    with pytest.raises(
        CheckpointError, match=r"observation target has shape \(3,\), but the policy learnt from \(2,\)"
    ):
        actor.act({"position": np.zeros((1, 2)), "target": np.zeros((1, 3))})


@pytest.mark.parametrize("rows", [0, 8, 17])
def test_rows_of_an_inference(rows: int) -> None:
    with pytest.raises(InvalidInput, match=f"inference_batch {rows} must be a multiple of 16"):
        PolicyActor(Echo(), 1, inference_batch=rows)
