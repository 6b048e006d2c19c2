"""What a training run reads: the split, the windows, their order, and the normalisation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from barkyard.datasets import Dataset, Normalizer, Windows, split_episodes
from barkyard.errors import InvalidInput
from barkyard.policies.policy import ChunkConfig, FeatureSpec


class TrainingData:
    """A dataset, split by episode into windows to train on and windows to measure on.

    Attributes:
        features: what a policy that learns from it sees and commands.
        training: the windows to train on.
        held_out: the windows of the episodes kept out.
        normalizers: fitted to the training episodes: one for each observation part, and one for `action`.
    """

    def __init__(
        self, dataset: Dataset, config: ChunkConfig, observation_keys: Sequence[str] | None, held_out: float, seed: int
    ) -> None:
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
        self.normalizers = {key: Normalizer.fit(every.observations[key]) for key in keys}
        self.normalizers["action"] = Normalizer.fit(every.actions)


def choose_keys(dataset: Dataset, keys: Sequence[str] | None) -> list[str]:
    """The observation parts to learn from: those asked for, or else all vectors.

    Raises:
        InvalidInput: a part is unknown or no vector.
    """
    shapes = dataset.observation_shapes
    vectors = [key for key, shape in shapes.items() if len(shape) == 1]
    if keys is None:
        return vectors
    dataset.check_parts(keys)
    images = [key for key in keys if key not in vectors]
    if images or not keys:
        raise InvalidInput(
            f"observation_keys {list(keys)} must be one or more vectors; no policy reads images yet. "
            f"Valid: {', '.join(vectors)}"
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
