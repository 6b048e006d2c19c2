"""Google's Barkour quadrupeds with primitive shapes, and the real meshes of vB through the extra `menagerie`."""

import functools

from barkyard.assets.robot import Robot
from barkyard.assets.robots.barkour.model import quadruped_spec
from barkyard.assets.robots.barkour.numbers import LEG_JOINTS, LEGS, V0, VB

NUMBERS = {"barkour_vb": VB, "barkour_v0": V0}
"""What each robot is made of."""


def barkour_vb() -> Robot:
    """Barkour vB: 14.5 kg, 12 joints, 18 N m."""
    return _robot("barkour_vb")


def barkour_v0() -> Robot:
    """Barkour v0, the robot of the paper: 11.5 kg, 12 joints."""
    return _robot("barkour_v0")


def _robot(name: str) -> Robot:
    numbers = NUMBERS[name]
    joints = tuple(f"{leg}_{joint}" for leg in LEGS for joint in LEG_JOINTS)
    return Robot(
        name=name,
        make_spec=functools.partial(quadruped_spec, numbers, name),
        joints=joints,
        actuators=joints,
        home=numbers.home * len(LEGS),
        home_noise=0.05,
        base="base",
        feet=tuple(f"{leg}_foot" for leg in LEGS),
        home_height=numbers.home_height,
    )
