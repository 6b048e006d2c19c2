"""What a policy is: a torch module that learns from windows of a dataset and predicts chunks of actions."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from barkyard.datasets.normalization import Normalizer
from barkyard.datasets.windows import WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.errors import CheckpointError, InvalidInput

BODY = "body"
"""The part of a batch's observations that tells which of `FeatureSpec.bodies` a row is of, where there are several."""


TASK = "task"
"""The part of a batch's observations that tells which of `FeatureSpec.tasks` a row is of, where there are several."""


@dataclass(frozen=True)
class TaskFeatures:
    """One of several tasks that a policy learns.

    Attributes:
        name: its environment's id.
        observations: shapes of the observation parts that it has.
        env_kwargs: its environment's keyword arguments; JSON only.
        vector: what stands for it, where it is given; empty where that is learnt.
    """

    name: str
    observations: Mapping[str, tuple[int, ...]]
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    vector: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        shapes = {key: list(shape) for key, shape in self.observations.items()}
        return {
            "name": self.name,
            "observations": shapes,
            "env_kwargs": dict(self.env_kwargs),
            "vector": list(self.vector),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TaskFeatures":
        """Inverse of `to_json`."""
        return cls(
            str(values["name"]),
            {key: tuple(map(int, shape)) for key, shape in values["observations"].items()},
            dict(values["env_kwargs"]),
            tuple(map(float, values["vector"])),
        )


def union_of_parts(tasks: Sequence[TaskFeatures]) -> dict[str, tuple[int, ...]]:
    """Shapes of the parts that any task has, in the order in which they first appear."""
    union: dict[str, tuple[int, ...]] = {}
    for task in tasks:
        union |= {key: shape for key, shape in task.observations.items() if key not in union}
    return union


@dataclass(frozen=True)
class FeatureSpec:
    """What a policy sees and what it commands.

    Attributes:
        observations: shapes of the observation parts it reads, in the order in which it reads them.
        action_dim: length of an action.
        env_id: the environment of the data it learnt from.
        control_dt: that environment's control period [s].
        env_kwargs: that environment's keyword arguments; JSON only.
        embodiment: the body it acts with, for policies that are built on one.
        bodies: those it learnt from, for policies that learn from several.
        tasks: those it learnt, for policies that learn several; `observations` then has the parts of all of them.
        task: the one of these that it acts at, if that is settled; `observations` then has the parts of this one.
    """

    observations: Mapping[str, tuple[int, ...]]
    action_dim: int
    env_id: str
    control_dt: float
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    embodiment: Embodiment | None = None
    bodies: tuple[Embodiment, ...] = ()
    tasks: tuple[TaskFeatures, ...] = ()
    task: str | None = None

    @property
    def parts_of_all_tasks(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parts that any task has; without tasks, `observations`."""
        return union_of_parts(self.tasks) or dict(self.observations)

    def for_task(self, name: str) -> "FeatureSpec":
        """As it is to act at one of its tasks.

        Raises:
            CheckpointError: it is none of them.
        """
        for each in self.tasks:
            if each.name == name:
                return replace(self, observations=each.observations, env_id=name, env_kwargs=each.env_kwargs, task=name)
        raise CheckpointError(
            f"the policy did not learn {name}; it learnt {', '.join(each.name for each in self.tasks) or self.env_id}"
        )

    @property
    def vectors(self) -> dict[str, tuple[int, ...]]:
        """The observation parts of one axis."""
        return {key: tuple(shape) for key, shape in self.observations.items() if len(shape) == 1}

    @property
    def images(self) -> dict[str, tuple[int, ...]]:
        """The others, which are images (H, W, 3) of uint8."""
        return {key: tuple(shape) for key, shape in self.observations.items() if len(shape) != 1}

    def check(
        self, observation_shapes: Mapping[str, Sequence[int]], action_dim: int, embodiment: Embodiment | None = None
    ) -> None:
        """Check that an environment or dataset offers what the policy needs; what it has beyond that is ignored.

        Args:
            observation_shapes: offered parts, each without batch and time axes.
            action_dim: length of an offered action.
            embodiment: the offered body; None where it is not known.

        Raises:
            CheckpointError: a part is missing, a shape differs, or the policy was built for another body.
        """
        missing = [key for key in self.observations if key not in observation_shapes]
        if missing:
            raise CheckpointError(
                f"the policy reads the observations {', '.join(missing)}, which are not among those offered: "
                f"{', '.join(sorted(observation_shapes))}. It learnt from {self.env_id} with {dict(self.env_kwargs)}."
            )
        for key, shape in self.observations.items():
            if tuple(observation_shapes[key]) != tuple(shape):
                raise CheckpointError(
                    f"observation {key} has shape {tuple(observation_shapes[key])}, but the policy learnt from "
                    f"{tuple(shape)} in {self.env_id} with {dict(self.env_kwargs)}"
                )
        if action_dim != self.action_dim:
            raise CheckpointError(
                f"actions have length {action_dim}, but the policy commands {self.action_dim}: it learnt from "
                f"{self.env_id} with {dict(self.env_kwargs)}. Is the controller the same?"
            )
        if self.embodiment is not None and embodiment is not None and self.embodiment != embodiment:
            raise CheckpointError(
                f"the policy was built for a body with {self.embodiment.summary()}, but this one has "
                f"{embodiment.summary()}. It learnt from {self.env_id} with {dict(self.env_kwargs)}. Is the robot the "
                "same?"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "observations": {key: list(shape) for key, shape in self.observations.items()},
            "action_dim": self.action_dim,
            "env_id": self.env_id,
            "control_dt": self.control_dt,
            "env_kwargs": dict(self.env_kwargs),
            "embodiment": None if self.embodiment is None else self.embodiment.to_json(),
            "bodies": [body.to_json() for body in self.bodies],
            "tasks": [task.to_json() for task in self.tasks],
            "task": self.task,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FeatureSpec":
        """Inverse of `to_json`."""
        return cls(
            observations={key: tuple(map(int, shape)) for key, shape in values["observations"].items()},
            action_dim=int(values["action_dim"]),
            env_id=str(values["env_id"]),
            control_dt=float(values["control_dt"]),
            env_kwargs=dict(values["env_kwargs"]),
            embodiment=None if values.get("embodiment") is None else Embodiment.from_json(values["embodiment"]),
            bodies=tuple(Embodiment.from_json(each) for each in values.get("bodies", ())),
            tasks=tuple(TaskFeatures.from_json(each) for each in values.get("tasks", ())),
            task=None if values.get("task") is None else str(values["task"]),
        )


@dataclass(frozen=True)
class Origin:
    """Where a policy's weights came from.

    Attributes:
        policy: its name in the registry.
        dataset: fingerprint of the dataset it learnt from, empty if none.
        step: optimiser steps it was trained for.
        versions: of the packages that trained it; empty until it is saved.
    """

    policy: str
    dataset: str = ""
    step: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)


class ChunkConfig(Protocol):
    """What every policy's configuration (a frozen dataclass) holds."""

    @property
    def observation_steps(self) -> int:
        """Observations the policy sees, To."""

    @property
    def horizon(self) -> int:
        """Actions it predicts, Tp."""

    @property
    def action_steps(self) -> int:
        """Actions of a prediction that are executed, Ta."""


class Policy(nn.Module, ABC):
    """A policy. Subclasses are final.

    The first predicted action belongs to the oldest of the To observations, as in Diffusion Policy, so the one that
    belongs to the newest has index To - 1.

    Attributes:
        config: its configuration.
        features: what it sees and commands.
        normalizers: one for each vector that it observes and one for `action`.
        origin: where its weights came from.
        inference_batch: rows of every inference, unless its actor is told otherwise; a multiple of 16.
    """

    inference_batch: ClassVar[int] = 16

    def __init__(
        self, config: ChunkConfig, features: FeatureSpec, normalizers: Mapping[str, Normalizer], origin: Origin
    ) -> None:
        super().__init__()
        missing = {*features.vectors, "action"} - set(normalizers)
        if missing:
            raise InvalidInput(
                f"no normalizer for {', '.join(sorted(missing))}; given: {', '.join(sorted(normalizers))}"
            )
        self.config, self.features, self.normalizers, self.origin = config, features, dict(normalizers), origin

    @staticmethod
    def fit_observation(blocks: Collection[NDArray[np.float32]]) -> Normalizer:
        """The normalizer of an observation part, from `(n, d)` blocks of values: their limits, unless overridden."""
        return Normalizer.fit_blocks(blocks)

    def for_body(self, body: Embodiment, observations: Mapping[str, tuple[int, ...]], action_dim: int) -> "Policy":
        """The policy as it acts with `body`: itself, unless it is one for many bodies.

        Args:
            body: the body.
            observations: offered parts, each without batch and time axes.
            action_dim: length of an action.

        Raises:
            InvalidInput: it cannot act with it.
        """
        del body, observations, action_dim
        return self

    def for_task(self, name: str) -> "Policy":
        """The policy as it acts at the task `name`: itself, unless it is one for several tasks.

        Raises:
            CheckpointError: it did not learn this task.
        """
        del name
        return self

    @property
    def action_start(self) -> int:
        """Index of the first predicted action, relative to the newest observation."""
        return 1 - self.config.observation_steps

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    @abstractmethod
    def noise_shape(self) -> tuple[int, int, int]:
        """`(K, Tp, A)`: the standard normal noise that one prediction takes. K may be 0."""

    @abstractmethod
    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Training loss.

        Args:
            batch: windows of a dataset; padded actions do not count.
            generator: on the CPU; the only source of randomness but for dropout.

        Returns:
            A scalar.
        """

    @abstractmethod
    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Predict chunks of actions.

        Args:
            observations: the parts in `features`, each `(N, To, ...)`, as the environment gives them.
            noise: `(N, *noise_shape)` standard normal.

        Returns:
            `(N, Tp, A)` actions as the environment takes them.
        """

    @property
    def inpaints(self) -> bool:
        """Whether it has `inpaint`."""
        return False

    def inpaint(self, observations: Mapping[str, Tensor], noise: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        """Predict chunks of which some actions are known before.

        Args:
            observations: as for `predict`.
            noise: as for `predict`.
            known: `(N, Tp, A)` actions as the environment takes them; anything finite where nothing is known.
            weights: `(Tp,)` how much each is held to: 1 is frozen, 0 free.

        Returns:
            `(N, Tp, A)` actions as the environment takes them.

        Raises:
            InvalidInput: this policy cannot.
        """
        raise InvalidInput(f"policy {self.origin.policy!r} cannot predict chunks of which a part is known")

    def act(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Predict only what is executed: the actions from the newest observation on.

        Override it where that is cheaper than cutting them out of a whole prediction.

        Args:
            observations: as for `predict`.
            noise: as for `predict`.

        Returns:
            `(N, Ta, A)` actions as the environment takes them.
        """
        first = -self.action_start
        return self.predict(observations, noise)[:, first : first + self.config.action_steps]

    def actor_critic(self) -> tuple[nn.Module, nn.Module]:
        """Networks for reinforcement learning, of one observation: the policy's own, and a new critic of its kind.

        Both take `(B, I)` observations, the parts of `features` one after another, normalised; they give `(B, A)`
        normalised actions and `(B, 1)` values.

        Raises:
            InvalidInput: this policy cannot be trained so.
        """
        raise InvalidInput(
            f"policy {self.origin.policy!r} cannot be trained by reinforcement: take a Body Transformer, the limb "
            "transformer, or locomotion-mlp"
        )

    def save(self, directory: Path) -> None:
        """Write a checkpoint that replaces what is there; a kill leaves the old one or the new one, whole.

        Raises:
            CheckpointError: it could not be written.
        """
        from barkyard.policies.checkpoint import save_policy

        save_policy(self, directory)
