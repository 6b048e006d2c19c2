"""Behaviour cloning of locomotion: the next action by regression on a window of what was seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.locomotion.config import LocomotionConfig, TransformerConfig
from barkyard.policies.locomotion.mlp import LocomotionMlp
from barkyard.policies.locomotion.network import LocomotionNetwork, StepShape, StepWindow
from barkyard.policies.locomotion.transformer import LocomotionTransformer
from barkyard.policies.policy import FeatureSpec, Origin, Policy
from barkyard.policies.scaling import LARGEST_OBSERVATION, Scaling, by_deviation

SCAN, PREVIOUS_ACTION = "terrain", "last_action"
"""The observation parts with tokens of their own; all others are the state and command."""


class LocomotionPolicy(Policy):
    """The Locomotion-Transformer (Barkour, arXiv 2305.14654), or an MLP in its place.

    Observations are normalised by mean and standard deviation, actions to [-1, 1] by their limits in the data, which
    predictions never leave. The loss is the mean squared error of the normalised actions.

    Raises:
        InvalidInput: the observation parts are not those that the policy can read.
    """

    inference_batch = 32

    def __init__(
        self,
        config: LocomotionConfig,
        features: FeatureSpec,
        normalizers: Mapping[str, Normalizer],
        origin: Origin,
    ) -> None:
        super().__init__(config, features, normalizers, origin)
        self.locomotion = config
        shapes = features.observations
        self.state_keys = [key for key in shapes if key not in (SCAN, PREVIOUS_ACTION)]
        _check_parts(shapes, self.state_keys, config.scan_shape)
        self.state_scaling = Scaling([normalizers[key] for key in self.state_keys], LARGEST_OBSERVATION)
        self.part_scaling = nn.ModuleDict(
            {key: Scaling([normalizers[key]], LARGEST_OBSERVATION) for key in (PREVIOUS_ACTION, SCAN) if key in shapes}
        )
        self.action_scaling = Scaling([normalizers["action"]], 1.0)
        self._step = StepShape(
            state=sum(shapes[key][0] for key in self.state_keys),
            action=shapes[PREVIOUS_ACTION][0] if PREVIOUS_ACTION in shapes else None,
            scan=config.scan_shape if SCAN in shapes else None,
        )
        self.network = self._make_network(features.action_dim)

    def _make_network(self, outputs: int) -> LocomotionNetwork:
        config = self.locomotion
        network = LocomotionTransformer if isinstance(config.network, TransformerConfig) else LocomotionMlp
        return network(config.network, config, self._step, outputs)  # type: ignore[arg-type]

    @staticmethod
    def fit_observation(blocks: Collection[NDArray[np.float32]]) -> Normalizer:
        """Mean and standard deviation of the rows of `(n, d)` blocks, as limits one deviation to either side.

        A fall puts speeds ten times as high as walking into the data. Scaled by limits, walking would be a small part
        of the range.
        """
        return by_deviation(blocks)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """It takes no noise."""
        return (0, self.locomotion.horizon, self.features.action_dim)

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Mean squared error of the actions that are not padding; in training, without some previous actions."""
        device, keys = self.device, self.features.observations
        window = self._window({key: torch.from_numpy(batch.observations[key]).to(device) for key in keys})
        rate = self.locomotion.action_dropout
        if self.training and rate and window.actions is not None:
            kept = torch.rand(len(batch.actions), 1, 1, generator=generator) >= rate
            window = replace(window, actions=window.actions * kept.to(device))
        predicted = self.network(window, newest=not self.network.learns_at_every_step)
        learnt = slice(-predicted.shape[1], None)
        actions = self.action_scaling(torch.from_numpy(batch.actions[:, learnt]).to(device))
        real = ~torch.from_numpy(batch.is_pad[:, learnt]).to(device)
        errors = (predicted - actions).square().mean(dim=-1)
        return (errors * real).sum() / real.sum().clamp(min=1)

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The actions of all steps of the window; see `Policy.predict`."""
        return self.action_scaling.denormalize(self.network(self._window(observations), newest=False))

    def act(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The action of the newest step alone; see `Policy.act`."""
        return self.action_scaling.denormalize(self.network(self._window(observations), newest=True))

    def actor_critic(self) -> tuple[nn.Module, nn.Module]:
        """The network and a critic of its size; see `Policy.actor_critic`. Raises InvalidInput for several steps."""
        if self.locomotion.observation_steps != 1:
            raise InvalidInput(f"observation_steps is {self.locomotion.observation_steps}; reinforcement takes 1")
        return OneStep(self.network, self), OneStep(self._make_network(1), self)

    def _window(self, observations: Mapping[str, Tensor]) -> StepWindow:
        states = torch.cat([observations[key] for key in self.state_keys], dim=-1)
        parts = {key: scaling(observations[key]) for key, scaling in self.part_scaling.items()}
        scans = parts[SCAN].unflatten(-1, self.locomotion.scan_shape) if SCAN in parts else None
        return StepWindow(self.state_scaling(states), parts.get(PREVIOUS_ACTION), scans)


class OneStep(nn.Module):
    """A network of windows as one of single flat observations, the parts one after another."""

    def __init__(self, network: LocomotionNetwork, policy: LocomotionPolicy) -> None:
        super().__init__()
        self.network = network
        self._sizes = {key: shape[0] for key, shape in policy.features.observations.items()}
        self._states, self._scan = policy.state_keys, policy.locomotion.scan_shape

    def forward(self, observations: Tensor) -> Tensor:
        """`(B, I)` -> `(B, outputs)`."""
        split = observations[:, None].split_with_sizes(list(self._sizes.values()), dim=-1)
        parts = dict(zip(self._sizes, split, strict=True))
        scans = parts[SCAN].view(-1, 1, *self._scan) if SCAN in parts else None
        states = torch.cat([parts[key] for key in self._states], dim=-1)
        out: Tensor = self.network(StepWindow(states, parts.get(PREVIOUS_ACTION), scans), newest=True)
        return out[:, 0]


def _check_parts(shapes: Mapping[str, tuple[int, ...]], state_keys: Sequence[str], scan: tuple[int, int]) -> None:
    not_vectors = [key for key, shape in shapes.items() if len(shape) != 1]
    if not_vectors or not state_keys:
        raise InvalidInput(
            f"locomotion policies read vectors, at least one of them other than {SCAN} and {PREVIOUS_ACTION}; given: "
            f"{', '.join(shapes) or 'nothing'}, of which {', '.join(not_vectors) or 'none'} have another number of axes"
        )
    if SCAN in shapes and shapes[SCAN][0] != prod(scan):
        raise InvalidInput(
            f"{SCAN} holds {shapes[SCAN][0]} numbers, but scan_shape {scan} asks for {prod(scan)}: set scan_shape to "
            f"its rows and columns, or leave {SCAN} out of observation_keys"
        )
