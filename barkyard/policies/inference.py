"""Running a policy so that a row's result does not depend on the rows beside it."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.policy import Policy

BATCH_MULTIPLE = 16
"""What the rows of an inference are a multiple of, so that no element-wise kernel treats the last ones differently."""


class Inference:
    """A policy that acts, always on exactly `rows` rows: an episode's actions are the same in any company, bit for bit.

    The kernels of a processor round differently for different batch sizes, but treat all rows of a batch alike.

    Args:
        policy: what acts; set to evaluation mode.
        rows: of one inference, a multiple of 16; the policy's own number unless given.
        answer: what is asked, of observations, noise, and whatever is given besides; the policy's `act` unless given.

    Raises:
        InvalidInput: `rows` is no such multiple, or it is not settled at which of its tasks the policy acts.
    """

    def __init__(
        self, policy: Policy, rows: int | None = None, answer: Callable[..., torch.Tensor] | None = None
    ) -> None:
        self.rows = policy.inference_batch if rows is None else rows
        if self.rows < BATCH_MULTIPLE or self.rows % BATCH_MULTIPLE:
            raise InvalidInput(f"inference_batch {self.rows} must be a multiple of {BATCH_MULTIPLE}, at least that")
        if policy.features.tasks and policy.features.task is None:
            names = ", ".join(task.name for task in policy.features.tasks)
            raise InvalidInput(f"the policy learnt several tasks; say which, policy.for_task(NAME), of {names}")
        self.policy = policy.eval()
        self._ask = answer or policy.act

    def __call__(
        self, windows: Observations, noise: NDArray[np.float32], *more: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Predict actions.

        Args:
            windows: the parts that the policy reads, each `(n, To, ...)` float32 and finite.
            noise: `(n, *noise_shape)` float32, standard normal.
            more: what else is asked about, each `(n, ...)`.

        Returns:
            `(n, T, A)` float32 actions as the environment takes them; T is Ta, or what `answer` gives.

        Raises:
            CheckpointError: an action is not finite. What the policy saw is in the file that the message names.
        """
        starts = range(0, len(noise), self.rows)
        return np.concatenate(
            [self._predict(windows, (noise, *more), slice(start, start + self.rows)) for start in starts]
        )

    def _predict(
        self, windows: Observations, others: Sequence[NDArray[np.float32]], part: slice
    ) -> NDArray[np.float32]:
        noise = others[0]
        count = len(noise[part])
        repeated = np.resize(np.arange(count), self.rows)
        device = self.policy.device
        seen = {key: torch.from_numpy(values[part][repeated]).to(device) for key, values in windows.items()}
        given = [torch.from_numpy(values[part][repeated]).to(device) for values in others]
        with torch.inference_mode():
            chunks = self._ask(seen, *given)
        actions: NDArray[np.float32] = chunks.cpu().numpy()[:count]
        bad = np.flatnonzero(~np.isfinite(actions).reshape(count, -1).all(axis=1))
        if bad.size:
            row = {key: values[part][bad[0]] for key, values in windows.items()}
            raise CheckpointError(
                f"policy {self.policy.origin.policy} predicted actions that are not finite: its weights are damaged, "
                f"or it never learnt what it saw. {_keep(row, noise[part][bad[0]])}"
            )
        return actions


def check_finite(windows: Observations, slots: NDArray[np.intp]) -> None:
    """Refuse observations `(n, To, ...)` of these `(n,)` slots that are not numbers. Raises InvalidInput."""
    for key, values in windows.items():
        bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        if bad.size:
            raise InvalidInput(f"observation {key} of slot {slots[bad[0]]} is not finite: {values[bad[0]].tolist()}")


def episode_generator(seed: int, episode_seed: int) -> np.random.Generator:
    """The source of a policy's noise in one episode; `seed` is the actor's own."""
    return np.random.default_rng(np.random.SeedSequence((seed, episode_seed)))


def _keep(window: Observations, noise: NDArray[np.float32]) -> str:
    """Save what a policy saw; where it lies, in words."""
    with suppress(OSError):
        path = Path(tempfile.mkdtemp(prefix="barkyard-")) / "observation.npz"
        np.savez(path, noise=noise, **window)
        return f"The observation is in {path}."
    return "The observation could not be saved: no space, or no right to write, in the folder for temporary files."
