"""The senses of past control periods: which, in what order, and part of the state."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.locomotion.history import FELT, WIDTH
from barkyard.errors import InvalidInput

TASKS = ("QuadrupedVelocity", "QuadrupedRough", "AgilityCourse")
PERIODS = 3


def _env(task: str, count: int = 2, **choices: Any) -> Any:
    kwargs = {"history": PERIODS, "autoreset_mode": "Disabled", **choices}
    return make_vec_env(f"barkyard/{task}-v0", count, **kwargs)


def _felt(observations: Any) -> np.ndarray:
    return np.concatenate([observations[name] for name in FELT], axis=1)


@pytest.mark.parametrize("task", TASKS)
def test_the_past_is_what_was_observed_before(task: str) -> None:
    env, draw = _env(task), np.random.default_rng(0)
    observations, _ = env.reset(seed=0)
    assert observations["history"].shape == (2, PERIODS * WIDTH)
    past = [_felt(observations)] * PERIODS
    for _ in range(5):
        np.testing.assert_allclose(observations["history"], np.concatenate(past, axis=1), atol=1e-6)
        past = [*past[1:], _felt(observations)]
        observations, *_ = env.step(draw.uniform(-0.3, 0.3, (2, 12)).astype(np.float32))


def test_stored_states_hold_it() -> None:
    env, other = _env("AgilityCourse"), _env("AgilityCourse")
    env.reset(seed=0)
    for _ in range(4):
        observations, *_ = env.step(np.full((2, 12), 0.1, np.float32))
    other.reset(seed=5)
    np.testing.assert_array_equal(other.set_states(env.get_states())["history"], observations["history"])


def test_a_new_episode_has_none_of_the_last() -> None:
    env = _env("QuadrupedVelocity", autoreset_mode="NextStep")
    env.reset(seed=0)
    for _ in range(4):
        env.step(np.full((2, 12), 0.5, np.float32))
    observations, _ = env.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_allclose(observations["history"][0], np.tile(_felt(observations)[0], PERIODS), atol=1e-6)
    assert np.abs(observations["history"][1] - np.tile(_felt(observations)[1], PERIODS)).max() > 0.1


def test_without_it_there_is_no_part() -> None:
    assert "history" not in _env("QuadrupedVelocity", history=0).reset(seed=0)[0]


@pytest.mark.parametrize("value", [-1, 101, 1.5, True])
def test_bad_lengths(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"history is .*; give whole control periods, 0 to 100"):
        _env("QuadrupedVelocity", history=value)
