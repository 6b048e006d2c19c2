"""The LEAP hand: its numbers against MuJoCo Menagerie, its variants and their names, and the split."""

import mujoco
import numpy as np
import pytest

from barkyard.assets.menagerie import menagerie_folder
from barkyard.assets.robots import load_robot
from barkyard.assets.robots.leap_hand.enumeration import draw_split, graph_variants, length_variants, load_split
from barkyard.assets.robots.leap_hand.menagerie import menagerie_bodies
from barkyard.assets.robots.leap_hand.variant import FULL, HandLink, HandVariant
from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput


def is_installed() -> bool:
    try:
        return menagerie_folder("leap_hand").is_dir()
    except InvalidInput:
        return False


needs_extra = pytest.mark.skipif(not is_installed(), reason="the extra `menagerie` is not installed")


def body_of(name: str) -> Embodiment:
    return Embodiment.from_model(load_robot(name).make_spec().compile())


def test_the_whole_hand_has_sixteen_joints_and_four_neighbours_at_the_palm() -> None:
    body = body_of("leap_hand")
    graph = body.joint_graph
    bases = [i for i, joint in enumerate(body.joints) if joint.parent < 0]
    assert len(body.joints) == 16 and len(bases) == 4
    assert (graph.hop[np.ix_(bases, bases)] == 1 - np.eye(4)).all()
    assert graph.hop.max() == 7


@pytest.mark.parametrize("name", [FULL.name, "i34-t1234", "i123+4-m1(22)4-t234", "m4"])
def test_a_name_is_read_back(name: str) -> None:
    assert HandVariant.from_name(name).name == name


@pytest.mark.parametrize("name", ["", "i", "x12", "i55", "i21", "i1-i2", "t1+234", "i2+34", "i1(300)4", "m1-i1"])
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        HandVariant.from_name(name)


def test_what_hung_from_a_missing_link_hangs_in_its_place() -> None:
    whole, short = (
        load_robot("leap_hand").make_spec().compile(),
        load_robot("leap_hand:i34-t1234").make_spec().compile(),
    )
    np.testing.assert_array_equal(short.body("index_pip").pos, whole.body("index_mcp").pos)
    np.testing.assert_array_equal(short.body("index_dip").pos, whole.body("index_dip").pos)


@pytest.mark.parametrize(("name", "limb", "more"), [("i12+", 0, 0.0), ("i1+234", 1, 0.015), ("i1234(22)", 4, 0.022)])
def test_longer_links_are_longer(name: str, limb: int, more: float) -> None:
    if not more:
        with pytest.raises(InvalidInput, match="only turns"):
            HandVariant.from_name(name)
        return
    longer, usual = body_of(f"leap_hand:{name}").limbs[limb].length, body_of("leap_hand:i1234").limbs[limb].length
    assert longer - usual == pytest.approx(more, abs=1e-6)


def test_the_grammar_has_236_hands() -> None:
    hands = graph_variants()
    assert len(set(hands)) == 236 and hands[0] == FULL
    assert len({hand.name for hand in hands}) == 236


def test_longer_hands_keep_the_rule() -> None:
    found = set(length_variants(FULL))
    for hand in found:
        longer = [link for link in hand.links if link.longer_mm]
        per_finger = sorted(sum(link.finger == finger for link in longer) for finger in range(4))
        assert 3 <= len(longer) <= 5 and per_finger[-1] <= 2 and per_finger[-2] <= 1
        assert sum(link.number < 4 for link in longer) >= 2
    assert len(found) == len(list(length_variants(FULL)))


def test_a_hand_with_few_links_gets_fewer_longer_ones() -> None:
    assert {hand.name for hand in length_variants(HandVariant.from_name("i4"))} == {"i4+"}
    assert list(length_variants(HandVariant((HandLink(0, 2),)))) == []


def test_the_split_in_the_file_is_the_one_its_seed_draws() -> None:
    split = load_split()
    assert draw_split(split.seed) == split
    assert draw_split(split.seed + 1) != split


def test_no_graph_is_in_two_sets() -> None:
    split = load_split()

    def graphs(names: tuple[str, ...]) -> set[tuple[str, ...]]:
        return {HandVariant.from_name(name).joints for name in names}

    sets = [graphs(names) for names in (split.train, split.validation, split.test_graph)]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 64
    assert graphs(split.test_both) == sets[2] and graphs(split.test_length) <= sets[0]
    assert not set(split.test_length) & set(split.train)


def test_only_families_have_variants() -> None:
    with pytest.raises(InvalidInput, match="no variants"):
        load_robot("panda:i4")


@needs_extra
def test_joints_are_where_menagerie_has_them() -> None:
    """Axes are the same lines: their directions agree, and the distance between them is below a millimetre."""
    theirs = mujoco.MjModel.from_xml_path(str(menagerie_folder("leap_hand") / "right_hand.xml"))
    ours = load_robot("leap_hand").make_spec().compile()
    their_data, our_data = mujoco.MjData(theirs), mujoco.MjData(ours)
    mujoco.mj_kinematics(theirs, their_data)
    mujoco.mj_kinematics(ours, our_data)
    names = menagerie_bodies()
    for joint in range(theirs.njnt):
        mine = ours.joint(names[theirs.body(theirs.jnt_bodyid[joint]).name]).id
        axis = our_data.xaxis[mine]
        np.testing.assert_allclose(their_data.xaxis[joint], axis, atol=1e-4)
        gap = their_data.xanchor[joint] - their_data.body("palm").xpos - our_data.xanchor[mine]
        assert np.linalg.norm(gap - axis * (gap @ axis)) < 1e-3
        np.testing.assert_allclose(theirs.jnt_range[joint], ours.jnt_range[mine])
        assert theirs.body_mass[theirs.jnt_bodyid[joint]] == pytest.approx(ours.body_mass[ours.jnt_bodyid[mine]])


@needs_extra
def test_meshes_change_no_physics() -> None:
    plain, dressed = (load_robot(name).make_spec().compile() for name in ("leap_hand", "leap_hand_menagerie"))
    np.testing.assert_array_equal(plain.body_mass, dressed.body_mass)
    np.testing.assert_array_equal(plain.body_inertia, dressed.body_inertia)
    assert dressed.nmesh == 10
    tips = mujoco.MjData(dressed)
    mujoco.mj_kinematics(dressed, tips)
    meshes = [geom for geom in range(dressed.ngeom) if dressed.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH]
    tip = tips.site("index_tip").xpos
    assert min(np.linalg.norm(tips.geom_xpos[geom] - tip) for geom in meshes) < 0.025
