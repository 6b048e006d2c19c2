"""Training windows: a history of observations and the chunk of actions that goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from barkyard.datasets.reader import Dataset
from barkyard.episode import Observations
from barkyard.errors import InvalidInput


@dataclass(frozen=True)
class WindowBatch:
    """A batch of windows.

    Attributes:
        observations: parts, each `(B, To, ...)`.
        actions: `(B, Tp, A)`.
        is_pad: `(B, Tp)`, True where the window reaches past an end of the episode and the nearest action of the
            episode is repeated.
    """

    observations: Observations
    actions: NDArray[np.float32]
    is_pad: NDArray[np.bool_]


class Windows:
    """One window for each frame of a dataset, drawn by index arithmetic; no window crosses an episode's end.

    The window of step `t` has the observations of steps `t - To + 1 .. t` (before the first step the first is
    repeated) and the actions of steps `t + action_start .. t + action_start + Tp - 1`. Diffusion Policy (Chi et al.,
    2023) starts its chunk with the oldest observation: `action_start = 1 - To`.

    Args:
        dataset: where the windows are from.
        observation_steps: To, at least 1.
        horizon: Tp, at least 1.
        action_start: step of the first action, counted from the newest observation.
        observation_keys: the observation parts wanted.
        episodes: episodes to use; all unless given.
        learnt: an observation part that stands in the place of the executed actions; these unless given.

    Attributes:
        observation_steps: To.

    Raises:
        InvalidInput: an argument is not one of the valid ones.
    """

    def __init__(
        self,
        dataset: Dataset,
        observation_steps: int,
        horizon: int,
        action_start: int,
        observation_keys: Sequence[str],
        episodes: ArrayLike | None = None,
        learnt: str | None = None,
    ) -> None:
        for name, value in (("observation_steps", observation_steps), ("horizon", horizon)):
            if value < 1:
                raise InvalidInput(f"{name} is {value}; valid: 1 or more")
        dataset.check_parts([*observation_keys, *([learnt] if learnt else [])])
        self._dataset, self._keys, self._learnt = dataset, tuple(observation_keys), learnt
        chosen = np.arange(dataset.num_episodes) if episodes is None else np.asarray(episodes, dtype=np.intp)
        outside = chosen[(chosen < 0) | (chosen >= dataset.num_episodes)]
        if outside.size:
            raise InvalidInput(f"episode {outside[0]} is not one of 0..{dataset.num_episodes - 1}")
        self.observation_steps = observation_steps
        self._starts = dataset.starts[chosen]
        self._ends = np.cumsum(dataset.lengths[chosen])
        self._history = np.arange(1 - observation_steps, 1)
        self._chunk = np.arange(action_start, action_start + horizon)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def frames(self, indices: ArrayLike) -> NDArray[np.intp]:
        """`(B,)` the dataset's frames that the windows numbered `indices` are of. Raises IndexError."""
        return self._places(np.asarray(indices, dtype=np.intp))[0]

    def gather(self, indices: ArrayLike) -> WindowBatch:
        """The windows numbered `indices`, `(B,)` in `0..len - 1`: frames in order of the episodes given.

        Raises:
            IndexError: a number is out of range.
            DatasetError: an image is damaged.
        """
        frame, first, last = (each[:, None] for each in self._places(np.asarray(indices, dtype=np.intp)))
        seen = np.maximum(frame + self._history, first)
        wanted = frame + self._chunk
        acted = np.minimum(np.maximum(wanted, first), last)
        if self._learnt is None:
            actions = self._dataset.actions.take(acted, axis=0)
        else:
            actions = self._dataset.take([self._learnt], acted)[self._learnt]
        return WindowBatch(self._dataset.take(self._keys, seen), actions, is_pad=wanted != acted)

    def _places(self, indices: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """The windows' frames, and the first and last frames of their episodes."""
        outside = indices[(indices < 0) | (indices >= len(self))]
        if outside.size:
            raise IndexError(f"window {outside[0]} is not one of 0..{len(self) - 1}")
        episode = np.searchsorted(self._ends, indices, side="right")
        first, length = self._starts[episode], np.diff(self._ends, prepend=0)[episode]
        return first + indices - (self._ends[episode] - length), first, first + length - 1


def split_episodes(n: int, fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out some of `n` episodes by a seeded permutation.

    Args:
        n: number of episodes, at least 2.
        fraction: the part to hold out, between 0 and 1; rounded to whole episodes, at least one on either side.
        seed: of the permutation.

    Returns:
        Sorted numbers of the episodes to train on, and of those held out.

    Raises:
        InvalidInput: there are too few episodes, or the fraction is not between 0 and 1.
    """
    if n < 2:
        raise InvalidInput(f"{n} episodes cannot be split; record at least 2")
    if not 0 < fraction < 1:
        raise InvalidInput(f"fraction {fraction} is not between 0 and 1")
    held_out = min(max(round(n * fraction), 1), n - 1)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[held_out:]), np.sort(order[:held_out])
