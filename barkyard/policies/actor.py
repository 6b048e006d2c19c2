"""The one actor for all policies."""

import numpy as np
import torch
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.policies.inference import Inference, check_finite, episode_generator
from barkyard.policies.latency import Latency, prefix_weights
from barkyard.policies.policy import Policy


class PolicyActor:
    """Acts with a policy in a batch of environments: histories, chunks of actions in flight, noise.

    What is chosen for an episode depends on its observations, its seed and the actor's seed alone, bit for bit: the
    noise comes from a generator for each episode, and the policy always runs on equally many rows (`Inference`).

    A chunk is asked for every `action_steps` steps, or as many as the delay if that is more. With a delay it takes over
    so many steps later, at the action that then is due. An episode begins with its first chunk there, as a robot stands
    still until it has one.

    Args:
        policy: what acts; set to evaluation mode.
        num_slots: number of environments.
        seed: the actor's own.
        inference_batch: rows of one inference, a multiple of 16; the policy's own number unless given.
        latency: how late chunks are.

    Raises:
        InvalidInput: the policy cannot be as late, or cannot do real-time chunking.
    """

    def __init__(
        self,
        policy: Policy,
        num_slots: int,
        *,
        seed: int = 0,
        inference_batch: int | None = None,
        latency: Latency = Latency(),  # noqa: B008
    ) -> None:
        config, features, whole = policy.config, policy.features, latency.whole_chunks
        self.name, self.policy, self.seed = policy.origin.policy + str(latency), policy, seed
        self._delay, self._cycle = latency.delay, max(config.action_steps, latency.delay)
        self._newest = -policy.action_start if whole else 0
        length = config.horizon if whole else config.action_steps
        self._check_latency(latency, length)
        self._infer = Inference(policy, inference_batch, policy.predict if whole else policy.act)
        self._go_on = self._real_time(inference_batch, length) if latency.real_time_chunking else None
        self.inference_batch = self._infer.rows
        self._history: Observations = {
            key: np.zeros(
                (num_slots, config.observation_steps, *shape), np.uint8 if key in features.images else np.float32
            )
            for key, shape in features.observations.items()
        }
        self._chunk = np.zeros((num_slots, length, features.action_dim), dtype=np.float32)
        self._coming = np.zeros_like(self._chunk)
        self._position, self._age = np.zeros((2, num_slots), dtype=np.intp)
        self._running, self._begins, self._has_chunk, self._waiting = np.zeros((4, num_slots), dtype=bool)
        self._generators: dict[int, np.random.Generator] = {}
        self._checked = False

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin new episodes; see `barkyard.episode.Actor`."""
        for slot, seed in zip(slots, seeds, strict=True):
            self._generators[int(slot)] = episode_generator(self.seed, int(seed))
        self._running[slots] = self._begins[slots] = True
        self._has_chunk[slots] = self._waiting[slots] = False
        self._age[slots] = self._cycle

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Choose actions; see `barkyard.episode.Actor`. A slot never reset is given zeros.

        Raises:
            CheckpointError: the observations do not fit the policy, or it predicts what is not a number.
            InvalidInput: an observation is not a number.
        """
        self._check(observations)
        self._remember(observations)
        self._take_over()
        due = np.flatnonzero(self._running & (self._age == self._cycle))
        if due.size:
            self._predict(due)
        if not self._delay:
            self._take_over()
        actions: NDArray[np.float32] = self._chunk[np.arange(len(self._chunk)), self._position]
        self._position += self._running
        self._age += self._running
        return actions

    def _check(self, observations: Observations) -> None:
        if not self._checked:
            shapes = {key: np.shape(values)[1:] for key, values in observations.items()}
            self.policy.features.check(shapes, self.policy.features.action_dim)
            self._checked = True

    def _check_latency(self, latency: Latency, length: int) -> None:
        needed = self._newest + self._cycle + self._delay
        if needed > length:
            raise InvalidInput(
                f"a delay of {self._delay} steps needs a horizon of {needed} actions and the policy predicts {length}; "
                "train one with a longer horizon or fewer action_steps"
            )
        if latency.real_time_chunking and not self.policy.inpaints:
            raise InvalidInput(
                f"policy {self.policy.origin.policy!r} cannot do real-time chunking: take a diffusion policy with the "
                "sampler ddim, euler or heun, or leave it out"
            )

    def _real_time(self, inference_batch: int | None, length: int) -> Inference:
        weights = torch.from_numpy(prefix_weights(length, self._newest + self._delay, length - self._cycle))
        policy = self.policy
        return Inference(
            policy,
            inference_batch,
            lambda seen, noise, known: policy.inpaint(seen, noise, known, weights.to(policy.device)),
        )

    def _remember(self, observations: Observations) -> None:
        for key, history in self._history.items():
            history[:, :-1] = history[:, 1:]
            history[:, -1] = observations[key]
            history[self._begins] = observations[key][self._begins, None]
        self._begins[:] = False

    def _predict(self, slots: NDArray[np.intp]) -> None:
        first, others = slots[~self._has_chunk[slots]], slots[self._has_chunk[slots]]
        if first.size:
            self._chunk[first] = self._ask(self._infer, first)
            self._position[first] = self._newest
            self._has_chunk[first] = True
        if others.size and self._go_on is None:
            self._coming[others] = self._ask(self._infer, others)
        elif others.size and self._go_on is not None:
            known = np.zeros_like(self._chunk[others])
            known[:, : -self._cycle] = self._chunk[others, self._cycle :]
            self._coming[others] = self._ask(self._go_on, others, known)
        self._waiting[others] = True
        self._age[slots] = 0

    def _ask(self, infer: Inference, slots: NDArray[np.intp], *known: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = self.policy.noise_shape
        noise = np.stack([self._generators[int(slot)].standard_normal(shape, dtype=np.float32) for slot in slots])
        windows = {key: history[slots] for key, history in self._history.items()}
        check_finite(windows, slots)
        return infer(windows, noise, *known)

    def _take_over(self) -> None:
        """The chunks that are there now; what was executed meanwhile stays in them as it was."""
        slots = np.flatnonzero(self._waiting & (self._age == self._delay))
        start = self._newest + self._delay
        self._coming[slots, :start] = self._chunk[slots, self._cycle : self._cycle + start]
        self._chunk[slots] = self._coming[slots]
        self._position[slots] = start
        self._waiting[slots] = False
