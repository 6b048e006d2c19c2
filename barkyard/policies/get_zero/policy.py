"""Behaviour cloning over many bodies with one transformer over joints."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from barkyard.policies.get_zero.acting import OwnBody, Snapshot, observed
from barkyard.policies.get_zero.body import BodyTensors, Frames, read_body, stack_bodies
from barkyard.policies.get_zero.config import GetZeroConfig
from barkyard.policies.get_zero.network import JointTransformer, Structure
from barkyard.policies.get_zero.tokens import POSITIONS, Parts, fixed_width, published_features, whole_features
from barkyard.policies.policy import BODY, FeatureSpec, Origin, Policy
from barkyard.policies.scaling import by_deviation


@dataclass(frozen=True)
class _Bodies:
    """Bodies side by side, with all that is computed once for them."""

    tensors: BodyTensors
    structure: Structure
    limits: Tensor
    is_last: Tensor
    home: Frames


@dataclass(frozen=True)
class _Reach:
    """How angles are made small numbers: `(N, J)` middle and half of each joint's range."""

    middle: Tensor
    half: Tensor


class GetZeroPolicy(Policy):
    """A Graph Embodiment Transformer (Patel and Song, arXiv 2407.15002) for any body whose joints are commanded singly.

    All bodies share every weight, so a body that was never seen needs none: `for_body` acts with it. The loss is the
    mean squared error of the newest action, as the environment takes it, and of the self-model's places.

    Raises:
        InvalidInput: the features have no embodiment, or their parts do not fit it.
    """

    inference_batch = 16

    def __init__(
        self,
        config: GetZeroConfig,
        features: FeatureSpec,
        normalizers: Mapping[str, Normalizer],
        origin: Origin,
    ) -> None:
        super().__init__(config, features, normalizers, origin)
        if features.embodiment is None:
            raise InvalidInput(
                f"GET-Zero needs the embodiment of what it acts with, and the features of {features.env_id} have none: "
                "train with `barkyard train`, which reads it from the environment, or give `embodiment`"
            )
        self.get_zero = config
        self.parts = Parts.of(features.observations, features.embodiment)
        width = self.parts.width(config.observation_steps) + fixed_width(config.whole_tokens)
        self.network = JointTransformer(config, width)
        self._scales = {key: self._scale_of(key) for key in features.observations}
        self._learnt = self._lay_out(features.bodies or (features.embodiment,))
        self._own = self._lay_out((features.embodiment,))
        self._snapshot: Snapshot | None = None

    @staticmethod
    def fit_observation(blocks: Collection[NDArray[np.float32]]) -> Normalizer:
        """Mean and standard deviation of the rows of `(n, d)` blocks, as limits one deviation to either side."""
        return by_deviation(blocks)

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """It takes no noise."""
        return (0, self.config.horizon, self.features.action_dim)

    def for_body(
        self, body: Embodiment, observations: Mapping[str, tuple[int, ...]], action_dim: int
    ) -> "GetZeroPolicy":
        """The same policy, weights and all, for another body."""
        shapes = {key: observations[key] for key in self.features.observations if key in observations}
        features = replace(self.features, observations=shapes, action_dim=action_dim, embodiment=body)
        other = GetZeroPolicy(self.get_zero, features, self.normalizers, self.origin)
        if other.parts != self.parts:
            raise InvalidInput(f"the policy reads {self.parts}, and this body's environment offers {other.parts}")
        other.network, other.training = self.network, self.training
        return other

    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        """Error of the actions, and of the self-model as much as its weight says."""
        config, device = self.get_zero, self.device
        seen = {key: torch.from_numpy(values).to(device) for key, values in batch.observations.items()}
        wanted = torch.from_numpy(batch.actions[:, -1]).to(device).clamp(-1.0, 1.0)
        rows = seen.pop(BODY)[:, -1, 0].long() if BODY in seen else torch.zeros(len(wanted), dtype=torch.long)
        learnt = self._learnt
        bodies, limits = learnt.tensors.take(rows), learnt.limits[rows]
        real = learnt.structure.real[rows]
        shown = real
        if self.training:
            bodies, shown = self._augment(bodies, real, generator)
        tokens = self._tokens(seen, bodies, _home(learnt.home, rows), limits, learnt.is_last[rows])
        bias, order = self._bias(learnt.structure, rows, shown)
        actions, places = self.network(tokens, bias, order)
        counted = shown & ~torch.from_numpy(batch.is_pad[:, -1]).to(device)[:, None]
        loss = self._mean((actions - wanted).square(), counted)
        if places is not None:
            frames = bodies.forward_kinematics(seen["joint_pos"][:, -1])
            truth = frames.tips / config.length_unit if config.tips else frames.joints
            loss = loss + config.self_model * self._mean((places - truth).square().mean(dim=-1), counted)
        return loss

    def _mean(self, errors: Tensor, counted: Tensor) -> Tensor:
        """Over real joints, or, as published, over all slots."""
        total = (errors * counted).sum()
        if self.get_zero.masked_mean:
            return total / counted.sum().clamp(min=1)
        return total / (len(errors) * max(self.get_zero.max_joints, errors.shape[1]))

    def _augment(self, bodies: BodyTensors, real: Tensor, generator: torch.Generator) -> tuple[BodyTensors, Tensor]:
        config = self.get_zero
        if config.stretch:
            unit = torch.rand(real.shape, generator=generator).to(real.device)
            bodies = bodies.stretched(1.0 + config.stretch * (2.0 * unit - 1.0))
        if config.drop_joints:
            kept = torch.rand(real.shape, generator=generator).to(real.device) >= config.drop_joints
            kept |= ~(kept & real).any(dim=1, keepdim=True)
            real = real & kept
        return bodies, real

    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The actions of all steps of the window, older ones as if the episode had begun with it."""
        steps = self.config.observation_steps
        windows = [(torch.arange(1 - steps, 1) + step).clamp(min=0) for step in range(steps)]
        seen = {key: values.to(self.device) for key, values in observations.items()}
        return torch.stack([self._act({k: v[:, window] for k, v in seen.items()}) for window in windows], dim=1)

    def act(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The action of the newest step alone."""
        return self._act({key: values.to(self.device) for key, values in observations.items()})[:, None]

    def link_places(self, observations: Mapping[str, Tensor]) -> Tensor:
        """`(N, J, 3)` where the self-model takes the tips of the links to be (or, as published, the joints) [m].

        Raises:
            InvalidInput: the policy was made without a self-model.
        """
        unit = self.get_zero.length_unit if self.get_zero.tips else 1.0
        places = self._forward({key: values.to(self.device) for key, values in observations.items()})[1]
        if places is None:
            raise InvalidInput("self_model is 0, so this policy has no self-model; train one with a larger weight")
        return places * unit

    def true_places(self, observations: Mapping[str, Tensor]) -> Tensor:
        """`(N, J, 3)` where forward kinematics has what `link_places` predicts [m]."""
        angles = observations["joint_pos"][:, -1]
        frames = self._own.tensors.take(torch.zeros(len(angles), dtype=torch.long)).forward_kinematics(angles)
        return frames.tips if self.get_zero.tips else frames.joints

    def _act(self, seen: Mapping[str, Tensor]) -> Tensor:
        """`(N, J)` actions of its own body; without gradients from a snapshot of the weights, which is faster."""
        if torch.is_grad_enabled() or self.training:
            return self._forward(seen)[0].clamp(-1.0, 1.0)
        if self._snapshot is None or not self._snapshot.is_current():
            own, steps = self._own, self.config.observation_steps
            zeros = {key: torch.zeros(1, steps, *shape) for key, shape in self.features.observations.items()}
            shift = self._changing(zeros, own.limits)[0]
            scale = self._changing({key: torch.ones_like(each) for key, each in zeros.items()}, own.limits)[0] - shift
            fixed = self._fixed(own.tensors, own.home, own.limits, own.is_last)
            constant = OwnBody(self.network.bias(own.structure), fixed, own.structure.order, scale, shift)
            self._snapshot = Snapshot(self.network, constant, self.parts)
        return self._snapshot(seen).clamp_(-1.0, 1.0)

    def _forward(self, seen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Actions and places of its own body, not cut off."""
        own, count = self._own, len(seen["joint_pos"])
        fixed = self._fixed(own.tensors, own.home, own.limits, own.is_last)
        tokens = torch.cat([self._changing(seen, own.limits), fixed.expand(count, -1, -1)], dim=-1)
        out: tuple[Tensor, Tensor | None] = self.network(tokens, self.network.bias(own.structure), own.structure.order)
        return out

    def _bias(self, structure: Structure, rows: Tensor, shown: Tensor) -> tuple[Tensor | None, Tensor]:
        """For a batch of bodies `rows`, of which joints `shown` may be looked at."""
        bias, order = self.network.bias(structure), structure.order[rows]
        hidden = torch.zeros(shown.shape, device=shown.device).masked_fill(~shown, -torch.inf)[None, :, None, None, :]
        if bias is None:
            return (None if bool(shown.all()) else hidden.expand(self.get_zero.layers, -1, -1, -1, -1)), order
        return bias[:, rows] + hidden, order

    def _tokens(
        self, seen: Mapping[str, Tensor], bodies: BodyTensors, home: Frames, limits: Tensor, is_last: Tensor
    ) -> Tensor:
        return torch.cat([self._changing(seen, limits), self._fixed(bodies, home, limits, is_last)], dim=-1)

    def _changing(self, seen: Mapping[str, Tensor], limits: Tensor) -> Tensor:
        """`(N, J, F)` what is observed, each number's steps in a row: of the whole first, then of the joint."""
        reach = _Reach(limits.mean(dim=-1)[:, None], (limits[..., 1] - limits[..., 0])[:, None] / 2)
        scaled = {key: (seen[key] - self._scales[key][0]) / self._scales[key][1] for key, _ in self.parts.whole}
        scaled |= {key: self._of_joints(key, seen[key], reach) for key in self.parts.joint}
        return observed(scaled, self.parts)

    def _of_joints(self, key: str, values: Tensor, reach: _Reach) -> Tensor:
        """Angles by the joints' limits; as published, targets stay in radians."""
        if key == "joint_pos" or (key in POSITIONS and self.get_zero.whole_tokens):
            return (values - reach.middle) / reach.half.clamp(min=1e-3)
        if key in POSITIONS:
            return values
        middle, half = self._scales[key]
        return (values - middle) / half

    def _fixed(self, bodies: BodyTensors, home: Frames, limits: Tensor, is_last: Tensor) -> Tensor:
        if not self.get_zero.whole_tokens:
            return published_features(bodies)
        return whole_features(bodies, home, limits, is_last, self.get_zero.length_unit)

    def _scale_of(self, key: str) -> tuple[Tensor, Tensor]:
        """Shift and scale of a part; of a joint's part the same for all joints. Published tokens are as observed."""
        if self.get_zero.input_norm:
            return torch.tensor(0.0), torch.tensor(1.0)
        center, half = (
            torch.from_numpy(np.asarray(values, dtype=np.float32))
            for values in (self.normalizers[key].center, self.normalizers[key].half_range)
        )
        return (center.mean(), half.mean()) if key in self.parts.joint else (center, half)

    def _lay_out(self, bodies: tuple[Embodiment, ...]) -> _Bodies:
        read = [read_body(body) for body in bodies]
        joints = max(len(body) for body in read)
        tensors, structure = stack_bodies(read, joints), Structure.of(read, joints, self.get_zero)
        limits, is_last = torch.zeros(len(read), joints, 2), torch.zeros(len(read), joints)
        limits[..., 1] = 1.0
        for row, body in enumerate(read):
            limits[row, : len(body)] = torch.from_numpy(body.limits).float()
            is_last[row, : len(body)] = torch.from_numpy(body.is_last).float()
        home = tensors.forward_kinematics(torch.zeros(len(read), joints))
        return _Bodies(tensors, structure, limits, is_last, home)


def _home(frames: Frames, rows: Tensor) -> Frames:
    return Frames(frames.joints[rows], frames.axes[rows], frames.tips[rows])
