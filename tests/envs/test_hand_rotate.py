"""Turning a cube in a hand: the arithmetic of its metrics, its actions and its draws."""

import numpy as np
import pytest

from barkyard.control.joint_step import LONGEST_STEP
from barkyard.envs.bodies import environment_body
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.dexterity.hand_rotate import HandRotate
from barkyard.envs.tasks.dexterity.randomization import RANGES
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z, quat_multiply

ENV = "barkyard/HandRotate-v0"


def make(num_envs: int = 2, **kwargs: object) -> RobotVectorEnv:
    return make_vec_env(ENV, num_envs, autoreset_mode="Disabled", **kwargs)


def task_of(env: RobotVectorEnv) -> HandRotate:
    assert isinstance(env.task, HandRotate)
    return env.task


def test_an_action_moves_a_target_by_a_twenty_fourth_radian() -> None:
    env = make(randomization="none")
    first, _ = env.reset(seed=0)
    start = first["joint_target"].copy()
    action = np.zeros((2, 16), np.float32)
    action[:, 2], action[:, 5] = 0.5, -1.0
    moved = env.step(action)[0]["joint_target"] - start
    expected = np.zeros(16)
    expected[2], expected[5] = LONGEST_STEP / 2, -LONGEST_STEP
    np.testing.assert_allclose(moved, np.tile(expected, (2, 1)), atol=1e-6)


def test_targets_stay_in_the_joints_ranges() -> None:
    env = make(1, randomization="none")
    env.reset(seed=0)
    for _ in range(60):
        observations = env.step(np.ones((1, 16), np.float32))[0]
    limits = env.simulation.robot.joint_range
    np.testing.assert_allclose(observations["joint_target"][0], limits[:, 1], atol=1e-6)


def test_turning_is_counted_about_the_vertical_also_over_more_than_half_a_turn() -> None:
    env = make(1, randomization="none")
    env.reset(seed=0)
    task = task_of(env)
    for _ in range(10):
        task.cube_quat[:] = quat_multiply(quat_about_z(np.array([0.5])), task.cube_quat)
        task.after_step()
    assert task._turned[0] == pytest.approx(5.0)


def test_the_yaw_rate_after_a_drop_is_over_the_whole_time() -> None:
    env = make(1, randomization="none")
    env.reset(seed=0)
    task = task_of(env)
    env.simulation.time[:] = 5.0
    task._turned[:] = np.radians(100.0)
    assert task.metrics(task.terms())["yaw_rate"][0] == pytest.approx(20.0)
    task.cube_pos[:, 2] = -1.0
    metrics = task.metrics(task.terms())
    assert metrics["yaw_rate"][0] == pytest.approx(4.0) and metrics["dropped"][0] == 1.0
    assert task.failure(task.terms())[0]


def test_a_dropped_cube_ends_the_episode() -> None:
    env = make(1, randomization="none")
    env.reset(seed=0)
    task_of(env).cube_pos[:, 2] = -1.0
    _, _, terminated, _, info = env.step(np.zeros((1, 16), np.float32))
    assert terminated[0] and info["end"][0] == "failure"


def test_the_clock_has_a_period_of_two_seconds() -> None:
    env = make(1, randomization="none")
    first = env.reset(seed=0)[0]["clock"].copy()
    for _ in range(10):
        quarter = env.step(np.zeros((1, 16), np.float32))[0]["clock"]
    np.testing.assert_allclose(first, [[0.0, 1.0]], atol=1e-6)
    np.testing.assert_allclose(quarter, [[1.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("name", ["published", "moderate"])
def test_draws_lie_in_their_ranges_and_differ(name: str) -> None:
    env = make(24, randomization=name)
    env.reset(seed=0)
    task, ranges = task_of(env), RANGES[name]
    fields = task.randomizer._fields
    cube, geom = env.simulation.model.body("cube").id, env.simulation.model.geom("cube").id
    for values, (low, high) in (
        (fields["body_mass"][:, cube], ranges.mass),
        (fields["geom_friction"][:, geom, 0], ranges.friction),
        (fields["geom_size"][:, geom, 0] / 0.035, ranges.scale),
        (fields["actuator_gainprm"][:, 3, 0], ranges.gain),
        (-fields["actuator_biasprm"][:, 3, 2], ranges.damping),
        (fields["body_ipos"][:, cube, 1], ranges.com),
    ):
        assert (values >= low - 1e-12).all() and (values <= high + 1e-12).all()
        assert len(np.unique(values)) == 24 and np.ptp(values) > 0.5 * (high - low)


def test_the_inertia_of_the_cube_is_that_of_a_solid_one() -> None:
    env = make(1, randomization="none")
    env.reset(seed=0)
    inertia = task_of(env).randomizer._fields["body_inertia"][0, env.simulation.model.body("cube").id]
    np.testing.assert_allclose(inertia, 0.108 * 0.07**2 / 6)


def test_pushes_move_the_cube_and_are_off_by_default() -> None:
    still, pushed = make(1, randomization="none"), make(1, randomization="none", push=True)
    for env in (still, pushed):
        env.reset(seed=0)
        for _ in range(20):
            env.step(np.zeros((1, 16), np.float32))
    assert not np.allclose(task_of(still).cube_pos, task_of(pushed).cube_pos)


def test_a_hand_of_fewer_links_has_fewer_joints_and_rebuilds_from_its_kwargs() -> None:
    env = make(1, embodiment="i34-m34-t1234", observe_cube=True)
    observations, _ = env.reset(seed=0)
    assert observations["joint_pos"].shape == (1, 8) and observations["cube_quat"].shape == (1, 4)
    assert len(environment_body(env).joints) == 8
    again = make_vec_env(ENV, 1, **env.env_kwargs)
    assert again.fingerprint == env.fingerprint


@pytest.mark.parametrize(
    "kwargs",
    [{"embodiment": "i9"}, {"randomization": "wild"}, {"push": 1}, {"robot": "leap_hand", "embodiment": "i34"}],
)
def test_wrong_arguments_are_refused(kwargs: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        make(1, **kwargs)
