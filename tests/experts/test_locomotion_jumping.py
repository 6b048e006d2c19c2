"""The bound: where the robot is before the board, the clock, what is rewarded, and what the feet do by themselves."""

from typing import Any

import numpy as np
import pytest

from barkyard.assets.robots.barkour.kinematics import foot_position
from barkyard.assets.robots.barkour.numbers import VB
from barkyard.control.joint_target import ACTION_SCALE
from barkyard.envs.registry import make_vec_env
from barkyard.experts.locomotion import jumping
from barkyard.experts.locomotion.jumping import (
    EAGER,
    FASTEST,
    FOOT_MARGIN,
    GAIN,
    HIND_LAG,
    HIP_HEIGHT,
    OVER_BOARD,
    SLOWEST,
    STEADY,
    STRIDE,
    SWING,
    SWING_HEIGHT,
    Jump,
    JumpReward,
    advance_clock,
    approach,
    over_board,
    start_phase,
)
from barkyard.rotation import quat_about_z

JUMP = "barkyard/BroadJump-v0"
FRONT, HIND = [0, 2], [1, 3]
each_pair = pytest.mark.parametrize(("legs", "lag"), [(FRONT, 0.0), (HIND, HIND_LAG)])


def test_approach_by_hand() -> None:
    """The board at (2, 1) faces +y; a robot 1.5 m before it and 0.2 m to its left, turned by 0.3 rad."""
    env: Any = make_vec_env(JUMP, 1, randomization="none")
    env.reset(seed=0)
    robot = env.task.quadruped
    robot.base_pos[0, :2], robot.base_quat[0] = [1.8, -0.5], quat_about_z(np.pi / 2 + 0.3)
    place = approach(robot, np.array([[2.0, 1.0, 0.0, 1.0, 0.25]]))
    found = [place.ahead[0], place.side[0], place.heading[0], place.half_length[0]]
    np.testing.assert_allclose(found, [1.5, 0.2, 0.3, 0.25])


@pytest.mark.parametrize("speed", [1.62, 1.8])
def test_the_jumps_clock_meets_the_board(speed: float) -> None:
    dt, phase = 0.02, np.linspace(0.0, 0.95, 20)
    ahead = np.full(20, 2.2)
    while ahead[0] > speed * dt:
        following = advance_clock(phase, ahead, np.full(20, speed), dt)
        rate = ((following - phase) % 1.0) / dt
        assert rate.min() > SLOWEST - 1e-9 and rate.max() < FASTEST + 1e-9
        phase, ahead = following, ahead - speed * dt
    wanted = OVER_BOARD - ahead / STRIDE
    error = np.abs((phase - wanted + 0.5) % 1.0 - 0.5)
    assert (error < 0.05).mean() >= 0.75, "from most phases it is there in time"


def test_the_start_goes_with_the_distance() -> None:
    """Over the board, less the gain, the clock is where it is to be; a whole bound before it, at the same phase."""
    ahead = np.linspace(1.5, 2.6, 23)
    phase = start_phase(ahead)
    assert phase.min() >= 0.0 and phase.max() < 1.0
    at_the_board = OVER_BOARD - GAIN - phase
    np.testing.assert_allclose((at_the_board - ahead / STRIDE + 0.5) % 1.0, 0.5, atol=1e-12)
    np.testing.assert_allclose(np.cos(2 * np.pi * (start_phase(ahead + STRIDE) - phase)), 1.0)


@pytest.mark.parametrize("ahead", [1.9, 2.0, 2.13])
def test_a_start_in_phase_needs_no_correction(ahead: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the robot speeds up, the clock gains STEADY^2 STRIDE / (2 acceleration): here a cycle and `GAIN`."""
    monkeypatch.setattr(jumping, "CORRECTION", 0.0)
    acceleration, top = STEADY**2 * STRIDE / (2 * (1 + GAIN)), STEADY * STRIDE
    left, dt, speed = np.array([ahead]), 0.002, np.zeros(1)
    phase = start_phase(left)
    while left[0] > 0.0:
        phase = advance_clock(phase, left, speed, dt)
        left = left - speed * dt
        speed = np.minimum(top, speed + acceleration * dt)
    assert phase[0] == pytest.approx(OVER_BOARD, abs=0.01)


def test_feet_are_over_the_board_with_a_margin() -> None:
    """A board at (2, 1) that faces +y, 0.5 m long: 0.25 m and the margin to either side of its middle."""
    edge = 0.25 + FOOT_MARGIN
    along = np.array([-edge - 1e-6, -edge + 1e-6, edge - 1e-6, edge + 1e-6])
    feet = np.column_stack([2.0 + np.array([0.1, -0.3, 0.0, 0.0]), 1.0 + along, np.full(4, 0.02)])
    board = np.array([[2.0, 1.0, 0.0, 1.0, 0.25], [2.0, 1.0, 1.0, 0.0, 0.25]])
    over = over_board(np.stack([feet, feet]), board)
    assert over.tolist() == [[False, True, True, False], [True, False, True, True]]


def test_a_foot_on_the_ground_is_wrong_in_swing_and_over_the_board() -> None:
    """Two robots stand while front feet are to stand and hind feet to swing; the first's front feet are on a board."""
    env: Any = make_vec_env(JUMP, 2, randomization="none", autoreset_mode="Disabled")
    env.reset(seed=0)
    robot, reward = env.task.quadruped, JumpReward(env.task.quadruped)
    for _ in range(25):
        env.step(np.zeros((2, 12), np.float32))
    assert robot.foot_contact().all()
    board = np.column_stack([robot.feet_pos[:, 0, :2], np.ones(2), np.zeros(2), np.full(2, 0.1)])
    board[1, 0] += 5.0
    reward.begin(np.arange(2))
    parts = reward(board, np.ones(2), np.full(2, 0.8))[1]
    np.testing.assert_allclose(parts["gait"], [-0.5 - 0.5 - 0.5 - 0.5, 1.0 - 0.5 + 1.0 - 0.5], atol=0.01)


def _feet(speed: float, front: float, outputs: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """`(4, 3)` where the joint targets put the feet, and the actions, at the front feet's phase and a forward speed."""
    env: Any = make_vec_env(JUMP, 1, randomization="none")
    env.reset(seed=0)
    robot, phase = env.task.quadruped, np.array([front])
    robot.base_quat[:], env.simulation.qvel[:] = quat_about_z(0.7), 0.0
    env.simulation.qvel[0, :2] = speed * np.array([np.cos(0.7), np.sin(0.7)])
    actions = Jump(robot).act(np.full((1, 12), outputs, np.float32), phase)
    assert actions.shape == (1, 12) and actions.dtype == np.float32
    return foot_position(VB, (robot.home + ACTION_SCALE * actions[0]).reshape(4, 3)), actions[0]


@each_pair
@pytest.mark.parametrize("speed", [0.0, 1.2])
def test_without_a_network_the_feet_bound(legs: list[int], lag: float, speed: float) -> None:
    """Below the hips in mid swing and in mid stance, and at the ground when they leave it and come back to it."""
    moments = np.array([0.0, 0.5 * SWING, SWING - 1e-7, SWING, 0.5 * (SWING + 1.0), 1.0 - 1e-7])
    feet = np.array([_feet(speed, (own + 1e-9 + lag) % 1.0)[0][legs] for own in moments])
    above = feet[:, :, 2] + HIP_HEIGHT
    np.testing.assert_allclose(above, np.repeat([[0.0, SWING_HEIGHT, 0.0, 0.0, 0.0, 0.0]], 2, axis=0).T, atol=1e-5)
    np.testing.assert_allclose(feet[:, :, 1], VB.hip_offset[1] + VB.knee_offset, atol=1e-5)
    np.testing.assert_allclose(feet[[1, 4], :, 0], 0.0, atol=1e-5)
    np.testing.assert_allclose(feet[[2, 3], :, 0], -feet[[0, 5], :, 0], atol=1e-5)
    assert feet[2, 0, 0] > 0.02, "they land before the hips"


@each_pair
@pytest.mark.parametrize("speed", [-0.5, 0.0, 0.6, 1.2])
def test_feet_in_stance_are_swept_back_faster_than_the_robot(legs: list[int], lag: float, speed: float) -> None:
    """By `EAGER`, with the clock at its steady rate; robots that go backward are treated like those that stand."""
    early, late = SWING + 0.02, 0.98
    feet = [_feet(speed, (own + lag) % 1.0)[0][legs] for own in (early, late)]
    velocity = (feet[1] - feet[0]) / ((late - early) / STEADY)
    np.testing.assert_allclose(velocity, [[-max(speed, 0.0) - EAGER, 0.0, 0.0]] * 2, atol=1e-3)


def test_the_network_adds_to_the_bound() -> None:
    bound, actions = _feet(1.2, 0.3)[1], _feet(1.2, 0.3, 0.25)[1]
    np.testing.assert_allclose(actions, np.clip(bound + 0.25, -1.0, 1.0), atol=1e-6)
    assert 0.1 < np.abs(bound).max() < 0.75, "it leaves the network room"
    np.testing.assert_array_equal(_feet(1.2, 0.3, -9.0)[1], np.full(12, -1.0))
