"""One folder a robot, and the table of them."""

import importlib
from functools import lru_cache

import mujoco

from barkyard.assets.parameters import model_fingerprint
from barkyard.assets.robot import Robot
from barkyard.errors import InvalidInput

ROBOTS = {
    "barkour_vb": "barkyard.assets.robots.barkour:barkour_vb",
    "barkour_v0": "barkyard.assets.robots.barkour:barkour_v0",
    "barkour_vb_menagerie": "barkyard.assets.robots.barkour:barkour_vb_menagerie",
    "humanoid": "barkyard.assets.robots.humanoid:humanoid",
    "panda": "barkyard.assets.robots.panda:panda",
}


@lru_cache
def load_robot(name: str) -> Robot:
    """The robot called `name`. Raises InvalidInput for a name that is not in `ROBOTS`."""
    if name not in ROBOTS:
        raise InvalidInput(f"unknown robot {name!r}; the robots are {', '.join(sorted(ROBOTS))}")
    module, attribute = ROBOTS[name].split(":")
    robot: Robot = getattr(importlib.import_module(module), attribute)()
    return robot


@lru_cache
def robot_model(name: str) -> mujoco.MjModel:
    """The compiled model of a robot alone, as it is without a calibration; treat it as a constant."""
    return load_robot(name).make_spec().compile()


@lru_cache
def robot_fingerprint(name: str) -> str:
    """Fingerprint of `robot_model`, which a calibration names."""
    return model_fingerprint(robot_model(name))
