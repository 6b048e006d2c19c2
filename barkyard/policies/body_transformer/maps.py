"""Linear maps from a limb's observations to its token, and from its token to its actions, all limbs at once."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class LimbEncoder(nn.Module):
    """`(B, I)` flat observations -> `(B, limbs, width)` tokens, by one linear map a limb in one batched product.

    The weights are kept without padding, so that their number is that of the maps; a limb that observes nothing has
    its bias for a token.

    Args:
        inputs: for each limb, the elements of the observation that it sees.
        numbers: for each limb, the number of its map; limbs with one number share it.
        width: of a token.
    """

    def __init__(self, inputs: Sequence[Sequence[int]], numbers: Sequence[int], width: int) -> None:
        super().__init__()
        count, most = max(numbers) + 1, max(1, *map(len, inputs))
        sizes = [len(inputs[numbers.index(number)]) for number in range(count)]
        starts = [sum(sizes[:number]) for number in range(count)]
        total = sum(sizes)
        seen = torch.full((len(inputs), most), -1)
        rows = torch.full((len(inputs), most), total)
        for limb, (own, number) in enumerate(zip(inputs, numbers, strict=True)):
            seen[limb, : len(own)] = torch.tensor(own, dtype=torch.long)
            rows[limb, : len(own)] = starts[number] + torch.arange(len(own))
        observed = sum(map(len, inputs))
        self.weight = nn.Parameter(torch.empty(total, width))
        self.bias = nn.Parameter(torch.empty(count, width))
        for number, size in enumerate(sizes):
            bound = max(size, 1) ** -0.5
            nn.init.uniform_(self.weight.data[starts[number] : starts[number] + size], -bound, bound)
            nn.init.uniform_(self.bias.data[number], -bound, bound)
        self.register_buffer("seen", torch.where(seen < 0, observed, seen).flatten(), persistent=False)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("numbers", torch.tensor(list(numbers)), persistent=False)
        self.seen: Tensor
        self.rows: Tensor
        self.numbers: Tensor

    def forward(self, observations: Tensor) -> Tensor:
        """Tokens."""
        limbs, most = self.rows.shape
        padded = pad(observations, (0, 1)).index_select(1, self.seen).view(-1, limbs, most).transpose(0, 1)
        weight, bias = self.padded()
        return torch.baddbmm(bias, padded, weight).transpose(0, 1)

    def padded(self) -> tuple[Tensor, Tensor]:
        """Weights `(limbs, M, width)`, with zeros where a limb observes less than M, and biases `(limbs, 1, width)`."""
        return pad(self.weight, (0, 0, 0, 1))[self.rows], self.bias[self.numbers, None]


class LimbDecoder(nn.Module):
    """`(B, limbs, width)` tokens -> `(B, A)`, each element by a linear map of its limb's token.

    Args:
        outputs: for each element, its limb.
        numbers: for each element, the number of its map; elements with one number share it.
        width: of a token.
    """

    def __init__(self, outputs: Sequence[int], numbers: Sequence[int], width: int) -> None:
        super().__init__()
        count, bound = max(numbers) + 1, width**-0.5
        self.weight = nn.Parameter(torch.empty(count, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(count).uniform_(-bound, bound))
        self.register_buffer("limbs", torch.tensor(list(outputs)), persistent=False)
        self.register_buffer("numbers", torch.tensor(list(numbers)), persistent=False)
        self.limbs: Tensor
        self.numbers: Tensor

    def forward(self, tokens: Tensor) -> Tensor:
        """The elements."""
        products = tokens.index_select(1, self.limbs) * self.weight[self.numbers]
        return products.sum(dim=-1) + self.bias[self.numbers]
