"""Actors that need nothing but a seed."""

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import InvalidInput

_STREAM = 0x72616E64
"""Keeps the actor's stream apart from the environment's, which begins at the same seed."""


class RandomActor:
    """Uniform actions in [-1, 1]: the floor that any policy must clear.

    One generator an episode, made from the episode's seed, so actions do not depend on the slot or the neighbours.
    """

    name = "random"

    def __init__(self, action_dim: int) -> None:
        if action_dim < 1:
            raise InvalidInput(f"action_dim is {action_dim}; give the environment's number of actions, at least 1")
        self._action_dim = action_dim
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin new episodes in `slots` with `seeds`, both `(k,)`."""
        for slot, seed in zip(slots, seeds, strict=True):
            sequence = np.random.SeedSequence(int(seed), spawn_key=(_STREAM,))
            self._generators[int(slot)] = np.random.default_rng(sequence)

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Draw `(N, A)` actions; slots that never began an episode get zeros."""
        batch = len(next(iter(observations.values())))
        actions = np.zeros((batch, self._action_dim), dtype=np.float32)
        for slot, generator in self._generators.items():
            actions[slot] = generator.uniform(-1.0, 1.0, self._action_dim)
        return actions
