"""Bodies of our robots and of other libraries: branches, free and fixed bases, tendons, passive joints."""

import mujoco
import numpy as np
import pytest

from barkyard.assets.robots import ROBOTS, load_robot
from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from tests.embodiment.models import of_dm_control, of_robosuite

DM_CONTROL = {
    ("humanoid", "stand"): (13, 21, 21, 7),
    ("humanoid_CMU", "stand"): (29, 56, 56, 13),
    ("quadruped", "walk"): (13, 16, 12, 6),
    ("dog", "stand"): (56, 73, 38, 37),
    ("walker", "walk"): (7, 6, 6, 6),
    ("manipulator", "bring_ball"): (6, 6, 5, 4),
}
"""Limbs, actuated joints, actuators, diameter."""
ARMS = {"Panda": "PandaGripper", "UR5e": "Robotiq85Gripper", "Sawyer": "RethinkGripper", "IIWA": "Robotiq140Gripper"}


def check_laws(body: Embodiment, model: mujoco.MjModel) -> None:
    """What holds for every body."""
    parents = [limb.parent for limb in body.limbs]
    assert parents[0] == -1 and all(0 <= parent < i for i, parent in enumerate(parents[1:], 1)), "a tree, root first"
    assert (body.limb_graph.hop >= 0).all() and (body.joint_graph.hop >= 0).all(), "all of a piece"
    limbs = np.array([joint.limb for joint in body.joints])
    assert set(range(1, len(parents))) <= set(limbs.tolist()), "every limb but the root is moved by a joint"
    for joint in body.joints:
        assert np.linalg.norm(joint.axis) == pytest.approx(1, abs=1e-5)
        if joint.parent >= 0:
            up = body.limb_graph.ancestor[joint.limb, body.joints[joint.parent].limb]
            assert up > 0 or body.joints[joint.parent].limb == joint.limb
    assert {j for actuator in body.actuators for j in actuator.joints} == set(range(len(body.joints)))
    bodies = [name for limb in body.limbs for name in limb.bodies]
    assert len(bodies) == len(set(bodies)), "no body is in two limbs"
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    check_geometry(body, model, data)
    assert Embodiment.from_json(body.to_json()) == body


def check_geometry(body: Embodiment, model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """MuJoCo's own kinematics put every limb and joint where it is said to be, at the reference pose."""
    for joint in body.joints:
        found = model.joint(joint.name)
        limb = body.limbs[joint.limb]
        frame = body.limbs[limb.parent].name if limb.parent >= 0 else limb.name
        turn, origin = data.body(frame).xmat.reshape(3, 3), data.body(frame).xpos
        np.testing.assert_allclose(origin + turn @ joint.position, data.xanchor[found.id], atol=1e-5)
        if limb.parent >= 0:
            np.testing.assert_allclose(origin + turn @ limb.position, data.body(limb.name).xpos, atol=1e-5)
        if joint.kind != "ball":
            np.testing.assert_allclose(turn @ joint.axis, data.xaxis[found.id], atol=1e-5)


@pytest.mark.parametrize("name", ROBOTS)
def test_our_robots(name: str) -> None:
    try:
        robot = load_robot(name)
        model = robot.make_spec().compile()
    except InvalidInput as error:
        pytest.skip(str(error))
    body = Embodiment.from_model(model)
    check_laws(body, model)
    fingers = robot.gripper.joints if robot.gripper else ()
    assert tuple(joint.name for joint in body.joints) == (*robot.joints, *fingers)
    assert body.floating == bool(robot.feet)


def test_a_quadruped_by_hand() -> None:
    """Torso and four legs of three: the graph of the A1 in Body Transformer: 13 limbs, diameter 6, 37 of 169 pairs."""
    graph = Embodiment.from_model(load_robot("barkour_vb").make_spec().compile()).limb_graph
    assert graph.hop.max() == 6 and graph.adjacency.sum() + 13 == 37
    assert graph.adjacency.sum(axis=1).tolist() == [4, *[2, 2, 1] * 4]


def test_meshes_do_not_change_the_body() -> None:
    try:
        meshes = load_robot("barkour_vb_menagerie").make_spec().compile()
    except InvalidInput as error:
        pytest.skip(str(error))
    plain = Embodiment.from_model(load_robot("barkour_vb").make_spec().compile())
    assert Embodiment.from_model(meshes).fingerprint == plain.fingerprint


@pytest.mark.parametrize(("domain", "task"), DM_CONTROL)
def test_dm_control(domain: str, task: str) -> None:
    model = of_dm_control(domain, task)
    body = Embodiment.from_model(model)
    check_laws(body, model)
    found = (len(body.limbs), len(body.joints), len(body.actuators), body.limb_graph.hop.max())
    assert found == DM_CONTROL[domain, task]


def test_tendons_of_dm_controls_quadruped() -> None:
    """A leg is lifted by its pitch against its knee, and stretched by three joints at once."""
    body = Embodiment.from_model(of_dm_control("quadruped", "walk"))
    lift, extend = body.actuators[1:3]
    names = [[body.joints[joint].name for joint in actuator.joints] for actuator in (lift, extend)]
    assert names[1] == ["pitch_front_left", "knee_front_left", "ankle_front_left"]
    assert set(names[0]) < set(names[1]) and lift.coefficients == (0.5, -0.5)


@pytest.mark.parametrize("robot", ARMS)
def test_arms_of_robosuite(robot: str) -> None:
    model = of_robosuite(robot, ARMS[robot])
    body = Embodiment.from_model(model)
    check_laws(body, model)
    assert not body.floating and len(body.joints) == len(body.actuators)
    hangs = [limb for limb in range(len(body.limbs)) if (body.limb_graph.ancestor == 1)[:, limb].sum() > 1]
    assert hangs, "the fingers branch"
