"""Rough ground: each kind as it is described, the same wherever the robot comes from, and levels."""

import math
from typing import Any

import numpy as np
import pytest

from barkyard.envs.height import ground_height
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.locomotion import blocks
from barkyard.errors import InvalidInput

ROUGH = "barkyard/QuadrupedRough-v0"
REACH = 0.85
"""The scan reaches no farther from the base [m]."""


def _heights(kind: str, level: float, base: tuple[float, float], points: np.ndarray, key: int = 5) -> np.ndarray:
    """Ground under points `(P, 2)` with the boxes arranged around a base."""
    kinds = np.array([float(blocks.KINDS.index(kind))])
    pos, quat = blocks.arrange(kinds, np.array([level]), np.array([float(key)]), np.array([base]))
    return np.asarray(ground_height(points[None], pos, quat, blocks.half_sizes(kinds)))[0]


def _line(kind: str, level: float, length: float = 8.0, spacing: float = 0.004) -> np.ndarray:
    """Ground along x from 0, as a robot that walks there finds it below itself."""
    x = np.arange(0.0, length, spacing) + 1e-4
    starts = np.arange(0.0, length, 0.2)
    return np.concatenate([
        _heights(kind, level, (s + 0.1, 0.0), np.column_stack([part, np.full_like(part, 0.05)]))
        for s in starts
        if (part := x[(x >= s) & (x < s + 0.2)]).size
    ])  # fmt: skip


def test_flat_is_flat() -> None:
    assert (_line("flat", 1.0) == 0.0).all()


@pytest.mark.parametrize("kind", blocks.KINDS[1:])
def test_level_zero_is_level(kind: str) -> None:
    assert np.ptp(_line(kind, 0.0)) < 1e-9


@pytest.mark.parametrize("level", [0.3, 1.0])
def test_slopes_are_as_steep_as_their_level(level: float) -> None:
    height, angle = _line("slope", level), level * math.radians(33.0)
    slope = np.diff(height) / 0.004
    assert np.abs(slope).max() == pytest.approx(math.tan(angle), rel=1e-3), "no ledges"
    assert height.max() == pytest.approx(1.5 * math.sin(angle), abs=0.003)
    assert 0.1 < (height == 0.0).mean() < 0.6


def test_steps_rise_by_a_tenth_of_a_metre() -> None:
    height = _line("steps", 0.8)
    np.testing.assert_allclose(np.unique(np.round(height, 9)), [0.0, 0.08, 0.16])
    assert np.abs(np.diff(height)).max() == pytest.approx(0.08)


def test_random_boxes_stay_below_the_highest() -> None:
    height = _line("boxes", 0.5)
    assert 0.04 < height.max() <= 0.05 and height.min() >= 0.0 and len(np.unique(np.round(height, 9))) >= 12
    other = _heights("boxes", 0.5, (0.0, 0.0), np.array([[0.3, 0.3]]), key=6)
    assert other != _heights("boxes", 0.5, (0.0, 0.0), np.array([[0.3, 0.3]]), key=5)


def test_gaps_are_as_wide_as_their_level() -> None:
    height = _line("gaps", 0.5)
    np.testing.assert_allclose(np.unique(np.round(height, 9)), [0.0, 0.2])
    widths = np.diff(np.flatnonzero(np.diff(height) != 0)) * 0.004
    gaps = widths[1::2] if height[0] == 0.0 else widths[::2]
    np.testing.assert_allclose(gaps[1:], 0.1, atol=0.009)


@pytest.mark.parametrize("kind", blocks.KINDS)
def test_the_ground_stays_where_it_is_while_the_robot_walks(kind: str) -> None:
    draw = np.random.default_rng(0)
    for _ in range(30):
        first = draw.uniform(-20, 20, 2)
        second = first + draw.uniform(-0.4, 0.4, 2)
        points = first + draw.uniform(-REACH, REACH, (80, 2))
        seen = [np.linalg.norm(points - base, axis=1) < REACH for base in (first, second)]
        points = points[seen[0] & seen[1]]
        here = _heights(kind, 0.7, (first[0], first[1]), points)
        there = _heights(kind, 0.7, (second[0], second[1]), points)
        np.testing.assert_allclose(here, there, atol=1e-9)


def _env(count: int = 8, **kwargs: Any) -> Any:
    env = make_vec_env(ROUGH, count, **{"randomization": "none", "autoreset_mode": "Disabled", **kwargs})
    env.reset(seed=0)
    return env


def test_mixed_ground_has_every_kind_and_levels_fill_their_range() -> None:
    env, kinds, levels = _env(level=(0.2, 0.6)), [], []
    for seed in range(12):
        *_, info = env.reset(seed=100 * seed)
        kinds += info["metrics"]["terrain_kind"].tolist()
        levels += info["metrics"]["terrain_level"].tolist()
    assert (np.bincount(np.array(kinds, dtype=int), minlength=5) > 8).all(), "about 19 each"
    assert 0.2 <= min(levels) < 0.23 and 0.57 < max(levels) < 0.6


def test_a_curriculum_sets_the_coming_levels() -> None:
    env = _env(4, terrain="slope")
    env.task.next_level[:] = [0.0, 0.25, 1.0, np.nan]
    *_, info = env.reset(seed=5)
    level = info["metrics"]["terrain_level"]
    assert level[:3].tolist() == [0.0, 0.25, 1.0] and 0.0 <= level[3] <= 1.0 and (env.task.kind == 1.0).all()


@pytest.mark.parametrize("terrain", blocks.KINDS)
def test_robots_start_on_the_ground(terrain: str) -> None:
    env = _env(4, terrain=terrain, level=(1.0, 1.0))
    robot = env.task.quadruped
    beneath = robot.feet_pos[:, :, 2] - robot.foot_radius - robot.ground(robot.feet_pos[:, :, :2])
    assert beneath.min() > -0.025
    for _ in range(10):
        *_, info = env.step(np.zeros((4, 12), np.float32))
        assert (info["end"] == "").all()
    assert robot.foot_contact().any(axis=1).all()


def test_hard_ground_asks_for_less_speed() -> None:
    flat, steep = _env(8, terrain="flat", level=(1.0, 1.0)), _env(8, terrain="slope", level=(1.0, 1.0))
    np.testing.assert_allclose(steep.task.command, 0.6 * flat.task.command)
    assert np.abs(flat.task.command).max() > 0.5


def test_the_scan_is_observed() -> None:
    env = _env(4, terrain="steps", level=(1.0, 1.0))
    env.task.quadruped.base_pos[:, 0] = 1.0
    observations = env.step(np.zeros((4, 12), np.float32))[0]
    np.testing.assert_allclose(observations["terrain"], env.task.quadruped.height_scan(), atol=1e-6)
    assert np.ptp(observations["terrain"], axis=1).min() > 0.09


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"terrain": "mud"}, "'mud'; valid: flat, slope, steps, boxes, gaps, mixed"),
        ({"level": (0.5, 0.2)}, r"level is \(0.5, 0.2\)"),
        ({"level": (0.0, 1.5)}, r"level is \(0.0, 1.5\)"),
        ({"level": (float("nan"), 1.0)}, "level is"),
    ],
)
def test_bad_choices_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_vec_env(ROUGH, 1, **choices)
