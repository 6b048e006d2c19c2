"""Actors that need nothing but a seed, and noise for those that need more."""

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Actor, Observations
from barkyard.errors import InvalidInput

_STREAM = 0x72616E64
_NOISE = 0x6E6F6973
"""They keep the actors' streams apart from the environment's, which begins at the same seed."""


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


class NoisyActor:
    """Another actor, with normal noise added to every action: a family of actors of every quality. Final.

    Noise comes from the episode's seed, so it does not depend on the slot or the neighbours.
    """

    def __init__(self, actor: Actor, action_dim: int, noise: float) -> None:
        """`noise`: standard deviation, in actions. Raises InvalidInput if it is negative or not finite."""
        if not (np.isfinite(noise) and noise >= 0.0):
            raise InvalidInput(f"noise is {noise}; give a standard deviation of the actions, 0 or more")
        self.name = f"{actor.name} with noise {noise:g}"
        self._actor, self._action_dim, self._noise = actor, action_dim, noise
        self._generators: dict[int, np.random.Generator] = {}

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin new episodes in `slots` with `seeds`, both `(k,)`."""
        self._actor.reset(slots, seeds)
        for slot, seed in zip(slots, seeds, strict=True):
            sequence = np.random.SeedSequence(int(seed), spawn_key=(_NOISE,))
            self._generators[int(slot)] = np.random.default_rng(sequence)

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """The other's `(N, A)` actions and noise, kept in [-1, 1]."""
        actions = np.array(self._actor.act(observations), dtype=np.float32)
        for slot, generator in self._generators.items():
            actions[slot] += self._noise * generator.standard_normal(self._action_dim, dtype=np.float32)
        return np.clip(actions, -1.0, 1.0)
