"""Actors by name, for whatever runs episodes."""

from pathlib import Path
from typing import TYPE_CHECKING

from gymnasium import spaces

from barkyard.episode import Actor
from barkyard.errors import InvalidInput
from barkyard.policies.latency import Latency

if TYPE_CHECKING:
    from barkyard.envs.env import RobotVectorEnv


def make_actor(
    name: str,
    env: "RobotVectorEnv",
    noise: float = 0.0,
    latency: Latency = Latency(),  # noqa: B008
) -> tuple[Actor, dict[str, str]]:
    """The actor called `name`, and the fingerprints of what it was made from.

    Args:
        name: `expert`, `random`, or a checkpoint's folder.
        env: where it is to act.
        noise: standard deviation of the noise that is added to its actions.
        latency: how late the chunks of a checkpoint's policy are.

    Raises:
        InvalidInput: it is none of these, the noise is no deviation, or it cannot be as late.
        CheckpointError: the checkpoint is damaged or does not fit the environment.
    """
    if noise:
        from barkyard.evaluation import NoisyActor

        actor, fingerprints = make_actor(name, env, latency=latency)
        return NoisyActor(actor, _action_dim(env), noise), fingerprints
    if latency != Latency() and name in ("expert", "random"):
        raise InvalidInput(f"{name} predicts no chunks of actions that could be late; give a checkpoint, or no delay")
    if name == "expert":
        from barkyard.experts import make_expert

        return make_expert(env), {}
    if name == "random":
        from barkyard.evaluation import RandomActor

        return RandomActor(_action_dim(env)), {}
    if not Path(name).is_dir():
        raise InvalidInput(f"actor {name!r} is neither expert, random, nor the folder of a checkpoint")
    return _policy_actor(name, env, latency)


def _policy_actor(path: str, env: "RobotVectorEnv", latency: Latency) -> tuple[Actor, dict[str, str]]:
    from barkyard.envs.bodies import environment_body
    from barkyard.policies import PolicyActor, load_policy
    from barkyard.policies.checkpoint import checkpoint_fingerprint

    policy = load_policy(path)
    assert isinstance(env.single_observation_space, spaces.Dict)
    shapes = {key: space.shape for key, space in env.single_observation_space.items() if space.shape is not None}
    if policy.features.task is None:
        policy = policy.for_task(env.env_id)
    body = environment_body(env) if policy.features.embodiment is not None else None
    if body is not None:
        policy = policy.for_body(body, shapes, _action_dim(env))
    policy.features.check(shapes, _action_dim(env), body)
    fingerprints = {"dataset": policy.origin.dataset, "checkpoint": checkpoint_fingerprint(path)}
    return PolicyActor(policy, num_slots=env.num_envs, latency=latency), fingerprints


def _action_dim(env: "RobotVectorEnv") -> int:
    assert isinstance(env.single_action_space, spaces.Box)
    return int(env.single_action_space.shape[0])
