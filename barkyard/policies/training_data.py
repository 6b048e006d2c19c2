"""What a training run reads: the split, the windows, their order, and the normalisation."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from barkyard.datasets import Dataset, Normalizer, Windows, split_episodes
from barkyard.errors import InvalidInput
from barkyard.policies.policy import ChunkConfig, FeatureSpec

EXPERT_ACTION = "expert_action"
"""The observation part that, where a dataset has it, holds what an expert would have done, and is learnt instead of
the action that was executed (DAgger: Ross et al., 2011)."""


class TrainingData:
    """A dataset, split by episode into windows to train on and windows to measure on.

    Args:
        dataset: what is learnt from.
        config: of the policy.
        observation_keys: observation parts to learn from; all vectors but `expert_action` unless given.
        held_out: fraction of the episodes to measure on.
        seed: of the split.
        fit_observation: makes the normalizer of an observation part from its `(N, d)` values.

    Attributes:
        features: what a policy that learns from it sees and commands.
        training: the windows to train on.
        held_out: the windows of the episodes kept out.
        normalizers: fitted to the training episodes: one for each observation part, and one for `action`.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: ChunkConfig,
        observation_keys: Sequence[str] | None,
        held_out: float,
        seed: int,
        fit_observation: Callable[[NDArray[np.float32]], Normalizer] = Normalizer.fit,
    ) -> None:
        dataset = with_expert_actions(dataset)
        keys = choose_keys(dataset, observation_keys)
        shapes = dataset.observation_shapes
        self.fingerprint = dataset.fingerprint
        self.features = FeatureSpec(
            {key: shapes[key] for key in keys},
            dataset.action_size,
            dataset.env_id,
            dataset.control_dt,
            dataset.env_kwargs,
        )
        train_episodes, held_out_episodes = split_episodes(dataset.num_episodes, held_out, seed)
        self.training, self.held_out = (
            Windows(dataset, config.observation_steps, config.horizon, 1 - config.observation_steps, keys, episodes)
            for episodes in (train_episodes, held_out_episodes)
        )
        frames = Windows(dataset, 1, 1, 0, keys, train_episodes)
        every = frames.gather(np.arange(len(frames)))
        self.normalizers = {key: fit_observation(every.observations[key][:, 0]) for key in keys}
        self.normalizers["action"] = Normalizer.fit(every.actions)


def with_expert_actions(dataset: Dataset) -> Dataset:
    """The dataset with the actions of its part `expert_action`, or as it is where it has none.

    Raises:
        InvalidInput: the part is not as long as an action.
    """
    shape = dataset.observation_shapes.get(EXPERT_ACTION)
    if shape is None:
        return dataset
    if shape != (dataset.action_size,):
        raise InvalidInput(f"{EXPERT_ACTION} has shape {shape}; valid: ({dataset.action_size},), that of an action")
    labelled = copy.copy(dataset)
    labelled.actions = dataset.take([EXPERT_ACTION], np.arange(dataset.num_frames))[EXPERT_ACTION].copy()
    return labelled


def choose_keys(dataset: Dataset, keys: Sequence[str] | None) -> list[str]:
    """The observation parts to learn from: those asked for, or else all vectors but `expert_action`.

    Raises:
        InvalidInput: a part is unknown, no vector, or what is to be learnt.
    """
    shapes = dataset.observation_shapes
    vectors = [key for key, shape in shapes.items() if len(shape) == 1 and key != EXPERT_ACTION]
    if keys is None:
        return vectors
    dataset.check_parts(keys)
    others = [key for key in keys if key not in vectors]
    if others or not keys:
        raise InvalidInput(
            f"observation_keys {list(keys)} must be one or more vectors other than {EXPERT_ACTION}; no policy reads "
            f"images yet. Valid: {', '.join(vectors)}"
        )
    return list(keys)


class BatchOrder:
    """Which windows each step reads: every epoch a new permutation, cut into batches that run on across its end.

    A pure function of the seed and the step, so that a resumed run reads what it would have read.
    """

    def __init__(self, windows: int, batch_size: int, seed: int) -> None:
        self.windows, self.batch_size, self.seed = windows, batch_size, seed
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.intp)

    def batch(self, step: int) -> NDArray[np.intp]:
        """`(batch_size,)` window numbers."""
        places = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs = places // self.windows
        numbers = np.empty_like(places)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            numbers[here] = self._permute(int(epoch))[places[here] % self.windows]
        return numbers

    def _permute(self, epoch: int) -> NDArray[np.intp]:
        if epoch != self._epoch:
            self._permutation = np.random.default_rng((self.seed, epoch)).permutation(self.windows)
            self._epoch = epoch
        return self._permutation
