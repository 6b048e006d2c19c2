"""The schooling: a seed repeats it, weights go in and come out, lessons know how their episodes end."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.experts.locomotion.lessons import EPISODE, LEVEL_STEP, JumpLesson, SlopeLesson, WalkLesson
from barkyard.experts.locomotion.network import Network
from barkyard.experts.locomotion.ppo import Lesson, PPOSettings, learn

FLAT, ROUGH, JUMP = "barkyard/QuadrupedVelocity-v0", "barkyard/QuadrupedRough-v0", "barkyard/BroadJump-v0"
TINY = PPOSettings(iterations=2, num_envs=4, steps=6, hidden=(8, 8))


def _lesson(kind: Any, env_id: str, count: int = 4, **kwargs: Any) -> Any:
    return kind(make_vec_env(env_id, count, autoreset_mode="Disabled", **kwargs), 0)


def _weights(network: Network) -> np.ndarray:
    return np.concatenate([array.ravel() for pair in network.layers for array in pair])


@pytest.mark.parametrize(
    ("kind", "env_id"), [(WalkLesson, FLAT), (WalkLesson, ROUGH), (SlopeLesson, ROUGH), (JumpLesson, JUMP)]
)
def test_a_seed_repeats_a_training(kind: type[Lesson], env_id: str) -> None:
    reports: list[dict[str, float]] = []
    lesson = _lesson(kind, env_id)
    first = learn(lesson, TINY, 0, report=lambda numbers, _: reports.append(numbers))
    assert first.layers[0][0].shape == (lesson.observation_size, 8) and first.layers[-1][0].shape == (8, 12)
    assert np.isfinite(_weights(first)).all()
    np.testing.assert_array_equal(_weights(learn(_lesson(kind, env_id), TINY, 0)), _weights(first))
    assert [numbers["steps"] for numbers in reports] == [24, 48]
    assert all(np.isfinite(list(numbers.values())).all() for numbers in reports)


def test_other_seeds_give_other_networks() -> None:
    first, second = (learn(_lesson(WalkLesson, FLAT), TINY, seed) for seed in (0, 1))
    assert not np.array_equal(_weights(first), _weights(second))


def test_training_goes_on_from_given_weights() -> None:
    """Without a learning rate, what went in comes out; with one, it changes."""
    start = learn(_lesson(WalkLesson, FLAT), TINY, 0)
    still = PPOSettings(iterations=1, num_envs=4, steps=6, hidden=(8, 8), learning_rate=(0.0, 0.0))
    same = learn(_lesson(WalkLesson, FLAT), still, 3, start=start)
    np.testing.assert_array_equal(_weights(same), _weights(start))
    moved = learn(_lesson(WalkLesson, FLAT), TINY, 3, start=start)
    assert 0.0 < np.abs(_weights(moved) - _weights(start)).max() < 0.1


def test_the_network_is_the_actors_mean() -> None:
    """What comes out of a training computes what went into the environment, but for the noise."""
    lesson, start = _lesson(WalkLesson, FLAT), learn(_lesson(WalkLesson, FLAT), TINY, 0)
    seen: list[np.ndarray] = []
    act = lesson.act

    def watched(outputs: np.ndarray) -> np.ndarray:
        seen.append(np.array(outputs))
        return np.asarray(act(outputs))

    lesson.act = watched
    quiet = PPOSettings(
        iterations=1, num_envs=4, steps=1, hidden=(8, 8), std=1e-6, entropy=0.0, learning_rate=(0.0, 0.0)
    )
    twin = _lesson(WalkLesson, FLAT)
    learn(lesson, quiet, 0, start=start)
    twin.env.reset(seed=0)
    twin.begin(np.arange(4))
    np.testing.assert_allclose(seen[0], start(twin.observe()), atol=1e-4)


def test_levels_follow_success_and_episodes_are_broken_off() -> None:
    """Copies 0 and 3 went well, 1 fell after going well; 3 is beyond the highest level."""
    lesson = _lesson(WalkLesson, ROUGH, 4)
    lesson.env.reset(seed=0)
    lesson.begin(np.arange(4))
    lesson.task.next_level[:] = [0.5, 0.5, 0.05, 0.95]
    lesson._age[:], lesson._asked[:], lesson._error[:] = round(EPISODE / 0.02), 400.0, 0.0
    assert lesson.expired().all()
    lesson.finish(np.arange(4), np.array([False, True, True, False]))
    np.testing.assert_allclose(lesson.task.next_level[:3], [0.5 + LEVEL_STEP, 0.5 - LEVEL_STEP, 0.0])
    assert 0.0 <= lesson.task.next_level[3] <= 1.0
    lesson.begin(np.array([0]))
    assert lesson.expired().tolist() == [False, True, True, True]
    assert lesson.progress()["length"] == pytest.approx(EPISODE)
