"""What the locomotion networks share: their input, the height-scan encoder, and the interface."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn


@dataclass(frozen=True)
class StepShape:
    """What one step of a window holds.

    Attributes:
        state: numbers in the state, the command among them.
        action: numbers in the previous action; None where it is not observed.
        scan: rows and columns of the height scan; None where there is none.
    """

    state: int
    action: int | None
    scan: tuple[int, int] | None


@dataclass(frozen=True)
class StepWindow:
    """T steps, normalised, oldest first; None for what is not observed.

    Attributes:
        states: `(B, T, S)`.
        actions: `(B, T, A)`, at each step the action taken one step before.
        scans: `(B, T, R, C)`.
    """

    states: Tensor
    actions: Tensor | None
    scans: Tensor | None


class LocomotionNetwork(nn.Module, ABC):
    """Predicts actions from a window of steps.

    The action of a step is a function of the states and previous actions up to that step, and of that step's own
    height scan: older scans are not seen.
    """

    learns_at_every_step: ClassVar[bool]
    """Whether one pass gives the actions of all steps, so that all of them are learnt from."""

    @abstractmethod
    def forward(self, window: StepWindow, newest: bool) -> Tensor:
        """Predict.

        Args:
            window: what was seen.
            newest: whether the action of the newest step is enough.

        Returns:
            `(B, T, A)`, or `(B, 1, A)` for the newest.
        """


class ScanEncoder(nn.Sequential):
    """`(N, R, C)` height scans -> `(N, width)`, by two convolutions with ReLU; the second halves the grid."""

    def __init__(self, shape: tuple[int, int], channels: tuple[int, int], width: int) -> None:
        first, second = channels
        cells = (shape[0] + 1) // 2 * ((shape[1] + 1) // 2)
        super().__init__(
            nn.Unflatten(1, (1, shape[0])),
            nn.Conv2d(1, first, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * cells, width),
        )
