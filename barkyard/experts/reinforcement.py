"""PPO from rsl-rl-lib for registered policies, on the observations, actions and reward of an environment.

Skills for demonstrations have lessons of their own (`experts.locomotion`); here the environment is taken as it is.
"""

import contextlib
import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import nn

from barkyard.datasets import Normalizer
from barkyard.envs.bodies import environment_body
from barkyard.envs.env import RobotVectorEnv
from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.policies import configuration
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.policy import FeatureSpec, Policy
from barkyard.policies.registry import find
from barkyard.policies.scaling import LARGEST_OBSERVATION
from barkyard.provenance import fingerprint

LAST, LOG = "last", "log.jsonl"
PPO = "ppo."
"""Begins the names of the settings that are PPO's, not the policy's."""


@dataclass(frozen=True)
class PPOConfig:
    """Settings of PPO: those of the Body Transformer's A1-Walk, but for less noise and entropy at the start: a choice.

    Attributes:
        iterations: rollouts, each followed by an update.
        steps: control periods of a rollout.
        epochs: passes over a rollout.
        mini_batches: of a pass.
        learning_rate: at the start; it follows the divergence.
        desired_kl: divergence of an update that the learning rate aims at.
        std: standard deviation of the action noise at the start.
        entropy: weight of the entropy bonus.
        discount: gamma.
        lambda_: of the generalised advantage.
    """

    iterations: int = 300
    steps: int = 24
    epochs: int = 5
    mini_batches: int = 4
    learning_rate: float = 1e-3
    desired_kl: float = 0.01
    std: float = 0.5
    entropy: float = 0.005
    discount: float = 0.99
    lambda_: float = 0.95


class NetworkModel(MLPModel):  # type: ignore[misc]
    """A network of ours as rsl-rl's actor or critic: normalised by running mean and deviation, and cut off.

    It comes from a function, because rsl-rl copies what it finds in a configuration, and the policy's own is trained.
    """

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        network: Callable[[], nn.Module],
        distribution_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(obs, obs_groups, obs_set, output_dim, (1,), "elu", True, distribution_cfg)
        self.mlp = network()

    def get_latent(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Observations as the policy's own scaling has them."""
        return super().get_latent(*args, **kwargs).clamp(-LARGEST_OBSERVATION, LARGEST_OBSERVATION)


class _Episodes:
    """An environment as rsl-rl's `VecEnv`, with sums over the episodes that have ended."""

    def __init__(self, env: RobotVectorEnv, seed: int) -> None:
        assert isinstance(env.single_action_space, spaces.Box)
        self.env, self.num_envs, self.device = env, env.num_envs, "cpu"
        self.num_actions = int(env.single_action_space.shape[0])
        self.max_episode_length = round(env.task.time_limit / env.control_dt)
        self.cfg: dict[str, Any] = {}
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self._returns, self._lengths = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=np.int64)
        self.ended: list[tuple[float, int, bool]] = []
        self._seen, _ = env.reset(seed=seed)

    def get_observations(self) -> TensorDict:
        return TensorDict({"policy": torch.from_numpy(_flat(self._seen))}, batch_size=[self.num_envs])

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self._seen, reward, terminated, truncated, info = self.env.step(actions.numpy().clip(-1.0, 1.0))
        self._returns += reward
        self._lengths += 1
        done = terminated | truncated
        if done.any():
            for i in np.flatnonzero(done):
                self.ended.append((float(self._returns[i]), int(self._lengths[i]), bool(info["success"][i])))
            self._returns[done], self._lengths[done] = 0.0, 0
            self._seen, _ = self.env.reset(options={"reset_mask": done})
        extras = {"time_outs": torch.from_numpy(truncated & ~terminated)}
        return self.get_observations(), torch.from_numpy(reward.astype(np.float32)), torch.from_numpy(done), extras

    def progress(self) -> dict[str, float | None]:
        """Means over the episodes that ended since the last call; None where none did."""
        found = np.array(self.ended, dtype=np.float64).reshape(-1, 3)
        self.ended = []
        names = ("return", "length", "success")
        return {"episodes": len(found)} | {
            name: float(found[:, i].mean()) if len(found) else None for i, name in enumerate(names)
        }


def reinforce(
    env: RobotVectorEnv,
    policy_name: str,
    out: str | Path,
    *,
    iterations: int | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    save_every: int = 25,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
) -> Path:
    """Train a policy by PPO.

    Writes `out/last`, a checkpoint that acts as any other, every `save_every` iterations and at the end, and
    `out/log.jsonl`, one JSON object an iteration.

    Args:
        env: where, with autoreset disabled.
        policy_name: a name in the registry, of a policy that can be trained so.
        out: a new folder.
        iterations: of PPO; 300 unless given.
        seed: of weights, noise and the environments.
        overrides: settings of the policy by dotted name, or of PPO (`ppo.entropy`). It sees one observation.
        save_every: iterations from one checkpoint to the next.
        report: called with each line of the log.

    Returns:
        The checkpoint.

    Raises:
        InvalidInput: an argument is wrong, or `out` is in use.
    """
    from rsl_rl.runners import OnPolicyRunner

    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInput(f"{out} exists already; choose a new folder")
    changes = dict(overrides or {}) | ({f"{PPO}iterations": iterations} if iterations is not None else {})
    of_ppo = {name.removeprefix(PPO): changes.pop(name) for name in list(changes) if name.startswith(PPO)}
    settings = configuration.vary(PPOConfig(), of_ppo, PPO)
    config = configuration.vary(find(policy_name).make_config(), {"observation_steps": 1, **changes})
    features = environment_features(env)
    policy = make_policy(policy_name, features, no_scaling(features), config=config, seed=seed)
    torch.manual_seed(seed)
    actor, critic = policy.actor_critic()
    episodes = _Episodes(env, seed)
    with contextlib.redirect_stdout(io.StringIO()):
        runner = OnPolicyRunner(episodes, _configuration(settings, actor, critic), log_dir=None, device="cpu")
    out.mkdir(parents=True, exist_ok=True)
    facts = {"ppo": asdict(settings), "env": env.fingerprint, "num_envs": env.num_envs, "seed": seed}
    source, began = fingerprint("reinforcement", facts), time.monotonic()

    def after_iteration(**numbers: Any) -> None:
        done = int(numbers["it"]) + 1
        steps, seconds = done * env.num_envs * settings.steps, time.monotonic() - began
        line = {"iteration": done, "steps": steps, "seconds": round(seconds, 3), **episodes.progress()}
        line |= {"std": runner.alg.actor.output_std.mean().item(), "lr": float(runner.alg.learning_rate)}
        with (out / LOG).open("a") as log:
            log.write(json.dumps(line) + "\n")
        report(line)
        if done % save_every == 0 or done == settings.iterations:
            _with_scaling(policy, runner.alg.actor, source, done).save(out / LAST)

    runner.logger.log = after_iteration
    runner.learn(settings.iterations)
    return out / LAST


def _configuration(settings: PPOConfig, actor: nn.Module, critic: nn.Module) -> dict[str, Any]:
    noise = {"class_name": "GaussianDistribution", "init_std": settings.std, "std_type": "log"}
    return {
        "num_steps_per_env": settings.steps,
        "save_interval": 10**9,
        "check_for_nan": True,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "algorithm": {
            "class_name": "PPO",
            "learning_rate": settings.learning_rate,
            "schedule": "adaptive",
            "desired_kl": settings.desired_kl,
            "entropy_coef": settings.entropy,
            "gamma": settings.discount,
            "lam": settings.lambda_,
            "num_learning_epochs": settings.epochs,
            "num_mini_batches": settings.mini_batches,
        },
        "actor": {"class_name": NetworkModel, "network": lambda: actor, "distribution_cfg": noise},
        "critic": {"class_name": NetworkModel, "network": lambda: critic},
    }


def environment_features(env: RobotVectorEnv) -> FeatureSpec:
    """What a policy trained by reinforcement sees and commands: all vectors, in the environment's order."""
    assert isinstance(env.single_observation_space, spaces.Dict)
    assert isinstance(env.single_action_space, spaces.Box)
    shapes = {
        name: tuple(map(int, space.shape))
        for name, space in env.single_observation_space.items()
        if space.shape is not None and len(space.shape) == 1
    }
    size = int(env.single_action_space.shape[0])
    return FeatureSpec(shapes, size, env.env_id, env.control_dt, env.env_kwargs, environment_body(env))


def _flat(observations: Observations) -> NDArray[np.float32]:
    """The vectors side by side, in the environment's order, as in `environment_features`."""
    return np.concatenate([values for values in observations.values() if values.ndim == 2], axis=1, dtype=np.float32)


def no_scaling(features: FeatureSpec) -> dict[str, Normalizer]:
    """Normalizers that change nothing."""
    sizes = {**{name: shape[0] for name, shape in features.observations.items()}, "action": features.action_dim}
    return {name: Normalizer.from_limits([-1.0] * size, [1.0] * size) for name, size in sizes.items()}


def _with_scaling(policy: Policy, actor: NetworkModel, source: str, iterations: int) -> Policy:
    """A copy of the policy whose own scaling is what the actor has normalised by."""
    mean = actor.obs_normalizer.mean.double().numpy()
    deviation = actor.obs_normalizer.std.double().numpy() + actor.obs_normalizer.eps
    normalizers, start = {"action": policy.normalizers["action"]}, 0
    for name, (size,) in policy.features.observations.items():
        span = slice(start, start + size)
        normalizers[name] = Normalizer.from_limits(mean[span] - deviation[span], mean[span] + deviation[span])
        start += size
    origin = policy.origin
    copy = make_policy(origin.policy, policy.features, normalizers, config=policy.config, dataset=source)
    copy.load_state_dict(policy.state_dict())
    copy.origin = type(origin)(origin.policy, source, iterations)
    return copy
