"""Privileged actors that produce demonstrations."""

import importlib

from barkyard.envs.entries import find_entry
from barkyard.envs.env import RobotVectorEnv
from barkyard.episode import Actor
from barkyard.errors import InvalidInput


def make_expert(env: RobotVectorEnv) -> Actor:
    """The expert of the environment's task, for all its copies. Raises InvalidInput where there is none."""
    factory = find_entry(env.env_id).expert
    if not factory:
        raise InvalidInput(f"there is no expert for {env.env_id}; make one with barkyard train --rl {env.env_id}")
    module, name = factory.split(":")
    expert: Actor = getattr(importlib.import_module(module), name)(env)
    return expert
