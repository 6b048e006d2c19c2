"""A LEAP hand as an `MjSpec`, from numbers."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots.leap_hand import numbers
from barkyard.assets.robots.leap_hand.numbers import FINGERS, LINKS, Link
from barkyard.assets.robots.leap_hand.variant import HandVariant, joint_name

HELD = 1
"""Collision bit of what a hand holds. Parts of the hand do not touch one another."""
VISUAL_GROUP, COLLISION_GROUP = 1, 0
_GREY, _WHITE, _PALM = (0.27, 0.29, 0.33, 1.0), (0.93, 0.93, 0.90, 1.0), (0.36, 0.38, 0.43, 1.0)


def hand_spec(variant: HandVariant, name: str) -> mujoco.MjSpec:
    """The hand alone: the palm at the origin, fixed, with z out of the palm and x along the straight fingers.

    Joints, actuators and link bodies are `<finger>_<joint>`, tips are the sites `<finger>_tip`.
    """
    spec = mujoco.MjSpec()
    spec.modelname = name
    spec.compiler.degree = False
    palm = spec.worldbody.add_body(name="palm")
    _add_shape(palm, "palm", mujoco.mjtGeom.mjGEOM_BOX, _PALM, numbers.PALM_MASS, size=numbers.PALM_HALF_SIZE,
               pos=numbers.PALM_CENTRE)  # fmt: skip
    for finger, word in enumerate(FINGERS):
        parent, place = palm, np.array(numbers.BASES[word])
        links = [link for link in variant.links if link.finger == finger]
        for link in links:
            facts = LINKS[word][link.number - 1]
            parent = parent.add_body(name=joint_name(link), pos=place)
            place = _lengthened(facts, link.longer_mm / 1000)
            _add_joint(spec, parent, joint_name(link), facts)
            _add_link(parent, joint_name(link), facts, place, is_last=link is links[-1])
        if links:
            parent.add_site(name=f"{word}_tip", pos=place, group=4)
    return spec


def _lengthened(link: Link, more: float) -> NDArray[np.float64]:
    reach = np.array(link.reach)
    return np.asarray(reach * (1.0 + more / np.linalg.norm(reach)))


def _add_joint(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, link: Link) -> None:
    joint = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=link.axis, range=link.limits)
    joint.armature = numbers.ARMATURE
    actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.set_to_position(kp=numbers.POSITION_GAIN, kv=numbers.VELOCITY_GAIN)
    actuator.forcelimited = actuator.ctrllimited = True
    actuator.forcerange = [-numbers.TORQUE_LIMIT, numbers.TORQUE_LIMIT]
    actuator.ctrlrange = link.limits


def _add_link(body: mujoco.MjsBody, name: str, link: Link, end: NDArray[np.float64], is_last: bool) -> None:
    """A capsule from the joint to the next, or to the tip; a tip's ends where the link ends."""
    radius = numbers.TIP_RADIUS if is_last else numbers.LINK_RADIUS
    stop = end * (1.0 - radius / np.linalg.norm(end)) if is_last else end
    colour = _WHITE if is_last else _GREY
    capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
    _add_shape(body, name, capsule, colour, link.mass, size=[radius, 0, 0], fromto=[0, 0, 0, *stop])


def _add_shape(
    body: mujoco.MjsBody, name: str, kind: mujoco.mjtGeom, colour: tuple[float, ...], mass: float, **fields: object
) -> None:
    body.add_geom(
        name=name,
        type=kind,
        rgba=colour,
        mass=mass,
        group=VISUAL_GROUP,
        contype=0,
        conaffinity=HELD,
        condim=4,
        friction=numbers.SKIN_FRICTION,
        **fields,
    )
