"""The scripted experts: how often they succeed, that they recover, and that they are functions of the seed."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.episode import EVALUATION_SEED_START, Episode
from barkyard.experts import make_expert
from barkyard.experts.picking import _nut_turns
from barkyard.rollout import rollout


def _run(env_id: str, seeds: list[int], num_envs: int, **kwargs: Any) -> list[Episode]:
    env = make_vec_env(env_id, num_envs, autoreset_mode="Disabled", **kwargs)
    return list(rollout(env, make_expert(env), seeds, record_states=False))


@pytest.mark.parametrize(
    ("env_id", "n"),
    [
        ("barkyard/Lift-v0", 24),
        ("barkyard/Stack-v0", 12),
        ("barkyard/NutAssemblySquare-v0", 12),
        ("barkyard/Door-v0", 12),
        ("barkyard/PickPlaceCan-v0", 12),
    ],
)
def test_expert_succeeds(env_id: str, n: int) -> None:
    episodes = _run(env_id, [EVALUATION_SEED_START + 500 + i for i in range(n)], n)
    assert sum(e.success for e in episodes) >= n - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env_id", "least"),
    [
        ("barkyard/Lift-v0", 99),
        ("barkyard/Stack-v0", 98),
        ("barkyard/NutAssemblySquare-v0", 93),
        ("barkyard/Door-v0", 98),
        ("barkyard/PickPlaceCan-v0", 97),
    ],
)
def test_expert_succeeds_on_a_hundred_held_out_seeds(env_id: str, least: int) -> None:
    episodes = _run(env_id, [EVALUATION_SEED_START + i for i in range(100)], 50)
    assert sum(e.success for e in episodes) >= least


def test_an_episode_depends_on_its_seed_alone() -> None:
    alone, among = _run("barkyard/Lift-v0", [5], 1), _run("barkyard/Lift-v0", [3, 4, 5], 3)
    np.testing.assert_array_equal(alone[0].actions, among[2].actions)
    assert among[0].actions.shape != among[1].actions.shape or not np.array_equal(among[0].actions, among[1].actions)


def test_some_first_grasps_slip_and_are_mended() -> None:
    lengths = np.array([e.length for e in _run("barkyard/Lift-v0", list(range(8)), 8)])
    assert 1 <= (lengths > 45).sum() <= 5, "a slip costs a second approach"


@pytest.mark.parametrize("controller", ["JOINT_POSITION", "JOINT_VELOCITY", "IK_POSE"])
def test_other_controllers_lift_as_well(controller: str) -> None:
    assert all(e.success for e in _run("barkyard/Lift-v0", [0, 1, 2, 3], 4, controller=controller))


def test_it_begins_again_when_the_cube_is_lost() -> None:
    env = make_vec_env("barkyard/Lift-v0", 2, autoreset_mode="Disabled", terminate_on_success=False)
    observations, _ = env.reset(seed=[3, 3])
    expert = make_expert(env)
    task: Any = env.task
    expert.reset(np.arange(2), np.array([3, 3]))
    lifted = np.zeros(2, dtype=bool)
    for step in range(160):
        observations, _, _, _, info = env.step(expert.act(observations))
        if step == 45:
            assert info["success"].all(), "both hold the cube up"
            task.grasping.object.place(1, np.array([0.02, -0.02, 0.821]), np.array([1.0, 0.0, 0.0, 0.0]))
        if step == 47:
            assert list(info["success"]) == [True, False], "one has lost it"
        lifted = info["success"]
    assert lifted.all()


def test_it_begins_again_when_the_cube_slides_away_before_the_grasp() -> None:
    env = make_vec_env("barkyard/Lift-v0", 1, autoreset_mode="Disabled")
    observations, _ = env.reset(seed=1)
    expert = make_expert(env)
    task: Any = env.task
    expert.reset(np.arange(1), np.array([1]))
    for step in range(150):
        observations, _, terminated, _, _ = env.step(expert.act(observations))
        if step == 14:
            task.grasping.object.place(0, np.array([-0.08, 0.08, 0.821]), np.array([1.0, 0.0, 0.0, 0.0]))
        if terminated[0]:
            break
    assert terminated[0] and step > 20


def test_the_nut_is_turned_within_what_the_wrist_allows() -> None:
    yaw = np.linspace(-2 * np.pi, 2 * np.pi, 400)
    grasp, missing = _nut_turns(yaw)
    np.testing.assert_allclose(np.cos(yaw + missing), -1.0, atol=1e-12, err_msg="the handle points at the robot")
    np.testing.assert_allclose(np.sin(grasp - yaw), 0.0, atol=1e-12, err_msg="the fingers close across the handle")
    end = grasp + missing
    assert np.abs(grasp).max() <= 2.0 and end.min() >= -1e-12 and end.max() <= np.pi + 1e-12
