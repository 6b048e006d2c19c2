"""One folder a robot, and the table of them."""

import importlib
from functools import cache, lru_cache

import mujoco

from barkyard.assets.parameters import model_fingerprint
from barkyard.assets.robot import Robot
from barkyard.errors import InvalidInput

ROBOTS = {
    "barkour_vb": "barkyard.assets.robots.barkour:barkour_vb",
    "barkour_v0": "barkyard.assets.robots.barkour:barkour_v0",
    "barkour_vb_menagerie": "barkyard.assets.robots.barkour:barkour_vb_menagerie",
    "leap_hand": "barkyard.assets.robots.leap_hand:leap_hand",
    "leap_hand_menagerie": "barkyard.assets.robots.leap_hand:leap_hand_menagerie",
    "humanoid": "barkyard.assets.robots.humanoid:humanoid",
    "panda": "barkyard.assets.robots.panda:panda",
}


FAMILIES = ("leap_hand",)
"""Robots with variants: `<robot>:<variant>` is one of them."""


@cache
def load_robot(name: str) -> Robot:
    """The robot called `name`: one in `ROBOTS`, or a variant of one in `FAMILIES`, as `leap_hand:i34-t1234`.

    Raises:
        InvalidInput: there is no such robot, or no such variant of it.
    """
    kind, _, variant = name.partition(":")
    if kind not in ROBOTS:
        raise InvalidInput(f"unknown robot {kind!r}; the robots are {', '.join(sorted(ROBOTS))}")
    if variant and kind not in FAMILIES:
        raise InvalidInput(f"robot {kind!r} has no variants, so not {variant!r}; {', '.join(FAMILIES)} has")
    module, attribute = ROBOTS[kind].split(":")
    robot: Robot = getattr(importlib.import_module(module), attribute)(*([variant] if variant else []))
    return robot


@lru_cache
def robot_model(name: str) -> mujoco.MjModel:
    """The compiled model of a robot alone, as it is without a calibration; treat it as a constant."""
    return load_robot(name).make_spec().compile()


@lru_cache
def robot_fingerprint(name: str) -> str:
    """Fingerprint of `robot_model`, which a calibration names."""
    return model_fingerprint(robot_model(name))
