"""Calibrations in environments: what is applied, what is drawn, what is observed, and what is refused."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from barkyard.assets.calibration import Calibration, Parameter
from barkyard.assets.robots import load_robot, robot_fingerprint
from barkyard.envs.entries import ENVIRONMENTS
from barkyard.envs.registry import make_vec_env
from barkyard.episode import CALIBRATION_SAMPLE
from barkyard.errors import InvalidInput
from tests.contract import environment_contracts as contracts

LIFT, WALK = "barkyard/Lift-v0", "barkyard/QuadrupedVelocity-v0"
PANDA = (
    Parameter("joint1", "damping", 0.5),
    Parameter("joint2", "frictionloss", 0.6),
    Parameter("torq_j3", "torque_gain", 0.9),
    Parameter("torq_j2", "delay", 0.007),
    Parameter("joint4", "encoder_bias", 0.02),
    Parameter("joint1", "measurement_delay", 0.007),
    Parameter("right_hand", "payload", 0.3),
    Parameter("joint2", "stiction", 0.5),
    Parameter("joint2", "load_friction", 0.1),
)
BARKOUR = (
    Parameter("FL_hip", "damping", 0.5),
    Parameter("FL_knee", "frictionloss", 0.3),
    Parameter("FL_knee", "position_gain", 40.0),
    Parameter("FL_hip", "delay", 0.009),
    Parameter("HL_hip", "encoder_bias", 0.02),
    Parameter("FR_hip", "measurement_delay", 0.007),
    Parameter("torso", "mass", 7.0),
    Parameter("FL_knee", "stiction", 0.5),
    Parameter("FL_knee", "stribeck", 0.2),
)


def _calibration(robot: str, draws: int = 5) -> Calibration:
    parameters = PANDA if robot == "panda" else BARKOUR
    spread = np.random.default_rng(0).uniform(0.8, 1.2, (draws, len(parameters)))
    values = np.array([parameter.value for parameter in parameters]) * spread
    samples = tuple(tuple(map(float, row)) for row in values)
    return Calibration(robot, robot_fingerprint(robot), parameters, "surrogate", samples=samples)


WITH_LEGS = [i for i, entry in ENVIRONMENTS.items() if ".locomotion." in entry.task or ".agility." in entry.task]


def _cases() -> list[Any]:
    legs = [(env_id, "barkour_vb", None) for env_id in WITH_LEGS]
    arms = [(LIFT, "panda", name) for name in ("OSC_POSE", "JOINT_POSITION")]
    return [*arms, ("barkyard/PickPlaceCan-v0", "panda", "OSC_POSE"), *legs]


@pytest.mark.parametrize(("env_id", "robot", "controller"), _cases())
def test_every_environment_takes_a_calibration_and_its_posterior(env_id: str, robot: str, controller: str) -> None:
    known = _calibration(robot)
    env: Any = make_vec_env(
        env_id, 2, controller=controller, calibration=known, randomization="posterior", autoreset_mode="Disabled"
    )
    nominal = env.simulation.model
    for parameter in known.parameters:
        if parameter.quantity in ("damping", "frictionloss"):
            joint = nominal.joint(f"robot/{parameter.element}")
            assert getattr(joint, parameter.quantity)[0] == parameter.value
    first, _ = env.reset(seed=4)
    for _ in range(5):
        info = env.step(np.zeros(env.action_space.shape, np.float32))[-1]
    assert set(info["metrics"][CALIBRATION_SAMPLE]) <= set(range(len(known.samples)))
    again = make_vec_env(env_id, 2, autoreset_mode="Disabled", **json.loads(json.dumps(env.env_kwargs)))
    second, _ = again.reset(seed=4)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize(("env_id", "robot"), [(LIFT, "panda"), (WALK, "barkour_vb")])
def test_drawn_parameters_follow_the_seed_and_the_state(env_id: str, robot: str) -> None:
    known = _calibration(robot)
    arguments: dict[str, Any] = {"calibration": known, "randomization": "posterior", "autoreset_mode": "Disabled"}
    seeds = list(range(40))
    many = make_vec_env(env_id, len(seeds), **arguments)
    many.reset(seed=seeds)
    joint = many.simulation.model.joint(f"robot/{known.parameters[0].element}").dofadr[0]
    drawn = many.simulation.batch.expand("dof_damping")[:, joint].copy()
    assert set(drawn) == {row[0] for row in known.samples}, "every sample comes up, and nothing else"
    alone = make_vec_env(env_id, 1, **arguments)
    alone.reset(seed=seeds[17])
    assert alone.simulation.batch.expand("dof_damping")[0, joint] == drawn[17]
    other = next(i for i in range(40) if drawn[i] != drawn[17])
    alone.set_states(many.get_states()[[other]])
    assert alone.simulation.batch.expand("dof_damping")[0, joint] == drawn[other]


@pytest.mark.parametrize("contract", [contracts.stored_states_replay_exactly, contracts.everything_is_finite,
                                      contracts.observations_fit_the_space])  # fmt: skip
@pytest.mark.parametrize(("env_id", "robot"), [(LIFT, "panda"), (WALK, "barkour_vb")])
def test_contracts_hold_with_late_commands_late_readings_and_draws(env_id: str, robot: str, contract: Any) -> None:
    known = _calibration(robot)
    contract(lambda: make_vec_env(env_id, 3, calibration=known, randomization="posterior", autoreset_mode="Disabled"))


def test_all_of_an_episode_is_one_sample() -> None:
    known = _calibration("barkour_vb")
    env = make_vec_env(WALK, 20, calibration=known, randomization="posterior")
    env.reset(seed=0)
    batch, model = env.simulation.batch, env.simulation.model
    damping = batch.expand("dof_damping")[:, model.joint("robot/FL_hip").dofadr[0]]
    gain = batch.expand("actuator_gainprm")[:, model.actuator("robot/FL_knee").id, 0]
    mass = batch.expand("body_mass")[:, model.body("robot/torso").id]
    rows = {(row[0], row[2], row[6]) for row in known.samples}
    assert set(zip(damping, gain, mass, strict=True)) == rows


@pytest.mark.parametrize("randomization", ["none", "posterior"])
def test_friction_follows_speed_and_load(randomization: str) -> None:
    known = _calibration("barkour_vb")
    load = dataclasses.replace(known, parameters=(*known.parameters, Parameter("FR_knee", "load_friction", 0.25)),
                               samples=tuple((*row, 0.25) for row in known.samples))  # fmt: skip
    env: Any = make_vec_env(WALK, 3, calibration=load, randomization=randomization, autoreset_mode="Disabled")
    env.reset(seed=0)
    simulation, model = env.simulation, env.simulation.model
    numbers = np.array([parameter.value for parameter in load.parameters])[None].repeat(3, axis=0)
    if randomization == "posterior":
        numbers = np.array(load.samples)[env.step(np.zeros(env.action_space.shape, np.float32))[-1]["metrics"][
            CALIBRATION_SAMPLE].astype(int)]  # fmt: skip
    simulation.batch.qvel[:, model.joint("robot/FL_knee").dofadr[0]] = 0.2
    knee, other = (model.joint(f"robot/{name}").dofadr[0] for name in ("FL_knee", "FR_knee"))
    env._hardware.each_substep()
    friction = simulation.batch.expand("dof_frictionloss")
    coulomb, stiction, stribeck = numbers[:, 1], numbers[:, 7], numbers[:, 8]
    np.testing.assert_allclose(friction[:, knee], coulomb * (1 + stiction * np.exp(-((0.2 / stribeck) ** 2))))
    joint = model.joint("robot/FR_knee")
    gain, position = model.actuator("robot/FR_knee").gainprm[0], joint.qposadr[0]
    error = simulation.ctrl[:, model.actuator("robot/FR_knee").id] - simulation.batch.qpos[:, position]
    damping = model.actuator("robot/FR_knee").biasprm[2] * simulation.batch.qvel[:, other]
    limit = model.actuator("robot/FR_knee").forcerange[1]
    torque = np.clip(gain * error + damping, -limit, limit)
    np.testing.assert_allclose(friction[:, other], model.dof_frictionloss[other] + 0.25 * np.abs(torque))


def test_encoders_read_their_bias_and_their_past() -> None:
    known = _calibration("barkour_vb")
    env: Any = make_vec_env(WALK, 2, calibration=known, randomization="none", autoreset_mode="Disabled")
    plain, biased, late = (env.simulation.robot.robot.joints.index(n) for n in ("HR_hip", "HL_hip", "FR_hip"))
    observations, _ = env.reset(seed=0)
    true = env.simulation.robot.joint_pos
    np.testing.assert_allclose(observations["joint_pos"][:, biased] - true[:, biased], 0.02, atol=1e-6)
    np.testing.assert_allclose(observations["joint_pos"][:, late], true[:, late], atol=1e-6)
    for _ in range(3):
        observations, *_ = env.step(np.full(env.action_space.shape, 0.5, np.float32))
    true, speed = env.simulation.robot.joint_pos, env.simulation.robot.joint_vel
    np.testing.assert_allclose(observations["joint_pos"][:, plain], true[:, plain], atol=1e-6)
    behind = (true[:, late] - observations["joint_pos"][:, late]) / speed[:, late]
    np.testing.assert_allclose(behind, 0.007, atol=0.003)


def test_a_late_command_starts_from_rest() -> None:
    """With its history filled, a calibrated delay leaves the robot where it was until the first command comes."""
    parameters = tuple(Parameter(name, "delay", 0.012) for name in load_robot("barkour_vb").actuators)
    late = Calibration("barkour_vb", robot_fingerprint("barkour_vb"), parameters, "real")
    envs: list[Any] = [
        make_vec_env(WALK, 1, randomization="none", calibration=c, autoreset_mode="Disabled") for c in (None, late)
    ]
    for env in envs:
        env.reset(seed=3)
        env.step(np.zeros(env.action_space.shape, np.float32))
    still, delayed = (env.simulation.robot.joint_pos for env in envs)
    np.testing.assert_allclose(delayed, still, atol=1e-9)


def test_a_lower_torque_limit_of_the_task_stays() -> None:
    parameters = (Parameter("FL_hip", "torque_limit", 15.0), Parameter("FL_hip", "damping", 0.1))
    known = Calibration("barkour_vb", robot_fingerprint("barkour_vb"), parameters, "real", samples=((14.0, 0.2),))
    for asked, limit in ((None, 14.0), (9.0, 9.0)):
        env = make_vec_env(WALK, 1, calibration=known, randomization="posterior", torque_limit=asked)
        env.reset(seed=0)
        hip = env.simulation.model.actuator("robot/FL_hip").id
        assert env.simulation.batch.expand("actuator_forcerange")[0, hip, 1] == limit


@pytest.mark.parametrize("env_id", [LIFT, WALK])
def test_the_posterior_needs_a_calibration_with_samples(env_id: str) -> None:
    with pytest.raises(InvalidInput, match="give calibration=PATH"):
        make_vec_env(env_id, 1, randomization="posterior")
    robot = "panda" if env_id == LIFT else "barkour_vb"
    with pytest.raises(InvalidInput, match="no posterior samples"):
        bare = dataclasses.replace(_calibration(robot), samples=())
        make_vec_env(env_id, 1, randomization="posterior", calibration=bare)


def test_another_model_is_refused_with_both_fingerprints() -> None:
    with pytest.raises(InvalidInput) as caught:
        make_vec_env(WALK, 1, calibration=_calibration("panda"))
    for words in (robot_fingerprint("panda"), robot_fingerprint("barkour_vb"), "'panda'", "'barkour_vb'"):
        assert words in str(caught.value)
    with pytest.raises(InvalidInput, match="barkour_v0"):
        make_vec_env(WALK, 1, robot="barkour_v0", calibration=_calibration("barkour_vb"))


def test_what_the_robot_has_not_is_named() -> None:
    wrong = Calibration("panda", robot_fingerprint("panda"), (Parameter("joint9", "damping", 1.0),), "real")
    with pytest.raises(InvalidInput, match="no joint 'joint9'"):
        make_vec_env(LIFT, 1, calibration=wrong)
    with pytest.raises(InvalidInput, match="'none', 'posterior'"):
        make_vec_env(LIFT, 1, randomization="all")


def test_a_calibration_changes_the_fingerprint_of_the_environment() -> None:
    plain, calibrated = make_vec_env(LIFT, 1), make_vec_env(LIFT, 1, calibration=_calibration("panda"))
    assert plain.fingerprint != calibrated.fingerprint
    again = make_vec_env(LIFT, 1, **calibrated.env_kwargs)
    assert again.fingerprint == calibrated.fingerprint
