"""The Locomotion-Transformer (Caluwaerts et al., Barkour, arXiv 2305.14654)."""

import torch
from torch import Tensor, nn

from barkyard.errors import InvalidInput
from barkyard.policies.locomotion.config import LocomotionConfig, TransformerConfig
from barkyard.policies.locomotion.network import LocomotionNetwork, ScanEncoder, StepShape, StepWindow


class LocomotionTransformer(LocomotionNetwork):
    """Pre-norm causal transformer; each step is the token of its previous action, then that of its state and command.

    One more token stands at the end of the window: it holds the newest height scan, sees all others, and the next
    action is read from it. To learn from every step in one pass, each step gets such a reading token, which sees the
    tokens up to its step and itself. No token sees another's reading token, so that the newest action is the same
    whether the older ones are computed or not.

    What the paper leaves open is chosen for learning in few steps. A reading token begins as the sum of its step's scan
    and state, so that no layer is spent on fetching the state. Time enters by a fixed bias on the attention, which
    falls with the distance in steps, at another rate for each head (ALiBi, Press et al., arXiv 2108.12409): what is
    learnt at one place of the window holds at all of them.

    Raises:
        InvalidInput: heads do not divide the width.
    """

    learns_at_every_step = True

    def __init__(self, network: TransformerConfig, config: LocomotionConfig, shape: StepShape, action_dim: int) -> None:
        super().__init__()
        width = network.width
        if width % network.heads:
            raise InvalidInput(f"width {width} must be a multiple of heads, {network.heads}")
        self.state_embedding = nn.Linear(shape.state, width)
        self.action_embedding = None if shape.action is None else nn.Linear(shape.action, width)
        self.scan_encoder = None if shape.scan is None else ScanEncoder(shape.scan, config.scan_channels, width)
        self.blocks = nn.ModuleList([Block(width, network.heads) for _ in range(network.layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, action_dim)
        bias = attention_bias(config.observation_steps, 1 if shape.action is None else 2, network.heads)
        self.register_buffer("bias", bias, persistent=False)
        self.bias: Tensor
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, window: StepWindow, newest: bool) -> Tensor:
        """Predict; see `LocomotionNetwork.forward`."""
        states = self.state_embedding(window.states)
        history = states
        if self.action_embedding is not None and window.actions is not None:
            history = torch.stack((self.action_embedding(window.actions), states), dim=2).flatten(1, 2)
        read = slice(-1, None) if newest else slice(None)
        readings = states[:, read]
        if self.scan_encoder is not None and window.scans is not None:
            scans = window.scans[:, read]
            readings = readings + self.scan_encoder(scans.flatten(0, 1)).unflatten(0, scans.shape[:2])
        count = history.shape[1]
        kept = torch.cat((torch.arange(count), torch.arange(count, self.bias.shape[1])[read]))
        bias = self.bias[:, kept][:, :, kept]
        x = torch.cat((history, readings), dim=1)
        for block in self.blocks[:-1]:
            x = block(x, bias)
        out: Tensor = self.head(self.norm(self.blocks[-1](x, bias, first=count)))
        return out


class Block(nn.Module):
    """Self-attention and feed-forward (ReLU, four times as wide), each behind a layer norm.

    The attention is written out: at these sizes it is as fast as torch's fused kernel, which on two threads rounds a
    row differently according to its place in the batch when there is a single query.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.attention_norm, self.forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.keys_values = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(inplace=True), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, bias: Tensor, first: int = 0) -> Tensor:
        """`(B, N, width)` tokens, with the `(heads, N, N)` bias -> those from `first` on, `(B, N - first, width)`."""
        normed = self.attention_norm(x)
        keys, values = (self._split(part) for part in self.keys_values(normed).chunk(2, dim=-1))
        query = self._split(self.query(normed[:, first:]) * self.scale)
        attended = (query @ keys.transpose(-1, -2) + bias[:, first:]).softmax(dim=-1) @ values
        x = x[:, first:] + self.out(attended.transpose(1, 2).flatten(2))
        out: Tensor = x + self.feed_forward(self.forward_norm(x))
        return out

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        return x.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)


def attention_bias(steps: int, kinds: int, heads: int) -> Tensor:
    """What is added to the attention of a token (row) to another (column), `(heads, N, N)`.

    The tokens are `kinds` for each of `steps` steps, in order, each of which sees those before it and itself; then one
    reading token for each step, which sees the tokens up to its step, and itself. Head `i` loses `2^-i` for each step
    of distance: from 1 to 1/8 with four heads, about the length of the window.
    """
    step = torch.arange(steps)
    of_history = step.repeat_interleave(kinds)
    count = len(of_history)
    visible = torch.eye(count + steps, dtype=torch.bool)
    visible[:count, :count] = torch.ones(count, count, dtype=torch.bool).tril()
    visible[count:, :count] = step[:, None] >= of_history
    of_all = torch.cat((of_history, step))
    slopes = 0.5 ** torch.arange(heads)
    bias = -slopes[:, None, None] * (of_all[:, None] - of_all)
    return bias.masked_fill(~visible, -torch.inf)
