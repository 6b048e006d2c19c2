"""What the skills' networks see and are rewarded for, their clocks, and the actors that use them."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.experts.locomotion import jumping, walking
from barkyard.experts.locomotion.actors import CourseExpert, WalkingExpert
from barkyard.experts.locomotion.jumping import FASTEST, OVER_BOARD, SLOWEST, STRIDE, advance_clock, approach
from barkyard.experts.locomotion.navigation import LANDED, RUN_UP
from barkyard.experts.locomotion.network import Network
from barkyard.experts.locomotion.walking import Walk, WalkReward
from barkyard.rotation import quat_about_z

VELOCITY, COURSE = "barkyard/QuadrupedVelocity-v0", "barkyard/AgilityCourse-v0"
MIRRORED = np.r_[6:12, 0:6]


def _constant(inputs: int, value: float) -> Network:
    """A network that gives one number whatever it sees."""
    return Network([(np.zeros((inputs, 12), np.float32), np.full(12, value, np.float32))])


def _random(inputs: int, seed: int) -> Network:
    draw = np.random.default_rng(seed)
    shapes = ((inputs, 24), (24, 12))
    return Network([
        (draw.normal(0, 0.2, shape).astype(np.float32), draw.normal(0, 0.1, shape[1]).astype(np.float32))
        for shape in shapes
    ])  # fmt: skip


WALK = _constant(walking.OBSERVATION_SIZE, -0.25)
SKILLS = {
    "walk": WALK,
    "slope": _constant(walking.OBSERVATION_SIZE, 0.75),
    "jump": _constant(jumping.OBSERVATION_SIZE, 0.5),
}


def _mirror_images() -> Any:
    """Two robots on a course's scene, each the other's image in the plane y = 0, in motion beside a box."""
    env: Any = make_vec_env(COURSE, 2, randomization="none", autoreset_mode="Disabled")
    env.reset(seed=0)
    simulation, robot, draw = env.simulation, env.task.quadruped, np.random.default_rng(0)
    sizes, pos = robot.boxes.half_size.copy(), np.full((2, 5, 3), -10.0)
    pos[:, 0] = [[0.6, 0.7, 0.05], [0.6, -0.7, 0.05]]
    robot.boxes.place(np.arange(2), pos, np.tile([1.0, 0, 0, 0], (2, 5, 1)))
    robot.boxes.resize(np.arange(2), sizes)
    quat = np.array([0.95, 0.1, 0.15, 0.25])
    quat /= np.linalg.norm(quat)
    joints, speeds, action = robot.home + draw.normal(0, 0.2, 12), draw.normal(0, 2, 12), draw.uniform(-1, 1, 12)
    linear, angular = draw.normal(size=3), draw.normal(size=3)
    for i, flip in enumerate((1.0, -1.0)):
        legs = slice(None) if i == 0 else MIRRORED
        robot.base_pos[i], robot.base_quat[i] = [0.1, flip * 0.05, 0.3], quat * [1, flip, 1, flip]
        simulation.qvel[i, :3], simulation.qvel[i, 3:6] = linear * [1, flip, 1], angular * [flip, 1, flip]
        robot.view.joint_pos[i], robot.view.joint_vel[i] = joints[legs], speeds[legs]
        simulation.last_action()[i] = action[legs]
    simulation.forward()
    return env


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.45])
def test_mirror_images_half_a_cycle_apart_look_the_same(phase: float) -> None:
    walk = Walk(_mirror_images().task.quadruped)
    command = np.array([[0.6, 0.3, -0.7], [0.6, -0.3, 0.7]])
    view, mirrored = walk.observe(command, np.array([phase, phase + 0.5]))
    assert mirrored.tolist() == [False, True] and view.shape == (2, walking.OBSERVATION_SIZE)
    np.testing.assert_allclose(view[1], view[0], atol=1e-6)
    assert np.ptp(view[0, -55:]) > 0.3, "the box is seen"
    outputs = np.tile(np.linspace(-2, 2, 12, dtype=np.float32), (2, 1))
    actions = walk.act(outputs, mirrored)
    np.testing.assert_array_equal(actions[0], np.clip(outputs[0], -1, 1))
    np.testing.assert_array_equal(actions[1], actions[0, MIRRORED])


def test_nobody_is_mirrored_while_standing() -> None:
    walk = Walk(_mirror_images().task.quadruped)
    view, mirrored = walk.observe(np.zeros((2, 3)), np.array([0.2, 0.7]))
    assert not mirrored.any() and np.abs(view[1] - view[0]).max() > 0.1
    clock = view[:, 48:50]
    assert (clock == 0.0).all(), "the clock is hidden from those who stand"


def test_mirror_images_are_rewarded_alike() -> None:
    env = _mirror_images()
    reward = WalkReward(env.task.quadruped)
    reward.begin(np.arange(2))
    command = np.array([[0.6, 0.3, -0.7], [0.6, -0.3, 0.7]])
    total, parts = reward(command, np.array([0.3, 0.8]))
    assert total.shape == (2,) and total.min() >= 0.0
    for name, values in parts.items():
        assert values[0] == pytest.approx(values[1], abs=1e-9), name
    assert parts["tilt"][0] < 0.0 and parts["width"][0] <= 0.0 and 0.0 < parts["gait"][0] <= 2.0


def test_approach_by_hand() -> None:
    """The board at (2, 1) faces +y; a robot 1.5 m before it and 0.2 m to its left, turned by 0.3 rad."""
    env: Any = make_vec_env(COURSE, 1, randomization="none")
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


def test_walkers_follow_velocity_tasks_only() -> None:
    env = make_vec_env(VELOCITY, 3)
    observations, _ = env.reset(seed=0)
    np.testing.assert_array_equal(WalkingExpert(env, WALK).act(observations), np.full((3, 12), -0.25))
    with pytest.raises(InvalidInput, match="barkyard/AFrame-v0 gives none"):
        WalkingExpert(make_vec_env("barkyard/AFrame-v0", 1), WALK)
    with pytest.raises(InvalidInput, match="barkyard/QuadrupedVelocity-v0 is none"):
        CourseExpert(env, SKILLS)


def test_mirror_images_of_a_jumper_see_and_do_mirror_images() -> None:
    """Lateral place and heading change sign where left and right are exchanged, and so do the legs of the action."""
    robot = _mirror_images().task.quadruped
    side, heading, both = np.array([0.1, -0.1]), np.array([0.2, -0.2]), np.ones(2)
    jump = jumping.Jump(robot)
    view = jump.observe(jumping.Approach(1.3 * both, side, heading, 0.25 * both), 1.5 * both, 0.3 * both)
    assert view.shape == (2, jumping.OBSERVATION_SIZE)
    np.testing.assert_allclose(view[:, -4:], np.stack([1.3 * both, 4 * side, 2 * heading, both], axis=1), rtol=1e-6)
    np.testing.assert_allclose(view[1:], jumping.MIRROR.observations(view[:1]), atol=1e-6)
    draw = np.random.default_rng(0)
    weight = draw.uniform(-0.3, 0.3, (jumping.OBSERVATION_SIZE, 12)).astype(np.float32)
    actions = jump.act(Network([(weight, np.full(12, 0.1, np.float32))]), view)
    np.testing.assert_allclose(actions[1], actions[0, MIRRORED], atol=1e-5)


def test_the_slope_is_walked_by_its_own_network() -> None:
    """Along the A-frame's axis: walk before it, climb on it."""
    env: Any = make_vec_env("barkyard/AFrame-v0", 1, randomization="none", autoreset_mode="Disabled")
    observations, _ = env.reset(seed=0)
    frame, robot = env.task.courses[0].a_frame, env.task.quadruped
    along, expert = np.array([np.cos(frame.heading), np.sin(frame.heading)]), CourseExpert(env, SKILLS)
    robot.base_pos[:, :2] = frame.centre - 2.3 * along
    robot.base_quat[:] = quat_about_z(frame.heading)
    expert.reset(np.arange(1), np.arange(1))
    for place in np.arange(-2.3, 1.3, 0.05):
        robot.base_pos[0, :2] = frame.centre + place * along
        actions = expert.act(observations)
        if place < -frame.half_base - 0.5 or place > -frame.half_base - 0.3:
            expected = -0.25 if place < -frame.half_base - 0.5 else 0.75
            np.testing.assert_array_equal(actions, np.full((1, 12), expected), err_msg=f"at {place}")


def test_the_skill_changes_with_the_place() -> None:
    """Along the board's axis: walk, jump between the run-up and the landing, walk."""
    env: Any = make_vec_env("barkyard/BroadJump-v0", 1, randomization="none", autoreset_mode="Disabled")
    observations, _ = env.reset(seed=0)
    env.task.quadruped.base_pos[:, :2], env.task.quadruped.base_quat[:] = [0.6, -4.5], quat_about_z(0.0)
    expert = CourseExpert(env, SKILLS)
    expert.reset(np.arange(1), np.arange(1))
    for x in np.arange(0.6, 3.9, 0.05):
        env.task.quadruped.base_pos[0, :2] = [x, -4.5]
        actions, ahead = expert.act(observations), 2.75 - x
        assert actions.dtype == np.float32
        if ahead > RUN_UP + 0.1 or ahead < -LANDED - 0.06:
            np.testing.assert_array_equal(actions, np.full((1, 12), -0.25), err_msg=f"at {x}")
        elif RUN_UP - 0.1 > ahead > -LANDED + 0.06:
            np.testing.assert_array_equal(actions, np.full((1, 12), 0.5), err_msg=f"at {x}")


def _course_actions(count: int, seeds: list[int]) -> np.ndarray:
    env = make_vec_env(COURSE, count, difficulty=0.5, autoreset_mode="Disabled")
    sizes = {"walk": walking.OBSERVATION_SIZE, "slope": walking.OBSERVATION_SIZE, "jump": jumping.OBSERVATION_SIZE}
    expert = CourseExpert(env, {name: _random(size, seed) for seed, (name, size) in enumerate(sizes.items())})
    observations, _ = env.reset(seed=seeds)
    expert.reset(np.arange(count), np.array(seeds))
    out = []
    for _ in range(25):
        out.append(expert.act(observations))
        observations, *_ = env.step(out[-1])
    return np.array(out)


def test_the_courses_expert_is_the_same_alone_and_in_a_batch() -> None:
    together = _course_actions(4, [5, 6, 7, 8])
    np.testing.assert_array_equal(_course_actions(1, [7])[:, 0], together[:, 2])
    assert np.abs(together).max() <= 1.0 and np.ptp(together) > 0.5


def test_experts_without_weights_say_how_to_get_them() -> None:
    from barkyard.experts.locomotion.network import shipped

    with pytest.raises(CheckpointError, match="./scripts/train_experts"):
        shipped("nothing")
