"""Behaviour cloning with a Body Transformer: the next action by regression."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.policies.body_transformer.config import BodyTransformerConfig
from barkyard.policies.body_transformer.layout import lay_out
from barkyard.policies.body_transformer.network import BodyTransformer, MeanOfLimbs
from barkyard.policies.policy import FeatureSpec, Origin, Policy
from barkyard.policies.scaling import LARGEST_OBSERVATION, Scaling, by_deviation


class BodyTransformerPolicy(Policy):
    """The Body Transformer (Sferrazza et al., arXiv 2408.06316) for any body and observation of named vectors.

    Observations are normalised by mean and standard deviation, actions to [-1, 1] by their limits in the data, which
    predictions never leave. The loss is the mean squared error of the newest normalised action.

    Raises:
        InvalidInput: the features have no embodiment, or their parts do not fit it.
    """

    inference_batch = 32

    def __init__(
        self,
        config: BodyTransformerConfig,
        features: FeatureSpec,
        normalizers: Mapping[str, Normalizer],
        origin: Origin,
    ) -> None:
        super().__init__(config, features, normalizers, origin)
        self.body_transformer = config
        self.layout = lay_out(features, config.observation_steps, config.shared_maps)
        assert features.embodiment is not None
        self.scaling = Scaling([normalizers[key] for key in features.observations], LARGEST_OBSERVATION)
        self.action_scaling = Scaling([normalizers["action"]], 1.0)
        self.network = BodyTransformer(config, self.layout, features.embodiment.limb_graph.hop)

    @staticmethod
    def fit_observation(blocks: Collection[NDArray[np.float32]]) -> Normalizer:
        """Mean and standard deviation of the rows of `(n, d)` blocks, as limits one deviation to either side."""
        return by_deviation(blocks)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """It takes no noise."""
        return (0, self.config.horizon, self.features.action_dim)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Mean squared error of the newest action where it is not padding."""
        seen = self._normalize({key: torch.from_numpy(values) for key, values in batch.observations.items()})
        actions = self.action_scaling(torch.from_numpy(batch.actions[:, -1]).to(self.device))
        real = ~torch.from_numpy(batch.is_pad[:, -1]).to(self.device)
        errors = (self.network(seen.flatten(1)) - actions).square().mean(dim=-1)
        return (errors * real).sum() / real.sum().clamp(min=1)

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The actions of all steps of the window, older ones as if the episode had begun with it."""
        seen, steps = self._normalize(observations), self.config.observation_steps
        windows = [seen[:, (torch.arange(1 - steps, 1) + step).clamp(min=0)].flatten(1) for step in range(steps)]
        return self.action_scaling.denormalize(torch.stack([self.network(window) for window in windows], dim=1))

    def act(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The action of the newest step alone."""
        return self.action_scaling.denormalize(self.network(self._normalize(observations).flatten(1))[:, None])

    def actor_critic(self) -> tuple[nn.Module, nn.Module]:
        """The network, and one of its size whose value is the mean over limbs; see `Policy.actor_critic`."""
        assert self.features.embodiment is not None
        hop = self.features.embodiment.limb_graph.hop
        critic = BodyTransformer(self.body_transformer, self.layout, hop, values=True)
        return self.network, nn.Sequential(critic, MeanOfLimbs())

    def _normalize(self, observations: Mapping[str, Tensor]) -> Tensor:
        """`(B, To, I)`, the parts one after another."""
        parts = [observations[key].to(self.device) for key in self.features.observations]
        out: Tensor = self.scaling(torch.cat(parts, dim=-1))
        return out
