"""The LEAP hand with primitive shapes, all its variants, and its real meshes through the extra `menagerie`."""

import functools
from collections.abc import Callable

import mujoco

from barkyard.assets.menagerie import menagerie_folder
from barkyard.assets.robot import Robot
from barkyard.assets.robots.leap_hand.menagerie import add_meshes
from barkyard.assets.robots.leap_hand.model import hand_spec
from barkyard.assets.robots.leap_hand.numbers import FINGERS, LINKS
from barkyard.assets.robots.leap_hand.variant import FULL, HandVariant

HOME_NOISE = 0.02
"""Standard deviation of the joints at reset [rad]: a choice."""


def leap_hand(variant: str = FULL.name) -> Robot:
    """A hand of the LEAP hand's links: the whole one, or the one of that name; see `HandVariant`.

    Raises:
        InvalidInput: there is no such hand.
    """
    hand = HandVariant.from_name(variant)
    name = "leap_hand" if hand == FULL else f"leap_hand:{hand.name}"
    return _robot(name, hand, functools.partial(hand_spec, hand, name))


def leap_hand_menagerie() -> Robot:
    """The whole hand with the meshes of the real one; physics and names are the same.

    Raises:
        InvalidInput: MuJoCo Menagerie is not on this machine; the message names the package that holds it.
    """
    folder, name = menagerie_folder("leap_hand"), "leap_hand_menagerie"

    def make_spec() -> mujoco.MjSpec:
        spec = hand_spec(FULL, name)
        add_meshes(spec, folder)
        return spec

    return _robot(name, FULL, make_spec)


def _robot(name: str, hand: HandVariant, make_spec: Callable[[], mujoco.MjSpec]) -> Robot:
    home = tuple(LINKS[FINGERS[link.finger]][link.number - 1].home for link in hand.links)
    return Robot(name, make_spec, hand.joints, hand.joints, home, HOME_NOISE)
