"""What a denoising network learns, and how its answers become a chunk of actions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final, final

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import DiffusionConfig
from barkyard.policies.diffusion.network import DenoisingNetwork

MIP_STEP: Final = 0.9
"""The second step of the Minimal Iterative Policy (arXiv 2512.01809)."""
GUIDANCE_LIMIT: Final = 5.0
"""Largest weight of the guidance towards what is known of a chunk; a choice."""


@dataclass(frozen=True)
class Denoiser:
    """A network that has encoded what was observed.

    Attributes:
        network: the network.
        memory: from its `encode_observations`.
    """

    network: DenoisingNetwork
    memory: Tensor

    def encode(self, steps: Tensor) -> Tensor:
        """What the network makes of `(S,)` steps, 0 to `diffusion_steps`."""
        return self.network.encode_steps(steps)

    def __call__(self, actions: Tensor, encoded: Tensor) -> Tensor:
        """`(B, Tp, A)` noisy actions -> the network's `(B, Tp, A)` answer."""
        out: Tensor = self.network(actions, encoded, self.memory)
        return out


@dataclass(frozen=True)
class Known:
    """What is known of a chunk before it is denoised.

    Attributes:
        actions: `(B, Tp, A)` normalised; what has weight 0 may hold anything finite.
        weights: `(Tp,)` from 0, not known, to 1, known for sure.
    """

    actions: Tensor
    weights: Tensor


class Objective(ABC):
    """A loss, and the sampling that belongs to it. Subclasses are final. Actions are normalised to [-1, 1].

    Attributes:
        noises: `(Tp, A)` arrays of standard normal noise that one sample takes.
        completes: whether it has `complete`.
    """

    noises: int
    completes: ClassVar[bool] = False

    @abstractmethod
    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Squared errors of the network.

        Args:
            denoise: the network.
            actions: `(B, Tp, A)` of the data.
            noise: the same shape, standard normal.
            generator: on the CPU, of whatever else is drawn.

        Returns:
            `(B, Tp, A)`, of which the loss is the mean.
        """

    @abstractmethod
    def sample(self, denoise: Denoiser, noise: Tensor) -> Tensor:
        """`(B, noises, Tp, A)` standard normal noise -> `(B, Tp, A)` actions."""

    def complete(self, denoise: Denoiser, noise: Tensor, known: Known) -> Tensor:
        """As `sample`, for chunks of which something is known. Raises InvalidInput where there is no way."""
        raise InvalidInput(
            "only the samplers ddim, euler and heun, which add no noise on the way, can complete a chunk"
        )


@final
class MinimalIterative(Objective):
    """The Minimal Iterative Policy (arXiv 2512.01809): a regression in two evaluations."""

    noises = 0

    def __init__(self, config: DiffusionConfig) -> None:
        self._scale = config.diffusion_steps

    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Of both evaluations, each weighted by the inverse of what is left to do."""
        first = denoise(torch.zeros_like(actions), denoise.encode(self._step(0.0, actions)))
        second = denoise(actions + (1 - MIP_STEP) * noise, denoise.encode(self._step(MIP_STEP, actions)))
        return ((first - actions) / MIP_STEP).square() + ((second - actions) / (1 - MIP_STEP)).square()

    def sample(self, denoise: Denoiser, noise: Tensor) -> Tensor:
        """Two evaluations, the first of zeros."""
        sample = noise.new_zeros(noise.shape[0], *noise.shape[2:])
        for step in (0.0, MIP_STEP):
            sample = denoise(sample, denoise.encode(self._step(step, sample[:1])))
        return sample

    def _step(self, step: float, like: Tensor) -> Tensor:
        return like.new_full((like.shape[0],), step * self._scale)


Estimate = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""From a `(B, Tp, A)` sample at the time of that number, the actions and the noise that it lies between."""


class _Path(Objective):
    """Objectives whose samples follow an ordinary differential equation along the linear path.

    At time t of 0 to 1 the path is at `t * actions + (1 - t) * noise`, and its velocity is `actions - noise`.

    Attributes:
        times: rising from the first evaluation's to 1.
        order: 1 is Euler's method, 2 Heun's.
    """

    noises = 1
    completes = True
    times: Sequence[float]
    order: int = 1

    @abstractmethod
    def estimate(self, denoise: Denoiser) -> Estimate:
        """Actions and noise as the network sees them."""

    @abstractmethod
    def begin(self, noise: Tensor) -> Tensor:
        """Where the sample is at the first time."""

    def sample(self, denoise: Denoiser, noise: Tensor) -> Tensor:
        """Follow the path from the noise to the actions."""
        return self._follow(self.estimate(denoise), self.begin(noise[:, 0]))

    def complete(self, denoise: Denoiser, noise: Tensor, known: Known) -> Tensor:
        """Follow the path, guided at every evaluation towards what is known.

        The guidance is that of Black, Galliker and Levine, Real-time execution of action chunking flow policies (arXiv
        2506.07339): the gradient of how far the actions, as they are estimated now, are from the known ones.
        """
        free = self.estimate(denoise)

        def guided(sample: Tensor, number: int) -> tuple[Tensor, Tensor]:
            time = self.times[number]
            with torch.enable_grad():
                sample = sample.detach().requires_grad_()
                actions, noise = free(sample, number)
                missing = known.weights[:, None] * (known.actions - actions.detach())
                (towards,) = torch.autograd.grad(actions, sample, missing)
            change = guidance_weight(time) * towards
            return actions.detach() + (1 - time) * change, noise.detach() - time * change

        return self._follow(guided, self.begin(noise[:, 0]))

    def _follow(self, estimate: Estimate, sample: Tensor) -> Tensor:
        for number, (time, after) in enumerate(pairwise(self.times)):
            actions, noise = estimate(sample, number)
            reached = after * actions + (1 - after) * noise
            if self.order == 2:
                actions_there, noise_there = estimate(reached, number + 1)
                slope = (actions - noise + actions_there - noise_there) / 2
                reached = sample + (after - time) * slope
            sample = reached
        return sample


def guidance_weight(time: float) -> float:
    """How strongly a sample at `time` of the linear path is guided: 2 in the middle, up to `GUIDANCE_LIMIT`."""
    spread = time * (1 - time)
    return min(GUIDANCE_LIMIT, (time**2 + (1 - time) ** 2) / spread) if spread > 0 else GUIDANCE_LIMIT


@final
class FlowMatching(_Path):
    """Conditional flow matching on the linear path (Lipman et al., arXiv 2210.02747), times drawn evenly."""

    def __init__(self, config: DiffusionConfig) -> None:
        steps = config.inference_steps
        self.times = [number / steps for number in range(steps + 1)]
        self.order = 2 if config.sampler == "heun" else 1
        self._scale = config.diffusion_steps

    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Of the velocity at a random time."""
        time = torch.rand(len(actions), generator=generator).to(actions.device)
        place = torch.lerp(noise, actions, time[:, None, None])
        return (denoise(place, denoise.encode(time * self._scale)) - (actions - noise)).square()

    def estimate(self, denoise: Denoiser) -> Estimate:
        """From the velocity that the network predicts."""
        encoded = denoise.encode(denoise.memory.new_tensor(self.times) * self._scale)

        def estimate(sample: Tensor, number: int) -> tuple[Tensor, Tensor]:
            time, velocity = self.times[number], denoise(sample, encoded[number : number + 1])
            return sample + (1 - time) * velocity, sample - time * velocity

        return estimate

    def begin(self, noise: Tensor) -> Tensor:
        """The noise."""
        return noise


@final
class DeterministicDiffusion(_Path):
    """DDPM's loss (Ho et al., arXiv 2006.11239), sampled by DDIM (Song et al., arXiv 2010.02502).

    A sample of DDIM, divided by the sum of its two coefficients, lies on the linear path, and there a step of DDIM is
    one of Euler's method.
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self._schedule = schedule = NoiseSchedule(config)
        self.times = [*(a / (a + b) for a, b in zip(schedule.signal, schedule.noise, strict=True)), 1.0]

    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Of the noise at a random step."""
        return self._schedule.errors(denoise, actions, noise, generator)

    def estimate(self, denoise: Denoiser) -> Estimate:
        """The noise that the network predicts, and the actions that follow from it, which are kept in [-1, 1]."""
        schedule = self._schedule
        encoded = denoise.encode(denoise.memory.new_tensor(schedule.steps))

        def estimate(sample: Tensor, number: int) -> tuple[Tensor, Tensor]:
            signal, noise = schedule.signal[number], schedule.noise[number]
            noisy = sample * (signal + noise)
            predicted = denoise(noisy, encoded[number : number + 1])
            return ((noisy - noise * predicted) / signal).clamp(-1.0, 1.0), predicted

        return estimate

    def begin(self, noise: Tensor) -> Tensor:
        """The noise, scaled to lie on the linear path."""
        return noise / (self._schedule.signal[0] + self._schedule.noise[0])


@final
class AncestralDiffusion(Objective):
    """DDPM, loss and sampling (Ho et al., arXiv 2006.11239)."""

    def __init__(self, config: DiffusionConfig) -> None:
        self.noises = config.inference_steps
        self._schedule = NoiseSchedule(config)

    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Of the noise at a random step."""
        return self._schedule.errors(denoise, actions, noise, generator)

    def sample(self, denoise: Denoiser, noise: Tensor) -> Tensor:
        """By the posterior with its small fixed variance, which is DDIM with eta 1 and the clipped sample."""
        steps, sample = self._schedule.steps, noise[:, 0]
        encoded = denoise.encode(sample.new_tensor(steps))
        for i, step in enumerate(steps):
            sample = self._schedule.scheduler.step(
                denoise(sample, encoded[i : i + 1]),
                step,
                sample,
                eta=1.0,
                use_clipped_model_output=True,
                variance_noise=noise[:, i + 1] if i + 1 < len(steps) else torch.zeros_like(sample),
            ).prev_sample
        return sample


@final
class NoiseSchedule:
    """DDPM's noise, by the cosine schedule of Nichol and Dhariwal (arXiv 2102.09672), as in Diffusion Policy.

    Attributes:
        scheduler: that of diffusers.
        steps: at which acting evaluates the network, falling.
        signal: factor of the actions at each.
        noise: factor of the noise at each.
    """

    def __init__(self, config: DiffusionConfig) -> None:
        self.scheduler = DDIMScheduler(
            num_train_timesteps=config.diffusion_steps,
            beta_schedule="squaredcos_cap_v2",
            clip_sample=True,
            set_alpha_to_one=True,
            prediction_type="epsilon",
        )
        self.scheduler.set_timesteps(config.inference_steps)
        self.steps: list[int] = self.scheduler.timesteps.tolist()
        kept = self.scheduler.alphas_cumprod[self.steps].double()
        self.signal: list[float] = kept.sqrt().tolist()
        self.noise: list[float] = (1 - kept).sqrt().tolist()

    def errors(self, denoise: Denoiser, actions: Tensor, noise: Tensor, generator: torch.Generator) -> Tensor:
        """Squared errors of the noise that the network predicts at random steps; see `Objective.errors`."""
        many = self.scheduler.config.num_train_timesteps
        steps = torch.randint(many, (len(actions),), generator=generator).to(actions.device)
        noisy = self.scheduler.add_noise(actions, noise, steps)
        return (denoise(noisy, denoise.encode(steps.float())) - noise).square()


def make_objective(config: DiffusionConfig) -> Objective:
    """What the configuration names."""
    if config.objective == "mip":
        return MinimalIterative(config)
    if config.objective == "flow":
        return FlowMatching(config)
    return AncestralDiffusion(config) if config.sampler == "ddpm" else DeterministicDiffusion(config)
