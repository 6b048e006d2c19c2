"""Environments and actors from what was typed."""

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gymnasium import spaces

from barkyard.cli.terminal import print_note
from barkyard.episode import Actor
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.envs.env import RobotVectorEnv

DEFAULT_NUM_ENVS: Final = 32


def typed_command() -> str:
    """The command that is running, as it can be typed again."""
    return shlex.join(["barkyard", *sys.argv[1:]])


def settings(words: Sequence[str], what: str) -> dict[str, Any]:
    """Values by name.

    Args:
        words: each either a JSON object or `name=value`, the value being JSON or else taken as text.
        what: what they are, for the error.

    Raises:
        InvalidInput: a word is neither.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word.lstrip().startswith("{"):
            values.update(_json_object(word, what))
        elif equals and re.fullmatch(r"\w+(\.\w+)*", name):
            values[name] = _json_or_text(value)
        else:
            raise InvalidInput(f"{what} {word!r}: write name=value, or a JSON object")
    return values


def environment_arguments(words: Sequence[str], cameras: Sequence[str] = ()) -> dict[str, Any]:
    """Keyword arguments of an environment, from `settings` and the names of the cameras to observe."""
    arguments = settings(words, "environment argument")
    return {**arguments, "cameras": list(cameras)} if cameras else arguments


@contextmanager
def open_environment(env_id: str, num_envs: int, arguments: Mapping[str, Any]) -> "Iterator[RobotVectorEnv]":
    """A batch of environments that do not reset by themselves, closed at the end.

    Raises:
        InvalidInput: there is no such environment, or it does not take these arguments.
    """
    from gymnasium.vector import AutoresetMode

    from barkyard.envs.registry import find_entry, make_vec_env

    if num_envs < 1:
        raise InvalidInput(f"--num-envs is {num_envs}; give at least 1")
    find_entry(env_id)
    _check_arguments(env_id, arguments)
    env = make_vec_env(env_id, num_envs, autoreset_mode=AutoresetMode.DISABLED, **arguments)
    try:
        yield env
    finally:
        env.close()


def make_actor(name: str, env: "RobotVectorEnv", noise: float = 0.0) -> tuple[Actor, dict[str, str]]:
    """The actor called `name`, and the fingerprints of what it was made from.

    Args:
        name: `expert`, `random`, or a checkpoint's folder.
        env: where it is to act.
        noise: standard deviation of the noise that is added to its actions.

    Raises:
        InvalidInput: it is none of these, or the noise is no deviation.
        CheckpointError: the checkpoint is damaged or does not fit the environment.
    """
    if noise:
        from barkyard.evaluation import NoisyActor

        actor, fingerprints = make_actor(name, env)
        return NoisyActor(actor, _action_dim(env), noise), fingerprints
    if name == "expert":
        from barkyard.experts import make_expert

        return make_expert(env), {}
    if name == "random":
        from barkyard.evaluation import RandomActor

        return RandomActor(_action_dim(env)), {}
    if not Path(name).is_dir():
        raise InvalidInput(f"actor {name!r} is neither expert, random, nor the folder of a checkpoint")
    return _policy_actor(name, env)


def _check_arguments(env_id: str, arguments: Mapping[str, Any]) -> None:
    from barkyard.envs.registry import argument_names

    valid = set(argument_names(env_id)) - {"autoreset_mode"}
    for name in arguments:
        if name not in valid:
            raise InvalidInput(f"unknown environment argument {name!r}; valid: {', '.join(sorted(valid))}")


def _policy_actor(path: str, env: "RobotVectorEnv") -> tuple[Actor, dict[str, str]]:
    from barkyard.envs.bodies import environment_body
    from barkyard.policies import PolicyActor, load_policy

    policy = load_policy(path)
    assert isinstance(env.single_observation_space, spaces.Dict)
    shapes = {key: space.shape for key, space in env.single_observation_space.items() if space.shape is not None}
    body = environment_body(env) if policy.features.embodiment is not None else None
    if body is not None:
        policy = policy.for_body(body, shapes, _action_dim(env))
    policy.features.check(shapes, _action_dim(env), body)
    if policy.features.env_id != env.env_id:
        print_note(f"note: {path} learnt from {policy.features.env_id}, and acts in {env.env_id}")
    fingerprints = {"dataset": policy.origin.dataset, "checkpoint": checkpoint_fingerprint(path)}
    return PolicyActor(policy, num_slots=env.num_envs), fingerprints


def checkpoint_fingerprint(path: str) -> str:
    """Content hash of a checkpoint."""
    from barkyard.policies.checkpoint import CONFIG, WEIGHTS, locate
    from barkyard.provenance import fingerprint

    folder = locate(Path(path))
    return fingerprint((folder / CONFIG).read_bytes(), (folder / WEIGHTS).read_bytes())


def _action_dim(env: "RobotVectorEnv") -> int:
    assert isinstance(env.single_action_space, spaces.Box)
    return int(env.single_action_space.shape[0])


def _json_object(word: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(word)
    except ValueError as error:
        raise InvalidInput(f"{what} {word!r} is not a JSON object: {error}") from None
    assert isinstance(value, dict)  # it begins with a brace
    return value


def _json_or_text(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word
