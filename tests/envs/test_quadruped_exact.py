"""Exactness of the quadrupeds' tasks with everything drawn: the same bits at any N, and replay of stored states."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env

STEPS = 20
VARIANTS: dict[str, dict[str, Any]] = {
    "barkyard/QuadrupedVelocity-v0": {"randomization": {"push_interval": 0.1, "delay": [0.0, 0.02]}},
    "barkyard/QuadrupedRough-v0": {"randomization": {"push_interval": 0.1}},
    "barkyard/AgilityCourse-v0": {"difficulty": 1.0, "randomization": {"push_interval": 0.1}},
    "barkyard/WeavePoles-v0": {"difficulty": 0.5},
    "barkyard/AFrame-v0": {"difficulty": 1.0},
    "barkyard/BroadJump-v0": {"difficulty": 1.0, "rule": "paper"},
    "barkyard/PauseTable-v0": {"difficulty": 0.7, "mode": "published"},
}
every_task = pytest.mark.parametrize("env_id", VARIANTS)


def _make(env_id: str, count: int, **kwargs: Any) -> Any:
    return make_vec_env(env_id, count, autoreset_mode="Disabled", **VARIANTS[env_id], **kwargs)


def _actions(seeds: list[int]) -> np.ndarray:
    """(STEPS, N, 12) actions that follow from each copy's seed."""
    draws = [np.random.default_rng(seed).uniform(-1, 1, (STEPS, 12)) for seed in seeds]
    return np.stack(draws, axis=1).astype(np.float32)


def _everything(env: Any, observations: Any, reward: np.ndarray) -> np.ndarray:
    numbers = [reward, *env.task.metrics(env.task.terms()).values()]
    return np.concatenate([*observations.values(), np.stack(numbers, axis=1), env.get_states()], axis=1)


def _run(env: Any, seeds: list[int]) -> np.ndarray:
    """(STEPS + 1, N, ...) all that is observed, rewarded and simulated."""
    observations, _ = env.reset(seed=seeds)
    out = [_everything(env, observations, np.zeros(env.num_envs))]
    for action in _actions(seeds):
        observations, reward, *_ = env.step(action)
        out.append(_everything(env, observations, reward))
    return np.array(out)


@every_task
def test_same_bits_alone_and_among_eight_at_any_number_of_threads(env_id: str) -> None:
    seeds = list(range(40, 48))
    eight = _run(_make(env_id, 8, num_threads=1), seeds)
    np.testing.assert_array_equal(_run(_make(env_id, 8, num_threads=2), seeds), eight)
    single = _make(env_id, 1)
    for copy in (0, 3, 7):
        np.testing.assert_array_equal(_run(single, [seeds[copy]])[:, 0], eight[:, copy])
    three = _run(_make(env_id, 3), seeds[4:7])
    np.testing.assert_array_equal(three, eight[:, 4:7])


@every_task
def test_a_copy_does_not_notice_when_others_begin_again(env_id: str) -> None:
    env, twin = _make(env_id, 4), _make(env_id, 4)
    env.reset(seed=0)
    twin.reset(seed=0)
    mask = np.array([False, True, False, True])
    for action in _actions([0, 1, 2, 3])[:5]:
        env.step(action)
        twin.step(action)
        env.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(env.get_states()[~mask], twin.get_states()[~mask])
    assert not np.array_equal(env.get_states()[mask], twin.get_states()[mask])


@every_task
def test_stored_states_bring_everything_back(env_id: str) -> None:
    env, other = _make(env_id, 4), _make(env_id, 4)
    observations, _ = env.reset(seed=[3, 50, 7, 90])
    other.reset(seed=1000)
    actions, states, seen = _actions([0, 1, 2, 3]), [env.get_states()], [observations]
    for action in actions:
        seen.append(env.step(action)[0])
        states.append(env.get_states())
    for moment in (12, 0):
        _same(other.set_states(states[moment]), seen[moment])
        np.testing.assert_array_equal(other.get_states(), states[moment])
        _same_worlds(env, other)
        for action, expected, state in zip(actions[moment:], seen[moment + 1 :], states[moment + 1 :], strict=True):
            _same(other.step(action)[0], expected)
            np.testing.assert_array_equal(other.get_states(), state)


def _same(found: Any, expected: Any) -> None:
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def _same_worlds(env: Any, other: Any) -> None:
    """What the models hold beside the state: boxes, courses, and the robots' parameters."""
    np.testing.assert_array_equal(other.task.quadruped.boxes.half_size, env.task.quadruped.boxes.half_size)
    np.testing.assert_array_equal(other.simulation.delay_steps(), env.simulation.delay_steps())
    if hasattr(env.task, "courses"):
        assert other.task.courses == env.task.courses and other.task.courses[0] != other.task.courses[1]
        for name in ("gates", "directions", "geometry"):
            np.testing.assert_array_equal(getattr(other.task, name), getattr(env.task, name))
    for copy in range(env.num_envs):
        model, again = env.simulation.batch.get_model(copy), other.simulation.batch.get_model(copy)
        for name in ("geom_size", "geom_friction", "geom_rbound", "body_mass", "body_ipos", "dof_invweight0"):
            np.testing.assert_array_equal(getattr(again, name), getattr(model, name), err_msg=name)


def test_some_copies_can_be_put_back() -> None:
    env = _make("barkyard/QuadrupedRough-v0", 3)
    env.reset(seed=0)
    states, action = env.get_states(), _actions([0, 1, 2])[0]
    for _ in range(3):
        env.step(action)
    now = env.get_states()
    env.set_states(states, np.array([False, True, False]))
    np.testing.assert_array_equal(env.get_states()[1], states[1])
    np.testing.assert_array_equal(env.get_states()[[0, 2]], now[[0, 2]])


@pytest.mark.parametrize(
    "env_id",
    [
        "barkyard/QuadrupedVelocity-v0",
        pytest.param(
            "barkyard/AgilityCourse-v0",
        ),
    ],
)
def test_no_copies_can_be_put_back(env_id: str) -> None:
    env = _make(env_id, 2)
    env.reset(seed=0)
    states = env.get_states()
    env.set_states(states, np.zeros(2, dtype=bool))
    np.testing.assert_array_equal(env.get_states(), states)
