"""Sizes and settings of locomotion policies. Imports nothing heavy, so that a registry can be listed quickly."""

from dataclasses import dataclass, replace

from barkyard.errors import InvalidInput
from barkyard.policies.training_config import TrainingConfig


@dataclass(frozen=True)
class TransformerConfig:
    """The causal transformer.

    Attributes:
        layers: number of blocks.
        heads: of every attention.
        width: of a token.
    """

    layers: int
    heads: int
    width: int


@dataclass(frozen=True)
class MlpConfig:
    """The multi-layer perceptron on the flattened window.

    Attributes:
        widths: of the hidden layers.
        scan_width: of the encoded height scan.
    """

    widths: tuple[int, ...]
    scan_width: int


@dataclass(frozen=True)
class LocomotionConfig:
    """A locomotion policy.

    Attributes:
        network: which network, and its size.
        observation_steps: observations it sees (To); 15 are 0.3 s at 50 Hz.
        scan_shape: rows and columns of the height scan, the observation part `terrain`.
        scan_channels: of the two convolutions that encode it.
        action_dropout: part of the training windows whose previous actions are hidden, all of them at once. A gait is
            smooth, so that the next action is nearly told by the last few, and a policy that only continues them looks
            good on demonstrations and fails on its own. Hiding single actions would leave their neighbours to copy;
            where all are hidden, the gradient can come through the states alone. Most windows keep theirs: they tell
            the phase of a gait, and specialists read their own last action.
    """

    network: TransformerConfig | MlpConfig
    observation_steps: int = 15
    scan_shape: tuple[int, int] = (11, 5)
    scan_channels: tuple[int, int] = (16, 16)
    action_dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.observation_steps < 1:
            raise InvalidInput(f"observation_steps {self.observation_steps} must be at least 1")
        if not 0.0 <= self.action_dropout <= 1.0:
            raise InvalidInput(f"action_dropout {self.action_dropout} must be between 0 and 1")

    @property
    def horizon(self) -> int:
        """Actions it predicts: one at each step of the window."""
        return self.observation_steps

    @property
    def action_steps(self) -> int:
        """It predicts again at every step."""
        return 1


def transformer() -> LocomotionConfig:
    """About 0.65 million parameters. The paper's sizes are not published; these train on two processor cores."""
    return LocomotionConfig(TransformerConfig(layers=3, heads=4, width=128))


def mlp() -> LocomotionConfig:
    """As many parameters as the transformer."""
    return LocomotionConfig(MlpConfig(widths=(384, 256, 256), scan_width=128))


def transformer_training() -> TrainingConfig:
    """How the transformer is trained by default; each window is a sample at each of its steps."""
    return TrainingConfig(
        steps=20_000,
        batch_size=32,
        learning_rate=2e-3,
        warmup_steps=200,
        weight_decay=1e-4,
        betas=(0.9, 0.99),
        gradient_clip=1.0,
    )


def mlp_training() -> TrainingConfig:
    """As the transformer, on as many samples: a window is one, so that there are 15 times as many."""
    return replace(transformer_training(), batch_size=480)
