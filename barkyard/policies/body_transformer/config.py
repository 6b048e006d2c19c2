"""Sizes and settings of Body Transformers. Imports nothing heavy, so that a registry can be listed quickly."""

from dataclasses import dataclass, replace
from typing import Literal

from barkyard.errors import InvalidInput
from barkyard.policies.training_config import TrainingConfig

Attention = Literal["hard", "mix", "soft", "shuffled", "full"]
"""Which limbs a limb sees: `hard`: itself and its neighbours, in every layer; `mix`: so in the first, third, ... layer,
and all in the others; `soft`: all, with a learnt bias for each distance, layer and head; `shuffled`: as `hard`, on
the graph with limbs exchanged at random (the control: as sparse, as deep, but another body's); `full`: all, the plain
transformer."""


@dataclass(frozen=True)
class BodyTransformerConfig:
    """A Body Transformer (Sferrazza et al., arXiv 2408.06316), or the plain transformer in its place.

    Attributes:
        attention: which limbs a limb sees.
        layers: number of layers.
        heads: of every attention.
        width: of a token.
        feed_forward: width of the hidden layer of a feed-forward.
        shared_maps: whether limbs that observe the same parts share the map into their tokens and out of them; else
            each has its own, as in the paper.
        position: whether each limb has a learnt vector added to its token: the paper's reinforcement learning has it,
            its imitation has not.
        observation_steps: observations it sees (To); a token holds its limb's part of all of them.
        shuffle_seed: of the `shuffled` graph.
    """

    attention: Attention
    layers: int = 6
    heads: int = 4
    width: int = 64
    feed_forward: int = 128
    shared_maps: bool = False
    position: bool = False
    observation_steps: int = 1
    shuffle_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "width", "feed_forward", "observation_steps"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} {getattr(self, name)} must be at least 1")
        if self.width % self.heads:
            raise InvalidInput(f"width {self.width} must be a multiple of heads, {self.heads}")

    @property
    def horizon(self) -> int:
        """Actions it predicts: one at each step of the window."""
        return self.observation_steps

    @property
    def action_steps(self) -> int:
        """It predicts again at every step."""
        return 1


def hard() -> BodyTransformerConfig:
    """0.2 million parameters, for two cores; as deep as a quadruped's graph is wide."""
    return BodyTransformerConfig("hard")


def mix() -> BodyTransformerConfig:
    """As `hard`, every second layer masked."""
    return BodyTransformerConfig("mix")


def soft() -> BodyTransformerConfig:
    """As `hard`, with learnt biases in place of the mask."""
    return BodyTransformerConfig("soft")


def full() -> BodyTransformerConfig:
    """The plain transformer of the same size."""
    return BodyTransformerConfig("full")


def published() -> BodyTransformerConfig:
    """The paper's imitation on MoCapAct (17,544,120 parameters) and Adroit (17,131,292)."""
    return BodyTransformerConfig("hard", layers=16, heads=5, width=320, feed_forward=1024)


def published_a1() -> BodyTransformerConfig:
    """The release's actor for walking with the A1 (273,292 parameters); its critic has one output a limb (273,357)."""
    return BodyTransformerConfig("mix", layers=8, heads=2, width=64, feed_forward=128, position=True)


def training() -> TrainingConfig:
    """How the small ones are trained by default."""
    return TrainingConfig(
        steps=5_000,
        batch_size=256,
        learning_rate=1e-3,
        warmup_steps=200,
        weight_decay=1e-2,
        betas=(0.9, 0.999),
        gradient_clip=1.0,
    )


def published_training() -> TrainingConfig:
    """AdamW at 1e-4 with batches of 256 and no clipping, as in the paper; ours ends in a cosine."""
    return replace(training(), learning_rate=1e-4, gradient_clip=0.0, steps=100_000)
