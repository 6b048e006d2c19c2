"""Hands with different numbers of joints in one batch: what is padded is seen by nobody, and counts for nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.bodies import robot_body
from barkyard.datasets import Dataset, DatasetWriter, WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.episode import Episode
from barkyard.policies.checkpoint import load_policy, make_policy
from barkyard.policies.get_zero.config import GetZeroConfig, ours, paper_small
from barkyard.policies.get_zero.policy import GetZeroPolicy
from barkyard.policies.policy import BODY
from barkyard.policies.train import LAST, train
from barkyard.policies.training_data import TrainingData

HANDS = ("i34-t34", "i34-m1234-t1234", "m34-t1234")
JOINTS = (4, 10, 6)
CONFIGS = {
    "ours": replace(ours(), drop_joints=0.0, stretch=0.0),
    "paper": replace(paper_small(), masked_mean=True, dropout=0.0),
    "depth first": replace(paper_small(), structure="depth_first", masked_mean=True, dropout=0.0),
}


def hand_episode(hand: str, joints: int, seed: int, length: int = 12) -> Episode:
    rng = np.random.default_rng(seed)
    seen = {
        key: rng.uniform(0.1, 0.9, (length + 1, size)).astype(np.float32)
        for key, size in (("joint_pos", joints), ("joint_target", joints), ("clock", 2))
    }
    return Episode(
        observations=seen,
        actions=seen["joint_pos"][:-1],
        rewards=np.zeros(length, dtype=np.float32),
        success=True,
        end="success",
        dt=0.05,
        seed=seed,
        env_id="barkyard/HandRotate-v0",
        env_kwargs={"embodiment": hand},
        acted_by=np.full(length, "expert"),
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("hands")
    for hand, joints in zip(HANDS, JOINTS, strict=True):
        with DatasetWriter.create(root / hand, hand_episode(hand, joints, 0)) as writer:
            for seed in range(4):
                writer.write(hand_episode(hand, joints, seed))
    return [root / hand for hand in HANDS]


def data_of(paths: list[Path], mapped: bool = False, config: GetZeroConfig = CONFIGS["ours"]) -> TrainingData:
    datasets = [Dataset.open(path, mapped=mapped) for path in paths]
    return TrainingData(
        datasets, config, None, 0.3, 0, embodiment=[robot_body(f"leap_hand:{path.name}") for path in paths]
    )


def policy_of(data: TrainingData, config: GetZeroConfig) -> GetZeroPolicy:
    policy = make_policy("get-zero", data.features, data.normalizers, config=config)
    assert isinstance(policy, GetZeroPolicy)
    return policy


def loss_of(policy: GetZeroPolicy, batch: WindowBatch) -> torch.Tensor:
    return policy.loss(batch, torch.Generator().manual_seed(0))


def rows_of(batch: WindowBatch, rows: np.ndarray) -> WindowBatch:
    return WindowBatch({k: v[rows] for k, v in batch.observations.items()}, batch.actions[rows], batch.is_pad[rows])


def filled(batch: WindowBatch, value: float) -> WindowBatch:
    """The batch with `value` in every padded slot."""
    numbers = batch.observations[BODY][:, 0, 0].astype(int)
    slots = np.arange(max(JOINTS))[None] >= np.array(JOINTS)[numbers][:, None]
    seen: Mapping[str, np.ndarray] = {
        key: np.where(slots[:, None], np.float32(value), v) if key.startswith("joint") else v
        for key, v in batch.observations.items()
    }
    return WindowBatch(dict(seen), np.where(slots[:, None], np.float32(value), batch.actions), batch.is_pad)


def test_every_batch_is_as_wide_as_the_widest_hand_of_all(paths: list[Path]) -> None:
    """Also one that has none of it."""
    data = data_of(paths)
    small = data.training.gather(np.arange(5))
    assert small.observations[BODY].ravel().tolist() == [0.0] * 5
    assert small.actions.shape == (5, 6, 10) and small.observations["joint_pos"].shape == (5, 6, 10)
    assert small.actions[..., :4].all() and not small.actions[..., 4:].any()
    assert small.observations["clock"].shape == (5, 6, 2)
    assert torch.isfinite(loss_of(policy_of(data, CONFIGS["ours"]).eval(), small))


def test_mapped_datasets_give_the_same_batches_and_normalizers_bit_for_bit(paths: list[Path]) -> None:
    memory, mapped = data_of(paths), data_of(paths, mapped=True)
    order = np.random.default_rng(0).permutation(len(memory.training))
    one, other = (each.training.gather(order) for each in (memory, mapped))
    assert one.actions.tobytes() == other.actions.tobytes() and one.is_pad.tobytes() == other.is_pad.tobytes()
    assert {k: v.tobytes() for k, v in one.observations.items()} == {
        k: v.tobytes() for k, v in other.observations.items()
    }
    assert {k: n.to_json() for k, n in memory.normalizers.items()} == {
        k: n.to_json() for k, n in mapped.normalizers.items()
    }


def test_normalizers_fitted_in_blocks_are_those_of_all_rows(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    fit = GetZeroPolicy.fit_observation
    datasets, bodies = [Dataset.open(path) for path in paths], [robot_body(f"leap_hand:{path.name}") for path in paths]
    whole = TrainingData(datasets, CONFIGS["ours"], None, 0.3, 0, fit, bodies)
    monkeypatch.setattr("barkyard.policies.training_data._BLOCK", 7)
    blocks = TrainingData(datasets, CONFIGS["ours"], None, 0.3, 0, fit, bodies)
    for key, normalizer in whole.normalizers.items():
        np.testing.assert_allclose(blocks.normalizers[key].low, normalizer.low, rtol=1e-6)
        np.testing.assert_allclose(blocks.normalizers[key].high, normalizer.high, rtol=1e-6)
    clock = whole.training.gather(np.arange(len(whole.training))).observations["clock"][:, -1].astype(np.float64)
    np.testing.assert_allclose(whole.normalizers["clock"].center, clock.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(whole.normalizers["clock"].half_range, clock.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_stands_in_padded_slots_changes_neither_loss_nor_gradient(name: str, paths: list[Path]) -> None:
    data = data_of(paths, config=CONFIGS[name])
    policy = policy_of(data, CONFIGS[name]).train()
    batch = data.training.gather(np.arange(0, len(data.training), 3))
    found = []
    for each in (batch, filled(batch, 0.7)):
        policy.zero_grad()
        loss = loss_of(policy, each)
        loss.backward()  # type: ignore[no-untyped-call]
        found.append((loss.item(), [p.grad.clone() for p in policy.parameters() if p.grad is not None]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    other_actions = WindowBatch(batch.observations, batch.actions + 0.1, batch.is_pad)
    assert loss_of(policy, other_actions).item() != pytest.approx(found[0][0], rel=1e-3)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_loss_is_the_mean_over_joints_whatever_else_is_in_the_batch(name: str, paths: list[Path]) -> None:
    """Of a mixed batch: that of each hand's rows alone, weighted by their joints."""
    data = data_of(paths, config=CONFIGS[name])
    policy = policy_of(data, CONFIGS[name]).eval()
    batch = data.training.gather(np.random.default_rng(1).permutation(len(data.training)))
    numbers = batch.observations[BODY][:, 0, 0]
    with torch.no_grad():
        alone = [loss_of(policy, rows_of(batch, np.flatnonzero(numbers == i))).item() for i in range(3)]
        mixed = loss_of(policy, batch).item()
    weights = np.array([np.sum(numbers == i) * JOINTS[i] for i in range(3)])
    assert mixed == pytest.approx(float(np.average(alone, weights=weights)), rel=1e-5)
    assert len({round(value, 4) for value in alone}) == 3


@pytest.mark.parametrize("name", CONFIGS)
def test_acting_is_the_trained_function_of_each_hand(name: str, paths: list[Path]) -> None:
    """The loss on a hand's padded rows is that of the actions which the policy takes with that hand."""
    config = replace(CONFIGS[name], self_model=0.0)
    data = data_of(paths, config=config)
    policy = policy_of(data, config).eval()
    for number, (hand, joints) in enumerate(zip(HANDS, JOINTS, strict=True)):
        every = data.training.gather(np.arange(len(data.training)))
        batch = rows_of(every, np.flatnonzero(every.observations[BODY][:, 0, 0] == number))
        seen = {
            key: torch.from_numpy(v[..., :joints] if key.startswith("joint") else v)
            for key, v in batch.observations.items()
            if key != BODY
        }
        shapes = {"joint_pos": (joints,), "joint_target": (joints,), "clock": (2,)}
        own = policy.for_body(robot_body(f"leap_hand:{hand}"), shapes, joints)
        with torch.no_grad():
            actions = own._forward(seen)[0].numpy()
            expected = ((actions - batch.actions[:, -1, :joints]) ** 2).mean()
            assert loss_of(policy, batch).item() == pytest.approx(expected, rel=1e-5)
            np.testing.assert_allclose(own.act(seen, torch.empty(0))[:, 0], actions.clip(-1, 1), atol=2e-6)


def test_a_snapshot_follows_the_weights(paths: list[Path]) -> None:
    data = data_of(paths)
    policy = policy_of(data, CONFIGS["ours"]).eval()
    seen = {key: torch.rand(3, 6, *shape) for key, shape in data.features.observations.items()}
    with torch.no_grad():
        before = policy.act(seen, torch.empty(0))
        assert torch.equal(policy.act(seen, torch.empty(0)), before)
        assert policy.network.tables is not None
        policy.network.tables[:, :, :, 1:] += torch.rand_like(policy.network.tables[:, :, :, 1:])
        after = policy.act(seen, torch.empty(0))
        expected = policy._forward(seen)[0].clamp(-1, 1)[:, None]
    assert not torch.allclose(after, before, atol=1e-4)
    torch.testing.assert_close(after, expected, atol=2e-6, rtol=1e-5)


def test_a_quadruped_and_one_with_a_locked_leg_joint_learn_together(tmp_path: Path) -> None:
    """What each joint does is where it is; the checkpoint does it with both bodies, of 12 and of 11 joints."""
    spec = load_robot("barkour_vb").make_spec()
    spec.delete(spec.actuator("FL_knee"))
    spec.delete(spec.joint("FL_knee"))
    bodies = [robot_body("barkour_vb"), Embodiment.from_model(spec.compile())]
    counts = [len(body.joints) for body in bodies]
    for count in counts:
        with DatasetWriter.create(tmp_path / str(count), hand_episode("", count, 0)) as writer:
            for seed in range(4):
                writer.write(hand_episode("", count, seed))
    words = {"layers": 2, "width": 32, "feed_forward": 32, "drop_joints": 0.0, "training.warmup_steps": 5}
    words |= {"training.learning_rate": 5e-3, "training.held_out": 0.3}
    out = tmp_path / "run"
    paths = [tmp_path / str(count) for count in counts]
    train(paths, "get-zero", out, steps=240, batch_size=32, overrides=words, embodiment=bodies, quiet=True)
    policy = load_policy(out / LAST).eval()
    for body, count in zip(bodies, counts, strict=True):
        episode = hand_episode("", count, 9)
        windows = np.arange(5)[:, None] + np.arange(6)
        seen = {key: torch.from_numpy(values[windows]) for key, values in episode.observations.items()}
        own = policy.for_body(body, {key: values.shape[2:] for key, values in seen.items()}, count)
        with torch.no_grad():
            error = own.act(seen, torch.empty(0))[:, 0] - seen["joint_pos"][:, -1]
        assert float(error.square().mean()) < 0.5 * float(seen["joint_pos"].var()), count
