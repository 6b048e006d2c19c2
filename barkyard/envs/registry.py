"""How registered environments are made."""

import dataclasses
import importlib
import inspect
from typing import Any

from barkyard.envs.entries import ENVIRONMENTS, EnvironmentEntry, find_entry
from barkyard.envs.env import RobotEnv, RobotVectorEnv
from barkyard.envs.task import Task

__all__ = ["ENVIRONMENTS", "EnvironmentEntry", "find_entry", "make_env", "make_vec_env"]


def make_env(env_id: str, **kwargs: Any) -> RobotEnv:
    """One environment; `gym.make` calls this."""
    entry = find_entry(env_id)
    task, rest = _make_task(entry, kwargs)
    return RobotEnv(entry.id, task, **rest)


def make_vec_env(env_id: str, num_envs: int = 1, **kwargs: Any) -> RobotVectorEnv:
    """A batch of environments; `gym.make_vec` calls this. Raises InvalidInput for an unknown id or argument."""
    entry = find_entry(env_id)
    task, rest = _make_task(entry, kwargs)
    return RobotVectorEnv(entry.id, task, num_envs, **rest)


def argument_names(env_id: str) -> list[str]:
    """Keyword arguments that the environment takes, beside `num_envs`."""
    keywords = inspect.signature(RobotVectorEnv).parameters.values()
    general = [parameter.name for parameter in keywords if parameter.kind is parameter.KEYWORD_ONLY]
    return sorted([*general, *_option_names(_task_class(find_entry(env_id)))])


def _make_task(entry: EnvironmentEntry, kwargs: dict[str, Any]) -> tuple[Task, dict[str, Any]]:
    """The task with its options, and the arguments that are not its own."""
    task = _task_class(entry)
    names = _option_names(task)
    chosen = {name: _frozen(value) for name, value in kwargs.items() if name in names}
    return task(task.options_type(**chosen)), {name: value for name, value in kwargs.items() if name not in names}


def _task_class(entry: EnvironmentEntry) -> type[Task]:
    module, name = entry.task.split(":")
    task: type[Task] = getattr(importlib.import_module(module), name)
    return task


def _option_names(task: type[Task]) -> list[str]:
    return [field.name for field in dataclasses.fields(task.options_type)]


def _frozen(value: Any) -> Any:
    return tuple(_frozen(inner) for inner in value) if isinstance(value, (list, tuple)) else value
