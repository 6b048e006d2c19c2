"""How a policy is trained; imports nothing heavy."""

from dataclasses import dataclass
from typing import Final

from barkyard.errors import InvalidInput

PRECISIONS: Final = ("float32", "bf16")


@dataclass(frozen=True)
class TrainingConfig:
    """Optimiser and schedule.

    Attributes:
        steps: optimiser steps of the whole run.
        batch_size: windows a step.
        learning_rate: peak of the schedule: linear warm-up, then a cosine down to 0 at the last step.
        warmup_steps: length of the warm-up [steps].
        weight_decay: AdamW's, on matrices and convolutions only, never on biases, norms and positions.
        betas: AdamW's.
        gradient_clip: largest norm of the gradient; 0 leaves it as it is.
        held_out: fraction of the episodes kept out of training, to measure the loss on.
        shards: equal parts that a batch is cut into, each with noise of its own. They are done one after another, so
            that a part alone is in memory, or by several processes (torchrun), a multiple of whose number it must be;
            who does them makes no difference to the loss.
        precision: `float32`, or `bf16`: products of matrices in bfloat16, weights and sums in float32.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float = 1e-6
    betas: tuple[float, float] = (0.95, 0.999)
    gradient_clip: float = 0.0
    held_out: float = 0.02
    shards: int = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name, low in (("steps", 1), ("batch_size", 1), ("warmup_steps", 0), ("shards", 1), ("gradient_clip", 0.0)):
            if getattr(self, name) < low:
                raise InvalidInput(f"{name} {getattr(self, name)} must be at least {low}")
        if self.learning_rate <= 0:
            raise InvalidInput(f"learning_rate {self.learning_rate} must be above 0")
        if self.batch_size % self.shards:
            raise InvalidInput(f"shards {self.shards} must divide the batch_size {self.batch_size}")
        if self.precision not in PRECISIONS:
            raise InvalidInput(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
