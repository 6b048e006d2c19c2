"""Google's Barkour quadrupeds with primitive shapes, and the real meshes of vB through the extra `menagerie`."""

import functools
from collections.abc import Callable

import mujoco

from barkyard.assets.menagerie import menagerie_folder
from barkyard.assets.robot import Robot
from barkyard.assets.robots.barkour.appearance import add_primitives
from barkyard.assets.robots.barkour.menagerie import add_meshes
from barkyard.assets.robots.barkour.model import quadruped_spec
from barkyard.assets.robots.barkour.numbers import LEG_JOINTS, LEGS, V0, VB

NUMBERS = {"barkour_vb": VB, "barkour_v0": V0, "barkour_vb_menagerie": VB}
"""What each robot is made of."""
Dress = Callable[[mujoco.MjSpec], None]


def barkour_vb() -> Robot:
    """Barkour vB: 14.5 kg, 12 joints, 18 N m."""
    return _robot("barkour_vb", functools.partial(add_primitives, numbers=VB))


def barkour_v0() -> Robot:
    """Barkour v0, the robot of the paper: 11.5 kg, 12 joints."""
    return _robot("barkour_v0", functools.partial(add_primitives, numbers=V0))


def barkour_vb_menagerie() -> Robot:
    """`barkour_vb` with the meshes of the real robot; physics and names are the same.

    Raises:
        InvalidInput: MuJoCo Menagerie is not on this machine; the message names the package that holds it.
    """
    folder = menagerie_folder("google_barkour_vb")
    return _robot("barkour_vb_menagerie", functools.partial(add_meshes, folder=folder))


def _robot(name: str, dress: Dress) -> Robot:
    numbers = NUMBERS[name]
    joints = tuple(f"{leg}_{joint}" for leg in LEGS for joint in LEG_JOINTS)
    return Robot(
        name=name,
        make_spec=functools.partial(_dressed_spec, name, dress),
        joints=joints,
        actuators=joints,
        home=numbers.home * len(LEGS),
        home_noise=0.05,
        base="base",
        feet=tuple(f"{leg}_foot" for leg in LEGS),
        home_height=numbers.home_height,
    )


def _dressed_spec(name: str, dress: Dress) -> mujoco.MjSpec:
    spec = quadruped_spec(NUMBERS[name], name)
    dress(spec)
    return spec
