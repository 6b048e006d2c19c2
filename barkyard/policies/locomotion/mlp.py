"""The baseline without a sequence model: the window, flattened, through fully connected layers."""

import torch
from torch import Tensor, nn

from barkyard.policies.locomotion.config import LocomotionConfig, MlpConfig
from barkyard.policies.locomotion.network import LocomotionNetwork, ScanEncoder, StepShape, StepWindow


class LocomotionMlp(LocomotionNetwork):
    """Reads all states and previous actions of the window side by side, and the newest height scan, encoded.

    An action of an older step comes from the window as it was then, had the episode begun with it: the oldest step
    repeated. Only the newest is learnt from.
    """

    learns_at_every_step = False

    def __init__(self, network: MlpConfig, config: LocomotionConfig, shape: StepShape, action_dim: int) -> None:
        super().__init__()
        encoder = None if shape.scan is None else ScanEncoder(shape.scan, config.scan_channels, network.scan_width)
        self.scan_encoder = encoder
        steps = config.observation_steps
        inputs = steps * (shape.state + (shape.action or 0)) + (network.scan_width if shape.scan else 0)
        layers: list[nn.Module] = []
        for size, width in zip((inputs, *network.widths), network.widths, strict=False):
            layers += [nn.Linear(size, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear((inputs, *network.widths)[-1], action_dim))
        seen = torch.arange(steps)[:, None] + torch.arange(1 - steps, 1)
        self.register_buffer("seen", seen.clamp(min=0), persistent=False)
        self.seen: Tensor

    def forward(self, window: StepWindow, newest: bool) -> Tensor:
        """Predict; see `LocomotionNetwork.forward`."""
        read = slice(-1, None) if newest else slice(None)
        seen = self.seen[read]
        parts = [window.states[:, seen].flatten(2)]
        if window.actions is not None:
            parts.append(window.actions[:, seen].flatten(2))
        if self.scan_encoder is not None and window.scans is not None:
            scans = window.scans[:, read]
            parts.append(self.scan_encoder(scans.flatten(0, 1)).unflatten(0, scans.shape[:2]))
        out: Tensor = self.layers(torch.cat(parts, dim=-1))
        return out
