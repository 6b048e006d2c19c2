"""Robots against the models they compile to."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from barkyard.assets import robots
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
