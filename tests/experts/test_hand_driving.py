"""A person's commands in a hand: what moves the fingertips, and what turns the cube."""

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.control.joint_step import LONGEST_STEP
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.dexterity.hand_rotate import CYCLE, HandRotate
from barkyard.errors import InvalidInput
from barkyard.experts.driving import make_operator
from barkyard.experts.hand.driving import REACH, SQUEEZE, TIP_SPEED, HandOperator
from barkyard.experts.hand.gait import GaitActor, find_gait, load_gaits
from barkyard.teleop.command import Command

HAND = "barkyard/HandRotate-v0"
WHOLE = "i1234-m1234-r1234-t1234"
VIEW = np.eye(3)


@pytest.fixture
def env() -> Iterator[RobotVectorEnv]:
    made = make_vec_env(HAND, 1, autoreset_mode="Disabled", randomization="none")
    made.reset(seed=0)
    yield made
    made.close()


def tips(env: RobotVectorEnv, joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fingertips `(4, 3)` at joint angles, in the world."""
    model = env.simulation.model
    data = mujoco.MjData(model)
    for joint, angle in zip(env.simulation.robot.robot.joints, joints, strict=True):
        data.joint(PREFIX + joint).qpos = angle
    mujoco.mj_kinematics(model, data)
    return np.array([data.site(PREFIX + f"{finger}_tip").xpos for finger in ("index", "middle", "ring", "thumb")])


def settled(operator: HandOperator, env: RobotVectorEnv, command: Command, steps: int) -> NDArray[np.float64]:
    """Joint targets `(J,)` after a command has been held, from home, at no hurry."""
    targets = np.array(env.simulation.robot.robot.home)[None]
    for _ in range(steps):
        action = operator.action(command, {"joint_target": targets})
        assert action.shape == (1, 16) and np.abs(action).max() <= 1.0
        targets = targets + LONGEST_STEP * action
    return targets[0]


def steer(*twist: float) -> Command:
    return Command(tuple(twist))


def turn(rate: float) -> Command:
    return steer(0.0, 0.0, 0.0, 0.0, 0.0, rate)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_all_fingertips_follow_the_command(env: RobotVectorEnv, axis: int, sign: float) -> None:
    twist, home = np.zeros(6), np.array(env.simulation.robot.robot.home)
    twist[axis] = sign * TIP_SPEED
    moved = tips(env, settled(HandOperator(env, VIEW), env, steer(*twist), 8)) - tips(env, home)
    wanted = 8 * TIP_SPEED * env.control_dt * sign * VIEW[axis]
    along = moved @ wanted / (wanted @ wanted)
    assert (along[:3] > 0.75).all() and along[3] > 0.35  # the thumb can hardly go along the fingers
    aside = moved - np.outer(along, wanted)
    assert np.linalg.norm(aside, axis=1).max() < 0.5 * np.linalg.norm(wanted)


def test_nothing_asked_moves_nothing(env: RobotVectorEnv) -> None:
    home = env.simulation.robot.robot.home
    np.testing.assert_allclose(settled(HandOperator(env, VIEW), env, Command(), 5), home, atol=1e-6)


def test_the_fingertips_go_no_further_than_their_reach(env: RobotVectorEnv) -> None:
    operator = HandOperator(env, VIEW)
    up = steer(0.0, 0.0, TIP_SPEED, 0.0, 0.0, 0.0)
    reached = round(REACH / TIP_SPEED / env.control_dt)
    far = settled(operator, env, up, reached + 20)
    np.testing.assert_allclose(settled(operator, env, up, 40), far, atol=1e-6)


def test_closing_draws_the_fingertips_to_the_cube_and_opening_lets_go(env: RobotVectorEnv) -> None:
    operator = HandOperator(env, VIEW)
    home = np.array(env.simulation.robot.robot.home)
    before = tips(env, home)
    closed = tips(env, settled(operator, env, Command(gripper=1.0), 20))
    assert isinstance(env.task, HandRotate)
    cube = env.task.start_pos_world
    nearer = np.linalg.norm(before - cube, axis=1) - np.linalg.norm(closed - cube, axis=1)
    assert (nearer > 0.5 * SQUEEZE).all()
    np.testing.assert_allclose(settled(operator, env, Command(gripper=0.0), 20), home, atol=1e-6)


def expert_cycle(env: RobotVectorEnv) -> NDArray[np.float64]:
    """Joint targets `(40, J)` of the expert's fourth cycle."""
    home = env.simulation.robot.robot.home
    expert, targets, cycle = GaitActor(find_gait(WHOLE).gait, home, env.control_dt), np.array([home]), []
    for step in range(round(4 * CYCLE / env.control_dt)):
        angle = 2 * np.pi * step * env.control_dt / CYCLE
        clock = np.array([[np.sin(angle), np.cos(angle)]])
        targets = targets + LONGEST_STEP * expert.act({"clock": clock, "joint_target": targets})
        targets = np.clip(targets, *env.simulation.robot.joint_range.T)
        cycle.append(targets[0])
    return np.array(cycle[-round(CYCLE / env.control_dt) :])


def test_at_full_speed_the_hand_goes_as_its_expert(env: RobotVectorEnv) -> None:
    operator, cycle = HandOperator(env, VIEW), expert_cycle(env)
    assert operator.full[5] == pytest.approx(np.radians(find_gait(WHOLE).measured["yaw_rate"]))
    went = [settled(HandOperator(env, VIEW), env, turn(operator.full[5]), steps) for steps in (100, 101, 110)]
    places = [int(np.abs(cycle - targets).max(axis=1).argmin()) for targets in went]
    np.testing.assert_allclose(cycle[places], went, atol=1e-4)
    assert (np.diff(places) % 40).tolist() == [1, 9]


def test_a_person_goes_on_from_where_the_expert_has_the_fingers(env: RobotVectorEnv) -> None:
    operator, cycle = HandOperator(env, VIEW), expert_cycle(env)
    for place in (7, 8, 9, 30, 31):  # the expert acted in between
        action = operator.action(turn(operator.full[5]), {"joint_target": cycle[place][None]})
        np.testing.assert_allclose(cycle[place] + LONGEST_STEP * action[0], cycle[place + 1], atol=1e-4)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_slower_the_fingers_go_the_same_way(env: RobotVectorEnv, side: float) -> None:
    fast = [settled(HandOperator(env, VIEW), env, turn(side * 0.6), steps) for steps in range(100, 140, 8)]
    slow = [settled(HandOperator(env, VIEW), env, turn(side * 0.3), 2 * steps) for steps in range(100, 140, 8)]
    np.testing.assert_allclose(slow, fast, atol=1e-5)
    assert np.ptp(fast, axis=0).max() > 0.3


def turned(seed: int, rate: float, seconds: float, randomization: str) -> tuple[float, bool]:
    """How far the cube turns about the vertical [rad] while `rate` is asked for, and whether it is dropped."""
    env = make_vec_env(HAND, 1, autoreset_mode="Disabled", randomization=randomization)
    observations, _ = env.reset(seed=seed)
    operator = make_operator(env)
    operator.begin(seed)
    for _ in range(round(seconds / env.control_dt)):
        observations, _, terminated, _, info = env.step(operator.action(turn(rate), observations))
        if terminated[0]:
            break
    env.close()
    return float(np.radians(info["metrics"]["yaw_rate"][0])) * seconds, bool(info["metrics"]["dropped"][0])


@pytest.mark.parametrize("rate", [0.6, 0.3, -0.3, -0.6])
def test_the_cube_turns_as_fast_as_is_asked_and_stays(rate: float) -> None:
    angle, dropped = turned(10, rate, 15.0, "none")
    assert not dropped and angle / (15.0 * rate) == pytest.approx(1.0, abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "least"), [(0.3, 0.2), (-0.3, 0.9)])
def test_cubes_that_differ_turn_too_but_to_the_left_they_often_jam(rate: float, least: float) -> None:
    runs = [turned(seed, rate, 25.0, "moderate") for seed in range(100, 124)]
    parts = np.array([angle / (25.0 * rate) for angle, _ in runs])
    drops = sum(dropped for _, dropped in runs)
    print(f"asked {rate} rad/s: {np.mean(parts > 0.7):.0%} of {len(runs)} turn at 0.7 of it or faster, {drops} dropped")
    assert np.mean(parts > 0.7) > least and drops <= 2


def test_another_hand_takes_the_gait_of_the_one_most_like_it() -> None:
    gait = find_gait("i1234-m1234-t1234").gait
    whole = load_gaits()[WHOLE].gait
    assert len(gait.joints) == 12 and "ring_mcp" not in gait.joints
    np.testing.assert_array_equal(gait.numbers[0], whole.numbers[0])


def test_targets_of_another_kind_are_refused() -> None:
    env = make_vec_env(HAND, 1, autoreset_mode="Disabled", controller="JOINT_TARGET")
    env.reset(seed=0)
    with pytest.raises(InvalidInput, match="JOINT_STEP"):
        make_operator(env)
