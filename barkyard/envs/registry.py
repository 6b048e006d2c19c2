"""How registered environments are made."""

import importlib
from typing import Any

from barkyard.envs.entries import ENVIRONMENTS, EnvironmentEntry, find_entry
from barkyard.envs.env import RobotEnv, RobotVectorEnv
from barkyard.envs.task import Task

__all__ = ["ENVIRONMENTS", "EnvironmentEntry", "find_entry", "make_env", "make_vec_env"]


def make_env(env_id: str, **kwargs: Any) -> RobotEnv:
    """One environment; `gym.make` calls this."""
    entry = find_entry(env_id)
    return RobotEnv(entry.id, _make_task(entry), **kwargs)


def make_vec_env(env_id: str, num_envs: int = 1, **kwargs: Any) -> RobotVectorEnv:
    """A batch of environments; `gym.make_vec` calls this. Raises InvalidInput for an unknown id or argument."""
    entry = find_entry(env_id)
    return RobotVectorEnv(entry.id, _make_task(entry), num_envs, **kwargs)


def _make_task(entry: EnvironmentEntry) -> Task:
    module, name = entry.task.split(":")
    task: Task = getattr(importlib.import_module(module), name)()
    return task
