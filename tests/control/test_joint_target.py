"""JOINT_TARGET: offsets from home, kept in range, remembered."""

import numpy as np
import pytest

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.barkour.numbers import VB
from barkyard.control import make_controller
from barkyard.control.joint_target import ACTION_SCALE, JointTargetController
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput

VELOCITY = "barkyard/QuadrupedVelocity-v0"


def _controller() -> JointTargetController:
    control = make_controller("JOINT_TARGET", load_robot("barkour_vb"))
    assert isinstance(control, JointTargetController)
    control.configure(make_vec_env(VELOCITY, 1).simulation.model)
    return control


def _command(action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Controls and memory after one command to two simulations."""
    control = _controller()
    memory, ctrl = np.zeros((2, control.memory_size)), np.zeros((2, 12))
    control.command(memory, ctrl, np.asarray(action, np.float32))
    np.testing.assert_array_equal(control.last_action(memory), np.asarray(action, np.float32))
    return ctrl, memory


def test_an_action_of_one_is_a_radian() -> None:
    assert ACTION_SCALE == 1.0


def test_no_action_is_the_home_pose() -> None:
    np.testing.assert_array_equal(_command(np.zeros((2, 12)))[0], np.tile(VB.home, (2, 4)))


def test_an_action_is_an_offset_of_its_own_joint() -> None:
    for joint in range(12):
        action = np.zeros((2, 12))
        action[1, joint] = -0.5
        offset = _command(action)[0] - np.tile(VB.home, (2, 4))
        expected = np.zeros((2, 12))
        expected[1, joint] = -0.5 * ACTION_SCALE
        np.testing.assert_allclose(offset, expected, atol=1e-12)


def test_targets_stay_in_the_control_ranges() -> None:
    """Home is 0.5 and 1.0 at hip and knee, far from any limit; one whose home is near a limit is stopped by it."""
    control = _controller()
    control._high = control._high.copy()
    control._high[2] = 1.1
    memory, ctrl = np.zeros((1, 12)), np.zeros((1, 12))
    control.command(memory, ctrl, np.ones((1, 12), np.float32))
    assert ctrl[0, 2] == 1.1 and ctrl[0, 5] == 1.0 + ACTION_SCALE
    model = make_vec_env(VELOCITY, 1).simulation.model
    np.testing.assert_allclose(model.actuator_ctrlrange[2], [0.1, 2.34346])
    np.testing.assert_allclose(model.actuator_ctrlrange[0], [-0.9472, 0.9472])


def test_reset_touches_only_those_that_begin() -> None:
    control = _controller()
    memory, ctrl = np.full((3, 12), 7.0), np.full((3, 12), 7.0)
    control.reset(memory, ctrl, np.array([1]), np.zeros((1, 12)))
    np.testing.assert_array_equal(ctrl[1], np.tile(VB.home, 4))
    assert (memory[1] == 0.0).all() and (memory[[0, 2]] == 7.0).all() and (ctrl[[0, 2]] == 7.0).all()


def test_the_environment_observes_the_last_action() -> None:
    env = make_vec_env(VELOCITY, 2)
    observations, _ = env.reset(seed=0)
    assert (observations["last_action"] == 0.0).all()
    action = np.random.default_rng(0).uniform(-2, 2, (2, 12)).astype(np.float32)
    np.testing.assert_array_equal(env.step(action)[0]["last_action"], np.clip(action, -1.0, 1.0))
    assert (env.reset(seed=1)[0]["last_action"] == 0.0).all()


def test_torque_motors_are_refused() -> None:
    with pytest.raises(InvalidInput, match="JOINT_TARGET needs position servos"):
        make_vec_env("barkyard/Lift-v0", 1, controller="JOINT_TARGET")
