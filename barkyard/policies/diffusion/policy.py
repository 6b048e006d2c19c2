"""Diffusion Policy: denoises a chunk of actions, given a short history of observations."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.configuration import vary
from barkyard.policies.diffusion.body import BodyDenoiser
from barkyard.policies.diffusion.config import (
    BodyConfig,
    DiffusionConfig,
    DitConfig,
    TransformerConfig,
    UnetConfig,
)
from barkyard.policies.diffusion.dit import DiffusionTransformer
from barkyard.policies.diffusion.network import DenoisingNetwork
from barkyard.policies.diffusion.objectives import Denoiser, Known, make_objective
from barkyard.policies.diffusion.task_input import TaskInput
from barkyard.policies.diffusion.transformer import ConditionalTransformer
from barkyard.policies.diffusion.unet import ConditionalUnet
from barkyard.policies.diffusion.vision import ImageEncoder
from barkyard.policies.policy import TASK, FeatureSpec, Origin, Policy


class DiffusionPolicy(Policy):
    """Chi et al., Diffusion Policy (arXiv 2303.04137), on vectors, and on images where its configuration has `vision`.

    Observations and actions are normalised to [-1, 1] by their limits in the data; predictions never leave the
    actions' limits.

    Raises:
        InvalidInput: an observation is neither a vector nor an image that is read, or the horizon does not fit the
            network.
    """

    def __init__(
        self,
        config: DiffusionConfig,
        features: FeatureSpec,
        normalizers: Mapping[str, Normalizer],
        origin: Origin,
    ) -> None:
        super().__init__(config, features, normalizers, origin)
        self.diffusion = config
        images = [key for key, shape in features.parts_of_all_tasks.items() if len(shape) != 1]
        if images and (config.vision is None or features.tasks or isinstance(config.network, BodyConfig)):
            raise InvalidInput(
                f"this diffusion policy reads vectors, which excludes {', '.join(images)}: choose "
                "observation_keys among those of one axis, or a policy that reads images, such as diffusion-unet-image"
            )
        vectors = features.parts_of_all_tasks if features.tasks else features.vectors
        self.observation_limits = Limits([normalizers[key] for key in vectors])
        self.encoders = nn.ModuleDict(
            {key: ImageEncoder(config.vision, shape) for key, shape in features.images.items() if config.vision}
        )
        self.action_limits = Limits([normalizers["action"]])
        self.task_input = _make_task_input(config, features)
        size = self.task_input.size if self.task_input else sum(size for (size,) in features.vectors.values())
        size += len(self.encoders) * config.vision.features if config.vision else 0
        self.network = _make_network(config, features, size)
        self.objective = make_objective(config)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """The noise it begins with, and for the sampler `ddpm` what is added at every step but the last."""
        return (self.objective.noises, self.diffusion.horizon, self.features.action_dim)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Mean squared error over the actions that are not padding."""
        device = self.device
        parts = {key: torch.from_numpy(values).to(device) for key, values in batch.observations.items()}
        denoise = self._observe(parts, generator if self.training else None)
        actions = self.action_limits.normalize(torch.from_numpy(batch.actions).to(device))
        real = ~torch.from_numpy(batch.is_pad).to(device)
        noise = torch.randn(actions.shape, generator=generator).to(device)
        return masked_mean(self.objective.errors(denoise, actions, noise, generator), real)

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Denoise chunks of actions; see `Policy.predict`."""
        sample = self.objective.sample(self._observe(observations), noise)
        return self.action_limits.denormalize(sample.clamp(-1.0, 1.0))

    @property
    def inpaints(self) -> bool:
        """Whether it has `inpaint`: where no noise is added on the way."""
        return self.objective.completes

    def inpaint(self, observations: Mapping[str, Tensor], noise: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        """Denoise chunks towards what is known of them; see `Policy.inpaint`."""
        with torch.inference_mode(False), torch.no_grad():  # the guidance is a gradient
            target = Known(self.action_limits.normalize(known), weights)
            sample = self.objective.complete(self._observe(observations), noise, target)
            return self.action_limits.denormalize(sample.clamp(-1.0, 1.0))

    def sampled(self, inference_steps: int, sampler: str | None = None) -> "DiffusionPolicy":
        """The same policy, weights and all, that samples in so many steps, or by another sampler of its objective.

        Saved, it is a checkpoint of its own.

        Raises:
            InvalidInput: they do not fit the objective.
        """
        config = vary(
            self.diffusion, {"inference_steps": inference_steps, "sampler": sampler or self.diffusion.sampler}
        )
        return self._alike(config, self.features)

    def for_task(self, name: str) -> "DiffusionPolicy":
        """The same policy, weights and all, as it acts at one of its tasks; see `Policy.for_task`."""
        if not self.features.tasks:
            return self
        return self._alike(self.diffusion, self.features.for_task(name))

    def _alike(self, config: DiffusionConfig, features: FeatureSpec) -> "DiffusionPolicy":
        other = DiffusionPolicy(config, features, self.normalizers, self.origin)
        other.network, other.task_input, other.encoders = self.network, self.task_input, self.encoders
        other.training = self.training
        return other.to(self.device)

    def _observe(self, observations: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Denoiser:
        if self.task_input is None:
            vectors = [observations[key] for key in self.features.vectors]
            seen = [self.observation_limits.normalize(torch.cat(vectors, dim=-1))] if vectors else []
            seen += [encoder(observations[key], generator) for key, encoder in self.encoders.items()]
        else:
            seen = [self._observe_task(self.task_input, observations)]
        return Denoiser(self.network, self.network.encode_observations(torch.cat(seen, dim=-1)))

    def _observe_task(self, task_input: TaskInput, observations: Mapping[str, Tensor]) -> Tensor:
        features, first = self.features, next(iter(observations.values()))
        if TASK in observations:
            rows = observations[TASK][:, 0, 0].long()
        else:
            acting = [task.name for task in features.tasks].index(str(features.task))
            rows = torch.full((first.shape[0],), acting, device=first.device)
        absent = {key: shape for key, shape in features.parts_of_all_tasks.items() if key not in observations}
        parts = {**observations, **{key: first.new_zeros(*first.shape[:2], *shape) for key, shape in absent.items()}}
        values = torch.cat([parts[key] for key in features.parts_of_all_tasks], dim=-1)
        seen: Tensor = task_input(self.observation_limits.normalize(values), rows)
        return seen


_NETWORKS: Final[dict[type, Any]] = {
    UnetConfig: ConditionalUnet,
    TransformerConfig: ConditionalTransformer,
    DitConfig: DiffusionTransformer,
}


def _make_task_input(config: DiffusionConfig, features: FeatureSpec) -> TaskInput | None:
    if bool(config.task_embedding) != bool(features.tasks) or (
        features.tasks and isinstance(config.network, BodyConfig)
    ):
        raise InvalidInput(
            f"task_embedding is {config.task_embedding}, and the policy learns {len(features.tasks) or 'no named'} "
            "tasks: several take an embedding, such as 32, and a network other than the Body Transformer"
        )
    if features.task is not None:
        features.for_task(features.task)
    return TaskInput(features, config.task_embedding) if features.tasks else None


def _make_network(config: DiffusionConfig, features: FeatureSpec, observation_dim: int) -> DenoisingNetwork:
    if isinstance(config.network, BodyConfig):
        return BodyDenoiser(config.network, config.horizon, config.observation_steps, features)
    network: DenoisingNetwork = _NETWORKS[type(config.network)](
        config.network,
        config.horizon,
        features.action_dim,
        config.observation_steps,
        observation_dim,
    )
    return network


class Limits(nn.Module):
    """Normalizers of parts that stand side by side on the last axis, on the policy's device."""

    def __init__(self, normalizers: list[Normalizer]) -> None:
        super().__init__()
        for name in ("center", "half_range"):
            values = np.concatenate([np.empty(0), *(getattr(normalizer, name) for normalizer in normalizers)])
            self.register_buffer(name, torch.from_numpy(values.astype(np.float32)), persistent=False)
        self.center: Tensor
        self.half_range: Tensor

    def normalize(self, values: Tensor) -> Tensor:
        """`(..., d)` to the range -1..1."""
        return (values - self.center) / self.half_range

    def denormalize(self, values: Tensor) -> Tensor:
        """Inverse of `normalize`."""
        return values * self.half_range + self.center


def masked_mean(errors: Tensor, real: Tensor) -> Tensor:
    """Mean of `(B, Tp, A)` errors over the `(B, Tp)` actions that are real."""
    return (errors.mean(dim=-1) * real).sum() / real.sum().clamp(min=1)
