"""Sizes and settings of graph embodiment transformers. Imports nothing heavy, so that a registry is listed quickly."""

from dataclasses import dataclass, replace
from typing import Literal

from barkyard.errors import InvalidInput
from barkyard.policies.training_config import TrainingConfig

Structure = Literal["graph", "none", "depth_first"]


@dataclass(frozen=True)
class GetZeroConfig:
    """A Graph Embodiment Transformer (Patel and Song, arXiv 2407.15002), or what it is compared with.

    Attributes:
        structure: how joints know where they are: `graph`: biases of the attention by distances in the body's graph;
            `none`; `depth_first`: a learnt vector for each place in depth-first order, as in MetaMorph.
        whole_tokens: whether tokens tell a joint's axis, limits and place in the root's frame, and the length and tip
            of its link; else the joint's place and turn in its parent's frame alone, as published. A longer
            fingertip then
            changes no token, and the outer joints of like fingers have the same.
        input_norm: whether a layer norm of the raw features comes before the first map, as published; else features are
            scaled by fixed numbers.
        self_model: weight of the loss of the self-model: where each link is in the root's frame, from the joint angles.
        tips: whether the self-model predicts links' tips, in units of `length_unit`; else joints' places [m], as
            published.
        masked_mean: whether a small body's loss is the mean over its own joints; else over `max_joints`, as published.
        drop_joints: probability that a joint's token is hidden in training.
        stretch: links' lengths are changed by up to this factor in training, in tokens and self-model.
        layers, heads, width, feed_forward: of the transformer.
        head_width: of the hidden layer of the maps to actions and positions.
        dropout: in training.
        observation_steps: observations it sees; a token holds its joint's part of all of them.
        max_distance: longer distances in a graph count as this.
        max_joints: most joints of a body, for `depth_first` and the published mean.
        length_unit: of lengths in tokens and in the self-model [m].
    """

    structure: Structure = "graph"
    whole_tokens: bool = True
    input_norm: bool = False
    self_model: float = 0.1
    tips: bool = True
    masked_mean: bool = True
    drop_joints: float = 0.05
    stretch: float = 0.1
    layers: int = 4
    heads: int = 4
    width: int = 128
    feed_forward: int = 256
    head_width: int = 16
    dropout: float = 0.0
    observation_steps: int = 6
    max_distance: int = 16
    max_joints: int = 16
    length_unit: float = 0.05

    def __post_init__(self) -> None:
        for name in ("layers", "heads", "width", "feed_forward", "head_width", "observation_steps", "max_distance"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} {getattr(self, name)} must be at least 1")
        if self.width % self.heads:
            raise InvalidInput(f"width {self.width} must be a multiple of heads, {self.heads}")
        for name in ("drop_joints", "dropout", "stretch"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InvalidInput(f"{name} {getattr(self, name)} must be in [0, 1)")

    @property
    def horizon(self) -> int:
        """Actions it predicts: one at each step of the window."""
        return self.observation_steps

    @property
    def action_steps(self) -> int:
        """It predicts again at every step."""
        return 1


def ours() -> GetZeroConfig:
    """0.6 million parameters, for two cores, with what we changed."""
    return GetZeroConfig()


def paper() -> GetZeroConfig:
    """As published: 16.9 million parameters."""
    return GetZeroConfig(
        whole_tokens=False, input_norm=True, self_model=2.0, tips=False, masked_mean=False, drop_joints=0.0,
        stretch=0.0, layers=8, heads=16, width=512, feed_forward=1024, dropout=0.1,
    )  # fmt: skip


def paper_small() -> GetZeroConfig:
    """As published, of the size of ours."""
    return replace(paper(), layers=4, heads=4, width=128, feed_forward=256)


def embodiment_transformer() -> GetZeroConfig:
    """The paper's baseline, of the size of ours: no graph and no self-model."""
    return replace(paper_small(), structure="none", self_model=0.0)


def depth_first() -> GetZeroConfig:
    """The paper's other baseline, of the size of ours: places in depth-first order, and no graph."""
    return replace(embodiment_transformer(), structure="depth_first")


def training() -> TrainingConfig:
    """How the small ones are trained by default."""
    return TrainingConfig(
        steps=10_000, batch_size=256, learning_rate=5e-4, warmup_steps=500, weight_decay=0.0, betas=(0.9, 0.98),
        gradient_clip=1.0,
    )  # fmt: skip


def paper_training() -> TrainingConfig:
    """Adam at 1.5e-4 with batches of 2048, as published; ours ends in a cosine, theirs in an inverse square root."""
    return replace(training(), steps=68_000, batch_size=2048, learning_rate=1.5e-4, warmup_steps=10_000)
