"""Diffusion Policy: denoises a chunk of actions, given a short history of observations."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.body import BodyDenoiser
from barkyard.policies.diffusion.config import BodyConfig, DiffusionConfig, DitConfig, TransformerConfig, UnetConfig
from barkyard.policies.diffusion.dit import DiffusionTransformer
from barkyard.policies.diffusion.network import DenoisingNetwork
from barkyard.policies.diffusion.objectives import Denoiser, Known, make_objective
from barkyard.policies.diffusion.transformer import ConditionalTransformer
from barkyard.policies.diffusion.unet import ConditionalUnet
from barkyard.policies.policy import FeatureSpec, Origin, Policy


class DiffusionPolicy(Policy):
    """Chi et al., Diffusion Policy (arXiv 2303.04137), on vectors.

    Observations and actions are normalised to [-1, 1] by their limits in the data; predictions never leave the
    actions' limits.

    Raises:
        InvalidInput: an observation is no vector, or the horizon does not fit the network.
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
        not_vectors = [key for key, shape in features.observations.items() if len(shape) != 1]
        if not_vectors or not features.observations:
            raise InvalidInput(
                f"diffusion policies read one or more vectors, which excludes {', '.join(not_vectors) or 'nothing'}: "
                f"choose observation_keys among those of one axis"
            )
        self.observation_limits = Limits([normalizers[key] for key in features.observations])
        self.action_limits = Limits([normalizers["action"]])
        self.network = _make_network(config, features)
        self.objective = make_objective(config)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """The noise it begins with, and for the sampler `ddpm` what is added at every step but the last."""
        return (self.objective.noises, self.diffusion.horizon, self.features.action_dim)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Mean squared error over the actions that are not padding."""
        device = self.device
        parts = {key: torch.from_numpy(batch.observations[key]).to(device) for key in self.features.observations}
        denoise = self._observe(parts)
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

    def _observe(self, observations: Mapping[str, Tensor]) -> Denoiser:
        values = torch.cat([observations[key] for key in self.features.observations], dim=-1)
        return Denoiser(self.network, self.network.encode_observations(self.observation_limits.normalize(values)))


_NETWORKS: Final[dict[type, Any]] = {
    UnetConfig: ConditionalUnet,
    TransformerConfig: ConditionalTransformer,
    DitConfig: DiffusionTransformer,
}


def _make_network(config: DiffusionConfig, features: FeatureSpec) -> DenoisingNetwork:
    if isinstance(config.network, BodyConfig):
        return BodyDenoiser(config.network, config.horizon, config.observation_steps, features)
    network: DenoisingNetwork = _NETWORKS[type(config.network)](
        config.network,
        config.horizon,
        features.action_dim,
        config.observation_steps,
        sum(shape[0] for shape in features.observations.values()),
    )
    return network


class Limits(nn.Module):
    """Normalizers of parts that stand side by side on the last axis, on the policy's device."""

    def __init__(self, normalizers: list[Normalizer]) -> None:
        super().__init__()
        for name in ("center", "half_range"):
            values = np.concatenate([getattr(normalizer, name) for normalizer in normalizers])
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
