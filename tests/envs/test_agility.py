"""Agility tasks: where runs start, contacts at the physics rate, what is observed, how runs are judged."""

import math
from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.agility import FAULTS, OBSTACLES, Course, tracker
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.agility.guide import STILL
from barkyard.envs.tasks.agility.way import BRAKE, JUMP, READY, RUN_UP, SETTLE, WALK
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_about_z, wrap_angle

TASKS = {
    "AgilityCourse": ("start_table", 0),
    "WeavePoles": ("weave_poles", 1),
    "AFrame": ("a_frame", 7),
    "BroadJump": ("broad_jump", 10),
    "PauseTable": ("end_table", 12),
}
"""First obstacle of each task, and the index of its first gate."""
every_task = pytest.mark.parametrize("name", TASKS)


def _env(name: str, count: int = 2, seed: int = 0, **kwargs: Any) -> Any:
    choices = {"randomization": "none", "autoreset_mode": "Disabled", **kwargs}
    env = make_vec_env(f"barkyard/{name}-v0", count, **choices)
    env.reset(seed=seed)
    return env


def _rest(env: Any) -> tuple[Any, ...]:
    return env.step(np.zeros((env.num_envs, 12), np.float32))


def _put(env: Any, pos: Any, heading: Any = 0.0, velocity: tuple[float, ...] = (0.0, 0.0, 0.0)) -> None:
    """Robots at their exact home pose, the base at `pos` with a velocity."""
    robot, simulation = env.task.quadruped, env.simulation
    robot.view.joint_pos[:] = robot.home
    simulation.qvel[:] = 0.0
    simulation.qvel[:, :3] = velocity
    robot.base_pos[:], robot.base_quat[:] = pos, quat_about_z(heading)


def _fault(env: Any, name: str) -> list[bool]:
    return [bool(flag) for flag in env.task.metrics(env.task.terms())[f"fault_{name}"]]


def _local(course: Course, name: str, robot: Any, copy: int) -> tuple[float, float, float]:
    """Forward and lateral place [m] and heading [rad] of a robot in an obstacle's frame."""
    obstacle = getattr(course, name)
    origin = obstacle.centres[0] if name == "weave_poles" else obstacle.centre
    x, y = robot.base_pos[copy, :2] - origin
    cos, sin = math.cos(obstacle.heading), math.sin(obstacle.heading)
    turn = float(wrap_angle(robot.heading()[copy] - obstacle.heading))
    return cos * x + sin * y, cos * y - sin * x, turn


@every_task
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_runs_start_where_they_say(name: str, difficulty: float) -> None:
    obstacle, first_gate = TASKS[name]
    env = _env(name, 8, difficulty=difficulty)
    robot, forward, lateral, turns = env.task.quadruped, [], [], []
    for seed in range(3):
        env.reset(seed=100 * seed)
        assert (tracker.next_gate(env.task.tracker) == first_gate).all()
        table = 0.1 if name == "AgilityCourse" else 0.0
        np.testing.assert_allclose(robot.base_pos[:, 2], table + robot.home_height + 0.01)
        for copy in range(8):
            x, y, turn = _local(env.task.courses[copy], obstacle, robot, copy)
            back = -x - (env.task.courses[copy].a_frame.half_base if name == "AFrame" else 0.0)
            forward.append(back)
            lateral.append(y - (0.45 if name == "WeavePoles" else 0.0))
            turns.append(turn)
    nearest, farthest, side, angle = {
        "AgilityCourse": (-0.055, 0.055, 0.055, 0.1),
        "WeavePoles": (0.6, 1.0, 0.1, 0.3),
        "AFrame": (0.7, 1.1, 0.1, 0.2),
        "BroadJump": (1.6, 2.2, 0.1, 0.1),
        "PauseTable": (1.2, 1.8, 0.2, 0.3),
    }[name]
    assert nearest <= min(forward) and max(forward) <= farthest and np.ptp(forward) > 0.6 * (farthest - nearest)
    assert np.abs(lateral).max() <= side + 1e-9 and np.ptp(lateral) > 1.2 * side
    assert np.abs(turns).max() <= angle + 1e-9 and np.ptp(turns) > 1.2 * angle


@every_task
def test_only_the_tasks_own_obstacles_are_there(name: str) -> None:
    env = _env(name)
    task, course = env.task, Course.standard()
    present = set(task.present)
    assert present == (set(OBSTACLES) if name == "AgilityCourse" else {TASKS[name][0]})
    frame = course.a_frame
    places = {"start_table": (0.5, -0.5), "end_table": (4.5, -4.5), "a_frame": frame.centre}
    tops = {"start_table": 0.1, "end_table": 0.1, "a_frame": frame.apex_height}
    for obstacle, place in places.items():
        expected = tops[obstacle] if obstacle in present else 0.0
        found = task.quadruped.ground(np.array([[place], [place]]))
        np.testing.assert_allclose(found, expected, atol=1e-3)
    mocap = env.simulation.batch.bind("mocap_pos").reshape(2, -1, 3)
    model = env.simulation.model
    poles = np.array([mocap[0, model.body_mocapid[model.body(f"pole_{i}").id]] for i in range(5)])
    np.testing.assert_allclose(poles[:, :2], course.weave_poles.centres)
    assert (poles[:, 2] == (0.25 if "weave_poles" in present else -10.0)).all()
    board = mocap[0, model.body_mocapid[model.body("board").id]]
    assert board[2] == (0.0005 if "broad_jump" in present else -10.0)


def test_the_start_is_unrelated_to_the_robots_parameters() -> None:
    env = _env("BroadJump", 8, randomization="default")
    foot = env.simulation.model.geom("robot/FL_foot").id
    friction, back = [], []
    for seed in range(10):
        env.reset(seed=100 * seed)
        friction += [env.simulation.batch.get_model(i).geom_friction[foot, 0] for i in range(8)]
        back += env.task.quadruped.base_pos[:, 0].tolist()
    assert abs(np.corrcoef(friction, back)[0, 1]) < 0.4


def _first_contact(env: Any, copy: int, steps: int) -> int:
    """Number of the first physics step that begins with a contact of the board, by `mj_step`; -1 for none."""
    model = env.simulation.batch.get_model(copy)
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, env.get_states()[copy], mujoco.mjtState.mjSTATE_INTEGRATION)
    board = model.geom("board").id
    for step in range(steps):
        mujoco.mj_step(model, data)
        if any(board in data.contact[i].geom for i in range(data.ncon)):
            return step
    return -1


def test_a_touched_board_is_noticed_in_the_period_it_happens() -> None:
    """Robots dropped on the board from different heights touch it at different physics steps of a period."""
    env = _env("BroadJump", 8)
    height = env.task.quadruped.home_height + 0.001 + 0.0025 * np.arange(8)
    _put(env, np.column_stack([np.full(8, 2.75), np.full(8, -4.5), height]), velocity=(0.0, 0.0, -0.3))
    steps = [_first_contact(env, copy, 50) for copy in range(8)]
    assert min(steps) >= 0 and len({step % 5 for step in steps}) >= 4
    for period in range(10):
        _rest(env)
        touched = env.task.contacts().board | np.array(_fault(env, "board_touched"))
        assert touched.tolist() == [step // 5 <= period for step in steps]
    assert not env.task.completed()[:, OBSTACLES.index("broad_jump")].any()


def test_a_touch_of_one_physics_step_counts() -> None:
    """Feet that are in the board at the start leave it at 3 m/s; at the end of the period they are clear of it."""
    env = _env("BroadJump")
    start = np.array([[2.75, -4.5, 0.28], [1.5, -4.5, 0.28]])
    _put(env, start, velocity=(0.0, 0.0, 3.0))
    assert _first_contact(env, 0, 1) == 0
    _rest(env)
    assert not env.task.quadruped.foot_contact().any()
    assert _fault(env, "board_touched") == [True, False]
    assert env.task.contacts().board.tolist() == [True, False]
    _rest(env)
    assert env.task.contacts().board.tolist() == [False, False] and _fault(env, "board_touched") == [True, False]


def test_in_the_air_is_all_four_feet() -> None:
    env = _env("BroadJump", 3)
    _put(env, np.array([[1.0, -4.5, 0.275], [1.0, -4.5, 0.8], [1.0, -4.5, 0.275]]))
    env.task.quadruped.view.joint_pos[2, :9] += 0.4  # one foot stays down
    _rest(env)
    assert env.task.contacts().airborne.tolist() == [False, True, False]
    assert env.task.quadruped.foot_contact()[0].all()


@pytest.mark.parametrize("mode", ["strict", "published"])
def test_a_touched_pole_loses_the_weave_in_strict_mode(mode: str) -> None:
    env = _env("WeavePoles", mode=mode)
    pole = Course.standard().weave_poles.centres[1]
    _put(env, np.array([[pole[0], pole[1], 0.28], [pole[0], pole[1] + 1.0, 0.28]]))
    _rest(env)
    assert _fault(env, "pole_touched") == [mode == "strict", False]


def test_poles_stop_robots() -> None:
    """A torso that is pushed sideways, 3 cm from a pole, gets about as far as the pole; another gets farther."""
    env = _env("WeavePoles")
    pole, distance = Course.standard().weave_poles.centres[1], 0.1 + 0.02 + 0.03
    _put(env, np.array([[pole[0], pole[1] - distance, 0.28], [pole[0] + 3.0, pole[1] - distance, 0.28]]))
    for _ in range(6):
        env.simulation.qvel[:, 1] = 0.8
        _rest(env)
    moved = env.task.quadruped.base_pos[:, 1] - (pole[1] - distance)
    assert moved[1] > 0.075 and moved[0] < 0.055


def test_gates_and_board_are_seen_from_the_robot() -> None:
    env = _env("BroadJump", 1)
    _put(env, np.array([[1.0, -4.0, 0.28]]), heading=math.pi / 2)
    observations = env.task.observe()
    # Gates x = 1.7 and x = 3.7 from y = -4 (left) to y = -5; the robot faces +y, so forward is y and left is -x.
    np.testing.assert_allclose(observations["gates"][0], [0.0, -0.7, -1.0, -0.7, 0.0, -2.7, -1.0, -2.7], atol=1e-9)
    np.testing.assert_allclose(observations["board"][0], [-0.5, -1.75, 0.0, -1.0, 0.5], atol=1e-9)
    np.testing.assert_allclose(observations["gates_left"], [[3 / 13]])


def test_the_guides_command_is_observed() -> None:
    """Towards the table at 1 m/s; from 0.1 m to the left of the way at 0.3 m/s to the right, too."""
    env = _env("PauseTable")
    _put(env, np.array([[3.9, -4.5, 0.28], [3.9, -4.4, 0.28]]))
    for _ in range(10):
        env.task.guide.advance()
    expected = [[1.0, 0.0, 0.0], [1.0, -0.3, 0.0]]
    np.testing.assert_allclose(env.task.observe()["command"], expected, atol=1e-9)
    _put(env, np.array([[3.9, -4.5, 0.28], [3.9, -4.5, 0.28]]), heading=np.array([0.1, -math.pi / 2]))
    command = env.task.observe()["command"]
    np.testing.assert_allclose(command[0], [math.cos(0.1), -math.sin(0.1), -0.5], atol=1e-9)
    np.testing.assert_allclose(command[1], [0.0, 0.8, COMMAND_LIMITS[2]], atol=1e-9)


def test_states_hold_how_far_the_guide_is() -> None:
    """Robots that get ready to jump are put into other simulations, and jump there at the same moment."""
    env, other = _env("BroadJump"), _env("BroadJump", seed=50)
    board, rest = Course.standard().broad_jump.centre, np.zeros((2, 12), np.float32)
    for ahead, periods in ((RUN_UP + BRAKE + SETTLE, 20), (RUN_UP, 5)):
        _put(env, np.array([[board[0] - ahead, board[1], 0.28]] * 2))
        for _ in range(periods):
            seen = _rest(env)[0]
    assert (env.task.guide.skill() == READY).all() and (other.task.guide.skill() == WALK).all()
    replayed = other.set_states(env.get_states())
    np.testing.assert_array_equal(replayed["command"], seen["command"])
    skills = []
    for _ in range(round(STILL / env.control_dt)):
        expected, found = env.step(rest)[0], other.step(rest)[0]
        np.testing.assert_array_equal(found["command"], expected["command"])
        skills.append(env.task.guide.skill().tolist())
        assert other.task.guide.skill().tolist() == skills[-1]
    assert skills[0] == [READY, READY] and skills[-1] == [JUMP, JUMP] and (expected["command"][:, 0] > 1.0).all()


def test_the_last_gate_repeats() -> None:
    env = _env("PauseTable", 1)
    gates = env.task.observe()["gates"][0].reshape(2, 2, 2)
    np.testing.assert_array_equal(gates[0], gates[1])
    np.testing.assert_allclose(gates[0], env.task.quadruped.to_heading(env.task.gates[:, 12])[0], atol=1e-12)


def test_the_table_shows_in_the_scan() -> None:
    env = _env("PauseTable", 1)
    _put(env, np.array([[3.6, -4.5, 0.28]]))
    scan = env.task.observe()["terrain"].reshape(11, 5)
    expected = np.where(np.linspace(-0.4, 0.8, 11) > 0.4, 0.1, 0.0)
    np.testing.assert_allclose(scan, np.repeat(expected[:, None], 5, axis=1), atol=1e-9)


def _stay(through_the_gate: bool = True, **choices: Any) -> Any:
    """A robot that has flown onto the end table and stands on its middle."""
    env = _env("PauseTable", 1, **choices)
    x = 4.1 - 0.03 if through_the_gate else 4.1 + 0.05
    _put(env, np.array([[x, -4.5, 0.6]]), velocity=(3.0, 0.0, 0.0))
    _rest(env)
    _put(env, np.array([[4.5, -4.5, 0.385]]))
    return env


def _until_the_end(env: Any) -> tuple[str, int, float]:
    """Why it ended, after how many control periods, and the score."""
    for step in range(1, 400):
        *_, info = _rest(env)
        if info["end"][0]:
            return str(info["end"][0]), step, float(info["metrics"]["score"][0])
    return "", 400, 0.0


def test_five_seconds_on_the_table_are_success() -> None:
    env = _stay()
    assert tracker.next_gate(env.task.tracker)[0] == 13 and env.task.dense_reward(env.task.terms())[0] > 0.9
    end, steps, _ = _until_the_end(env)
    assert (end, steps) == ("success", 250)


def test_onto_the_table_beside_its_gate_is_a_failure_in_strict_mode() -> None:
    assert _until_the_end(_stay(through_the_gate=False))[:2] == ("failure", 250)


def test_leaving_the_table_is_a_failure() -> None:
    env = _stay()
    _rest(env)
    _put(env, np.array([[3.6, -4.5, 0.28]]))
    end, steps, _ = _until_the_end(env)
    assert (end, steps) == ("failure", 1) and _fault(env, "end_table_left") == [True]


def test_a_fall_is_a_failure() -> None:
    env = _env("AFrame")
    env.task.quadruped.base_quat[0] = [0.0, 1.0, 0.0, 0.0]
    *_, terminated, _, info = _rest(env)
    assert list(info["end"]) == ["failure", ""] and list(terminated) == [True, False]


@pytest.mark.parametrize(("rule", "before_the_stay"), [("script", 0.4), ("paper", 1.0)])
def test_the_score_is_the_rules_own(rule: str, before_the_stay: float) -> None:
    """Without the stay the script takes 0.1 for the end table and 0.5; the paper asks only to reach it."""
    env = _stay(rule=rule)
    *_, info = _rest(env)
    assert float(info["metrics"]["score"][0]) == pytest.approx(before_the_stay)
    assert _until_the_end(env) == ("success", 249, 1.0)


def test_metrics_name_obstacles_and_faults() -> None:
    env = _env("AgilityCourse", 1)
    *_, info = _rest(env)
    metrics = info["metrics"]
    assert {f"fault_{name}" for name in FAULTS} <= set(metrics)
    assert {f"completed_{name}" for name in OBSTACLES} <= set(metrics) and "score" in metrics


def test_the_trace_is_of_the_moment() -> None:
    env = _env("BroadJump")
    _put(env, np.array([[2.75, -4.5, 0.276], [1.0, -4.5, 0.275]]))
    _rest(env)
    trace = env.task.trace()
    assert trace is not None
    np.testing.assert_array_equal(trace["base_pos"], env.task.quadruped.base_pos)
    np.testing.assert_array_equal(trace["time"], env.simulation.time)
    assert trace["board_contact"].tolist() == [True, False] and trace["foot_contact"].all()
    assert not trace["pole_contact"].any() and not np.shares_memory(trace["base_pos"], env.simulation.qpos)


def test_robots_climb_a_panel_as_high_as_the_course_says() -> None:
    """The ground along the A-frame's axis rises at its angle to the ridge, at full difficulty too."""
    env = _env("AFrame", 4, difficulty=1.0)
    for copy in range(4):
        frame = env.task.courses[copy].a_frame
        along = np.array([math.cos(frame.heading), math.sin(frame.heading)])
        offset = np.linspace(-frame.half_base + 1e-6, frame.half_base - 1e-6, 41)
        points = np.array(frame.centre) + offset[:, None] * along
        height = env.task.quadruped.ground(np.repeat(points[None], 4, axis=0))[copy]
        expected = frame.apex_height - np.abs(offset) * math.tan(frame.angle)
        np.testing.assert_allclose(height, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"mode": "lax"}, "'lax'; valid: strict, published"),
        ({"rule": "mine"}, "'mine'; valid: paper, script"),
        ({"difficulty": 1.5}, "difficulty is 1.5"),
        ({"difficulty": -0.1}, "difficulty is -0.1"),
        ({"difficulty": float("nan")}, "difficulty is nan"),
        ({"torque_limit": -1.0}, "torque_limit is -1.0"),
        ({"randomization": "some"}, "'some'"),
    ],
)
def test_bad_choices_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_vec_env("barkyard/AgilityCourse-v0", 1, **choices)
