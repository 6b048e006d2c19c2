"""What a policy sees in a camera's images: a short vector for each."""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import VisionConfig

GROUP: Final = 16
"""Channels that are normalised together, as in Diffusion Policy's encoder."""


class ImageEncoder(nn.Module):
    """`(B, To, H, W, 3)` images, uint8 or of their values, to `(B, To, features)`.

    A convolutional network with group normalisation, whose weights may be averaged, and a spatial softmax, as in
    Diffusion Policy (Chi et al., arXiv 2303.04137): what comes out is where in the image each of some learnt points is.

    Args:
        config: network, crop and augmentation.
        shape: of an image, (H, W, 3).

    Raises:
        InvalidInput: the crop is larger than the image.
    """

    def __init__(self, config: VisionConfig, shape: tuple[int, ...]) -> None:
        super().__init__()
        if config.crop > min(shape[:2]):
            raise InvalidInput(f"vision.crop {config.crop} is larger than the images of {shape[0]} x {shape[1]}")
        self.config = config
        self.network, channels = resnet18() if config.network == "resnet18" else short_network()
        self.points = SpatialSoftmax(channels, config.points)
        self.out = nn.Linear(2 * config.points, config.features)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Encode; with a generator, each window is cut out at random and its brightness changed, all steps alike."""
        windows = images.float() / 127.5 - 1.0
        windows = self._augment(windows, generator) if generator is not None else self._middle(windows)
        pictures = windows.flatten(0, 1).permute(0, 3, 1, 2)
        out: Tensor = self.out(self.points(self.network(pictures))).view(*images.shape[:2], -1)
        return out

    def _middle(self, windows: Tensor) -> Tensor:
        top, left = ((size - self.config.crop) // 2 for size in windows.shape[2:4])
        return windows[:, :, top : top + self.config.crop, left : left + self.config.crop]

    def _augment(self, windows: Tensor, generator: torch.Generator) -> Tensor:
        batch, steps, height, width, _ = windows.shape
        crop, device = torch.arange(self.config.crop), windows.device
        rows, columns = (
            (torch.randint(size - self.config.crop + 1, (batch, 1), generator=generator) + crop).to(device)
            for size in (height, width)
        )
        which, when = torch.arange(batch, device=device), torch.arange(steps, device=device)
        cut = windows[
            which[:, None, None, None], when[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]
        ]
        change = self.config.brightness * (2.0 * torch.rand(2, batch, 1, 1, 1, 1, generator=generator) - 1.0)
        return cut * (1.0 + change[0].to(device)) + change[1].to(device)


class SpatialSoftmax(nn.Module):
    """Where learnt points are in a feature map: means of the coordinates -1 to 1 under a softmax (Finn et al., 2016).

    Args:
        channels: of the feature map.
        points: how many.
    """

    def __init__(self, channels: int, points: int) -> None:
        super().__init__()
        self.find = nn.Conv2d(channels, points, 1)

    def forward(self, features: Tensor) -> Tensor:
        """`(N, channels, h, w)` to `(N, 2 points)`: x of all points, then y."""
        found = self.find(features)
        height, width = found.shape[-2:]
        chances = found.flatten(2).softmax(dim=-1).unflatten(-1, (height, width))
        across = torch.linspace(-1.0, 1.0, width, device=found.device)
        down = torch.linspace(-1.0, 1.0, height, device=found.device)
        return torch.cat([(chances.sum(2) * across).sum(-1), (chances.sum(3) * down).sum(-1)], dim=-1)


def short_network() -> tuple[nn.Module, int]:
    """Five convolutions, an eighth of the image's size, for two processor cores; and its channels."""
    sizes = [(3, 32, 5, 2), (32, 64, 3, 2), (64, 64, 3, 1), (64, 64, 3, 2), (64, 64, 3, 1)]
    return nn.Sequential(*(_convolution(*size) for size in sizes)), sizes[-1][1]


def resnet18() -> tuple[nn.Module, int]:
    """ResNet-18 (He et al., 2016) without its last layers, group norm in place of batch norm; and its channels."""
    widths = (64, 64, 64, 128, 128, 256, 256, 512, 512)
    blocks = [Block(before, width, 1 if before == width else 2) for before, width in pairwise(widths)]
    first = nn.Sequential(_convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(first, *blocks), widths[-1]


class Block(nn.Module):
    """Two convolutions around which the input goes, through one of its own where size or width change."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(before, width, 3, stride), _normalized(width, width, 3, 1)
        self.past = _normalized(before, width, 1, stride) if before != width else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """`(N, before, h, w)` to `(N, width, h / stride, w / stride)`."""
        return torch.relu(self.second(self.first(features)) + self.past(features))


def _normalized(before: int, width: int, size: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, size, stride, size // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(width // GROUP, width))


def _convolution(before: int, width: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_normalized(before, width, size, stride), nn.ReLU())
