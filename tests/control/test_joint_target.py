"""JOINT_TARGET: offsets from home, kept in range, remembered."""

import numpy as np
import pytest

from barkyard.assets.robots import load_robot
from barkyard.assets.robots.barkour.numbers import VB
from barkyard.control import make_controller
from barkyard.control.controller import Watch
from barkyard.control.joint_target import ACTION_SCALE, JointTargetController
from barkyard.control.target_kernel import hold_targets
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput

VELOCITY = "barkyard/QuadrupedVelocity-v0"


SUBSTEPS = 5
UNUSED = np.zeros((0, 0))


def _controller() -> JointTargetController:
    control = make_controller("JOINT_TARGET", load_robot("barkour_vb"))
    assert isinstance(control, JointTargetController)
    control.configure(make_vec_env(VELOCITY, 1).simulation.model, SUBSTEPS)
    return control


def _ctrl(control: JointTargetController, memory: np.ndarray, substeps: int = 1) -> np.ndarray:
    """Controls after so many physics steps."""
    ctrl = np.full((len(memory), 12), np.nan)
    for n in range(len(memory)):
        for _ in range(substeps):
            hold_targets(control._config, memory[n], np.zeros(0), ctrl[n])
    return ctrl


def _command(action: np.ndarray) -> np.ndarray:
    """Controls after one command to two simulations."""
    control = _controller()
    memory = np.zeros((2, control.memory_size))
    control.command(memory, UNUSED, np.asarray(action, np.float32))
    np.testing.assert_array_equal(control.last_action(memory), np.asarray(action, np.float32))
    return _ctrl(control, memory)


def test_an_action_of_one_is_a_radian() -> None:
    assert ACTION_SCALE == 1.0


def test_no_action_is_the_home_pose() -> None:
    np.testing.assert_array_equal(_command(np.zeros((2, 12))), np.tile(VB.home, (2, 4)))


def test_an_action_is_an_offset_of_its_own_joint() -> None:
    for joint in range(12):
        action = np.zeros((2, 12))
        action[1, joint] = -0.5
        offset = _command(action) - np.tile(VB.home, (2, 4))
        expected = np.zeros((2, 12))
        expected[1, joint] = -0.5 * ACTION_SCALE
        np.testing.assert_allclose(offset, expected, atol=1e-12)


def test_targets_stay_in_the_control_ranges() -> None:
    """Home is 0.5 and 1.0 at hip and knee, far from any limit; one whose home is near a limit is stopped by it."""
    control = _controller()
    control._high = control._high.copy()
    control._high[2] = 1.1
    memory = np.zeros((1, control.memory_size))
    control.command(memory, UNUSED, np.ones((1, 12), np.float32))
    ctrl = _ctrl(control, memory)
    assert ctrl[0, 2] == 1.1 and ctrl[0, 5] == 1.0 + ACTION_SCALE
    model = make_vec_env(VELOCITY, 1).simulation.model
    np.testing.assert_allclose(model.actuator_ctrlrange[2], [0.1, 2.34346])
    np.testing.assert_allclose(model.actuator_ctrlrange[0], [-0.9472, 0.9472])


def test_reset_touches_only_those_that_begin() -> None:
    control = _controller()
    memory, ctrl = np.full((3, control.memory_size), 7.0), np.full((3, 12), 7.0)
    control.reset(memory, ctrl, np.array([1]), np.zeros((1, 12)))
    np.testing.assert_array_equal(ctrl[1], np.tile(VB.home, 4))
    assert (control.last_action(memory)[1] == 0.0).all() and not control.seen(memory)[1].any()
    assert control.delay_steps(memory)[1] == 7.0, "a delay belongs to the episode, which has drawn it already"
    assert (memory[[0, 2]] == 7.0).all() and (ctrl[[0, 2]] == 7.0).all()


@pytest.mark.parametrize("late", range(SUBSTEPS + 1))
def test_targets_come_late_by_their_delay(late: int) -> None:
    control, home = _controller(), np.tile(VB.home, 4)
    memory, ctrl = np.zeros((1, control.memory_size)), np.zeros((1, 12))
    control.reset(memory, ctrl, np.array([0]), np.zeros((1, 12)))
    control.delay_steps(memory)[:] = late
    control.command(memory, UNUSED, np.full((1, 12), 0.1, np.float32))
    for substep in range(SUBSTEPS):
        expected = home + np.float32(0.1) if substep >= late else home
        np.testing.assert_array_equal(_ctrl(control, memory)[0], expected)
    control.command(memory, UNUSED, np.full((1, 12), 0.2, np.float32))
    np.testing.assert_array_equal(_ctrl(control, memory)[0], home + np.float32(0.2 if late == 0 else 0.1))


def test_between_periods_nothing_happens() -> None:
    control = _controller()
    memory = np.zeros((1, control.memory_size))
    control.command(memory, UNUSED, np.zeros((1, 12), np.float32))
    _ctrl(control, memory, SUBSTEPS)
    before = memory.copy()
    assert np.isnan(_ctrl(control, memory)).all()
    np.testing.assert_array_equal(memory, before)


def test_what_is_felt_at_any_physics_step_is_seen() -> None:
    """The board in one physics step, no foot down in the same, and never a pole."""
    env = make_vec_env("barkyard/AgilityCourse-v0", 1)
    control, model = env.simulation.controller, env.simulation.model
    assert isinstance(control, JointTargetController)
    feet = [int(model.sensor_adr[model.sensor(f"contact_{foot}").id]) for foot in load_robot("barkour_vb").feet]
    board = int(model.sensor_adr[model.sensor("touch_board").id])
    memory, ctrl = np.zeros((1, control.memory_size)), np.zeros(12)
    for felt_at in range(SUBSTEPS):
        control.command(memory, UNUSED, np.zeros((1, 12), np.float32))
        for substep in range(SUBSTEPS):
            sensors = np.zeros(model.nsensordata)
            sensors[feet[substep % 4]] = 1.0
            if substep == felt_at:
                sensors[board], sensors[feet] = 1.0, 0.0
            hold_targets(control._config, memory[0], sensors, ctrl)
            assert control.seen(memory)[0, :3].tolist() == [substep >= felt_at, False, substep >= felt_at]


def test_sensors_that_are_watched_together_lie_together() -> None:
    control, model = _controller(), make_vec_env("barkyard/AgilityCourse-v0", 1).simulation.model
    with pytest.raises(InvalidInput, match="must follow one another in the model, got contact_FL_foot, contact_FR"):
        control.configure(model, SUBSTEPS, [Watch(("contact_FL_foot", "contact_FR_foot"))])
    with pytest.raises(InvalidInput, match="5 watches are asked for; there is room for 4"):
        control.configure(model, SUBSTEPS, [Watch(("touch_board",))] * 5)
    with pytest.raises(InvalidInput, match="arms watch no sensors"):
        lift = make_vec_env("barkyard/Lift-v0", 1).simulation
        lift.controller.configure(lift.model, SUBSTEPS, [Watch(("touch_board",))])


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
