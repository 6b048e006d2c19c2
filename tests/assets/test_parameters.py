"""Writing a parameter into a spec and into a batch is the same, for every quantity and robot."""

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from barkyard.assets.calibration import Calibration, Parameter
from barkyard.assets.parameters import QUANTITIES, ParameterWriter, model_fingerprint, prepare, write_spec
from barkyard.assets.robots import load_robot, robot_fingerprint, robot_model
from barkyard.assets.servos import servo_spec
from barkyard.errors import InvalidInput

ROBOTS = {"panda": ("joint2", "torq_j2", "link5"), "barkour_vb": ("FL_hip", "FL_hip", "torso"),
          "barkour_v0": ("HR_knee", "HR_knee", "FL_shank")}  # fmt: skip
VALUES = {
    "damping": 0.31, "armature": 0.07, "frictionloss": 0.4, "position_gain": 43.0, "velocity_gain": 0.9,
    "torque_gain": 0.83, "encoder_bias": -0.02, "torque_limit": 11.0, "delay": 0.013, "measurement_delay": 0.007,
    "mass": 1.7, "com_x": 0.01, "com_y": -0.02, "com_z": 0.03, "payload": 0.6,
    "stiction": 0.5, "stribeck": 0.1, "load_friction": 0.2,
}  # fmt: skip


def _names(robot: str) -> list[tuple[str, str]]:
    joint, actuator, body = ROBOTS[robot]
    element = {"joint": joint, "actuator": actuator, "body": body}
    motor = robot == "panda"
    return [(element[kind.kind], name) for name, kind in QUANTITIES.items() if not (motor and kind.servo)]


def test_every_quantity_has_a_value_here() -> None:
    assert set(VALUES) == set(QUANTITIES)


@pytest.mark.parametrize("robot", ROBOTS)
def test_spec_and_batch_agree(robot: str) -> None:
    names = _names(robot)
    values = [VALUES[quantity] for _, quantity in names]
    written = load_robot(robot).make_spec()
    prepare(written, names, values)
    write_spec(written, names, values)
    expected = written.compile()
    other = load_robot(robot).make_spec()
    prepare(other, names, values)
    write_spec(other, names, [0.5 * value for value in values])
    batch = Batch(model := other.compile(), 3, 1)
    writer = ParameterWriter(model, names, nominal=robot_model(robot))
    fields = {name: batch.expand(name) for name in writer.fields}
    for _ in range(2):  # factors must not pile up
        writer.write(fields, np.array([0, 2]), np.array([values, values]))
    batch.set_const(np.array([0, 2]))
    for name in ("dof_damping", "dof_armature", "dof_frictionloss", "actuator_gainprm", "actuator_biasprm",
                 "actuator_forcerange", "actuator_delay", "sensor_delay", "body_mass", "body_inertia", "body_ipos",
                 "body_gravcomp"):  # fmt: skip
        one = np.asarray(getattr(expected, name))
        both = batch.expand(name)[[0, 2]]
        np.testing.assert_allclose(both, np.stack([one, one]), rtol=1e-12, atol=1e-11, err_msg=name)
        changed = not np.array_equal(one, getattr(model, name))
        assert name in writer.fields or not changed, name
    np.testing.assert_array_equal(batch.expand("body_mass")[1], model.body_mass)


def test_a_torque_motor_has_no_position_gain() -> None:
    calibration = Calibration("panda", "", (Parameter("torq_j1", "position_gain", 600.0),), "real")
    with pytest.raises(InvalidInput, match="torque motor .* torque_gain"):
        calibration.apply(load_robot("panda").make_spec())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (("joint9", "damping"), "no joint 'joint9'; it has"),
        (("joint1", "torque_gain"), "no actuator 'joint1'; it has"),
        (("gripper_eef", "mass"), "<inertial>"),
    ],
)
def test_what_the_robot_lacks_is_named(name: tuple[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Calibration("panda", "", (Parameter(*name, 1.0),), "real").apply(load_robot("panda").make_spec())


def test_payload_is_held_by_nothing() -> None:
    """The arm's own compensation still holds the arm, and the payload hangs on the servos: deflection = moment / kp."""
    robot = load_robot("panda")
    spec = servo_spec(robot)
    names = [("right_hand", "payload")]
    prepare(spec, names, [0.8])
    write_spec(spec, names, [0.8])
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = robot.home
    mujoco.mj_forward(model, data)
    jacobian = np.zeros((3, model.nv))
    mujoco.mj_jacBodyCom(model, data, jacobian, None, model.body("right_hand").id)
    np.testing.assert_allclose(data.qfrc_bias - data.qfrc_passive, 0.8 * 9.81 * jacobian[2], atol=1e-9)


def test_a_controller_that_computes_the_weight_does_not_hold_a_payload() -> None:
    """Torque motors that give the model's whole bias leave exactly the payload's weight."""
    robot = load_robot("panda")
    spec = robot.make_spec()
    names = [("right_hand", "payload")]
    prepare(spec, names, [0.8])
    write_spec(spec, names, [0.8])
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[: len(robot.home)] = robot.home
    mujoco.mj_forward(model, data)
    jacobian = np.zeros((3, model.nv))
    mujoco.mj_jacBodyCom(model, data, jacobian, None, model.body("right_hand").id)
    np.testing.assert_allclose(data.qfrc_gravcomp, -0.8 * 9.81 * jacobian[2], atol=1e-9)


def test_an_encoder_that_reads_too_much_holds_the_joint_too_low() -> None:
    robot = load_robot("barkour_vb")
    spec = servo_spec(robot)
    spec.option.gravity = [0, 0, 0]
    names = [("FL_knee", "encoder_bias"), ("FL_knee", "frictionloss")]
    prepare(spec, names, [0.05, 0.0])
    write_spec(spec, names, [0.05, 0.0])
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = data.ctrl[:] = robot.home
    mujoco.mj_step(model, data, nstep=4000)
    knee = robot.joints.index("FL_knee")
    assert data.qpos[knee] + 0.05 == pytest.approx(robot.home[knee], abs=2e-4)


def test_fingerprint_is_of_dynamics_and_not_of_looks() -> None:
    robot = load_robot("barkour_vb")
    spec = robot.make_spec()
    for geom in spec.geoms:
        geom.rgba = [1, 0, 0, 1]
    assert model_fingerprint(spec.compile()) == robot_fingerprint("barkour_vb")
    spec.joint("FL_hip").damping[0] *= 1.001
    assert model_fingerprint(spec.compile()) != robot_fingerprint("barkour_vb")
    assert robot_fingerprint("barkour_v0") != robot_fingerprint("barkour_vb")
