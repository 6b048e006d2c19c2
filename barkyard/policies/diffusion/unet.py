"""The 1-D U-Net over the action time axis (Chi et al., arXiv 2303.04137, section 3.1, and its code)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import UnetConfig
from barkyard.policies.diffusion.network import DenoisingNetwork, SinusoidalEmbedding


class ConditionalUnet(DenoisingNetwork):
    """U-Net whose every residual block is modulated by the step and the observations (FiLM, Perez et al. 2018).

    The modulation of all blocks is one linear map of `mish(step embedding)` plus one of `mish(observations)`: the same
    function, and the same number of parameters, as one map of both concatenated for each block, but either half can
    be computed alone.
    """

    def __init__(
        self, config: UnetConfig, horizon: int, action_dim: int, observation_steps: int, observation_dim: int
    ) -> None:
        super().__init__()
        _check(config, horizon)
        widths, kernel, groups = config.widths, config.kernel_size, config.groups
        narrower = [nn.Conv1d(width, width, 3, stride=2, padding=1) for width in widths[:-1]]
        self.down = nn.ModuleList(
            Level(before, after, kernel, groups, resample)
            for (before, after), resample in zip(
                pairwise((action_dim, *widths)), [*narrower, nn.Identity()], strict=True
            )
        )
        self.middle = Level(widths[-1], widths[-1], kernel, groups, nn.Identity())
        self.up = nn.ModuleList(
            Level(2 * before, after, kernel, groups, nn.ConvTranspose1d(after, after, 4, stride=2, padding=1))
            for before, after in pairwise(reversed(widths))
        )
        first = widths[0]
        self.head = nn.Sequential(*_conv_block(first, first, kernel, groups), nn.Conv1d(first, action_dim, 1))

        width = config.step_embedding
        self.step_encoder = nn.Sequential(
            SinusoidalEmbedding(width), nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width)
        )
        self.film_sizes = [level.film_size for level in self._levels()]
        condition = observation_steps * observation_dim
        self.step_film = nn.Linear(width, sum(self.film_sizes))
        self.observation_film = nn.Linear(condition, sum(self.film_sizes), bias=False)
        bound = (width + condition) ** -0.5
        for parameter in (self.step_film.weight, self.step_film.bias, self.observation_film.weight):
            nn.init.uniform_(parameter, -bound, bound)

    def encode_observations(self, observations: Tensor) -> Tensor:
        """`(B, To, O)` -> `(B, F)`, the observations' part of every block's scale and bias."""
        film: Tensor = self.observation_film(nn.functional.mish(observations.flatten(1)))
        return film

    def encode_steps(self, steps: Tensor) -> Tensor:
        """`(S,)` -> `(S, F)`, the steps' part of every block's scale and bias."""
        film: Tensor = self.step_film(nn.functional.mish(self.step_encoder(steps)))
        return film

    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        """Denoise `(B, Tp, A)` actions."""
        film = iter(torch.split((steps + observations).unsqueeze(-1), self.film_sizes, dim=1))
        x = actions.transpose(1, 2)
        skips = []
        for level in self.down:
            skip, x = level(x, next(film))
            skips.append(skip)
        _, x = self.middle(x, next(film))
        for level in self.up:
            _, x = level(torch.cat((x, skips.pop()), dim=1), next(film))
        out: Tensor = self.head(x)
        return out.transpose(1, 2)

    def _levels(self) -> list["Level"]:
        return [level for level in (*self.down, self.middle, *self.up) if isinstance(level, Level)]


class Level(nn.Module):
    """Two residual blocks at one resolution, then a step to another."""

    def __init__(self, before: int, after: int, kernel_size: int, groups: int, resample: nn.Module) -> None:
        super().__init__()
        self.first = ResidualBlock(before, after, kernel_size, groups)
        self.second = ResidualBlock(after, after, kernel_size, groups)
        self.resample = resample
        self.film_size = 4 * after

    def forward(self, x: Tensor, film: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, before, T)` and `(B, film_size, 1)` -> `(B, after, T)`, and the same resampled."""
        first, second = film.chunk(2, dim=1)
        x = self.second(self.first(x, first), second)
        return x, self.resample(x)


class ResidualBlock(nn.Module):
    """Two convolution blocks with the FiLM modulation between them, and a skip."""

    def __init__(self, before: int, after: int, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_conv_block(before, after, kernel_size, groups))
        self.second = nn.Sequential(*_conv_block(after, after, kernel_size, groups))
        self.skip = nn.Identity() if before == after else nn.Conv1d(before, after, 1)

    def forward(self, x: Tensor, film: Tensor) -> Tensor:
        """`(B, before, T)` and `(B, 2 after, 1)` (scales, then biases) -> `(B, after, T)`."""
        scale, bias = film.chunk(2, dim=1)
        out: Tensor = self.second(torch.addcmul(bias, self.first(x), scale)) + self.skip(x)
        return out


def _conv_block(before: int, after: int, kernel_size: int, groups: int) -> list[nn.Module]:
    return [
        nn.Conv1d(before, after, kernel_size, padding=kernel_size // 2),
        nn.GroupNorm(groups, after),
        nn.Mish(),
    ]


def _check(config: UnetConfig, horizon: int) -> None:
    factor = 2 ** (len(config.widths) - 1)
    if horizon < factor or horizon % factor:
        below = max(horizon // factor, 1) * factor
        raise InvalidInput(
            f"horizon {horizon} must be a multiple of {factor}: a U-Net of {len(config.widths)} widths halves the time "
            f"axis {len(config.widths) - 1} times. Take {below} or {below + factor}, fewer widths, or the transformer."
        )
    if config.kernel_size % 2 == 0:
        raise InvalidInput(f"kernel_size {config.kernel_size} must be odd, such as 3 or 5")
    for width in config.widths:
        if width % config.groups:
            raise InvalidInput(f"width {width} must be a multiple of groups, {config.groups}")
