"""What is read from a model: laws, small bodies by hand, JSON, and what is refused."""

import json
from itertools import permutations

import mujoco
import numpy as np
import pytest

from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from tests.embodiment.models import TWO_ARMS, compiled, leg, motors

ARM = leg("upper", "ab", leg("elbowless", "", leg("lower", "c")))


def test_an_arm_by_hand() -> None:
    """Two joints in one body are a chain; the body without a joint belongs to the one above; so does the tip."""
    body = Embodiment.from_model(compiled(ARM, motors("upper_a", "upper_b", "lower_c")))
    assert [limb.name for limb in body.limbs] == ["torso", "upper", "lower"]
    assert [limb.parent for limb in body.limbs] == [-1, 0, 1]
    assert body.limbs[1].bodies == ("upper", "elbowless") and body.limbs[0].passive == ("root",)
    assert body.floating and [joint.parent for joint in body.joints] == [-1, 0, 1]
    assert body.limbs[2].position == (0.2, 0.0, -0.4), "two offsets of (.1, 0, -.2)"
    assert body.limbs[1].tip == (0.2, 0.0, -0.4) and body.limbs[1].length == pytest.approx(np.hypot(0.2, 0.4), abs=1e-6)
    assert body.limbs[2].tip == (0.0, 0.0, -0.12), "the far face of a ball of 2 cm at 10 cm"
    assert body.joints[2].limits == (-1.0, 1.0) and body.joints[2].axis == (0.0, 1.0, 0.0)
    assert body.joints[2].position == (0.2, 0.0, -0.4)
    assert body.signals == {"joint": (1, 1, 2), "action": (1, 1, 2)}


def test_frames_turn_with_the_bodies() -> None:
    """A parent turned by 90 degrees about z: the child's x axis is the grandparent's y."""
    inner = '<body name="b" pos="1 0 0"><joint name="j" axis="1 0 0"/><geom size=".1" pos="0 0 .2"/></body>'
    model = compiled(f'<body name="a" euler="0 0 {np.pi / 2}">{inner}</body>', motors("j"))
    body = Embodiment.from_model(model)
    assert body.limbs[1].position == (0.0, 1.0, 0.0)
    assert body.limbs[1].orientation == pytest.approx((np.sqrt(0.5), 0, 0, np.sqrt(0.5)), abs=1e-6)
    assert body.joints[0].axis == (0.0, 1.0, 0.0)
    assert body.limbs[1].length == pytest.approx(0.3)


def test_passive_joints_are_folded_in() -> None:
    body = Embodiment.from_model(compiled(ARM, motors("lower_c")))
    assert [limb.name for limb in body.limbs] == ["torso", "lower"]
    assert body.limbs[0].bodies == ("torso", "upper", "elbowless")
    assert body.limbs[0].passive == ("root", "upper_a", "upper_b")


def test_a_longer_fingertip_is_seen() -> None:
    """It moves no joint, so that positions of joints alone would not tell."""
    finger = '<body name="tip"><joint name="t"/><geom type="capsule" size=".01" fromto="0 0 0 0 0 -{}"/></body>'
    short, long = (Embodiment.from_model(compiled(finger.format(length), motors("t"))) for length in (0.1, 0.2))
    assert [body.limbs[1].length for body in (short, long)] == pytest.approx([0.11, 0.21])
    assert short.fingerprint != long.fingerprint


def test_a_fixed_tendon_drives_several_joints() -> None:
    tendon = '<fixed name="t"><joint joint="upper_a" coef="2"/><joint joint="lower_c" coef="-1"/></fixed>'
    body = Embodiment.from_model(compiled(ARM, '<motor name="pull" tendon="t" gear="3"/>', tendon))
    (pull,) = body.actuators
    assert [joint.name for joint in body.joints] == ["upper_a", "lower_c"]
    assert (pull.transmission, pull.joints, pull.coefficients, pull.limb) == ("tendon", (0, 1), (6.0, -3.0), 1)


def test_a_spatial_tendon_drives_the_joints_between_its_sites() -> None:
    bodies = ARM.replace('<body name="lower"', '<site name="up"/><body name="lower"').replace(
        '<joint name="lower_c"', '<site name="down"/><joint name="lower_c"'
    )
    tendon = '<spatial name="t"><site site="up"/><site site="down"/></spatial>'
    body = Embodiment.from_model(compiled(bodies, '<motor name="pull" tendon="t"/>', tendon))
    assert [joint.name for joint in body.joints] == ["lower_c"]
    assert body.actuators[0].joints == (0,) and body.actuators[0].coefficients == ()


def test_a_site_drives_the_joints_below_its_reference_or_none() -> None:
    bodies = ARM.replace('<joint name="lower_c"', '<site name="hand"/><joint name="lower_c"').replace(
        '<joint name="upper_a"', '<site name="shoulder"/><joint name="upper_a"'
    )
    actuators = '<general name="reach" site="hand" refsite="shoulder"/><general name="thrust" site="hand"/>'
    body = Embodiment.from_model(compiled(bodies, actuators))
    assert [joint.name for joint in body.joints] == ["lower_c"]
    reach, thrust = body.actuators
    assert (reach.transmission, reach.joints) == ("site", (0,))
    assert (thrust.joints, thrust.limb) == ((), 1)


def test_two_arms_share_the_world() -> None:
    model = mujoco.MjModel.from_xml_string(TWO_ARMS)
    both = Embodiment.from_model(model)
    assert [limb.name for limb in both.limbs] == ["world", "left_arm", "right_arm"]
    assert not both.floating and both.joint_graph.hop.tolist() == [[0, 1], [1, 0]]
    left = Embodiment.from_model(model, "left")
    assert [limb.name for limb in left.limbs] == ["left", "left_arm"] and len(left.actuators) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_relabelling_permutes_everything(order: tuple[int, ...]) -> None:
    """The same legs and motors written down in another order."""
    legs = [leg("a", "x", leg("foot", "yz")), leg("b", "x"), leg("c", "xy", leg("d", "x"), leg("e", "x"))]
    names = ["a_x", "foot_y", "foot_z", "b_x", "c_x", "c_y", "d_x", "e_x"]
    first = Embodiment.from_model(compiled("".join(legs), motors(*names)))
    second = Embodiment.from_model(compiled("".join(legs[i] for i in order), motors(*reversed(names))))
    for graph, parts in (("limb_graph", "limbs"), ("joint_graph", "joints")):
        ours = [part.name for part in getattr(first, parts)]
        theirs = [part.name for part in getattr(second, parts)]
        moved = [theirs.index(name) for name in ours]
        for array in ("adjacency", "hop", "ancestor", "descendant"):
            permuted = getattr(getattr(second, graph), array)[np.ix_(moved, moved)]
            np.testing.assert_array_equal(getattr(getattr(first, graph), array), permuted)
    assert _told(first) == _told(second)
    ends = [[body.limbs[limb].name for limb in body.signals["action"]] for body in (first, second)]
    assert ends[0] == ends[1][::-1]


def _told(body: Embodiment) -> dict[str, object]:
    limbs = {limb.name: (limb.position, limb.tip, limb.length) for limb in body.limbs}
    joints = {f"joint {joint.name}": (joint.position, joint.axis, joint.limits) for joint in body.joints}
    return {**limbs, **joints}


def test_json_round_trip_and_fingerprint() -> None:
    body = Embodiment.from_model(compiled(ARM, motors("upper_a", "lower_c"))).with_signals({"finger": [2, 2]})
    again = Embodiment.from_json(json.loads(json.dumps(body.to_json())))
    assert again == body and again.fingerprint == body.fingerprint
    assert body.fingerprint != Embodiment.from_model(compiled(ARM, motors("upper_a", "lower_c"))).fingerprint


def test_what_is_no_embodiment() -> None:
    values = Embodiment.from_model(compiled(ARM, motors("lower_c"))).to_json()
    with pytest.raises(InvalidInput, match="schema is 7; this version reads 1"):
        Embodiment.from_json({**values, "schema": 7})
    with pytest.raises(InvalidInput, match="KeyError 'limbs'"):
        Embodiment.from_json({key: value for key, value in values.items() if key != "limbs"})
    with pytest.raises(InvalidInput, match="signal 'joint' names limb 9; valid: 0 to 1"):
        Embodiment.from_json({**values, "signals": {"joint": [9]}})


def test_a_root_that_is_not_there() -> None:
    with pytest.raises(InvalidInput, match="no body 'tail' to be the root; it has world, torso, upper"):
        Embodiment.from_model(compiled(ARM), "tail")


def test_parts_by_name() -> None:
    body = Embodiment.from_model(compiled(ARM, motors("upper_a", "lower_c"))).with_signals({"joint_pair": [2]})
    assert body.limbs_of("joint_pos", 2) == (1, 2) and body.limbs_of("last_action", 2) == (1, 2)
    assert body.limbs_of("joint_pair_gap", 1) == (2,), "the longest name counts"
    assert body.limbs_of("base_up", 3) == (0, 0, 0) and body.limbs_of("jointly", 1) == (0,)
    with pytest.raises(InvalidInput, match="part 'joint_pos' has 3 elements, but this body's 'joint' signal has 2"):
        body.limbs_of("joint_pos", 3)
