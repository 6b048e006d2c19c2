"""Datasets of several tasks as one: every batch has the parts of all of them, and says which task a row is of.

A part that a task does not have is zero in its windows, and takes no part in fitting the part's normalizer. A policy
that learns from them is told which parts there are.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from barkyard.datasets import Dataset, WindowBatch, Windows
from barkyard.errors import InvalidInput
from barkyard.policies.policy import TaskFeatures


class UnionWindows:
    """The windows of a dataset, with zeros for the parts that it does not have.

    Args:
        windows: of the dataset, with the parts that it has.
        shapes: of all parts, in their order.
    """

    def __init__(self, windows: Windows, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._windows, self._shapes = windows, dict(shapes)

    def frames(self, indices: ArrayLike) -> NDArray[np.intp]:
        """`(B,)` the dataset's frames that the windows numbered `indices` are of; see `Windows.frames`."""
        return self._windows.frames(indices)

    def __len__(self) -> int:
        return len(self._windows)

    def gather(self, indices: ArrayLike) -> WindowBatch:
        """The windows numbered `indices`, `(B,)`; see `Windows.gather`."""
        batch = self._windows.gather(indices)
        lead = (len(batch.actions), self._windows.observation_steps)
        seen = {
            key: batch.observations.get(key, np.zeros((*lead, *shape), dtype=np.float32))
            for key, shape in self._shapes.items()
        }
        return WindowBatch(seen, batch.actions, batch.is_pad)


def describe_tasks(
    datasets: Sequence[Dataset], keys: Sequence[Sequence[str]], vectors: Mapping[str, Sequence[float]] | None
) -> tuple[tuple[TaskFeatures, ...], list[int]]:
    """The distinct tasks of some datasets, and for each dataset the number of its task.

    Args:
        datasets: each of one task, which is called as its environment.
        keys: the parts that are learnt from, of each.
        vectors: given embeddings by the task's name, such as those of a text that says what is to be done; all of one
            length. None where embeddings are to be learnt.

    Raises:
        InvalidInput: datasets of one task differ in their parts, a part has two shapes, or the vectors do not fit.
    """
    tasks: dict[str, TaskFeatures] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    _check_vectors({each.env_id for each in datasets}, vectors)
    for each, chosen in zip(datasets, keys, strict=True):
        own = {key: each.observation_shapes[key] for key in chosen}
        for key, shape in own.items():
            if shapes.setdefault(key, shape) != shape:
                raise InvalidInput(
                    f"observation part {key!r} is {shape} in {each.path} and {shapes[key]} in another task: a part "
                    "that two tasks have must be the same in both. Choose observation_keys without it."
                )
        given = () if vectors is None else tuple(map(float, vectors[each.env_id]))
        task = TaskFeatures(each.env_id, own, each.env_kwargs, given)
        if tasks.setdefault(each.env_id, task).observations != own:
            raise InvalidInput(
                f"{each.path} has the parts {', '.join(own)}, and another dataset of {each.env_id} has "
                f"{', '.join(tasks[each.env_id].observations)}; choose observation_keys that both have"
            )
    names = list(tasks)
    return tuple(tasks.values()), [names.index(each.env_id) for each in datasets]


def _check_vectors(names: set[str], vectors: Mapping[str, Sequence[float]] | None) -> None:
    if vectors is None:
        return
    missing = names - set(vectors)
    if missing:
        raise InvalidInput(f"no vector is given for {', '.join(sorted(missing))}; given: {', '.join(sorted(vectors))}")
    lengths = {len(vectors[name]) for name in names}
    if len(lengths) > 1 or 0 in lengths or not all(np.isfinite(vectors[name]).all() for name in names):
        raise InvalidInput(f"the tasks' vectors have lengths {sorted(lengths)}; give finite numbers, equally many")
