"""Robots against the models they compile to, and calibrations."""

import json
from pathlib import Path

import mujoco
import numpy as np
import pytest

from barkyard.assets import robots
from barkyard.assets.robot import Calibration, Parameter
from barkyard.assets.robots import ROBOTS, load_robot
from barkyard.errors import InvalidInput


@pytest.mark.parametrize("name", ROBOTS)
def test_named_elements_exist_and_home_is_within_limits(name: str) -> None:
    try:
        robot = load_robot(name)
        spec = robot.make_spec()
    except InvalidInput as error:
        pytest.skip(str(error))
    model = spec.compile()
    assert robot.name == name and len(robot.home) == len(robot.joints) == len(robot.actuators)
    for joint, actuator, home in zip(robot.joints, robot.actuators, robot.home, strict=True):
        low, high = model.joint(joint).range
        assert low < home < high
        assert model.actuator(actuator).trnid[0] == model.joint(joint).id
    for site in (robot.tcp, robot.base):
        assert site is None or model.site(site).id >= 0
    if robot.gripper is not None:
        for joint, actuator in zip(robot.gripper.joints, robot.gripper.actuators, strict=True):
            assert model.actuator(actuator).trnid[0] == model.joint(joint).id
        for pads in robot.gripper.pads:
            assert all(model.geom(pad).id >= 0 for pad in pads)


@pytest.mark.parametrize("name", ROBOTS)
def test_every_robot_has_a_readme(name: str) -> None:
    folder = Path(robots.__file__).parent / ROBOTS[name].split(":")[0].rsplit(".", 1)[-1]
    assert (folder / "README.md").read_text().startswith("# ")


def test_panda_numbers() -> None:
    model = load_robot("panda").make_spec().compile()
    np.testing.assert_allclose(model.actuator_ctrlrange[:7, 1], [80, 80, 80, 80, 80, 12, 12])
    np.testing.assert_allclose(model.dof_damping[:7], [0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
    arm = [model.body(f"link{i}").mass[0] for i in range(8)]
    assert 15.0 < sum(arm) < 20.0, "a Panda weighs about 18 kg"


def test_closing_moves_the_fingers_together() -> None:
    robot = load_robot("panda")
    gripper = robot.gripper
    assert gripper is not None
    model = robot.make_spec().compile()
    data = mujoco.MjData(model)
    pads = [model.geom(p[0]).id for p in gripper.pads]

    def gap(normalised: float) -> float:
        for actuator, sign in zip(gripper.actuators, gripper.closing, strict=True):
            low, high = model.actuator(actuator).ctrlrange
            value = 0.5 * (low + high) + 0.5 * (high - low) * normalised * sign
            joint = model.actuator(actuator).trnid[0]
            data.qpos[model.jnt_qposadr[joint]] = value
        mujoco.mj_forward(model, data)
        return float(np.linalg.norm(data.geom_xpos[pads[0]] - data.geom_xpos[pads[1]]))

    assert gap(-1.0) == pytest.approx(gap(1.0) + 0.08, abs=1e-6)


def test_unknown_robot_is_named() -> None:
    with pytest.raises(InvalidInput, match="unknown robot 'atlas'; the robots are barkour_v0"):
        load_robot("atlas")


def _calibration() -> Calibration:
    return Calibration(
        robot="panda",
        parameters=(
            Parameter("joint1", "damping", 0.7, (0.5, 0.9)),
            Parameter("joint2", "frictionloss", 0.2),
            Parameter("torq_j3", "torque_limit", 55.0, None, "on_a_bound"),
            Parameter("joint4", "armature", 9.0, None, "not_excited"),
            Parameter("link7", "mass", 1.25),
        ),
        sources=("abc",),
        held_out_error=0.01,
        samples=((0.6, 0.1, 55.0, 9.0, 1.2), (0.8, 0.3, 55.0, 9.0, 1.3)),
    )


def test_applied_parameters_are_in_the_compiled_model() -> None:
    spec = load_robot("panda").make_spec()
    before = spec.joint("joint4").armature
    _calibration().apply(spec)
    model = spec.compile()
    assert model.joint("joint1").damping[0] == 0.7 and model.joint("joint2").frictionloss[0] == 0.2
    assert list(model.actuator("torq_j3").forcerange) == [-55.0, 55.0]
    assert model.joint("joint4").armature[0] == before, "what was not excited is not applied"
    assert model.body("link7").mass[0] == 1.25


def test_calibration_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().save(path)
    assert Calibration.load(path) == _calibration()
    assert Calibration.load(path).fingerprint == _calibration().fingerprint
    np.testing.assert_array_equal(_calibration().sample_array()[:, 0], [0.6, 0.8])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("robot"), "robot"),
        (lambda c: c.update(schema=7), "schema is 7"),
        (lambda c: c["parameters"][0].update(quantity="colour"), "unknown quantity 'colour'"),
        (lambda c: c["parameters"][0].update(value=-1.0), "finite and not negative"),
        (lambda c: c["parameters"][0].update(value=float("nan")), "finite and not negative"),
        (lambda c: c["parameters"][0].update(verdict="maybe"), "unknown verdict 'maybe'"),
        (lambda c: c.update(extra=1), "extra"),
    ],
)
def test_damaged_calibrations_are_named(tmp_path: Path, change: object, message: str) -> None:
    content = _calibration().as_json()
    change(content)  # type: ignore[operator]
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match=message) as caught:
        Calibration.load(path)
    assert str(path) in str(caught.value)


def test_truncated_calibration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    _calibration().save(path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(InvalidInput, match="is not a calibration"):
        Calibration.load(path)
