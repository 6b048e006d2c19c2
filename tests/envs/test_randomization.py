"""Domain randomisation: every quantity shows in the model and in what the robot does; bad ranges are refused."""

import dataclasses
import json
from typing import Any

import mujoco
import numpy as np
import pytest

from barkyard.assets.robots.barkour.numbers import VB
from barkyard.control.joint_target import ACTION_SCALE
from barkyard.envs.randomization import Randomization, as_randomization
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput

VELOCITY = "barkyard/QuadrupedVelocity-v0"
FIELDS = (
    "geom_friction", "body_mass", "body_inertia", "body_ipos", "actuator_gainprm", "actuator_biasprm", "dof_armature",
    "dof_frictionloss",
)  # fmt: skip
PHYSICS_DT = 0.004
LINKS = slice(1, 14)
"""Bodies of the robot; 0 is the world."""


def _only(**ranges: Any) -> Randomization:
    """The nominal robot but for some ranges."""
    return dataclasses.replace(Randomization.none(), **ranges)


def _env(count: int = 2, seed: int = 0, **ranges: Any) -> Any:
    env = make_vec_env(VELOCITY, count, randomization=_only(**ranges), autoreset_mode="Disabled")
    env.reset(seed=seed)
    return env


def _rest(env: Any, steps: int) -> Any:
    for _ in range(steps):
        env.step(np.zeros((env.num_envs, 12), np.float32))
    return env


def _changed(env: Any, copy: int = 0) -> dict[str, np.ndarray]:
    """The fields of one copy's model that differ from the compiled model."""
    nominal, model = env.simulation.model, env.simulation.batch.get_model(copy)
    fields = {name: (np.array(getattr(nominal, name)), np.array(getattr(model, name))) for name in FIELDS}
    return {name: found for name, (known, found) in fields.items() if not np.array_equal(known, found)}


def _feet(env: Any) -> list[int]:
    return [env.simulation.model.geom(f"robot/{foot}").id for foot in env.simulation.robot.robot.feet]


def test_none_is_the_nominal_robot() -> None:
    for copy in range(2):
        assert _changed(_env(), copy) == {}


def test_friction_is_the_feets_sliding_friction() -> None:
    env = _env(friction=(0.33, 0.33))
    found, expected = _changed(env), np.array(env.simulation.model.geom_friction)
    assert list(found) == ["geom_friction"]
    expected[_feet(env), 0] = 0.33
    np.testing.assert_array_equal(found["geom_friction"], expected)


def test_mass_is_every_links_and_its_inertias() -> None:
    env = _env(mass=(0.9, 1.1))
    found, nominal = _changed(env), env.simulation.model
    assert set(found) == {"body_mass", "body_inertia"}
    factor = found["body_mass"][LINKS] / nominal.body_mass[LINKS]
    assert len(np.unique(factor)) == 13 and factor.min() >= 0.9 and factor.max() <= 1.1 and np.ptp(factor) > 0.1
    np.testing.assert_allclose(found["body_inertia"][LINKS], nominal.body_inertia[LINKS] * factor[:, None])
    other = _changed(env, 1)["body_mass"][LINKS] / nominal.body_mass[LINKS]
    assert (other != factor).all()


def test_what_follows_from_the_masses_follows() -> None:
    """All inertia of the robot is its links' and the armature; with both half as large again, so is its resistance."""
    env = _env(mass=(1.5, 1.5), armature=(1.5, 1.5))
    model, nominal = env.simulation.batch.get_model(1), env.simulation.model
    np.testing.assert_allclose(model.body_subtreemass[1], 1.5 * 14.496, rtol=1e-4)
    np.testing.assert_allclose(1.5 * model.body_invweight0[LINKS], nominal.body_invweight0[LINKS], rtol=1e-6)
    np.testing.assert_allclose(1.5 * model.dof_invweight0, nominal.dof_invweight0, rtol=1e-6)


def test_com_is_the_torsos_in_x_and_y() -> None:
    env = _env(com=(0.02, 0.02))
    expected = np.array(env.simulation.model.body_ipos)
    expected[1] += [0.02, 0.02, 0.0]
    assert list(_changed(env)) == ["body_ipos"]
    np.testing.assert_allclose(_changed(env)["body_ipos"], expected)


def test_gain_is_the_position_gain() -> None:
    found = _changed(_env(gain=(0.5, 0.5)))
    assert set(found) == {"actuator_gainprm", "actuator_biasprm"}
    np.testing.assert_array_equal(found["actuator_gainprm"][:, 0], np.full(12, 25.0))
    np.testing.assert_array_equal(found["actuator_biasprm"][:, 1:3], np.tile([-25.0, -VB.velocity_gain], (12, 1)))


def test_an_actuator_fails_in_some_episodes() -> None:
    """One of those named, without any force; the parameters drawn beside it stay as they are."""
    names, count = ("FL_hip", "HR_knee"), 200
    env = _env(count, failing=names, failure=0.5)
    actuators = env.simulation.robot.robot.actuators
    models = [env.simulation.batch.get_model(i) for i in range(count)]
    gains = np.array([model.actuator_gainprm[:, 0] for model in models])
    damping = np.array([model.actuator_biasprm[:, 1:3] for model in models])
    failed = gains == 0.0
    assert (damping[failed] == 0.0).all() and (damping[~failed] < 0.0).all()
    assert set(failed.sum(axis=1)) == {0, 1}
    by_actuator = failed.sum(axis=0)
    assert {actuators[i] for i in np.flatnonzero(by_actuator)} == set(names)
    assert 75 <= failed.sum() <= 125 and by_actuator.max() <= 75, "half of 200, and half of those each"
    whole, failing = (_env(3, mass=(0.9, 1.1), failing=names, failure=chance) for chance in (0.0, 1.0))
    for i in range(3):
        masses = [each.simulation.batch.get_model(i).body_mass for each in (whole, failing)]
        np.testing.assert_array_equal(*masses)


def test_a_failed_actuator_gives_no_force() -> None:
    env = _env(1, failing=("FR_knee",), failure=1.0)
    env.step(np.ones((1, 12), np.float32))
    data = mujoco.MjData(env.simulation.model)
    env.simulation.batch.get_data(0, data)
    mujoco.mj_forward(env.simulation.batch.get_model(0), data)
    assert data.actuator_force[8] == 0.0 and (np.delete(data.actuator_force, 8) != 0.0).all()


@pytest.mark.parametrize(
    ("ranges", "match"),
    [
        ({"failing": ("knee",), "failure": 0.5}, "FL_abduction"),
        ({"failing": ("FL_hip",), "failure": 1.5}, "probability"),
        ({"failure": 0.5}, "actuators that may fail"),
        ({"failing": "FL_hip"}, "names of actuators"),
    ],
)
def test_wrong_failures_are_refused(ranges: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        _env(1, **ranges)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("armature", "dof_armature", VB.armature), ("friction_loss", "dof_frictionloss", VB.friction_loss)],
)
def test_joint_quantities_are_the_joints(name: str, field: str, value: float) -> None:
    three: dict[str, Any] = {name: (3.0, 3.0)}
    found = _changed(_env(**three))
    assert list(found) == [field]
    np.testing.assert_allclose(found[field], [0.0] * 6 + [3.0 * value] * 12)


def test_every_episode_draws_anew_and_seeds_repeat_it() -> None:
    env = make_vec_env(VELOCITY, 4)
    drawn = []
    for seed in (0, 100, 0):
        env.reset(seed=seed)
        drawn.append([env.simulation.batch.get_model(i).geom_friction[_feet(env)[0], 0] for i in range(4)])
    assert drawn[0] == drawn[2] and len({*drawn[0], *drawn[1]}) == 8
    assert min(drawn[0] + drawn[1]) >= 0.6 and max(drawn[0] + drawn[1]) < 1.0


def _slide(friction: float) -> float:
    """How far a standing robot slides when its base is given 1 m/s [m]."""
    env = _rest(_env(1, friction=(friction, friction)), 25)
    start = env.task.quadruped.base_pos[0, :2].copy()
    env.simulation.qvel[0, 0] = 1.0
    _rest(env, 15)
    return float(np.linalg.norm(env.task.quadruped.base_pos[0, :2] - start))


def test_slippery_feet_slide_farther() -> None:
    assert _slide(0.05) > _slide(0.8) + 0.05


def _standing_height(**ranges: Any) -> float:
    return float(_rest(_env(1, **ranges), 40).task.quadruped.base_pos[0, 2])


def test_heavy_robots_and_weak_joints_sag() -> None:
    nominal = _standing_height()
    assert _standing_height(mass=(1.3, 1.3)) < nominal - 0.003
    assert _standing_height(gain=(1.5, 1.5)) > nominal + 0.003


def test_a_mass_far_forward_brings_the_nose_down() -> None:
    nose = [_rest(_env(1, com=(x, x)), 40).task.quadruped.up()[0, 0] for x in (-0.05, 0.05)]
    assert nose[1] < nose[0] - 0.005, "the vertical in the base frame leans back as the nose goes down"


def _fling(action: float, steps: int, **ranges: Any) -> np.ndarray:
    """Motion of the joints of a robot in the air when every joint is given one action [rad]."""
    env = _env(1, **ranges)
    env.task.quadruped.base_pos[:, 2] = 2.0
    env.task.quadruped.view.joint_pos[:] = start = np.tile(VB.home, 4)[None]
    for _ in range(steps):
        env.step(np.full((1, 12), action, np.float32))
    return np.asarray(env.task.quadruped.view.joint_pos - start)[0]


def test_armature_slows_joints() -> None:
    assert (np.abs(_fling(1.0, 2, armature=(10.0, 10.0))) < 0.7 * np.abs(_fling(1.0, 2))).all()


def test_friction_loss_holds_joints() -> None:
    """A target 0.02 rad away pulls with 1 N m, less than 20 x 0.13 N m and more than 0.13."""
    held, free = np.abs(_fling(0.04, 5, friction_loss=(20.0, 20.0))), np.abs(_fling(0.04, 5))
    assert held.max() < 0.3 * free.min()


@pytest.mark.parametrize("late", range(6))
def test_delay_is_in_physics_steps(late: int) -> None:
    """As if the old command had been held for `late` steps of the period, and the new one for the rest, and so on."""
    delay = late * PHYSICS_DT
    env, twin = _env(1, delay=(delay, delay)), _env(1)
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 1, 12)).astype(np.float32)
    batch, ctrl = twin.simulation.batch, twin.simulation.ctrl
    commands = [np.tile(VB.home, 4), *(np.tile(VB.home, 4) + ACTION_SCALE * action[0] for action in actions)]
    for action, old, new in zip(actions, commands, commands[1:], strict=False):
        env.step(action)
        for step in range(5):
            ctrl[:] = old if step < late else new
            batch.step()
        np.testing.assert_array_equal(env.simulation.qpos, twin.simulation.qpos)
        np.testing.assert_array_equal(env.simulation.qvel, twin.simulation.qvel)


def test_delays_are_rounded_and_end_with_the_period() -> None:
    drawn: list[int] = []
    env = _env(8, delay=(0.0, 0.5))
    for seed in range(8):
        env.reset(seed=100 * seed)
        drawn += env.simulation.delay_steps().tolist()
    assert max(drawn) == 5 and min(drawn) >= 0 and len(set(drawn)) > 1
    assert (_env(2, delay=(0.005, 0.005)).simulation.delay_steps() == 1).all()


def _kicks(interval: float, push: tuple[float, float], steps: int) -> np.ndarray:
    """(steps, N, 6) change of the base's velocity before each control period."""
    env = _env(8, push=push, push_interval=interval)
    task, simulation = env.task, env.simulation
    found = np.zeros((steps, 8, 6))
    for step in range(steps):
        simulation.time[:] = step * env.control_dt
        simulation.qvel[:] = 0.0
        task.randomizer.push(task.key)
        found[step] = simulation.qvel[:, :6]
    return found


def test_one_push_an_interval_of_the_said_size() -> None:
    kicks = _kicks(0.5, (0.2, 0.4), 200)
    assert (kicks[:, :, 2:] == 0.0).all(), "pushes are planar"
    size = np.linalg.norm(kicks[:, :, :2], axis=2)
    assert (size[0] == 0.0).all(), "nobody is pushed at the start"
    counts = (size > 0).reshape(8, 25, 8).sum(axis=1)
    assert (counts[1:] == 1).all() and counts[0].max() <= 1
    pushed = size[size > 0]
    assert pushed.min() >= 0.2 and pushed.max() < 0.4 and np.ptp(pushed) > 0.1
    moments = np.argmax((size > 0).reshape(8, 25, 8)[1:], axis=1)
    assert len(np.unique(moments)) > 10
    angles = np.arctan2(kicks[:, :, 1], kicks[:, :, 0])[size > 0]
    assert (np.histogram(angles, bins=4, range=(-np.pi, np.pi))[0] > 5).all()


@pytest.mark.parametrize("ranges", [{"push": (0.0, 0.0), "interval": 1.0}, {"push": (0.5, 0.5), "interval": 0.0}])
def test_pushes_can_be_switched_off(ranges: dict[str, Any]) -> None:
    assert (_kicks(**ranges, steps=100) == 0.0).all()


def test_a_push_is_felt() -> None:
    env, twin = _env(1, push=(0.5, 0.5), push_interval=0.2), _env(1)
    for _ in range(9):
        _rest(env, 1)
        _rest(twin, 1)
    assert not np.array_equal(env.simulation.qpos, twin.simulation.qpos)
    for _ in range(12):
        before = env.simulation.qvel[0, :2].copy()
        env.task.randomizer.push(env.task.key)
        jump = float(np.linalg.norm(env.simulation.qvel[0, :2] - before))
        if jump > 0:
            break
        _rest(env, 1)
    assert jump == pytest.approx(0.5)


CHOICES = {"friction": [0.5, 0.7], "push_interval": 1.0, "delay": [0.0, 0.02]}


@pytest.mark.parametrize("choice", ["default", "none", CHOICES, Randomization(mass=(0.8, 1.2))])
@pytest.mark.parametrize("env_id", [VELOCITY, "barkyard/AFrame-v0"])
def test_arguments_round_trip_as_json(env_id: str, choice: Any) -> None:
    env = make_vec_env(env_id, 2, randomization=choice)
    again = make_vec_env(env_id, 2, **json.loads(json.dumps(env.env_kwargs)))
    assert again.task.options == env.task.options and again.fingerprint == env.fingerprint
    actions = np.random.default_rng(0).uniform(-1, 1, (5, 2, 12)).astype(np.float32)
    env.reset(seed=3)
    again.reset(seed=3)
    for action in actions:
        env.step(action)
        again.step(action)
    np.testing.assert_array_equal(env.get_states(), again.get_states())
    plain = make_vec_env(env_id, 2, randomization={"friction": [0.1, 0.1]})
    assert plain.fingerprint != env.fingerprint


def test_objects_of_ranges_keep_the_defaults_of_the_rest() -> None:
    assert as_randomization(CHOICES) == dataclasses.replace(
        Randomization(), friction=(0.5, 0.7), push_interval=1.0, delay=(0.0, 0.02)
    )
    assert as_randomization("default") == Randomization() and as_randomization("none") == Randomization.none()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"friction": (1.0, 0.6)}, r"friction is \(1.0, 0.6\); give \(low, high\)"),
        ({"mass": (0.9, float("nan"))}, "randomization.mass"),
        ({"gain": (0.9, float("inf"))}, "randomization.gain"),
        ({"com": (1.0,)}, "randomization.com"),
        ({"push_interval": -1.0}, "push_interval is -1.0"),
        ({"push_interval": float("nan")}, "push_interval is nan"),
        ({"frction": (0.6, 1.0)}, "no 'frction'; it has friction, mass"),
        ("everything", "'everything'; valid: 'default', 'none'"),
    ],
)
def test_bad_ranges_are_refused(choice: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make_vec_env(VELOCITY, 1, randomization=choice)
