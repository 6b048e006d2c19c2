"""Hidden dynamics: each effect against arithmetic, on a stand and in environments, and what a log of them says."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mujoco.batch import Batch

from barkyard.assets.calibration import Calibration, Parameter
from barkyard.assets.robots import load_robot
from barkyard.assets.servos import servo_spec
from barkyard.assets.surrogate import Surrogate, draw_surrogate
from barkyard.envs.entries import ENVIRONMENTS
from barkyard.envs.hidden_dynamics import HiddenDynamics
from barkyard.envs.registry import make_env, make_vec_env
from barkyard.envs.surrogate_stand import RealSurrogate
from barkyard.errors import InvalidInput
from barkyard.rollout import rollout
from tests.contract import environment_contracts as contracts

LIFT, WALK = "barkyard/Lift-v0", "barkyard/QuadrupedVelocity-v0"
KNEE = load_robot("barkour_vb").joints.index("FL_knee")


def _surrogate(**changes: Any) -> Surrogate:
    """A surrogate with no flaw but those given."""
    plain = draw_surrogate("barkour_vb", 0)
    zero = (0.0,) * len(plain.play)
    parameters = tuple(Parameter(name, "delay", 0.0) for name in load_robot("barkour_vb").actuators)
    truth = dataclasses.replace(plain.truth, parameters=parameters)
    flawless = {"stiction": zero, "stribeck": (1.0,) * len(zero), "play": zero, "jitter": 0.0, "noise": 0.0}
    return dataclasses.replace(plain, truth=truth, **{"quantum": 1e-9, **flawless, **changes})


class _Bench:
    """A quadruped on a stand without weight or friction, with one surrogate's hidden dynamics."""

    def __init__(self, surrogate: Surrogate, count: int = 1, friction: float = 0.0) -> None:
        robot = load_robot("barkour_vb")
        spec = servo_spec(robot)
        spec.option.gravity, spec.option.timestep = [0, 0, 0], 0.001
        surrogate.truth.apply(spec)
        for joint in spec.joints:
            joint.frictionloss = friction
        self.model = spec.compile()
        self.batch = Batch(self.model, count, 1)
        self.dynamics = HiddenDynamics(self.model, self.batch, robot, "", surrogate)
        self.memory = np.zeros((count, HiddenDynamics.memory_size(robot)))
        self.dynamics.bind(self.memory)
        self.dynamics.begin(np.arange(count), np.arange(count) + 1.0)
        self.qpos, self.qvel, self.ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self.qpos[:] = self.ctrl[:] = robot.home

    def step(self, count: int) -> None:
        for _ in range(count):
            self.dynamics.act()
            self.batch.step()


def test_friction_is_highest_at_rest_and_falls_with_speed() -> None:
    bench = _Bench(_surrogate(stiction=(0.5,) * 12, stribeck=(0.2,) * 12), friction=0.4)
    loss = bench.batch.expand("dof_frictionloss")
    for speed in (0.0, 0.1, -0.2, 3.0):
        bench.qvel[0, KNEE] = speed
        bench.dynamics.act()
        assert loss[0, KNEE] == pytest.approx(0.4 * (1 + 0.5 * np.exp(-((speed / 0.2) ** 2))), abs=1e-12)


def test_a_joint_sticks_until_static_friction_is_overcome() -> None:
    """A servo of 50 N m/rad moves a joint with 0.4 N m of static friction when its target is over 8 mrad away."""
    moved = {}
    for offset in (0.006, 0.010):
        bench = _Bench(_surrogate(stiction=(0.6,) * 12, stribeck=(0.05,) * 12), friction=0.25)
        start = bench.qpos[0, KNEE]
        bench.ctrl[0, KNEE] += offset
        bench.step(1500)
        moved[offset] = bench.qpos[0, KNEE] - start
    assert abs(moved[0.006]) < 2e-4 and moved[0.010] > 1e-3


def test_play_keeps_the_joint_behind_its_motor_on_either_side() -> None:
    """Against friction the torque holds the motor to one flank, so going up and coming down end half a play apart."""
    ends = []
    for play in (0.0, 0.02):
        bench = _Bench(_surrogate(play=(play,) * 12), friction=3.0)
        home = bench.ctrl.copy()
        sides = []
        for side in (0.3, -0.3):
            for part in np.linspace(0.0, 1.0, 200):
                bench.ctrl[:] = home + side * part
                bench.step(5)
            sides.append(bench.qpos[0, KNEE] - bench.ctrl[0, KNEE])
        ends.append(sides)
    (up, down), (up_play, down_play) = ends
    assert up < 0 < down, "friction holds the joint short of its target"
    load = np.tanh(3.0)
    assert up_play - up == pytest.approx(-0.01 * load, abs=1e-3)
    assert down_play - down == pytest.approx(0.01 * load, abs=1e-3)


def test_commands_come_late_by_the_delay_and_never_evenly() -> None:
    parameters = tuple(Parameter(name, "delay", 0.010) for name in load_robot("barkour_vb").actuators)
    truth = Calibration("barkour_vb", "", parameters, "surrogate")
    bench = _Bench(dataclasses.replace(_surrogate(jitter=0.004), truth=truth), count=500)
    bench.dynamics.receive()
    delays = bench.batch.expand("actuator_delay")
    assert (delays == delays[:, :1]).all(), "one command, one delay"
    assert 0.006 <= delays.min() < 0.0062 and 0.0098 < delays.max() <= 0.010


def test_encoders_have_steps_and_noise_and_the_servo_acts_on_them() -> None:
    bench = _Bench(_surrogate(quantum=0.01), count=2)
    bench.qpos[:] = 0.4949
    np.testing.assert_allclose(bench.dynamics.joint_pos(), 0.49, atol=1e-12)
    bench.dynamics.act()
    gain, bias = (bench.batch.expand(f"actuator_{name}")[0, KNEE] for name in ("gainprm", "biasprm"))
    force = gain[0] * 0.6 + bias[0] + bias[1] * 0.4949
    assert force == pytest.approx(50.0 * (0.6 - 0.49))
    noisy = _Bench(_surrogate(noise=0.002), count=2000)
    error = noisy.dynamics.joint_pos() - noisy.qpos
    assert error.std() == pytest.approx(0.002, rel=0.03) and abs(error.mean()) < 1e-4
    again = noisy.dynamics.joint_pos() - noisy.qpos
    np.testing.assert_array_equal(error, again)


@pytest.mark.parametrize("robot", ["panda", "barkour_vb"])
def test_a_recording_says_what_it_is(robot: str, tmp_path: Path) -> None:
    stand = RealSurrogate(robot, 2)
    times = np.arange(100) / 50.0
    commands = np.array(stand.robot.home) + 0.1 * np.sin(3.0 * times)[:, None]
    first, second, third = stand.play(times, commands), stand.play(times, commands), stand.play(times, commands, 1)
    np.testing.assert_array_equal(first.q_meas, second.q_meas)
    assert 0.0 < np.abs(first.q_meas - third.q_meas).max() < 0.01, "another run of the same robot"
    assert np.abs(first.q_meas - RealSurrogate(robot, 3).play(times, commands).q_meas).max() > 1e-3
    first.save(tmp_path / "log.npz")
    with np.load(tmp_path / "log.npz", allow_pickle=False) as content:
        assert (str(content["source"]), int(content["surrogate"]), str(content["units"])) == ("surrogate", 2, "rad")
        assert tuple(content["joints"]) == stand.robot.joints
        np.testing.assert_array_equal(content["q_meas"], first.q_meas)
    with pytest.raises(InvalidInput, match="ends so"):
        first.save(tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, q: (t, q[:, :-1]), r"q_cmd \(30, 11\)"),
        (lambda t, q: (t[::-1], q), r"t_cmd\[1\] is"),
        (lambda t, q: (t, q + np.nan), "finite"),
        (lambda t, q: (t, q + 9.0), r"q_cmd\[0\] of FL_abduction is 9.0000 rad; it must lie in"),
    ],
)
def test_commands_that_cannot_be_played_are_named(change: Any, message: str) -> None:
    stand = RealSurrogate("barkour_vb", 0)
    times = np.arange(30) / 50.0
    with pytest.raises(InvalidInput, match=message):
        stand.play(*change(times, np.tile(stand.robot.home, (30, 1))))


@pytest.mark.parametrize(
    "contract",
    [contracts.stored_states_replay_exactly, contracts.equal_seeds_give_equal_episodes,
     contracts.observations_fit_the_space, contracts.no_observation_element_is_constant],
    ids=lambda contract: contract.__name__,
)  # fmt: skip
@pytest.mark.parametrize("env_id", [LIFT, WALK])
def test_contracts_hold_on_a_surrogate(env_id: str, contract: Any) -> None:
    contract(lambda: make_vec_env(env_id, 2, surrogate=1, num_threads=1, autoreset_mode="Disabled"))


@pytest.mark.parametrize("env_id", [i for i in ENVIRONMENTS if "Humanoid" not in i and "Hand" not in i])  # no ranges
def test_every_environment_runs_on_a_surrogate_and_says_so(env_id: str) -> None:
    env: Any = make_vec_env(env_id, 3, surrogate=1, num_threads=1, autoreset_mode="Disabled")
    assert env.source == "surrogate" and env.env_kwargs["surrogate"] == 1
    assert make_env(env_id).source == "sim"
    seeds = [11, 12, 13]
    many = env.reset(seed=seeds)[0]
    alone: Any = make_vec_env(env_id, 1, surrogate=1, autoreset_mode="Disabled")
    one = alone.reset(seed=[13])[0]
    for _ in range(3):
        many = env.step(np.full(env.action_space.shape, 0.3, np.float32))[0]
        one = alone.step(np.full(alone.action_space.shape, 0.3, np.float32))[0]
    for name in many:
        np.testing.assert_array_equal(many[name][2], one[name][0], err_msg=name)


def test_an_episode_on_a_surrogate_is_none_of_the_simulation_and_none_of_the_real_robot() -> None:
    class Still:
        name = "still"

        def reset(self, slots: Any, seeds: Any) -> None:
            del slots, seeds

        def act(self, observations: Any) -> Any:
            return np.zeros((len(observations["joint_pos"]), 12), np.float32)

    env: Any = make_vec_env(WALK, 1, surrogate=1, autoreset_mode="Disabled")
    env.task.time_limit, env._max_steps = 0.1, 5
    (episode,) = rollout(env, Still(), [0])
    assert episode.source == "surrogate"


def test_a_surrogate_takes_no_calibration() -> None:
    with pytest.raises(InvalidInput, match="give one of both"):
        make_vec_env(LIFT, 1, surrogate=0, randomization="posterior")
