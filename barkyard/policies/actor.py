"""The one actor for all policies."""

import numpy as np
import torch
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.policy import Policy

BATCH_MULTIPLE = 16
"""What the rows of an inference are a multiple of, so that no element-wise kernel treats the last ones differently."""


class PolicyActor:
    """Acts with a policy in a batch of environments: histories, chunks of actions in flight, noise.

    What is chosen for an episode depends on its observations, its seed and the actor's seed alone, bit for bit: the
    noise comes from a generator for each episode, and the policy always runs on exactly `inference_batch` rows (the
    kernels of a processor round differently for different batch sizes, but treat all rows of a batch alike).

    Args:
        policy: what acts; set to evaluation mode.
        num_slots: number of environments.
        seed: the actor's own.
        inference_batch: rows of one inference, a multiple of 16; the policy's own number unless given.
    """

    def __init__(self, policy: Policy, num_slots: int, *, seed: int = 0, inference_batch: int | None = None) -> None:
        rows = policy.inference_batch if inference_batch is None else inference_batch
        if rows < BATCH_MULTIPLE or rows % BATCH_MULTIPLE:
            raise InvalidInput(f"inference_batch {rows} must be a multiple of {BATCH_MULTIPLE}, at least that")
        self.name = policy.origin.policy
        self.policy = policy.eval()
        self.seed, self.inference_batch = seed, rows
        steps, features = policy.config.observation_steps, policy.features
        self._history: Observations = {
            key: np.zeros((num_slots, steps, *shape), dtype=np.float32) for key, shape in features.observations.items()
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
            self._generators[int(slot)] = np.random.default_rng(np.random.SeedSequence((self.seed, int(seed))))
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
        for start in range(0, len(due), self.inference_batch):
            self._predict(due[start : start + self.inference_batch])
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
        policy = self.policy
        rows = np.resize(slots, self.inference_batch)
        noise = np.zeros((len(rows), *policy.noise_shape), dtype=np.float32)
        for row, slot in enumerate(slots):
            noise[row] = self._generators[int(slot)].standard_normal(policy.noise_shape, dtype=np.float32)
        seen = {}
        for key, history in self._history.items():
            values = history[rows]
            bad = np.flatnonzero(~np.isfinite(values).reshape(len(rows), -1).all(axis=1))
            if bad.size:
                raise InvalidInput(f"observation {key} of slot {rows[bad[0]]} is not finite: {values[bad[0]].tolist()}")
            seen[key] = torch.from_numpy(values).to(policy.device)
        with torch.inference_mode():
            chunks = policy.act(seen, torch.from_numpy(noise).to(policy.device)).cpu().numpy()[: len(slots)]
        if not np.isfinite(chunks).all():
            raise CheckpointError(f"policy {self.name} predicted actions that are not finite: its weights are damaged")
        self._chunk[slots] = chunks
        self._position[slots] = 0
