"""The simulated robot: it plays what was commanded, when it was commanded."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from barkyard.assets.parameters import prepare, write_spec
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel, default_values, mean_commands
from barkyard.calibration.unknowns import spread, targets
from barkyard.errors import InvalidInput
from tests.calibration.synthetic import ARM, TRUTH, arm, chirp, places, record, unknowns


def still(seconds: float = 3.0, at: float = 0.4) -> RobotLog:
    time = np.arange(0.0, seconds, 0.02)
    angles = np.full((len(time), 2), at)
    return RobotLog("still", ("shoulder", "elbow"), time, angles, time, angles)


def test_the_same_as_stepping_the_written_spec() -> None:
    """Batched writing, control, delay and interpolation against mj_step on a spec with the same numbers."""
    model, seconds = arm(), 1.0
    names = tuple((joint, "damping") for joint in model.joints) + tuple((a, "position_gain") for a in model.actuators)
    values = np.array([0.7, 0.4, 20.0, 9.0])
    time, command = chirp(3, seconds)
    log = RobotLog("run", model.joints, time, command, time, np.repeat(command[:1], len(time), axis=0))
    played = Plant(model, names, values.tolist()).simulate(values[None], log)[0]
    spec = mujoco.MjSpec.from_string(ARM)
    prepare(spec, names, values.tolist())
    write_spec(spec, names, values.tolist())
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    data.qpos[:] = command[0]
    expected = [data.qpos.copy()]
    for row in range(len(time) - 1):
        data.ctrl[:] = command[row]
        mujoco.mj_step(compiled, data, nstep=4)
        expected.append(data.qpos.copy())
    assert np.allclose(played, expected, atol=1e-12)


def test_a_delay_shifts_the_response_and_starts_from_the_first_command() -> None:
    model = arm()
    sought = unknowns(model)
    late = {**TRUTH, "delay": (0.052, 0.058)}
    prompt, delayed = (record(model, sought, truth, 5, seconds=4.0) for truth in (TRUTH, late))
    shifted = np.interp(delayed.time - 0.04, prompt.time, prompt.position[:, 0])
    assert np.allclose(delayed.position[60:, 0], shifted[60:], atol=2e-3), "after the start is forgotten"
    names = tuple((actuator, "delay") for actuator in model.actuators)
    held = Plant(model, names, [0.15, 0.15]).simulate(np.array([[0.1, 0.1]]), still())[0]
    assert np.abs(held[:3] - 0.4).max() < 0.02, "no dive to zero"


def test_encoder_bias_is_measured_less_true_angle() -> None:
    """Without gravity a bias changes nothing that is measured; with it, the sag changes as the link's angle does."""
    level = arm(ARM.replace("<option", '<option gravity="0 0 0"'))
    names = tuple((joint, "encoder_bias") for joint in level.joints)
    run = Plant(level, names, [1.0, 1.0]).simulate(np.array([[0.0, 0.0], [0.5, -0.3]]), still())
    assert np.allclose(run[0], run[1], atol=1e-9)
    heavy = Plant(arm(), names, [1.0, 1.0]).simulate(np.array([[0.0, 0.0], [0.5, -0.3]]), still())
    assert np.abs(heavy[0] - heavy[1]).max() > 1e-3


def test_friction_holds_a_loaded_joint() -> None:
    """A joint whose load is within its friction stays; MuJoCo's own friction lets it creep."""
    model, hold = arm(), still(20.0, at=0.0)
    names = tuple((joint, "frictionloss") for joint in model.joints)
    run = Plant(model, names, [2.0, 2.0]).simulate(np.array([[1.0, 0.5]]), hold)[0]
    soft = Plant(model, (), ()).simulate(np.zeros((1, 0)), hold)[0]
    assert np.abs(run[-1] - run[50]).max() < 1e-3
    assert np.abs(soft[-1]).max() > 1e-2


def test_a_floor_stops_what_would_pass_it() -> None:
    """The lower link's tip, a sphere 0.2 m out, comes to rest on the floor; the links pass through one another."""
    tip = '<geom size="0.01" pos="0.2 0 0" mass="0"/></body>\n    </body>'
    model = arm(ARM.replace("</body>\n    </body>", tip))
    log = still(2.0, at=0.6)
    log = replace(log, position=np.zeros_like(log.position))
    free, stopped = (
        Plant(replace(model, floor=floor), (), ()).simulate(np.zeros((1, 0)), log)[0] for floor in (None, -0.1)
    )
    height = [-0.2 * np.sin(run[-1, 0]) - 0.2 * np.sin(run[-1].sum()) for run in (free, stopped)]
    assert height[0] < -0.2
    assert height[1] == pytest.approx(-0.09, abs=0.01)


def test_commands_are_averaged_over_steps() -> None:
    log = replace(still(), command=np.linspace(0.0, 1.0, 150)[:, None] * np.ones(2))
    means = mean_commands(log, np.array([0.0, 0.02, 0.05, 10.0, 11.0]))[:, 0]
    step = 1.0 / 149.0
    assert means[0] == pytest.approx(0.0)
    assert means[1] == pytest.approx((0.02 * step + 0.01 * 2 * step) / 0.03)
    assert means[3] == pytest.approx(1.0)


def test_a_diverging_simulation_harms_no_other() -> None:
    model = arm()
    names = tuple((joint, "encoder_bias") for joint in model.joints)
    plant = Plant(model, names, [1.0, 1.0])
    run = plant.simulate(np.array([[0.1, 0.1], [1e200, 0.0]]), still())
    alone = plant.simulate(np.array([[0.1, 0.1]]), still())
    assert np.array_equal(run[0], alone[0])


def test_any_number_at_once_gives_the_same() -> None:
    model = arm()
    sought = unknowns(model)
    log = record(model, sought, TRUTH, 1, seconds=2.0)
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought], threads=1)
    values = spread(sought, np.random.default_rng(0).uniform(0.3, 0.7, (6, len(sought))))
    assert np.array_equal(plant.simulate(values, log)[4], plant.simulate(values[4:5], log)[0])
    assert np.allclose(plant.simulate(spread(sought, places(sought, TRUTH)[None]), log)[0], log.position)


def test_defaults_are_the_models() -> None:
    model = arm().shipped
    names = [("elbow", "damping"), ("elbow", "armature"), ("elbow", "position_gain"), ("elbow", "delay")]
    assert default_values(model, names).tolist() == [0.5, 0.02, 15.0, 0.0]
    assert np.isinf(default_values(model, [("elbow", "torque_limit")])[0])


def test_torque_motors_need_the_gains_of_the_controller(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "arm.xml"
    motors = ARM.replace('<position name="elbow" joint="elbow" kp="15"/>',
                         '<motor name="elbow" joint="elbow" ctrllimited="true" ctrlrange="-4 4"/>')  # fmt: skip
    path.write_text(motors)
    with pytest.raises(InvalidInput, match="elbow is a torque motor, and the log has positions; give the gains"):
        PlantModel.from_mjcf(path)
    servo = PlantModel.from_mjcf(path, (20.0, 1.5)).shipped.actuator("elbow")
    assert (servo.gainprm[0], servo.biasprm[1], servo.biasprm[2]) == (20.0, -20.0, -1.5)
    assert servo.forcerange.tolist() == [-4.0, 4.0]
    path.write_text("<mujoco><worldbody/></mujoco>")
    with pytest.raises(InvalidInput, match="has no actuator that drives a joint"):
        PlantModel.from_mjcf(path)
    path.write_text("<mujoco>")
    with pytest.raises(InvalidInput, match="MuJoCo cannot read this model"):
        PlantModel.from_mjcf(path)
