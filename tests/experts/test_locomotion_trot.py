"""The trot: leg kinematics, tracking on flat ground without a fall, the same bits at any N."""

from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.barkour import NUMBERS
from barkyard.assets.robots.barkour.kinematics import foot_position, hip_positions, leg_angles
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion.trot import trot_expert

SIDE = np.array([1.0, 1.0, -1.0, -1.0])
each_robot = pytest.mark.parametrize("robot", ["barkour_vb", "barkour_v0"])


@each_robot
def test_feet_are_where_mujoco_has_them(robot: str) -> None:
    numbers, made = NUMBERS[robot], load_robot(robot)
    model = made.make_spec().compile()
    data = mujoco.MjData(model)
    hips, draw = hip_positions(numbers), np.random.default_rng(0)
    for _ in range(5):
        joints = draw.uniform([-0.6, -0.5, 0.2], [0.6, 1.5, 2.0], (4, 3))
        data.qpos[:] = [0, 0, 0, 1, 0, 0, 0, *joints.ravel()]
        mujoco.mj_kinematics(model, data)
        feet = np.array([data.geom(foot).xpos for foot in made.feet])
        local = foot_position(numbers, joints)
        expected = np.column_stack([hips[:, 0] + local[:, 0], SIDE * (hips[:, 1] + local[:, 1])])
        np.testing.assert_allclose(feet[:, :2], expected, atol=1e-9)
        np.testing.assert_allclose(feet[:, 2], numbers.abduction_axis[3] + local[:, 2], atol=1e-9)


@each_robot
def test_leg_angles_invert_the_kinematics(robot: str) -> None:
    numbers = NUMBERS[robot]
    joints = np.random.default_rng(0).uniform([-0.6, -0.2, 0.2], [0.6, 1.2, 2.0], (200, 3))
    np.testing.assert_allclose(leg_angles(numbers, foot_position(numbers, joints)), joints, atol=1e-9)


def test_home_is_where_the_sheet_has_it() -> None:
    """vB's home foot: 16 mm behind the hip axis, 262 mm below."""
    x, _, up = foot_position(NUMBERS["barkour_vb"], np.array([0.0, 0.5, 1.0]))
    assert (round(float(x), 3), round(float(up), 3)) == (-0.016, -0.262)


@each_robot
def test_feet_out_of_reach_come_as_near_as_the_leg_allows(robot: str) -> None:
    numbers = NUMBERS[robot]
    far = leg_angles(numbers, np.array([0.1, 0.1, -2.0]))
    assert np.isfinite(far).all() and far[2] == pytest.approx(numbers.knee_range[1])
    near = leg_angles(numbers, np.array([0.0, 0.1005, -0.01]))
    assert np.isfinite(near).all() and near[2] == pytest.approx(numbers.knee_range[0], abs=1e-6)


COMMANDS = np.array([
    [0.3, 0, 0], [0.5, 0, 0], [0.8, 0, 0], [1.0, 0, 0], [0, 0.3, 0], [0.3, 0, 0.8], [-0.4, 0, 0], [0, 0, 0],
])  # fmt: skip
TOLERANCE = np.array([0.06, 0.06, 0.06, 0.2, 0.06, 0.06, 0.06, 0.02])
"""Of the mean velocity [m/s]; at 1 m/s the trot is slower than it is asked to be."""


def test_commands_are_tracked_without_a_fall() -> None:
    env: Any = make_vec_env("barkyard/QuadrupedVelocity-v0", 8, randomization="none", autoreset_mode="Disabled")
    expert = trot_expert(env)
    observations, _ = env.reset(seed=0)
    expert.reset(np.arange(8), np.arange(8))
    velocity = []
    for _ in range(240):
        env.task.command[:] = COMMANDS
        observations, _, terminated, _, _ = env.step(expert.act(observations))
        assert not terminated.any()
        velocity.append(env.task.quadruped.heading_velocity().copy())
    error = np.mean(velocity[100:], axis=0) - COMMANDS
    assert (np.linalg.norm(error[:, :2], axis=1) < TOLERANCE).all(), error
    assert (np.abs(error[:, 2]) < 0.12).all()
    feet = env.task.quadruped.foot_contact()
    assert feet[7].all(), "nobody steps when told to stand"


def _actions(count: int, seeds: list[int]) -> np.ndarray:
    env = make_vec_env("barkyard/QuadrupedVelocity-v0", count, autoreset_mode="Disabled")
    expert = trot_expert(env)
    observations, _ = env.reset(seed=seeds)
    expert.reset(np.arange(count), np.array(seeds))
    out = []
    for _ in range(30):
        actions = expert.act(observations)
        assert actions.dtype == np.float32 and np.abs(actions).max() <= 1.0
        observations, *_ = env.step(actions)
        out.append(actions)
    return np.array(out)


def test_the_trot_is_the_same_alone_and_in_a_batch() -> None:
    together = _actions(4, [5, 6, 7, 8])
    np.testing.assert_array_equal(_actions(1, [7])[:, 0], together[:, 2])


def test_a_reset_begins_the_gait_anew() -> None:
    env = make_vec_env("barkyard/QuadrupedVelocity-v0", 2, autoreset_mode="Disabled")
    expert = trot_expert(env)
    seen = []
    for _ in range(2):
        observations, _ = env.reset(seed=[1, 2])
        expert.reset(np.arange(2), np.array([1, 2]))
        for _ in range(7):
            observations, *_ = env.step(expert.act(observations))
        seen.append(expert.act(observations))
    np.testing.assert_array_equal(seen[0], seen[1])


def test_tasks_without_commands_are_refused() -> None:
    with pytest.raises(InvalidInput, match="barkyard/AFrame-v0 gives none"):
        trot_expert(make_vec_env("barkyard/AFrame-v0", 1))
