"""Sizes and settings of diffusion policies. Imports nothing heavy, so that a registry can be listed quickly."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from barkyard.errors import InvalidInput
from barkyard.policies.body_transformer.config import Attention
from barkyard.policies.training_config import TrainingConfig

SAMPLERS: Final = {"ddpm": ("ddim", "ddpm"), "flow": ("euler", "heun")}
"""What samples from what was learnt by an objective; `mip` has a way of its own."""


@dataclass(frozen=True)
class UnetConfig:
    """The 1-D U-Net.

    Attributes:
        widths: channels at each resolution; every further one halves the time axis.
        kernel_size: of the convolutions over time; odd.
        groups: of the group normalisation; divides every width.
        step_embedding: width of the embedded diffusion step.
    """

    widths: tuple[int, ...]
    kernel_size: int
    groups: int
    step_embedding: int


@dataclass(frozen=True)
class TransformerConfig:
    """The transformer decoder.

    Attributes:
        layers: number of decoder blocks.
        heads: of every attention.
        width: of a token.
        attention_dropout: inside the blocks, while training.
        embedding_dropout: on the tokens, while training.
    """

    layers: int
    heads: int
    width: int
    attention_dropout: float
    embedding_dropout: float


@dataclass(frozen=True)
class DitConfig:
    """The diffusion transformer with adaptive layer norm.

    Attributes:
        layers: number of blocks.
        heads: of every attention.
        width: of a token; even.
    """

    layers: int
    heads: int
    width: int


@dataclass(frozen=True)
class BodyConfig:
    """The Body Transformer: one token a limb, which holds its part of the whole chunk.

    Attributes:
        attention: which limbs a limb sees.
        layers: number of layers.
        heads: of every attention.
        width: of a token; even.
        feed_forward: width of the hidden layer of a feed-forward.
        shuffle_seed: of the `shuffled` graph.
    """

    attention: Attention = "mix"
    layers: int = 6
    heads: int = 4
    width: int = 128
    feed_forward: int = 256
    shuffle_seed: int = 0


@dataclass(frozen=True)
class VisionConfig:
    """How images are read; each camera has a network of its own.

    Attributes:
        network: `short`, five convolutions, for two processor cores, or `resnet18`.
        crop: height and width that are cut out of an image [pixels]: at random in training, else in the middle.
        points: that the spatial softmax finds.
        features: length of what is made of an image.
        brightness: most that the values of an image, -1 to 1, are scaled and moved by in training.
    """

    network: Literal["short", "resnet18"] = "short"
    crop: int = 76
    points: int = 32
    features: int = 64
    brightness: float = 0.1

    def __post_init__(self) -> None:
        for name in ("crop", "points", "features"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"vision.{name} {getattr(self, name)} must be at least 1")
        if not 0.0 <= self.brightness < 1.0:
            raise InvalidInput(f"vision.brightness {self.brightness} must be at least 0 and below 1")


@dataclass(frozen=True)
class DiffusionConfig:
    """A diffusion policy.

    Attributes:
        network: which network, and its size.
        observation_steps: observations it sees (To).
        horizon: actions it predicts (Tp); the first belongs to the oldest observation it sees.
        action_steps: of these, how many are executed before it predicts again (Ta), from the newest observation on.
        objective: `ddpm` predicts the noise; `flow`, conditional flow matching on the linear path, predicts the
            velocity from noise to actions; `mip` is the Minimal Iterative Policy (arXiv 2512.01809), a regression in
            two evaluations.
        diffusion_steps: steps of the noise schedule that `ddpm` is trained on; the others scale their time by it.
        inference_steps: steps taken when acting, which for `ddpm` divide `diffusion_steps`; not used by `mip`.
        sampler: of `ddpm`, `ddim`, deterministic after the first noise, or `ddpm`, which adds noise at every step; of
            `flow`, `euler`, or `heun`, which evaluates the network twice a step.
        vision: how images are read; without it, vectors alone are.
        task_embedding: length of what stands for a task, where it learns several: each dataset's environment is a task;
            0 where all is one task.
    """

    network: UnetConfig | TransformerConfig | DitConfig | BodyConfig
    observation_steps: int = 2
    horizon: int = 16
    action_steps: int = 8
    objective: Literal["ddpm", "flow", "mip"] = "ddpm"
    diffusion_steps: int = 100
    inference_steps: int = 10
    sampler: Literal["ddim", "ddpm", "euler", "heun"] = "ddim"
    vision: VisionConfig | None = None
    task_embedding: int = 0

    def __post_init__(self) -> None:
        needed = self.observation_steps - 1 + self.action_steps
        if min(self.observation_steps, self.action_steps) < 1 or self.horizon < needed:
            raise InvalidInput(
                f"horizon {self.horizon} must be at least {needed}: observation_steps ({self.observation_steps}) - 1 + "
                f"action_steps ({self.action_steps}), each at least 1"
            )
        if self.task_embedding < 0:
            raise InvalidInput(f"task_embedding {self.task_embedding} must be at least 0")
        samplers = SAMPLERS.get(self.objective)
        if samplers and self.sampler not in samplers:
            raise InvalidInput(
                f"sampler {self.sampler!r} does not sample what objective {self.objective!r} learns; valid: "
                f"{', '.join(samplers)}"
            )
        if self.inference_steps < 1:
            raise InvalidInput(f"inference_steps {self.inference_steps} must be at least 1")
        if self.objective == "ddpm" and self.diffusion_steps % self.inference_steps:
            valid = [str(n) for n in range(1, self.diffusion_steps + 1) if self.diffusion_steps % n == 0]
            raise InvalidInput(
                f"inference_steps {self.inference_steps} must divide diffusion_steps, {self.diffusion_steps}; "
                f"valid: {', '.join(valid)}"
            )


def small_unet() -> DiffusionConfig:
    """A U-Net that trains on two processor cores. Two actions a chunk: `docs/results.md` compares."""
    network = UnetConfig(widths=(64, 128, 256), kernel_size=3, groups=8, step_embedding=64)
    return DiffusionConfig(network, action_steps=2)


def published_unet() -> DiffusionConfig:
    """The low-dimensional U-Net of the paper's code: 65.5 million parameters, 100 denoising steps."""
    network = UnetConfig(widths=(256, 512, 1024), kernel_size=5, groups=8, step_embedding=256)
    return DiffusionConfig(network, inference_steps=100, sampler="ddpm")


def small_transformer() -> DiffusionConfig:
    """A transformer that trains on two processor cores."""
    network = TransformerConfig(4, 4, 128, attention_dropout=0.0, embedding_dropout=0.0)
    return DiffusionConfig(network, horizon=12, action_steps=2)


def published_transformer() -> DiffusionConfig:
    """The low-dimensional transformer of the paper's code: 9.0 million parameters, 100 denoising steps, Tp 10."""
    network = TransformerConfig(8, 4, 256, attention_dropout=0.3, embedding_dropout=0.0)
    return DiffusionConfig(network, horizon=10, inference_steps=100, sampler="ddpm")


def small_dit() -> DiffusionConfig:
    """A transformer with adaptive layer norm that trains on two processor cores, about as large as the other."""
    return DiffusionConfig(DitConfig(layers=4, heads=4, width=128), horizon=12, action_steps=2)


def small_body() -> DiffusionConfig:
    """A Body Transformer that trains on two processor cores."""
    return DiffusionConfig(BodyConfig(), horizon=12, action_steps=2)


def image_unet() -> DiffusionConfig:
    """The small U-Net with short networks for images of at least 76 x 76."""
    return replace(small_unet(), vision=VisionConfig())


def mip_unet() -> DiffusionConfig:
    """The small U-Net as a Minimal Iterative Policy: learns in fewer steps, acts in two evaluations."""
    return replace(small_unet(), objective="mip", action_steps=4)


def mip_transformer() -> DiffusionConfig:
    """The small transformer as a Minimal Iterative Policy."""
    return replace(small_transformer(), objective="mip", action_steps=4)


def small_unet_training() -> TrainingConfig:
    """How the small U-Net is trained by default."""
    return TrainingConfig(steps=6_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def small_transformer_training() -> TrainingConfig:
    """How the small transformer is trained by default."""
    return TrainingConfig(steps=6_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def small_dit_training() -> TrainingConfig:
    """How the small transformer with adaptive layer norm is trained by default."""
    return TrainingConfig(steps=6_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def small_body_training() -> TrainingConfig:
    """How the small Body Transformer is trained by default."""
    return TrainingConfig(steps=6_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def image_unet_training() -> TrainingConfig:
    """How the small U-Net is trained from images by default."""
    return TrainingConfig(steps=4_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def mip_unet_training() -> TrainingConfig:
    """How the small U-Net is trained as a Minimal Iterative Policy; a step costs two evaluations."""
    return TrainingConfig(steps=2_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def mip_transformer_training() -> TrainingConfig:
    """How the small transformer is trained as a Minimal Iterative Policy; a step costs two evaluations."""
    return TrainingConfig(steps=2_000, batch_size=64, learning_rate=1e-3, warmup_steps=200)


def published_unet_training() -> TrainingConfig:
    """AdamW and schedule of the paper's code for the U-Net."""
    return TrainingConfig(steps=500_000, batch_size=256, learning_rate=1e-4, warmup_steps=500)


def published_transformer_training() -> TrainingConfig:
    """AdamW and schedule of the paper's code for the transformer."""
    return TrainingConfig(
        steps=500_000, batch_size=256, learning_rate=1e-4, warmup_steps=1000, weight_decay=1e-3, betas=(0.9, 0.95)
    )
