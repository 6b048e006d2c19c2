"""A person's commands in a hand: what moves the fingertips, and what turns the cube."""

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.control.joint_step import LONGEST_STEP
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.dexterity.hand_rotate import CYCLE
from barkyard.errors import InvalidInput
from barkyard.experts.driving import make_operator
from barkyard.experts.hand.driving import REACH, SQUEEZE, TIP_SPEED, HandOperator
from barkyard.experts.hand.gait import RIGHT_FILE, find_gait, load_gaits
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


def steer(twist: tuple[float, ...], gripper: float = 0.0) -> Command:
    return Command(twist, gripper)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_all_fingertips_follow_the_command(env: RobotVectorEnv, axis: int, sign: float) -> None:
    operator = HandOperator(env, VIEW)
    twist = np.zeros(6)
    twist[axis] = sign * TIP_SPEED
    home = np.array(env.simulation.robot.robot.home)
    moved = tips(env, settled(operator, env, steer(tuple(twist)), 8)) - tips(env, home)
    wanted = 8 * TIP_SPEED * env.control_dt * sign * VIEW[axis]
    assert (moved @ wanted > 0.6 * wanted @ wanted).all()
    aside = moved - np.outer(moved @ wanted, wanted) / (wanted @ wanted)
    assert np.linalg.norm(aside, axis=1).max() < 0.4 * np.linalg.norm(wanted)


def test_nothing_asked_moves_nothing(env: RobotVectorEnv) -> None:
    home = env.simulation.robot.robot.home
    np.testing.assert_allclose(settled(HandOperator(env, VIEW), env, Command(), 5), home, atol=1e-6)


def test_the_fingertips_go_no_further_than_their_reach(env: RobotVectorEnv) -> None:
    operator = HandOperator(env, VIEW)
    up = steer((0.0, 0.0, TIP_SPEED, 0.0, 0.0, 0.0))
    reached = round(REACH / TIP_SPEED / env.control_dt)
    far = settled(operator, env, up, reached + 20)
    np.testing.assert_allclose(settled(operator, env, up, 40), far, atol=1e-6)


def test_closing_draws_the_fingertips_to_the_cube_and_opening_lets_go(env: RobotVectorEnv) -> None:
    operator = HandOperator(env, VIEW)
    home = np.array(env.simulation.robot.robot.home)
    before = tips(env, home)
    closed = tips(env, settled(operator, env, Command(gripper=1.0), 20))
    nearer = np.linalg.norm(before - env.task.start_pos_world, axis=1) - np.linalg.norm(
        closed - env.task.start_pos_world, axis=1
    )
    assert (nearer > 0.5 * SQUEEZE).all()
    np.testing.assert_allclose(settled(operator, env, Command(gripper=0.0), 20), home, atol=1e-6)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("part", [1.0, 0.5])
def test_a_turn_carries_the_gait_on_as_fast_as_asked(env: RobotVectorEnv, side: float, part: float) -> None:
    operator = HandOperator(env, VIEW)
    turn = steer((0.0, 0.0, 0.0, 0.0, 0.0, side * part * operator.full[5]))
    entry = find_gait(WHOLE) if side > 0 else find_gait(WHOLE, RIGHT_FILE)
    steps = round(1.25 * CYCLE / env.control_dt)
    rate = operator.full[5] * part / np.radians(entry.measured["yaw_rate"])
    phase = np.array([2 * np.pi * 1.25 * rate])
    targets = np.array(env.simulation.robot.robot.home) + entry.gait.targets(np.sin(phase), np.cos(phase))
    off = settled(operator, env, turn, steps) - targets[0]
    assert np.abs(off).max() < 2 * LONGEST_STEP  # as fast as a gait's joints move, targets lag a step behind


def turned(seed: int, side: float, seconds: float, part: float = 1.0, **kwargs: Any) -> tuple[float, bool]:
    """How far the cube turns about the vertical [deg] while a turn is asked for, and whether it stays in the hand."""
    env = make_vec_env(HAND, 1, autoreset_mode="Disabled", **kwargs)
    observations, _ = env.reset(seed=seed)
    operator = make_operator(env)
    operator.begin(seed)
    command = steer((0.0, 0.0, 0.0, 0.0, 0.0, side * part * operator.full[5]))
    for _ in range(round(seconds / env.control_dt)):
        observations, _, terminated, _, info = env.step(operator.action(command, observations))
        if terminated[0]:
            break
    held = not info["metrics"]["dropped"][0]
    env.close()
    return float(info["metrics"]["yaw_rate"][0]) * seconds, held


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_cube_turns_to_the_side_that_is_asked_for_and_stays(side: float) -> None:
    angles, held = zip(*[turned(seed, side, 12.0) for seed in (10, 11)], strict=True)
    print(angles)
    assert all(held) and min(side * np.array(angles)) > 60.0


def test_another_hand_takes_the_gait_of_the_one_most_like_it() -> None:
    gait = find_gait("i1234-m1234-t1234").gait
    whole = load_gaits()[WHOLE].gait
    assert len(gait.joints) == 12 and "ring_mcp" not in gait.joints
    np.testing.assert_array_equal(gait.numbers[0], whole.numbers[0])


