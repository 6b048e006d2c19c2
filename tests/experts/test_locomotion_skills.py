"""What the skills' networks see, what walking is rewarded for, and the actors that use them."""

from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.agility.guide import STILL
from barkyard.envs.tasks.agility.way import BRAKE, JUMP, LAND, LANDED, READY, RUN_UP, SETTLE, SLOPE, WALK, WEAVE, plan
from barkyard.envs.tasks.locomotion.quadruped import CLOCK
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.experts.locomotion import jumping, walking
from barkyard.experts.locomotion.actors import WALKERS, CourseExpert, WalkingExpert
from barkyard.experts.locomotion.jumping import advance_clock, approach, start_phase
from barkyard.experts.locomotion.network import Network, shipped
from barkyard.experts.locomotion.walking import RANGE, Walk, WalkReward
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


SIZES = {name: walking.OBSERVATION_SIZE for name in WALKERS.values()} | {"jump": jumping.OBSERVATION_SIZE}
GIVEN = {"walk": -0.25, "weave": 0.125, "slope": 0.375, "land": 0.0625, "jump": 0.25}
SKILLS = {name: _constant(SIZES[name], value) for name, value in GIVEN.items()}
TURN = RUN_UP + BRAKE + SETTLE
"""So far before the board the way turns towards it [m]."""


def _mirror_images(phase: float = 0.0, later: float = 0.0) -> Any:
    """Two robots on a course's scene, each the other's image in the plane y = 0, in motion beside a box.

    Their clocks are at `phase` and at `phase + later`.
    """
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
    simulation.time[:] = np.array([phase, phase + later]) / CLOCK
    return env


@pytest.mark.parametrize("phase", [0.02, 0.2, 0.45])
def test_mirror_images_half_a_cycle_apart_look_the_same(phase: float) -> None:
    walk = Walk(_mirror_images(phase, 0.5).task.quadruped)
    command = np.array([[0.6, 0.3, -0.7], [0.6, -0.3, 0.7]])
    view, mirrored = walk.observe(command)
    assert mirrored.tolist() == [False, True] and view.shape == (2, walking.OBSERVATION_SIZE)
    np.testing.assert_allclose(view[1], view[0], atol=1e-6)
    assert np.ptp(view[0, -55:]) > 0.3, "the box is seen"
    outputs = np.tile(np.linspace(-2, 2, 12, dtype=np.float32), (2, 1))
    actions = walk.act(outputs, mirrored)
    np.testing.assert_array_equal(actions[0], np.clip(outputs[0], -RANGE, RANGE))
    np.testing.assert_array_equal(actions[1], actions[0, MIRRORED])


def test_nobody_is_mirrored_while_standing() -> None:
    walk = Walk(_mirror_images(0.2, 0.5).task.quadruped)
    view, mirrored = walk.observe(np.zeros((2, 3)))
    assert not mirrored.any() and np.abs(view[1] - view[0]).max() > 0.1
    clock = view[:, 48:50]
    assert (clock == 0.0).all(), "the clock is hidden from those who stand"


def test_mirror_images_are_rewarded_alike() -> None:
    env = _mirror_images(0.3, 0.5)
    reward = WalkReward(env.task.quadruped)
    reward.begin(np.arange(2))
    command = np.array([[0.6, 0.3, -0.7], [0.6, -0.3, 0.7]])
    total, parts = reward(command)
    assert total.shape == (2,) and total.min() >= 0.0
    for name, values in parts.items():
        assert values[0] == pytest.approx(values[1], abs=1e-9), name
    assert parts["tilt"][0] < 0.0 and parts["width"][0] <= 0.0 and 0.0 < parts["gait"][0] <= 2.0


def test_walkers_follow_velocity_tasks_only() -> None:
    env = make_vec_env(VELOCITY, 3)
    observations, _ = env.reset(seed=0)
    np.testing.assert_array_equal(WalkingExpert(env, SKILLS["walk"]).act(observations), np.full((3, 12), -0.25))
    with pytest.raises(InvalidInput, match="barkyard/AFrame-v0 gives none"):
        WalkingExpert(make_vec_env("barkyard/AFrame-v0", 1), SKILLS["walk"])
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
    outputs = jumping.symmetric(Network([(weight, np.full(12, 0.1, np.float32))]), view)
    actions = jump.act(outputs, 0.3 * both)
    for values in (outputs, actions):
        np.testing.assert_allclose(values[1], values[0, MIRRORED], atol=1e-5)
        assert np.ptp(values[0]) > 0.1


def test_who_is_symmetric_acts_symmetrically() -> None:
    network, view = _random(jumping.OBSERVATION_SIZE, 0), np.zeros((1, jumping.OBSERVATION_SIZE), np.float32)
    view[:, [0, 2, 4, 6, 8]] = 0.7
    outputs = jumping.symmetric(network, view)
    np.testing.assert_allclose(outputs, outputs[:, MIRRORED], atol=1e-6)
    assert np.abs(network(view) - network(view)[:, MIRRORED]).max() > 0.01


def _set_down(env: Any, xy: Any, heading: float, periods: int = 30) -> None:
    """Robots at `(N, 2)`, where the guide sees them for some control periods; 30 are enough to get ready to jump."""
    env.task.quadruped.base_pos[:, :2], env.task.quadruped.base_quat[:] = xy, quat_about_z(heading)
    for _ in range(periods):
        env.task.guide.advance()


def _alone(name: str) -> tuple[Any, CourseExpert, Any]:
    """One robot, its expert with constant networks, and the first observation."""
    env: Any = make_vec_env(f"barkyard/{name}-v0", 1, randomization="none", autoreset_mode="Disabled")
    observations, _ = env.reset(seed=0)
    expert = CourseExpert(env, SKILLS)
    expert.reset(np.arange(1), np.arange(1))
    return env, expert, observations


def test_the_slope_is_walked_by_its_own_network() -> None:
    """Along the A-frame's axis: climb on it, and not before."""
    env, expert, observations = _alone("AFrame")
    frame = env.task.courses[0].a_frame
    along = np.array([np.cos(frame.heading), np.sin(frame.heading)])
    for place in np.arange(-2.3, 1.3, 0.05):
        _set_down(env, frame.centre + place * along, frame.heading)
        actions = expert.act(observations)
        if place < -frame.half_base - 0.5:
            assert not (actions == GIVEN["slope"]).any(), f"at {place}"
        elif place > -frame.half_base - 0.3:
            np.testing.assert_array_equal(actions, np.full((1, 12), GIVEN["slope"]), err_msg=f"at {place}")


def test_every_part_of_the_course_has_its_own_network() -> None:
    env, expert, observations = _alone("AgilityCourse")
    task, robot = env.task, env.task.quadruped
    start = (*robot.base_pos[0, :2].tolist(), float(robot.heading()[0]))
    way, seen = plan(task.courses[0], start, task.present), []
    for xy, heading, skill in zip(way.xy, way.heading, way.skill, strict=True):
        _set_down(env, xy, heading)
        actions = expert.act(observations)
        if skill != JUMP:
            np.testing.assert_array_equal(actions, np.full((1, 12), GIVEN[WALKERS[skill]]), err_msg=f"at {xy}")
        seen.append(int(skill))
    assert WALK in seen and [s for s in dict.fromkeys(seen) if s != WALK] == [WEAVE, SLOPE, JUMP, LAND]


def _to_the_run_up(env: Any) -> None:
    """Back to where the way turns towards the board."""
    for ahead in np.arange(2.75 - env.task.quadruped.base_pos[0, 0], TURN, 0.05):
        _set_down(env, [2.75 - ahead, -4.5], 0.0)
        assert env.task.guide.skill()[0] == WALK


def test_the_skill_changes_with_the_place() -> None:
    """Along the board's axis: walk, jump between the run-up and the landing, land; the jump's clock starts in phase."""
    env, expert, observations = _alone("BroadJump")
    robot, phase = env.task.quadruped, None
    jump, outputs = jumping.Jump(robot), np.full((1, 12), GIVEN["jump"], np.float32)
    _to_the_run_up(env)
    for ahead in np.arange(TURN, -0.95, -0.05):
        _set_down(env, [2.75 - ahead, -4.5], 0.0)
        actions = expert.act(observations)
        assert actions.dtype == np.float32
        if ahead > RUN_UP + BRAKE or ahead < -LANDED - 0.04:
            name = "walk" if ahead > 0 else "land"
            np.testing.assert_array_equal(actions, np.full((1, 12), GIVEN[name]), err_msg=f"at {ahead}")
        elif RUN_UP + BRAKE - 0.04 > ahead > -LANDED:
            place = approach(robot, env.task.board())
            phase = start_phase(place.ahead) if phase is None else phase
            np.testing.assert_array_equal(actions, jump.act(outputs, phase), err_msg=f"at {ahead}")
            phase = advance_clock(phase, place.ahead, robot.linear_velocity()[:, 0], env.control_dt)
    assert phase is not None


def test_a_robot_stands_at_home_until_it_jumps() -> None:
    env, expert, observations = _alone("BroadJump")
    _to_the_run_up(env)
    _set_down(env, [2.75 - TURN, -4.5], 0.0)
    _set_down(env, [2.75 - RUN_UP - 0.05, -4.5], 0.0, periods=1)
    periods = 0
    while env.task.guide.skill()[0] == READY:
        np.testing.assert_array_equal(expert.act(observations), np.zeros((1, 12)))
        env.task.guide.advance()
        periods += 1
    assert abs(periods - STILL / env.control_dt) < 1.5
    assert env.task.guide.skill()[0] == JUMP and np.ptp(expert.act(observations)) > 0.0


def _random_expert(env: Any, seeds: list[int]) -> CourseExpert:
    expert = CourseExpert(env, {name: _random(size, seed) for seed, (name, size) in enumerate(SIZES.items())})
    expert.reset(np.arange(env.num_envs), np.array(seeds))
    return expert


def _course_actions(count: int, seeds: list[int]) -> np.ndarray:
    env = make_vec_env(COURSE, count, difficulty=0.5, autoreset_mode="Disabled")
    observations, _ = env.reset(seed=seeds)
    expert, out = _random_expert(env, seeds), []
    for _ in range(25):
        out.append(expert.act(observations))
        observations, *_ = env.step(out[-1])
    return np.array(out)


def _jumps(late: list[int]) -> np.ndarray:
    """Actions of robots that are set down on their way over the board, some later than others."""
    env: Any = make_vec_env("barkyard/BroadJump-v0", len(late), autoreset_mode="Disabled")
    observations, _ = env.reset(seed=late)
    expert, out = _random_expert(env, late), []
    ahead = np.array([1.9, 2.15, TURN, *np.arange(TURN, -1.2, -0.2)])
    env.simulation.qvel[:, 0] = 1.0
    for step in range(len(ahead) + max(late)):
        places = ahead[np.clip(step - np.array(late), 0, len(ahead) - 1)]
        _set_down(env, np.column_stack([2.75 - places, -4.5 + 0.01 * np.array(late)]), 0.0, periods=9)
        out.append(expert.act(observations))
    return np.array(out)


def test_the_courses_expert_is_the_same_alone_and_in_a_batch() -> None:
    together = _course_actions(4, [5, 6, 7, 8])
    np.testing.assert_array_equal(_course_actions(1, [7])[:, 0], together[:, 2])
    assert np.abs(together).max() <= 1.0 and np.ptp(together) > 0.5


def test_jumpers_do_not_notice_who_else_jumps() -> None:
    together, alone = _jumps([0, 2, 3, 9]), _jumps([3])
    np.testing.assert_array_equal(alone[:, 0], together[: len(alone), 2])
    assert np.abs(alone).max() > RANGE, "it jumped"


@pytest.mark.parametrize("name", SIZES)
def test_shipped_networks_fit_what_they_see(name: str) -> None:
    layers = shipped(name).layers
    assert layers[0][0].shape[0] == SIZES[name] and layers[-1][0].shape[1] == 12
    assert all(np.isfinite(array).all() for pair in layers for array in pair)


def test_experts_without_weights_say_how_to_get_them() -> None:
    with pytest.raises(CheckpointError, match="./scripts/train_experts"):
        shipped("nothing")
