"""Privileged actors that produce demonstrations."""

import importlib

from barkyard.envs.entries import find_entry
from barkyard.envs.env import RobotVectorEnv
from barkyard.episode import Actor


def make_expert(env: RobotVectorEnv) -> Actor:
    """The expert of the environment's task, for all its copies."""
    module, name = find_entry(env.env_id).expert.split(":")
    expert: Actor = getattr(importlib.import_module(module), name)(env)
    return expert
