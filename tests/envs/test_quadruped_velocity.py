"""Following commands on flat ground: commands, reward, ends, torque limit."""

import itertools
from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z

VELOCITY = "barkyard/QuadrupedVelocity-v0"


def _env(count: int = 4, **kwargs: Any) -> Any:
    env = make_vec_env(VELOCITY, count, **{"randomization": "none", "autoreset_mode": "Disabled", **kwargs})
    env.reset(seed=0)
    return env


def _rest(env: Any) -> tuple[Any, ...]:
    return env.step(np.zeros((env.num_envs, 12), np.float32))


def _commands(resets: int) -> np.ndarray:
    env, found = _env(8), []
    for seed in range(resets):
        found.append(env.reset(seed=8 * seed)[0]["command"])
    return np.concatenate(found)


def test_commands_fill_their_range_and_one_in_ten_stands() -> None:
    commands = _commands(40)
    standing = (commands == 0.0).all(axis=1)
    assert 0.05 < standing.mean() < 0.16
    walking = commands[~standing] / np.array(COMMAND_LIMITS)
    assert np.abs(walking).max() <= 1.0
    for values in walking.T:
        assert (np.histogram(values, bins=4, range=(-1, 1))[0] > 40).all(), "about 72 each"
    assert np.abs(np.corrcoef(walking.T) - np.eye(3)).max() < 0.2


def test_commands_change_every_five_seconds() -> None:
    env = _env()
    seen = [env.task.command.copy()]
    for change in (1, 2, 3):
        env.simulation.time[:] = 5.0 * change - 2 * env.control_dt
        for _ in range(2):
            np.testing.assert_array_equal(_rest(env)[0]["command"], seen[-1].astype(np.float32))
        seen.append(_rest(env)[0]["command"].astype(np.float64))
        np.testing.assert_allclose(seen[-1], env.task.command, atol=1e-6)
        seen[-1] = env.task.command.copy()
    differs = [(a != b).any(axis=1) for a, b in itertools.pairwise(seen)]
    assert np.mean(differs) > 0.9, "two commands to stand may follow one another"


def test_the_reward_by_hand() -> None:
    """Terms at states that are written: perfect, slow, turning, bouncing, tilted."""
    env = _env(5)
    task, simulation, heading = env.task, env.simulation, 0.8
    cos, sin = np.cos(heading), np.sin(heading)
    task.command[:] = [0.5, 0.2, 0.6]
    task.quadruped.base_quat[:] = quat_about_z(heading)
    ahead = np.array([0.5 * cos - 0.2 * sin, 0.5 * sin + 0.2 * cos])
    simulation.qvel[:] = 0.0
    simulation.qvel[:, :2], simulation.qvel[:, 5] = ahead, 0.6
    simulation.qvel[1, :2] -= 0.5 * np.array([cos, sin])
    simulation.qvel[2, 5] = 0.1
    simulation.qvel[3, 2], simulation.qvel[3, 3] = 0.3, 2.0
    tilt = np.radians(60.0)
    task.quadruped.base_quat[4] = [np.cos(tilt / 2), np.sin(tilt / 2), 0.0, 0.0]
    task.command[4], simulation.qvel[4] = 0.0, 0.0
    terms = task.terms()
    one = np.exp(-1.0)
    np.testing.assert_allclose(terms["linear"], [1.0, one, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(terms["angular"], [1.0, 1.0, one, 1.0, 1.0])
    np.testing.assert_allclose(terms["steady"], [1.0, 1.0, 1.0, np.exp(-0.09 - 0.2), 1.0])
    np.testing.assert_allclose(terms["upright"], [1.0, 1.0, 1.0, 1.0, 0.5])
    expected = [1.0, (one + 0.5) / 1.5, (1.0 + 0.5 * one) / 1.5, np.exp(-0.29), 0.5]
    np.testing.assert_allclose(task.dense_reward(terms), expected)


def test_success_is_a_small_error_to_the_end() -> None:
    env = _env(2)
    env.simulation.time[:] = 20.0 - env.control_dt
    env.task._error[:, 0] = [0.2 * 999, 0.4 * 999]
    _, _, terminated, truncated, info = _rest(env)
    assert list(info["end"]) == ["success", "time_limit"] and list(terminated) == [True, False] and truncated[1]
    np.testing.assert_allclose(info["metrics"]["mean_velocity_error"], [0.2, 0.4], atol=0.01)


def test_the_error_is_that_of_the_planar_velocity() -> None:
    env = _env(2)
    total = np.zeros(2)
    for step in range(1, 6):
        *_, info = _rest(env)
        total += np.linalg.norm((env.task.command - env.task.quadruped.heading_velocity())[:, :2], axis=1)
        np.testing.assert_allclose(info["metrics"]["mean_velocity_error"], total / step)


def test_a_fall_is_a_failure_of_its_own_episode() -> None:
    env = _env(2)
    env.task.quadruped.base_quat[1] = [0.0, 1.0, 0.0, 0.0]
    _, reward, terminated, truncated, info = _rest(env)
    assert list(terminated) == [False, True] and list(info["end"]) == ["", "failure"] and not truncated.any()
    assert reward[1] == 0.0


def test_starts_stand_and_face_anywhere() -> None:
    env, headings = _env(8), []
    for seed in range(4):
        env.reset(seed=100 * seed)
        headings += env.task.quadruped.heading().tolist()
        assert not env.task.quadruped.fallen().any()
        assert (env.simulation.qvel == 0.0).all()
        lowest = env.task.quadruped.feet_pos[:, :, 2].min(axis=1) - env.task.quadruped.foot_radius
        assert lowest.min() > -0.02 and lowest.max() < 0.03, "feet are near the ground"
    assert (np.histogram(headings, bins=4, range=(-np.pi, np.pi))[0] > 2).all()


@pytest.mark.parametrize(("limit", "most"), [(None, 18.0), (5.0, 5.0)])
def test_torque_limits_hold(limit: float | None, most: float) -> None:
    env = _env(4, torque_limit=limit)
    force = env.simulation.batch.bind("actuator_force")
    draw, largest = np.random.default_rng(0), 0.0
    for _ in range(20):
        env.step(draw.choice([-1.0, 1.0], (4, 12)).astype(np.float32))
        largest = max(largest, float(np.abs(force).max()))
    assert largest == pytest.approx(most)


@pytest.mark.parametrize("limit", [0.0, -3.0, float("nan"), float("inf")])
def test_torque_limits_that_cannot_be_are_refused(limit: float) -> None:
    with pytest.raises(InvalidInput, match=f"torque_limit is {limit}"):
        _env(1, torque_limit=limit)


def test_arms_are_refused() -> None:
    with pytest.raises(InvalidInput):
        _env(1, robot="panda")
