"""PPO from rsl-rl-lib on our batches: the skills' schooling."""

import abc
import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.simulation import Array, Ids
from barkyard.experts.locomotion.mirror import Mirror
from barkyard.experts.locomotion.network import Floats, Network


class Lesson(abc.ABC):
    """What a network is to learn on an environment: its view, the meaning of its output, and the reward.

    Attributes:
        env: where, with autoreset disabled.
        observation_size: length of the view.
        done: part of the lesson that has passed, in [0, 1]; `learn` sets it.
        mirror: left and right of view and action; given, the actor is the mean of the network and its mirror image.
    """

    env: RobotVectorEnv
    observation_size: int
    done: float = 0.0
    mirror: Mirror | None = None

    def failed(self) -> NDArray[np.bool_]:
        """`(N,)` who has failed in the lesson's own eyes in this control period."""
        return np.zeros(self.env.num_envs, dtype=bool)

    def expired(self) -> NDArray[np.bool_]:
        """`(N,)` whose episodes the lesson breaks off after this control period."""
        return np.zeros(self.env.num_envs, dtype=bool)

    def finish(self, ids: Ids, failed: NDArray[np.bool_]) -> None:  # noqa: B027
        """Episodes have ended in `ids`; `failed` (k,) says which by failure."""

    @abc.abstractmethod
    def begin(self, ids: Ids) -> None:
        """Episodes begin in `ids`."""

    @abc.abstractmethod
    def observe(self) -> Floats:
        """`(N, observation_size)` view."""

    @abc.abstractmethod
    def act(self, outputs: Floats) -> Floats:
        """`(N, A)` actions of the environment from the network's outputs."""

    @abc.abstractmethod
    def reward(self) -> Array:
        """`(N,)` reward of the control period that has passed, and whatever is to be recorded."""

    @abc.abstractmethod
    def progress(self) -> dict[str, float]:
        """Named numbers since the last call."""


@dataclass(frozen=True)
class PPOSettings:
    """Settings of a run; the rest is fixed in `_configuration`.

    Attributes:
        iterations: rollouts, each followed by an update.
        num_envs: parallel environments.
        steps: control periods of a rollout.
        hidden: widths of the hidden layers of actor and critic.
        learning_rate: at the start and at the end, falling linearly.
        std: standard deviation of the action noise at the start.
        entropy: weight of the entropy bonus.
        discount: gamma.
        warm_up: iterations in which the critic learns alone, for an actor that goes on.
    """

    iterations: int
    num_envs: int = 512
    steps: int = 24
    hidden: tuple[int, ...] = (128, 128)
    learning_rate: tuple[float, float] = (1e-3, 3e-4)
    std: float = 0.5
    entropy: float = 0.005
    discount: float = 0.99
    warm_up: int = 0


class _Classroom:
    """A lesson as rsl-rl's `VecEnv`."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson, self.env = lesson, lesson.env
        self.num_envs, self.num_actions = lesson.env.num_envs, lesson.env.single_action_space.shape[0]  # type: ignore[index]
        self.max_episode_length, self.device = 1000, "cpu"
        self.cfg: dict[str, Any] = {}
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self.env.reset(seed=0)
        lesson.begin(np.arange(self.num_envs))
        self._view = lesson.observe()

    def get_observations(self) -> TensorDict:
        view = torch.from_numpy(self._view.copy())
        return TensorDict({"policy": view}, batch_size=[self.num_envs])

    def step(self, outputs: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        _, _, terminated, truncated, _ = self.env.step(self.lesson.act(outputs.numpy()))
        reward = self.lesson.reward()
        terminated = terminated | self.lesson.failed()
        truncated = (truncated | self.lesson.expired()) & ~terminated
        done = terminated | truncated
        if done.any():
            ended = np.flatnonzero(done)
            self.lesson.finish(ended, terminated[ended])
            self.env.reset(options={"reset_mask": done})
            self.lesson.begin(ended)
        self._view = self.lesson.observe()
        extras = {"time_outs": torch.from_numpy(truncated)}
        return self.get_observations(), torch.from_numpy(reward.astype(np.float32)), torch.from_numpy(done), extras


def _configuration(settings: PPOSettings) -> dict[str, Any]:
    model = {"class_name": "MLPModel", "hidden_dims": list(settings.hidden), "activation": "elu"}
    noise = {"class_name": "GaussianDistribution", "init_std": settings.std, "std_type": "scalar"}
    return {
        "num_steps_per_env": settings.steps,
        "save_interval": 10**9,
        "check_for_nan": True,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "algorithm": {
            "class_name": "PPO",
            "learning_rate": settings.learning_rate[0],
            "schedule": "fixed",
            "entropy_coef": settings.entropy,
            "gamma": settings.discount,
            "lam": 0.95,
            "num_learning_epochs": 5,
            "num_mini_batches": 4,
        },
        "actor": {**model, "distribution_cfg": noise},
        "critic": dict(model),
    }


def learn(
    lesson: Lesson,
    settings: PPOSettings,
    seed: int,
    start: Network | None = None,
    span: tuple[float, float] = (0.0, 1.0),
    report: Callable[[dict[str, float], Callable[[], Network]], None] = lambda *_: None,
    threads: int | None = None,
) -> Network:
    """Train a network.

    Args:
        lesson: what to learn.
        settings: for how long, and how.
        seed: of torch; the environments' seeds are fixed.
        start: weights of the actor to go on from.
        span: which part of the lesson this is, where it goes on.
        report: called after every iteration with its numbers and a function that gives the actor so far.
        threads: of PyTorch; unchanged unless given.

    Returns:
        The actor.
    """
    from rsl_rl.runners import OnPolicyRunner

    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    lesson.done = span[0]
    with contextlib.redirect_stdout(io.StringIO()):
        runner = OnPolicyRunner(_Classroom(lesson), _configuration(settings), log_dir=None, device="cpu")
    algorithm = runner.alg
    if start is not None:
        _put_in(algorithm.actor, start)
    if lesson.mirror is not None:
        algorithm.actor.mlp = _Symmetric(algorithm.actor.mlp, lesson.mirror)
    algorithm.actor.requires_grad_(settings.warm_up == 0)
    began = time.perf_counter()
    first, last = settings.learning_rate

    def after_iteration(**numbers: Any) -> None:
        done = int(numbers["it"]) + 1
        lesson.done = span[0] + (span[1] - span[0]) * done / settings.iterations
        algorithm.actor.requires_grad_(done >= settings.warm_up)
        algorithm.learning_rate = first + (last - first) * done / settings.iterations
        for group in algorithm.optimizer.param_groups:
            group["lr"] = algorithm.learning_rate
        elapsed = time.perf_counter() - began
        steps = done * settings.num_envs * settings.steps
        numbers = {"iteration": done, "seconds": elapsed, "steps": steps, "steps_per_second": steps / elapsed}
        numbers["std"] = float(algorithm.actor.output_std.detach().mean())
        report({**numbers, **lesson.progress()}, lambda: _taken_out(algorithm.actor))

    runner.logger.log = after_iteration
    runner.learn(settings.iterations)
    return _taken_out(algorithm.actor)


class _Symmetric(torch.nn.Module):
    """The mean of a network and its mirror image."""

    def __init__(self, network: torch.nn.Module, mirror: Mirror) -> None:
        super().__init__()
        self.network = network
        self.order, self.signs = torch.from_numpy(mirror.order), torch.from_numpy(mirror.signs)
        self.action_order = torch.from_numpy(mirror.action_order)

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        mirrored = self.network(view[:, self.order] * self.signs)[:, self.action_order]
        return 0.5 * (self.network(view) + mirrored)


def _linear_layers(actor: Any) -> list[torch.nn.Linear]:
    return [module for module in actor.mlp.modules() if isinstance(module, torch.nn.Linear)]


def _taken_out(actor: Any) -> Network:
    layers = _linear_layers(actor)
    return Network([(_array(layer.weight.T), _array(layer.bias)) for layer in layers])


def _put_in(actor: Any, network: Network) -> None:
    with torch.no_grad():
        for layer, (weight, bias) in zip(_linear_layers(actor), network.layers, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias))


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().numpy(), np.float32)
