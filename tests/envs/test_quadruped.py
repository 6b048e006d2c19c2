"""What tasks of quadrupeds measure: motion of the base, feet, the height scan, falls."""

import math
from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.locomotion.quadruped import CLOCK, LOWEST, SCAN_X, SCAN_Y
from barkyard.rotation import quat_about_z

LEVEL = np.array([1.0, 0.0, 0.0, 0.0])
AHEAD, LEFT = (values.ravel() for values in np.meshgrid(SCAN_X, SCAN_Y, indexing="ij"))


def _flat(count: int) -> Any:
    env = make_vec_env("barkyard/QuadrupedVelocity-v0", count, randomization="none", autoreset_mode="Disabled")
    env.reset(seed=0)
    return env


def _on_box(half_size: tuple[float, float, float], pos: np.ndarray, quat: np.ndarray) -> Any:
    """The quadruped of copies that have one box each at `(N, 3)` and nothing else."""
    count = len(pos)
    env: Any = make_vec_env("barkyard/AgilityCourse-v0", count, randomization="none", autoreset_mode="Disabled")
    env.reset(seed=0)
    boxes, everyone = env.task.quadruped.boxes, np.arange(count)
    sizes, places, turns = boxes.half_size.copy(), np.full((count, 5, 3), -10.0), np.tile(LEVEL, (count, 5, 1))
    sizes[:, 0], places[:, 0], turns[:, 0] = half_size, pos, quat
    boxes.resize(everyone, sizes)
    boxes.place(everyone, places, turns)
    return env.task.quadruped


def test_motion_of_the_base_is_that_of_its_rotation_matrix() -> None:
    env, draw = _flat(8), np.random.default_rng(0)
    robot, simulation = env.task.quadruped, env.simulation
    quat = draw.normal(size=(8, 4))
    robot.base_quat[:] = quat / np.linalg.norm(quat, axis=1, keepdims=True)
    simulation.qvel[:, :6] = draw.normal(size=(8, 6))
    for n in range(8):
        flat = np.zeros(9)
        mujoco.mju_quat2Mat(flat, robot.base_quat[n])
        matrix, velocity = flat.reshape(3, 3), simulation.qvel[n, :3]
        forward = matrix[:, 0] * [1, 1, 0] / np.linalg.norm(matrix[:2, 0])
        left = np.array([-forward[1], forward[0], 0.0])
        np.testing.assert_allclose(robot.up()[n], matrix.T @ [0, 0, 1], atol=1e-12)
        axis = [forward @ matrix[:, 2], left @ matrix[:, 2], matrix[2, 2]]
        np.testing.assert_allclose(robot.axis()[n], axis, atol=1e-12)
        np.testing.assert_allclose(robot.linear_velocity()[n], matrix.T @ velocity, atol=1e-12)
        np.testing.assert_array_equal(robot.angular_velocity()[n], simulation.qvel[n, 3:6])
        world_spin = matrix @ simulation.qvel[n, 3:6]
        expected = [forward @ velocity, left @ velocity, world_spin[2]]
        np.testing.assert_allclose(robot.heading_velocity()[n], expected, atol=1e-12)
        assert robot.heading()[n] == pytest.approx(math.atan2(forward[1], forward[0]))


def test_the_yaw_rate_is_the_change_of_the_heading() -> None:
    env = _flat(1)
    robot, simulation = env.task.quadruped, env.simulation
    robot.base_pos[:, 2], robot.base_quat[:] = 2.0, quat_about_z(0.3)
    simulation.qvel[:, 5] = 1.2
    before = robot.heading()[0]
    simulation.batch.step()
    assert (robot.heading()[0] - before) / 0.004 == pytest.approx(robot.heading_velocity()[0, 2], rel=0.02)


def test_the_clock_turns_with_the_time_since_the_start() -> None:
    """It is observed as sine and cosine, and begins anew with the episode."""
    env = _flat(2)
    np.testing.assert_array_equal(env.task.observe()["clock"], [[0.0, 1.0], [0.0, 1.0]])
    for step in range(1, 31):
        clock = env.step(np.zeros((2, 12), np.float32))[0]["clock"]
        angle = 2 * math.pi * CLOCK * 0.02 * step
        np.testing.assert_allclose(clock, [[math.sin(angle), math.cos(angle)]] * 2, atol=1e-6)
        assert env.task.quadruped.phase().min() >= 0.0 and env.task.quadruped.phase().max() < 1.0
    clock = env.reset(options={"reset_mask": np.array([False, True])})[0]["clock"]
    np.testing.assert_allclose(clock, [[math.sin(angle), math.cos(angle)], [0.0, 1.0]], atol=1e-6)


def test_points_in_the_heading_frame() -> None:
    robot = _flat(2).task.quadruped
    robot.base_pos[:, :2] = [[1.0, 2.0], [0.0, 0.0]]
    robot.base_quat[:] = quat_about_z(np.array([math.pi / 2, 0.0]))
    points = np.array([[[1.0, 5.0], [0.0, 2.0]], [[1.0, 5.0], [0.0, 2.0]]])
    expected = [[[3.0, 0.0], [0.0, 1.0]], [[1.0, 5.0], [0.0, 2.0]]]
    np.testing.assert_allclose(robot.to_heading(points), expected, atol=1e-12)


def test_feet_are_in_order_and_feel_the_ground() -> None:
    env = _flat(2)
    robot = env.task.quadruped
    robot.base_quat[:] = LEVEL
    robot.base_pos[1, 2] = 1.0
    for _ in range(60):
        env.step(np.zeros((2, 12), np.float32))
        robot.base_pos[1, 2] = 1.0
    assert robot.foot_contact()[0].all() and not robot.foot_contact()[1].any()
    feet = robot.feet_pos[0] - robot.base_pos[0]
    np.testing.assert_array_equal(np.sign(feet[:, :2]), [[1, 1], [-1, 1], [1, -1], [-1, -1]])
    np.testing.assert_allclose(robot.feet_pos[0, :, 2], robot.foot_radius, atol=0.003)


def test_level_ground_scans_as_zero() -> None:
    robot = _flat(3).task.quadruped
    robot.base_pos[:] = [[0, 0, 0.28], [3.0, -4.0, 0.28], [0, 0, 0.38]]
    robot.base_quat[:] = quat_about_z(np.array([0.0, 2.0, -1.0]))
    expected = np.repeat([[0.0], [0.0], [-0.1]], len(AHEAD), axis=1)
    np.testing.assert_allclose(robot.height_scan(), expected, atol=1e-12)


@pytest.mark.parametrize("heading", [0.0, 0.7, math.pi / 2, -2.5])
def test_a_step_scans_where_it_is(heading: float) -> None:
    """A box 0.1 m high that begins 0.5 m ahead, and one that begins 0.1 m to the left."""
    cos, sin = math.cos(heading), math.sin(heading)
    offset = np.array([[1.5, 0.0], [0.0, 1.1]])
    pos = np.array([[1.0 + cos * x - sin * y, 2.0 + sin * x + cos * y, 0.05] for x, y in offset])
    robot = _on_box((1.0, 1.0, 0.05), pos, quat_about_z(heading))
    robot.base_pos[:], robot.base_quat[:] = [1.0, 2.0, robot.home_height], quat_about_z(heading)
    scan = robot.height_scan()
    np.testing.assert_allclose(scan[0], 0.1 * (AHEAD > 0.5), atol=1e-12)
    np.testing.assert_allclose(scan[1], 0.1 * (LEFT > 0.1), atol=1e-12)
    assert scan[0].reshape(len(SCAN_X), len(SCAN_Y))[-1].min() > 0.09, "x varies slowest"


def test_a_slope_scans_as_a_slope() -> None:
    angle = math.radians(20.0)
    rising = np.array([math.cos(angle / 2), 0.0, -math.sin(angle / 2), 0.0])
    pos = np.array([[0.0, 0.0, 1.0 - 0.05 / math.cos(angle)]] * 2)  # the upper face passes 1 m above the origin
    robot = _on_box((2.0, 2.0, 0.05), pos, rising)
    robot.base_pos[:] = [[0.0, 0.0, 1.0 + robot.home_height]] * 2
    robot.base_quat[:] = quat_about_z(np.array([0.0, math.pi / 2]))
    np.testing.assert_allclose(robot.height_scan()[0], math.tan(angle) * AHEAD, atol=1e-9)
    np.testing.assert_allclose(robot.height_scan()[1], -math.tan(angle) * LEFT, atol=1e-9)


def test_falls_are_judged_by_the_ground_below() -> None:
    """On a table 0.1 m high: standing, lying on it, lying beside it; then on the side, upright enough, upside down."""
    robot = _on_box((0.5, 0.5, 0.05), np.array([[0.0, 0.0, 0.05]] * 6), LEVEL)
    robot.base_pos[:, 0] = [0, 0, 2, 0, 0, 0]
    robot.base_pos[:, 1] = 0.0
    robot.base_pos[:, 2] = [0.3, 0.1 + 0.9 * LOWEST, 0.1 + 0.9 * LOWEST, 1.0, 1.0, 1.0]
    roll = np.radians([0.0, 0.0, 0.0, 80.0, 60.0, 180.0])
    robot.base_quat[:] = np.column_stack([np.cos(roll / 2), np.sin(roll / 2), np.zeros((6, 2))])
    np.testing.assert_allclose(robot.clearance()[:3], [0.2, 0.9 * LOWEST, 0.1 + 0.9 * LOWEST])
    assert robot.fallen().tolist() == [False, True, False, True, False, True]
