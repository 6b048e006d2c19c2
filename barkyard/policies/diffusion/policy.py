"""Diffusion Policy: denoises a chunk of actions, given a short history of observations."""

from collections.abc import Mapping

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.body import BodyDenoiser
from barkyard.policies.diffusion.config import BodyConfig, DiffusionConfig, UnetConfig
from barkyard.policies.diffusion.network import DenoisingNetwork
from barkyard.policies.diffusion.transformer import ConditionalTransformer
from barkyard.policies.diffusion.unet import ConditionalUnet
from barkyard.policies.policy import FeatureSpec, Origin, Policy

MIP_STEP = 0.9
"""The second step of the Minimal Iterative Policy (arXiv 2512.01809)."""


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
        self.scheduler = DDIMScheduler(
            num_train_timesteps=config.diffusion_steps,
            beta_schedule="squaredcos_cap_v2",
            clip_sample=True,
            set_alpha_to_one=True,
            prediction_type="epsilon",
        )
        self.scheduler.set_timesteps(config.inference_steps)
        self._timesteps: list[int] = self.scheduler.timesteps.tolist()

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """The noise it begins with, and for `ddpm` what is added at every step but the last."""
        count = {"ddim": 1, "ddpm": self.diffusion.inference_steps}[self.diffusion.sampler]
        return (0 if self.diffusion.objective == "mip" else count, self.diffusion.horizon, self.features.action_dim)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Mean squared error over the actions that are not padding."""
        device = self.device
        parts = {key: torch.from_numpy(batch.observations[key]).to(device) for key in self.features.observations}
        memory = self._encode(parts)
        actions = self.action_limits.normalize(torch.from_numpy(batch.actions).to(device))
        real = ~torch.from_numpy(batch.is_pad).to(device)
        noise = torch.randn(actions.shape, generator=generator).to(device)
        if self.diffusion.objective == "mip":
            return self._mip_loss(actions, real, noise, memory)
        steps = torch.randint(self.diffusion.diffusion_steps, (len(actions),), generator=generator).to(device)
        noisy = self.scheduler.add_noise(actions, noise, steps)
        return masked_mean((self._evaluate(noisy, steps, memory) - noise).square(), real)

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """Denoise chunks of actions; see `Policy.predict`."""
        memory = self._encode(observations)
        sample = self._mip(memory) if self.diffusion.objective == "mip" else self._denoise(memory, noise)
        return self.action_limits.denormalize(sample.clamp(-1.0, 1.0))

    def _encode(self, observations: Mapping[str, Tensor]) -> Tensor:
        values = torch.cat([observations[key] for key in self.features.observations], dim=-1)
        return self.network.encode_observations(self.observation_limits.normalize(values))

    def _evaluate(self, actions: Tensor, steps: Tensor, memory: Tensor) -> Tensor:
        out: Tensor = self.network(actions, self.network.encode_steps(steps.float()), memory)
        return out

    def _denoise(self, memory: Tensor, noise: Tensor) -> Tensor:
        sample = noise[:, 0]
        steps = self.network.encode_steps(sample.new_tensor(self._timesteps))
        added = self.diffusion.sampler == "ddpm"
        for i, timestep in enumerate(self._timesteps):
            predicted = self.network(sample, steps[i : i + 1], memory)
            # DDIM with eta 1 and the clipped sample is DDPM's posterior with its small fixed variance.
            last = i + 1 == len(self._timesteps)
            sample = self.scheduler.step(
                predicted,
                timestep,
                sample,
                eta=float(added),
                use_clipped_model_output=added,
                variance_noise=noise[:, i + 1] if added and not last else torch.zeros_like(sample) if added else None,
            ).prev_sample
        return sample

    def _mip_loss(self, actions: Tensor, real: Tensor, noise: Tensor, memory: Tensor) -> Tensor:
        first = self._evaluate(torch.zeros_like(actions), self._mip_steps(0.0, actions), memory)
        second = self._evaluate(actions + (1 - MIP_STEP) * noise, self._mip_steps(MIP_STEP, actions), memory)
        errors = ((first - actions) / MIP_STEP).square() + ((second - actions) / (1 - MIP_STEP)).square()
        return masked_mean(errors, real)

    def _mip(self, memory: Tensor) -> Tensor:
        sample = memory.new_zeros(memory.shape[0], *self.noise_shape[1:])
        for step in (0.0, MIP_STEP):
            sample = self._evaluate(sample, self._mip_steps(step, sample[:1]), memory)
        return sample

    def _mip_steps(self, step: float, like: Tensor) -> Tensor:
        return like.new_full((like.shape[0],), step * self.diffusion.diffusion_steps)


def _make_network(config: DiffusionConfig, features: FeatureSpec) -> DenoisingNetwork:
    if isinstance(config.network, BodyConfig):
        return BodyDenoiser(config.network, config.horizon, config.observation_steps, features)
    network = ConditionalUnet if isinstance(config.network, UnetConfig) else ConditionalTransformer
    return network(
        config.network,  # type: ignore[arg-type]
        config.horizon,
        features.action_dim,
        config.observation_steps,
        sum(shape[0] for shape in features.observations.values()),
    )


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
