"""The one actor for all policies."""

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.policies.inference import Inference, check_finite, episode_generator
from barkyard.policies.policy import Policy


class PolicyActor:
    """Acts with a policy in a batch of environments: histories, chunks of actions in flight, noise.

    What is chosen for an episode depends on its observations, its seed and the actor's seed alone, bit for bit: the
    noise comes from a generator for each episode, and the policy always runs on equally many rows (`Inference`).

    Args:
        policy: what acts; set to evaluation mode.
        num_slots: number of environments.
        seed: the actor's own.
        inference_batch: rows of one inference, a multiple of 16; the policy's own number unless given.
    """

    def __init__(self, policy: Policy, num_slots: int, *, seed: int = 0, inference_batch: int | None = None) -> None:
        self._infer = Inference(policy, inference_batch)
        self.name, self.policy, self.seed = policy.origin.policy, policy, seed
        self.inference_batch = self._infer.rows
        steps, features = policy.config.observation_steps, policy.features
        self._history: Observations = {
            key: np.zeros((num_slots, steps, *shape), dtype=np.uint8 if key in features.images else np.float32)
            for key, shape in features.observations.items()
        }
        self._chunk = np.zeros((num_slots, policy.config.action_steps, features.action_dim), dtype=np.float32)
        self._position = np.zeros(num_slots, dtype=np.intp)
        self._generators: dict[int, np.random.Generator] = {}
        self._running = np.zeros(num_slots, dtype=bool)
        self._begins = np.zeros(num_slots, dtype=bool)
        self._checked = False

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin new episodes; see `barkyard.episode.Actor`."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._generators[int(slot)] = episode_generator(self.seed, int(seed))
        self._running[slots] = self._begins[slots] = True
        self._position[slots] = self.policy.config.action_steps

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Choose actions; see `barkyard.episode.Actor`. A slot never reset is given zeros.

        Raises:
            CheckpointError: the observations do not fit the policy, or it predicts what is not a number.
            InvalidInput: an observation is not a number.
        """
        self._check(observations)
        self._remember(observations)
        due = np.flatnonzero(self._position == self.policy.config.action_steps)
        if due.size:
            self._predict(due)
        actions: NDArray[np.float32] = self._chunk[np.arange(len(self._chunk)), self._position]
        self._position += self._running
        return actions

    def _check(self, observations: Observations) -> None:
        if not self._checked:
            shapes = {key: np.shape(values)[1:] for key, values in observations.items()}
            self.policy.features.check(shapes, self.policy.features.action_dim)
            self._checked = True

    def _remember(self, observations: Observations) -> None:
        for key, history in self._history.items():
            history[:, :-1] = history[:, 1:]
            history[:, -1] = observations[key]
            history[self._begins] = observations[key][self._begins, None]
        self._begins[:] = False

    def _predict(self, slots: NDArray[np.intp]) -> None:
        shape = self.policy.noise_shape
        noise = np.stack([self._generators[int(slot)].standard_normal(shape, dtype=np.float32) for slot in slots])
        windows = {key: history[slots] for key, history in self._history.items()}
        check_finite(windows, slots)
        self._chunk[slots] = self._infer(windows, noise)
        self._position[slots] = 0
