"""The Body Transformer as a denoising network: one token a limb, over the whole chunk."""

from torch import Tensor, nn

from barkyard.errors import InvalidInput
from barkyard.policies.body_transformer.layout import lay_out
from barkyard.policies.body_transformer.maps import LimbDecoder, LimbEncoder
from barkyard.policies.body_transformer.network import AttentionBias, Layer
from barkyard.policies.diffusion.config import BodyConfig
from barkyard.policies.diffusion.network import DenoisingNetwork, SinusoidalEmbedding
from barkyard.policies.policy import FeatureSpec


class BodyDenoiser(DenoisingNetwork):
    """A limb's token is the sum of maps of its noisy actions at all times, of what it observed, and of the step.

    Layers and attention are the Body Transformer's (Sferrazza et al., arXiv 2408.06316); that the chunk's times share a
    token is a choice: attention costs no more for a longer chunk.

    Args:
        config: its size and attention.
        horizon: actions it predicts (Tp).
        observation_steps: observations it sees (To).
        features: with an embodiment.

    Raises:
        InvalidInput: the features have no embodiment, their parts do not fit it, or the sizes do not fit one another.
    """

    def __init__(self, config: BodyConfig, horizon: int, observation_steps: int, features: FeatureSpec) -> None:
        super().__init__()
        width = config.width
        if width % config.heads or width % 2:
            raise InvalidInput(f"width {width} must be even and a multiple of heads, {config.heads}")
        layout = lay_out(features, observation_steps)
        assert features.embodiment is not None
        hop, size = features.embodiment.limb_graph.hop, features.action_dim
        limbs = range(len(layout.inputs))
        chunk = [layout.outputs[i % size] for i in range(horizon * size)]
        parts = [[i for i, owner in enumerate(chunk) if owner == limb] for limb in limbs]
        self.action_encoder = LimbEncoder(parts, limbs, width)
        self.observation_encoder = LimbEncoder(layout.inputs, limbs, width)
        self.step_encoder = nn.Sequential(
            SinusoidalEmbedding(width), nn.Linear(width, 2 * width), nn.Mish(), nn.Linear(2 * width, width)
        )
        self.bias = AttentionBias(config.attention, config.layers, config.heads, hop, config.shuffle_seed)
        self.layers = nn.ModuleList([Layer(width, config.heads, config.feed_forward) for _ in range(config.layers)])
        self.decoder = LimbDecoder(chunk, range(len(chunk)), width)

    def encode_observations(self, observations: Tensor) -> Tensor:
        """`(B, To, O)` -> `(B, limbs, width)`."""
        tokens: Tensor = self.observation_encoder(observations.flatten(1))
        return tokens

    def encode_steps(self, steps: Tensor) -> Tensor:
        """`(S,)` -> `(S, 1, width)`."""
        tokens: Tensor = self.step_encoder(steps)[:, None]
        return tokens

    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        """Denoise `(B, Tp, A)` actions."""
        tokens = self.action_encoder(actions.flatten(1)) + observations + steps
        for layer, bias in zip(self.layers, self.bias(), strict=True):
            tokens = layer(tokens, bias)
        out: Tensor = self.decoder(tokens)
        return out.view_as(actions)
