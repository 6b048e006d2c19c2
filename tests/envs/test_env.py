"""The engine: the Gymnasium contract, determinism, autoreset, diverging simulations, pictures and bad input."""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import barkyard  # noqa: F401
from barkyard.assets.calibration import Calibration
from barkyard.envs.entries import ENVIRONMENTS
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput

LIFT = "barkyard/Lift-v0"


def _episode(env: Any, seeds: list[int], steps: int = 30) -> list[np.ndarray]:
    """Everything observed in copies 0, 1 and the last, whose seeds and actions are the same at any N."""
    rows = [0, 1, env.num_envs - 1] if env.num_envs > 1 else [0]
    observations, _ = env.reset(seed=seeds)
    draws = [np.random.default_rng(s) for s in seeds]
    out = []
    for _ in range(steps):
        actions = np.array([draw.uniform(-1, 1, env.single_action_space.shape) for draw in draws], dtype=np.float32)
        observations, reward, *_ = env.step(actions)
        flat = np.concatenate([*observations.values(), reward[:, None]], axis=1)
        out.append(np.concatenate([flat[rows], env.get_states()[rows]], axis=1))
    return out


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_alone_and_among_64(env_id: str, threads: int) -> None:
    seeds = list(range(100, 164))
    many = _episode(make_vec_env(env_id, 64, num_threads=threads), seeds)
    for row, seed in ((0, seeds[0]), (1, seeds[1]), (2, seeds[-1])):
        alone = _episode(make_vec_env(env_id, 1), [seed])
        for together, single in zip(many, alone, strict=True):
            np.testing.assert_array_equal(together[row], single[0])


@pytest.mark.parametrize(
    ("env_id", "controller"),
    [*((env_id, None) for env_id in ENVIRONMENTS), ("barkyard/Lift-v0", "JOINT_POSITION")],
)
def test_check_env_has_no_complaint(env_id: str, controller: str | None) -> None:
    env = gym.make(env_id, controller=controller, render_mode="rgb_array", render_size=(32, 32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_gym_make_is_a_batch_of_one() -> None:
    single, batch = gym.make("barkyard:barkyard/Lift-v0"), gym.make_vec(LIFT, num_envs=2)
    assert isinstance(batch.unwrapped, RobotVectorEnv) and batch.num_envs == 2
    first, info = single.reset(seed=4)
    both, _ = batch.unwrapped.reset(seed=[4, 5])
    action = np.full(7, 0.3, dtype=np.float32)
    for _ in range(5):
        first, reward, terminated, truncated, info = single.step(action)
        both, rewards, *_ = batch.step(np.stack([action, action]))
    for name in first:
        np.testing.assert_array_equal(first[name], both[name][0])
    assert reward == rewards[0] and not terminated and not truncated
    assert (
        info["success"] is False and info["is_success"] is False and set(info["metrics"]) == {"reach", "grasp", "lift"}
    )


def _finish(env: RobotVectorEnv) -> tuple[Any, ...]:
    """Step to the end of copy 0's episode, which begins 3 steps before the limit; copy 1 goes on."""
    env.reset(seed=[1, 2])
    states = env.get_states()
    env.simulation.time[0] = 20.0 - 3 * env.control_dt
    assert states.shape == env.get_states().shape
    rest = np.zeros((2, 7), dtype=np.float32)
    for _ in range(2):
        *_, truncated, _ = env.step(rest)
        assert not truncated.any()
    return env.step(rest)


def test_next_step_autoreset() -> None:
    env = make_vec_env(LIFT, 2, autoreset_mode=AutoresetMode.NEXT_STEP)
    last, _, _, truncated, info = _finish(env)
    assert list(truncated) == [True, False] and list(info["end"]) == ["time_limit", ""]
    first, reward, terminated, truncated, info = env.step(np.ones((2, 7), dtype=np.float32))
    assert reward[0] == 0.0 and not terminated.any() and not truncated.any() and info["end"][0] == ""
    assert list(env.simulation.elapsed_steps()) == [0, 4]
    assert np.abs(first["joint_vel"][0]).max() == 0.0
    assert not np.array_equal(first["object_pos_world"][0], last["object_pos_world"][0])


def test_same_step_autoreset() -> None:
    env = make_vec_env(LIFT, 2, autoreset_mode="SameStep")
    observations, _, _, truncated, info = _finish(env)
    assert list(truncated) == [True, False] and list(info["_final_obs"]) == [True, False]
    assert info["final_info"]["end"][0] == "time_limit" and info["end"][0] == ""
    assert list(env.simulation.elapsed_steps()) == [0, 3]
    assert not np.array_equal(info["final_obs"]["joint_pos"][0], observations["joint_pos"][0])
    np.testing.assert_array_equal(info["final_obs"]["joint_pos"][1], observations["joint_pos"][1])


def test_disabled_autoreset_resets_by_mask() -> None:
    env = make_vec_env(LIFT, 2, autoreset_mode=AutoresetMode.DISABLED)
    last, *_ = _finish(env)
    observations, _ = env.reset(seed=[9, None], options={"reset_mask": np.array([True, False])})
    expected, _ = make_vec_env(LIFT, 1).reset(seed=9)
    np.testing.assert_array_equal(observations["joint_pos"][0], expected["joint_pos"][0])
    np.testing.assert_array_equal(observations["joint_pos"][1], last["joint_pos"][1])
    assert list(env.simulation.elapsed_steps()) == [0, 3]


def test_success_terminates_unless_told_not_to() -> None:
    for terminate in (True, False):
        env = make_vec_env(LIFT, 2, terminate_on_success=terminate, reward="sparse", autoreset_mode="Disabled")
        env.reset(seed=0)
        task: Any = env.task
        task.grasping.object._qpos[1, 2] = 0.9
        _, reward, terminated, truncated, info = env.step(np.zeros((2, 7), dtype=np.float32))
        assert list(info["success"]) == [False, True] and list(reward) == [0.0, 1.0]
        assert list(terminated) == [False, terminate] and not truncated.any()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_diverging_simulation_ends_its_own_episode_only(mode: AutoresetMode) -> None:
    env, twin = make_vec_env(LIFT, 3, autoreset_mode=mode), make_vec_env(LIFT, 3, autoreset_mode=mode)
    env.reset(seed=0)
    twin.reset(seed=0)
    env.simulation.qvel[1, 3] = 1e12
    action = np.full((3, 7), 0.2, dtype=np.float32)
    observations, reward, terminated, truncated, info = env.step(action)
    expected, rewards, *_ = twin.step(action)
    np.testing.assert_array_equal(reward[[0, 2]], rewards[[0, 2]])
    assert list(truncated) == [False, True, False] and not terminated.any() and reward[1] == 0.0
    final = info["final_info"] if mode == AutoresetMode.SAME_STEP else info
    assert final["end"][1] == "simulation_error"
    assert "mjWARN_BADQACC" in final["simulation_error"][1] or "mjWARN_BADQVEL" in final["simulation_error"][1]
    assert final["simulation_error"][0] == ""
    for name in observations:
        assert np.isfinite(observations[name]).all()
        np.testing.assert_array_equal(observations[name][[0, 2]], expected[name][[0, 2]])
    env.reset(seed=0)
    twin.reset(seed=0)
    again, fresh = env.step(action)[0], twin.step(action)[0]
    for name in again:
        np.testing.assert_array_equal(again[name], fresh[name])


def test_lift_draws_the_cube_as_robosuite_does() -> None:
    env = make_vec_env(LIFT, 400)
    observations, _ = env.reset(seed=0)
    half = env.simulation.memory[:]
    assert half.min() >= 0.020 and half.max() <= 0.022 and np.std(half, axis=0).min() > 0.0005
    pos = observations["object_pos_world"]
    assert np.abs(pos[:, :2]).max() <= 0.03 and np.std(pos[:, :2], axis=0).min() > 0.015
    np.testing.assert_allclose(pos[:, 2], 0.81 + half[:, 2], atol=1e-6)
    model = env.simulation.batch.get_model(7)
    body = model.body("object/main").id
    x, y, z = half[7]
    mass = 8000.0 * x * y * z
    np.testing.assert_allclose(model.body_mass[body], mass)
    np.testing.assert_allclose(
        model.body_inertia[body], mass / 3 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
    )
    np.testing.assert_allclose(model.geom("object/g0").size, half[7])


def test_the_can_keeps_clear_of_the_walls() -> None:
    env = make_vec_env("barkyard/PickPlaceCan-v0", 300)
    pos = env.reset(seed=0)[0]["object_pos_world"]
    offset = np.abs(pos[:, :2] - [0.1, -0.25])
    assert offset[:, 0].max() <= 0.12 + 1e-6 and offset[:, 1].max() <= 0.17 + 1e-6
    assert offset[:, 0].max() > 0.11 and offset[:, 1].max() > 0.16
    np.testing.assert_allclose(pos[:, 2], 0.86, atol=1e-6)


def test_pictures_show_the_scene() -> None:
    env = make_vec_env(LIFT, 2, cameras=("agentview",), camera_size=(48, 64))
    observations, _ = env.reset(seed=0)
    image = observations["image_agentview"]
    assert image.shape == (2, 48, 64, 3) and image.dtype == np.uint8
    space: Any = env.single_observation_space
    assert space["image_agentview"].contains(image[0])
    red = (image[..., 0] > 1.6 * image[..., 1].astype(float)) & (image[..., 0] > 60)
    assert red.sum(axis=(1, 2)).min() > 3, "the red cube is in view"
    assert not np.array_equal(image[0], image[1]), "the cubes stand in different places"
    env.close()


def test_render_needs_a_mode() -> None:
    env = gym.make(LIFT, render_mode="rgb_array", render_size=(40, 50))
    env.reset(seed=0)
    picture: Any = env.render()
    assert picture.shape == (40, 50, 3)
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"controller": "OSC"}, "OSC_POSE"),
        ({"robot": "pandas"}, "panda"),
        ({"reward": "shaped"}, "'dense', 'sparse'"),
        ({"cameras": ("front",)}, "agentview"),
        ({"render_mode": "human"}, "rgb_array"),
        ({"num_envs": 0}, "at least 1"),
        ({"calibration": "nowhere.json"}, "nowhere.json"),
        ({"calibration": {"schema": 1}}, "schema is 1"),
        ({"calibration": Calibration("other", "0123", (), "real")}, "'other', model 0123; .* 'panda', model"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_vec_env(LIFT, **arguments)


def test_unknown_ids_get_the_closest() -> None:
    with pytest.raises(InvalidInput, match="did you mean barkyard/Lift-v0"):
        make_vec_env("barkyard/Lft-v0")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros(7), r"\(7,\); it must be \(2, 7\)"),
        (np.zeros((2, 6)), r"\(2, 6\)"),
        (np.array([[0] * 7, [0] * 6 + [np.nan]]), "action 6 of copy 1 is nan"),
        (np.array([[np.inf] + [0] * 6, [0] * 7]), "action 0 of copy 0 is inf"),
    ],
)
def test_bad_actions_change_nothing(action: np.ndarray, message: str) -> None:
    env = make_vec_env(LIFT, 2)
    env.reset(seed=0)
    before = env.get_states()
    with pytest.raises(InvalidInput, match=message):
        env.step(action)
    np.testing.assert_array_equal(env.get_states(), before)


@pytest.mark.parametrize(("seed", "message"), [([1], "1 seeds for 2"), ([1, -4], "-4 is negative")])
def test_bad_seeds_are_named(seed: list[int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_vec_env(LIFT, 2).reset(seed=seed)


def test_actions_outside_the_box_are_clipped() -> None:
    first, second = make_vec_env(LIFT, 1), make_vec_env(LIFT, 1)
    first.reset(seed=0)
    second.reset(seed=0)
    a, b = first.step(np.full((1, 7), 5.0, np.float32))[0], second.step(np.ones((1, 7), np.float32))[0]
    np.testing.assert_array_equal(a["joint_pos"], b["joint_pos"])
