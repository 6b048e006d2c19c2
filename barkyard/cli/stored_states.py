"""Pictures of stored episodes, drawn from their simulator states."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from barkyard.cli.opening import open_environment
from barkyard.datasets import Dataset

if TYPE_CHECKING:
    from barkyard.envs.env import RobotVectorEnv


class StoredStates:
    """Draws moments of a dataset's episodes; use it as a context manager. The environment is made when first needed."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._open = dataset, ExitStack()
        self._env: RobotVectorEnv | None = None

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the environment."""
        self._open.close()

    def pictures(self, episode: int, steps: Sequence[int]) -> Mapping[str, NDArray[np.uint8]]:
        """`(steps, H, W, 3)` pictures of an episode by the task's own camera; as many steps in every call.

        Raises:
            DatasetError: the episode's file is damaged.
            BarkyardError: the environment is none of ours, its scene has changed, or no OpenGL backend works.
        """
        if self._env is None:
            made = open_environment(self._dataset.env_id, len(steps), self._dataset.env_kwargs)
            self._env = self._open.enter_context(made)
        stored = self._dataset.episode(episode)
        assert stored.states is not None, "the dataset says that it has states"
        self._env.reset(seed=[stored.seed] * len(steps))  # what a reset draws, such as sizes, is not part of a state
        self._env.set_states(stored.states[list(steps)])
        return {"scene": self._env.render_frames(None, np.arange(len(steps)))}
