"""GET-Zero: kinematics against MuJoCo, biases against the graph, and laws of its losses over several bodies."""

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
import torch

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.bodies import robot_body
from barkyard.datasets import Normalizer, WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from barkyard.policies.checkpoint import load_policy, make_policy
from barkyard.policies.get_zero.body import read_body, stack_bodies
from barkyard.policies.get_zero.config import GetZeroConfig, ours, paper, paper_small
from barkyard.policies.get_zero.policy import GetZeroPolicy
from barkyard.policies.policy import BODY, FeatureSpec

BIG, SMALL = "leap_hand:i34-m1234-t1234", "leap_hand:i34-t34"
ROWS = 4


def features_of(body: Embodiment, bodies: tuple[Embodiment, ...] = ()) -> FeatureSpec:
    count = len(body.joints)
    shapes = {"joint_pos": (count,), "joint_target": (count,), "clock": (2,)}
    return FeatureSpec(shapes, count, "barkyard/HandRotate-v0", 0.05, {}, body, bodies)


def policy_of(config: GetZeroConfig | None = None, name: str = "get-zero") -> GetZeroPolicy:
    bodies = robot_body(BIG), robot_body(SMALL)
    features = features_of(bodies[0], bodies)
    sizes = {**{key: shape[0] for key, shape in features.observations.items()}, "action": features.action_dim}
    normalizers = {key: Normalizer.from_limits(-np.ones(size), np.ones(size)) for key, size in sizes.items()}
    policy = make_policy(name, features, normalizers, config=config)
    assert isinstance(policy, GetZeroPolicy)
    return policy


def batch_of(joints: int, body: int | None, seed: int = 0) -> WindowBatch:
    draw = np.random.default_rng(seed)

    def values(size: int) -> np.ndarray:
        return draw.uniform(-0.3, 0.8, (ROWS, 6, size)).astype(np.float32)

    observations = {"joint_pos": values(joints), "joint_target": values(joints), "clock": values(2)}
    if body is not None:
        observations[BODY] = np.full((ROWS, 1, 1), body, dtype=np.float32)
    return WindowBatch(observations, values(joints), np.zeros((ROWS, 6), dtype=bool))


def padded(batch: WindowBatch, joints: int) -> WindowBatch:
    def wide(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(0, 0), (0, 0), (0, joints - values.shape[-1])])

    kept = {key: wide(v) if key.startswith("joint") else v for key, v in batch.observations.items()}
    return WindowBatch(kept, wide(batch.actions), batch.is_pad)


def tensors(batch: WindowBatch) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(values) for key, values in batch.observations.items() if key != BODY}


@pytest.mark.parametrize("name", ["leap_hand", "leap_hand:i3+4+-m34-t1234", "barkour_vb"])
def test_forward_kinematics_is_mujocos(name: str) -> None:
    model, body = load_robot(name).make_spec().compile(), robot_body(name)
    data, own = mujoco.MjData(model), read_body(body)
    angles = np.random.default_rng(0).uniform(-1, 1, len(body.joints))
    for joint, angle in zip(body.joints, angles, strict=True):
        data.joint(joint.name).qpos[0] = angle
    mujoco.mj_kinematics(model, data)
    rows = stack_bodies([own], len(own)).take(torch.zeros(2, dtype=torch.long))
    frames = rows.forward_kinematics(torch.from_numpy(angles).float().expand(2, -1))
    root = data.body(body.limbs[0].name)
    into = root.xmat.reshape(3, 3).T
    for i, joint in enumerate(body.joints):
        number, limb = model.joint(joint.name).id, body.limbs[joint.limb]
        link = data.body(limb.name)
        tip = link.xpos + link.xmat.reshape(3, 3) @ np.array(limb.tip)
        np.testing.assert_allclose(frames.joints[1, i], into @ (data.xanchor[number] - root.xpos), atol=2e-6)
        np.testing.assert_allclose(frames.axes[1, i], into @ data.xaxis[number], atol=2e-6)
        np.testing.assert_allclose(frames.tips[1, i], into @ (tip - root.xpos), atol=2e-6)


def test_stretched_bodies_are_the_longer_hands() -> None:
    usual, longer = (read_body(robot_body(f"leap_hand:{name}")) for name in ("i34", "i3(36)4"))
    factors = torch.tensor([[(36.1 + 36.0) / 36.1, 1.0]])
    angles = torch.tensor([[0.4, 0.7]])
    stretched = stack_bodies([usual], 2).stretched(factors).forward_kinematics(angles)
    expected = stack_bodies([longer], 2).forward_kinematics(angles)
    torch.testing.assert_close(stretched.tips, expected.tips, atol=1e-6, rtol=0)
    torch.testing.assert_close(stretched.joints, expected.joints, atol=1e-6, rtol=0)


def test_the_bias_is_the_sum_of_the_three_tables() -> None:
    policy = policy_of()
    network, graph = policy.network, robot_body(BIG).joint_graph
    assert network.tables is not None
    bias = network.bias(policy._learnt.structure)
    assert bias is not None
    for layer, head, i, j in ((0, 0, 0, 0), (1, 2, 3, 1), (2, 3, 1, 9), (3, 1, 2, 5)):
        tables = network.tables[layer, :, head]
        expected = tables[0, graph.hop[i, j]]
        expected = expected + (tables[1, graph.ancestor[i, j]] if graph.ancestor[i, j] else 0.0)
        expected = expected + (tables[2, graph.descendant[i, j]] if graph.descendant[i, j] else 0.0)
        assert bias[layer, 0, head, i, j].item() == pytest.approx(expected.item(), abs=1e-7)
    assert torch.isinf(bias[:, 1, :, :, 4:]).all() and torch.isfinite(bias[:, 1, :, :, :4]).all()


def test_no_relation_learns_nothing() -> None:
    policy = policy_of()
    bias = policy.network.bias(policy._learnt.structure)
    assert bias is not None
    bias[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    tables = policy.network.tables
    assert tables is not None and tables.grad is not None
    assert (tables.grad[:, 1:, :, 0] == 0).all() and (tables.grad[:, 1:, :, 1] != 0).all()


def test_layers_begin_with_the_same_tables_that_are_their_own() -> None:
    tables = policy_of().network.tables
    assert tables is not None and len(tables) == 4
    assert all(torch.equal(tables[0], each) for each in tables)
    assert (tables[:, 1:, :, 0] == 0).all()


@pytest.mark.parametrize("config", [ours(), paper_small()], ids=["ours", "paper"])
def test_padding_changes_no_action(config: GetZeroConfig) -> None:
    """A small body among wide ones gets the actions that it gets alone, whatever stands in the padding."""
    policy = policy_of(config).eval()
    batch = batch_of(4, body=1)
    wide = padded(batch, 10)
    wide.observations["joint_pos"][:, :, 4:] = 3.0
    learnt, rows = policy._learnt, torch.ones(ROWS, dtype=torch.long)
    own = policy.for_body(robot_body(SMALL), features_of(robot_body(SMALL)).observations, 4)
    with torch.no_grad():
        expected = own.act(tensors(batch), torch.zeros(ROWS, 0))[:, 0]
        tokens = policy._tokens(
            tensors(wide), learnt.tensors.take(rows), _home_of(policy, rows), learnt.limits[rows], learnt.is_last[rows]
        )
        bias, order = policy._bias(learnt.structure, rows, learnt.structure.real[rows])
        found = policy.network(tokens, bias, order)[0].clamp(-1, 1)
    torch.testing.assert_close(found[:, :4], expected, atol=1e-5, rtol=1e-5)


def _home_of(policy: GetZeroPolicy, rows: torch.Tensor) -> Any:
    from barkyard.policies.get_zero.policy import _home

    return _home(policy._learnt.home, rows)


def test_a_masked_mean_weighs_small_bodies_as_much_as_large_ones() -> None:
    """With one error everywhere the loss of the actions is its square, whatever the body; as published it shrinks."""
    errors = torch.full((ROWS, 10), 0.5)
    mean, published = policy_of(ours()), policy_of(paper_small())
    for joints in (10, 4):
        counted = torch.zeros(ROWS, 10, dtype=torch.bool)
        counted[:, :joints] = True
        assert mean._mean(errors.square(), counted).item() == pytest.approx(0.25)
        assert published._mean(errors.square(), counted).item() == pytest.approx(0.25 * joints / 16)


def test_padded_steps_do_not_count() -> None:
    policy = policy_of().eval()
    whole = batch_of(10, body=0)
    changed = WindowBatch(whole.observations, whole.actions.copy(), whole.is_pad.copy())
    changed.actions[0, -1] = 1.0
    generator = torch.Generator().manual_seed(0)
    assert policy.loss(whole, generator).item() != policy.loss(changed, generator).item()
    whole.is_pad[0, -1] = changed.is_pad[0, -1] = True
    assert policy.loss(whole, generator).item() == policy.loss(changed, generator).item()


def test_a_longer_fingertip_is_seen_by_ours_alone() -> None:
    usual, longer = (robot_body(f"leap_hand:{name}") for name in ("i34-t1234", "i34+-t1234"))
    seen = tensors(batch_of(6, body=None))
    for config, differs in ((ours(), True), (paper_small(), False)):
        policy = policy_of(config).eval()
        with torch.no_grad():
            one, other = (
                policy.for_body(body, features_of(body).observations, 6).act(seen, torch.zeros(ROWS, 0))
                for body in (usual, longer)
            )
        assert torch.equal(one, other) != differs


def test_like_fingers_are_told_apart_by_place_or_by_graph() -> None:
    """Exchanged readings of two equal fingertips exchange the actions where nothing tells the fingers apart."""
    body = robot_body("leap_hand:i34-m34-t1234")
    order = [0, 3, 2, 1, 4, 5, 6, 7]
    seen = tensors(batch_of(8, body=None))
    crossed = {key: v[:, :, order] if key.startswith("joint") else v for key, v in seen.items()}
    for name, same in (("embodiment-transformer", True), ("get-zero-small", False), ("get-zero", False)):
        policy = policy_of(name=name).eval().for_body(body, features_of(body).observations, 8)
        with torch.no_grad():
            one, other = (policy.act(each, torch.zeros(ROWS, 0))[:, 0] for each in (seen, crossed))
        assert torch.allclose(one[:, order], other, atol=1e-5) == same, name


def test_it_learns_the_self_model() -> None:
    torch.manual_seed(0)
    policy = policy_of().train()
    optimiser = torch.optim.Adam(policy.parameters(), 2e-3)
    generator, losses = torch.Generator().manual_seed(0), []
    batch = batch_of(10, body=0)
    for _ in range(60):
        optimiser.zero_grad()
        loss = policy.loss(batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert policy.eval().link_places(tensors(batch)).shape == (ROWS, 10, 3)


def test_the_published_size() -> None:
    """16,860,960 by hand count, of which 784 a layer are biases; ours have 17 rows in each of the three tables."""
    policy = policy_of(paper())
    assert sum(weights.numel() for weights in policy.network.parameters()) == 16_860_960 + 8 * (3 * 16 * 17 - 784)


def test_a_checkpoint_acts_with_a_body_that_it_never_saw(tmp_path: Path) -> None:
    policy = policy_of().eval()
    policy.save(tmp_path / "checkpoint")
    again = load_policy(tmp_path / "checkpoint")
    body, seen = robot_body("leap_hand:i1+234-r34+-t234"), tensors(batch_of(9, body=None))
    with torch.no_grad():
        one, other = (
            each.for_body(body, features_of(body).observations, 9).act(seen, torch.zeros(ROWS, 0))
            for each in (policy, again)
        )
    assert torch.equal(one, other) and one.shape == (ROWS, 1, 9)


def test_a_quadruped_with_a_locked_joint_is_a_body_too() -> None:
    spec = load_robot("barkour_vb").make_spec()
    spec.delete(spec.actuator("FL_knee"))
    spec.delete(spec.joint("FL_knee"))
    locked = Embodiment.from_model(spec.compile())
    assert len(locked.joints) == 11
    policy = policy_of().eval().for_body(locked, features_of(locked).observations, 11)
    with torch.no_grad():
        assert policy.act(tensors(batch_of(11, body=None)), torch.zeros(ROWS, 0)).shape == (ROWS, 1, 11)


def test_bodies_and_parts_that_do_not_fit_are_refused() -> None:
    policy = policy_of()
    with pytest.raises(InvalidInput, match="joint_pos"):
        policy.for_body(robot_body(SMALL), {"joint_pos": (7,), "joint_target": (7,), "clock": (2,)}, 4)
    with pytest.raises(InvalidInput, match="reads"):
        policy.for_body(robot_body(SMALL), {"joint_pos": (4,), "clock": (2,)}, 4)
    with pytest.raises(InvalidInput, match="embodiment"):
        make_policy("get-zero", FeatureSpec({"joint_pos": (4,)}, 4, "e", 0.05), {"joint_pos": None, "action": None})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match="multiple of heads"):
        GetZeroConfig(width=10)
