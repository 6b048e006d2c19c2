"""The schooling: a seed repeats it, weights go in and come out, lessons know how their episodes end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion.lessons import (
    DIFFERENT,
    EPISODE,
    FIRST_TOUCH,
    LEVEL_STEP,
    REST,
    SPOILT,
    STALLED,
    STUCK,
    TOUCH,
    TOUCHES_COUNT,
    CourseLesson,
    JumpLesson,
    SlopeLesson,
    WalkLesson,
)
from barkyard.experts.locomotion.network import Network
from barkyard.experts.locomotion.ppo import Lesson, PPOSettings, learn
from barkyard.experts.locomotion.training import RECIPES, train

FLAT, ROUGH = "barkyard/QuadrupedVelocity-v0", "barkyard/QuadrupedRough-v0"
WEAVE, JUMP = "barkyard/WeavePoles-v0", "barkyard/BroadJump-v0"
TINY = PPOSettings(iterations=2, num_envs=4, steps=6, hidden=(8, 8))


def _lesson(kind: Any, env_id: str, count: int = 4, **kwargs: Any) -> Any:
    return kind(make_vec_env(env_id, count, autoreset_mode="Disabled", **kwargs), 0)


def _weights(network: Network) -> np.ndarray:
    return np.concatenate([array.ravel() for pair in network.layers for array in pair])


@pytest.mark.parametrize(
    ("kind", "env_id"),
    [(WalkLesson, FLAT), (WalkLesson, ROUGH), (SlopeLesson, ROUGH), (CourseLesson, WEAVE), (JumpLesson, JUMP)],
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


class NoReward:
    """For neither walking nor jumping."""

    def begin(self, ids: np.ndarray) -> None: ...

    def __call__(self, *_: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return np.zeros(2), {}


def _costs(lesson: Any, place: Any, periods: int) -> np.ndarray:
    """`(periods, 2)` rewards of robots that are put down, level, at `(2, 2)` places before every control period."""
    env, robot = lesson.env, lesson.task.quadruped
    found = []
    for _ in range(periods):
        robot.view.joint_pos[:], env.simulation.qvel[:] = robot.home, 0.0
        robot.base_pos[:, :2], robot.base_pos[:, 2] = place(), 0.28
        robot.base_quat[:] = [1.0, 0.0, 0.0, 0.0]
        lesson.observe()
        env.step(np.zeros((2, 12), np.float32))
        found.append(lesson.reward())
    return np.array(found)


EXPECTED_COSTS = [-FIRST_TOUCH, *[-TOUCH] * (SPOILT - 1), 0.0, 0.0]
"""Of control periods of contact, one after another."""


def _begun(kind: Any, env_id: str) -> Any:
    lesson = _lesson(kind, env_id, 2, randomization="none", terminate_on_success=False)
    lesson._reward = NoReward()
    lesson.env.reset(seed=0)
    lesson.begin(np.arange(2))
    return lesson


def test_touching_a_pole_costs_at_once() -> None:
    """Most of it in the first control period; with the next episode, again. The other robot is clear of the poles."""
    lesson = _begun(CourseLesson, WEAVE)
    x, y = lesson.task.courses[0].weave_poles.centres[1]
    costs = _costs(lesson, lambda: [[x, y], [x, y + 1.0]], SPOILT + 2)
    np.testing.assert_allclose(costs, np.column_stack([EXPECTED_COSTS, np.zeros(SPOILT + 2)]))
    assert lesson.progress()["poles"] == 0.5
    lesson.begin(np.arange(2))
    assert _costs(lesson, lambda: [[x, y], [x, y + 1.0]], 1).tolist() == [[-FIRST_TOUCH, 0.0]]


@pytest.mark.parametrize(("done", "counts"), [(TOUCHES_COUNT - 0.01, 0.0), (TOUCHES_COUNT + 0.01, 1.0)])
def test_touching_the_board_costs_at_once(done: float, counts: float) -> None:
    """But not in the first part of the lesson."""
    lesson = _begun(JumpLesson, JUMP)
    lesson.done = done

    def place() -> np.ndarray:
        return np.asarray(lesson.task.board()[:, :2] - [[0.0, 0.0], [1.5, 0.0]])

    costs = _costs(lesson, place, SPOILT + 2)
    np.testing.assert_allclose(costs, counts * np.column_stack([EXPECTED_COSTS, np.zeros(SPOILT + 2)]))


def test_first_runs_of_a_course_are_broken_off_at_different_times() -> None:
    """They are not counted; later ones go on until the robot arrives."""
    lesson = _lesson(CourseLesson, WEAVE, 16)
    lesson.env.reset(seed=0)
    everyone = np.arange(16)
    lesson.begin(everyone)
    limits = lesson._limit.copy()
    assert limits.min() >= 0.0 and limits.max() <= DIFFERENT and np.ptp(limits) > 0.5 * DIFFERENT
    lesson._age[:] = DIFFERENT / 2
    np.testing.assert_array_equal(lesson.expired(), limits < DIFFERENT / 2)
    lesson.finish(everyone, np.zeros(16, dtype=bool))
    assert lesson.progress()["runs"] == 0.0
    lesson.begin(everyone)
    lesson._age[:] = 2 * DIFFERENT
    assert not lesson.expired().any()
    lesson._at_end[:8] = REST + 0.01
    lesson._age[15] = STUCK + 0.01
    assert lesson.expired().tolist() == ((everyone < 8) | (everyone == 15)).tolist()
    lesson._touches[0] = 1
    lesson.finish(everyone, everyone == 9)
    numbers = lesson.progress()
    assert (numbers["runs"], numbers["clean"], numbers["falls"]) == (16.0, 13 / 16, 1.0)


def test_skills_build_on_those_before_them() -> None:
    """Every stage's lesson fits its environment, and starts from weights that are there by then."""
    made: list[tuple[str, int]] = []
    for skill, stages in RECIPES.items():
        for number, stage in enumerate(stages):
            assert stage.start is None or stage.start in made
            lesson = stage.lesson(make_vec_env(stage.env_id, 1, autoreset_mode="Disabled", **stage.env_kwargs), 0)
            lesson.env.reset(seed=0)
            lesson.begin(np.arange(1))
            assert lesson.observe().shape == (1, lesson.observation_size)
            made.append((skill, number))


def test_a_skill_begins_with_a_stage_of_another(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"walk\.1\.safetensors is not there; train 'walk' first"):
        train("slope", tmp_path, 1)


@pytest.mark.parametrize("hurry", [0.0, 0.3])
def test_who_stands_still_fails_where_that_counts(hurry: float) -> None:
    """The first robot goes at 0.2 m/s, the second at 0.4."""
    env = make_vec_env(WEAVE, 2, autoreset_mode="Disabled", randomization="none", terminate_on_success=False)
    lesson = CourseLesson(env, 0, hurry=hurry)
    env.reset(seed=0)
    lesson.begin(np.arange(2))
    failed = []
    for _ in range(round(STALLED / env.control_dt) + 5):
        lesson.observe()
        lesson._command[:] = [1.0, 0.0, 0.0]
        robot = lesson.robot
        robot.heading_velocity = lambda: np.array([[0.2, 0.5, 0.0], [0.4, 0.0, 0.0]])  # type: ignore[method-assign]
        lesson.reward()
        failed.append(lesson.failed().tolist())
    assert failed[round(STALLED / env.control_dt) - 2] == [False, False]
    assert failed[-1] == [hurry > 0.0, False]
    lesson.begin(np.array([0]))
    assert not lesson.failed().any()
