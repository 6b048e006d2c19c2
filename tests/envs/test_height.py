"""The ground that boxes make: against MuJoCo's rays, by hand, and under a robot's feet."""

import math
from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.envs.height import ground_height
from barkyard.envs.registry import make_vec_env

LEVEL = np.array([1.0, 0.0, 0.0, 0.0])


def _height(points: Any, pos: Any, quat: Any, half_size: Any) -> np.ndarray:
    """One simulation's heights."""
    arrays = (np.asarray(array, dtype=np.float64)[None] for array in (points, pos, quat, half_size))
    return np.asarray(ground_height(*arrays))[0]


def _rays(points: np.ndarray, pos: np.ndarray, quat: np.ndarray, half_size: np.ndarray) -> np.ndarray:
    """The same by MuJoCo: rays from 50 m above."""
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 1])
    for p, q, s in zip(pos, quat, half_size, strict=True):
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=p, quat=q, size=s)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    hit, down = np.zeros(1, np.int32), np.array([0.0, 0.0, -1.0])
    return np.array([
        50.0 - mujoco.mj_ray(model, data, np.array([x, y, 50.0]), down, None, 1, -1, hit, None) for x, y in points
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_heights_are_those_of_mujocos_rays(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = 8
    pos = np.column_stack([draw.uniform(-1.5, 1.5, (count, 2)), draw.uniform(-0.5, 0.5, count)])
    quat = draw.normal(size=(count, 4))
    quat /= np.linalg.norm(quat, axis=1, keepdims=True)
    half_size = draw.uniform(0.02, 0.8, (count, 3))
    points = draw.uniform(-2.5, 2.5, (300, 2))
    expected = _rays(points, pos, quat, half_size)
    assert (expected > 0).mean() > 0.1 and (expected == 0).any()
    np.testing.assert_allclose(_height(points, pos, quat, half_size), expected, atol=1e-9)


def test_every_simulation_has_its_own_boxes_and_points() -> None:
    draw = np.random.default_rng(0)
    points = draw.uniform(-0.6, 0.6, (3, 20, 2))
    pos, quat = draw.uniform(-0.3, 0.3, (3, 2, 3)), draw.normal(size=(3, 2, 4))
    quat /= np.linalg.norm(quat, axis=2, keepdims=True)
    half_size = draw.uniform(0.1, 0.5, (3, 2, 3))
    together = ground_height(points, pos, quat, half_size)
    for n in range(3):
        alone = ground_height(points[n : n + 1], pos[n : n + 1], quat[n : n + 1], half_size[n : n + 1])
        np.testing.assert_array_equal(alone[0], together[n])
        np.testing.assert_allclose(together[n], _rays(points[n], pos[n], quat[n], half_size[n]), atol=1e-9)


def test_known_heights() -> None:
    step, angle = np.array([[1.0, 0.0, 0.05]]), math.radians(30.0)
    beside, on, edge = [0.49, 0.0], [0.51, 0.29], [1.2, -0.31]
    np.testing.assert_allclose(_height([beside, on, edge], step, [LEVEL], [[0.5, 0.3, 0.05]]), [0.0, 0.1, 0.0])
    panel = [math.cos(angle / 2), 0.0, -math.sin(angle / 2), 0.0]  # rises along x
    found = _height([[0.0, 0.0], [0.2, 0.0]], [[0.0, 0.0, 1.0]], [panel], [[0.5, 0.5, 0.02]])
    top = 1.0 + 0.02 / math.cos(angle)
    np.testing.assert_allclose(found, [top, top + 0.2 * math.tan(angle)])


def test_boxes_below_the_floor_and_far_away_do_not_count() -> None:
    pos = np.array([[0.0, 0.0, -10.0], [0.0, 0.0, -0.2], [30.0, 0.0, 0.5]])
    assert (_height([[0.0, 0.0], [0.3, 0.3]], pos, [LEVEL] * 3, [[1.0, 1.0, 0.1]] * 3) == 0.0).all()


def test_robots_stand_on_boxes_of_a_size_of_their_own() -> None:
    half_sizes = np.array([[0.5, 0.5, 0.05], [1.3, 0.5, 0.05], [1.5, 1.5, 0.15], [0.4, 1.4, 0.1]])
    turns = np.radians([0.0, 0.0, 45.0, 90.0])
    places = np.array([[1.0, 0.0], [1.0, 0.0], [0.8, 0.8], [1.1, 0.0]])
    tops = np.array([0.0, 0.1, 0.3, 0.2])
    env: Any = make_vec_env("barkyard/AgilityCourse-v0", 4, randomization="none", autoreset_mode="Disabled")
    env.reset(seed=0)
    everyone, boxes, robot = np.arange(4), env.task.quadruped.boxes, env.task.quadruped
    sizes, pos, quat = boxes.half_size.copy(), np.full((4, 5, 3), -10.0), np.tile(LEVEL, (4, 5, 1))
    sizes[:, 0] = half_sizes
    pos[:, 0] = np.column_stack([np.zeros((4, 2)), half_sizes[:, 2]])
    quat[:, 0, 0], quat[:, 0, 3] = np.cos(turns / 2), np.sin(turns / 2)
    boxes.resize(everyone, sizes)
    boxes.place(everyone, pos, quat)
    np.testing.assert_allclose(boxes.ground(places[:, None])[:, 0], tops, atol=1e-12)
    robot.base_pos[:] = np.column_stack([places, tops + robot.home_height + 0.01])
    robot.base_quat[:] = LEVEL
    rest = np.zeros((4, 12), np.float32)
    for _ in range(40):
        env.step(rest)
    assert robot.foot_contact().all()
    np.testing.assert_allclose(robot.base_pos[:, 2] - tops, np.mean(robot.base_pos[:, 2] - tops), atol=0.004)
    assert robot.base_pos[0, 2] > 0.2
