"""Environments and actors from what was typed."""

import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from barkyard.cli.terminal import print_note
from barkyard.episode import Actor
from barkyard.errors import InvalidInput
from barkyard.policies.latency import Latency

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
        elif equals and re.fullmatch(r"[\w:-]+(\.\w+)*", name):
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


def make_actor(
    name: str,
    env: "RobotVectorEnv",
    noise: float = 0.0,
    latency: Latency = Latency(),  # noqa: B008
) -> tuple[Actor, dict[str, str]]:
    """As `barkyard.acting.make_actor`, with a note where a policy learnt in another environment."""
    from barkyard.acting import make_actor as make

    actor, fingerprints = make(name, env, noise, latency)
    learnt_in = getattr(getattr(actor, "policy", None), "features", None)
    if learnt_in is not None and learnt_in.env_id != env.env_id:
        print_note(f"note: {name} learnt from {learnt_in.env_id}, and acts in {env.env_id}")
    return actor, fingerprints


def _check_arguments(env_id: str, arguments: Mapping[str, Any]) -> None:
    from barkyard.envs.registry import argument_names

    valid = set(argument_names(env_id)) - {"autoreset_mode"}
    for name in arguments:
        if name not in valid:
            raise InvalidInput(f"unknown environment argument {name!r}; valid: {', '.join(sorted(valid))}")


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
