"""What a training run reads: the split, the windows, their order, and the normalisation."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from barkyard import provenance
from barkyard.datasets import Dataset, Normalizer, WindowBatch, Windows, split_episodes
from barkyard.datasets.spec import STATE
from barkyard.embodiment import Embodiment
from barkyard.episode import EXPERT_ACTION, POLICY_ACTION
from barkyard.errors import InvalidInput
from barkyard.policies.policy import BODY, TASK, ChunkConfig, FeatureSpec, union_of_parts
from barkyard.policies.step_weights import step_weights
from barkyard.policies.tasks import UnionWindows, describe_tasks

_OTHERS_ACTIONS = (EXPERT_ACTION, POLICY_ACTION)
_BLOCK = 65_536
"""Frames in memory at a time while normalizers are fitted."""


class TrainingData:
    """Datasets, split by episode into windows to train on and windows to measure on.

    With datasets that are opened as `mapped`, what is in memory is a number for each window, and one batch.

    Args:
        datasets: what is learnt from, one or more; the first tells the environment.
        config: of the policy.
        observation_keys: observation parts to learn from; see `choose_keys`.
        held_out: fraction of the episodes to measure on.
        seed: of the split.
        fit_observation: makes the normalizer of an observation part from `(n, d)` blocks of its values.
        embodiment: the body that acts in the datasets, for policies that are built on one; a list of one for each
            dataset where they differ. Then parts and actions are padded with zeros to the widest, and batches have the
            part `BODY`.
        weights: of the steps by who acted, see `step_weights`.
        several_tasks: whether the datasets are of several tasks, whose parts may differ; see `barkyard.policies.tasks`.
            Then batches have the part `TASK`.
        task_vectors: given embeddings of the tasks by name, with `several_tasks`.
        images: whether images are learnt from.

    Attributes:
        features: what a policy that learns from it sees and commands.
        training: the windows to train on.
        weights: `(len(training),)` how often each is drawn, relative to the others; None where all are alike.
        held_out: the windows of the episodes kept out.
        normalizers: fitted to the training episodes: one for each vector, and one for `action`.

    Raises:
        InvalidInput: there is no dataset, they differ in what is learnt, or observation parts are not valid.
    """

    def __init__(
        self,
        datasets: Dataset | Sequence[Dataset],
        config: ChunkConfig,
        observation_keys: Sequence[str] | None,
        held_out: float,
        seed: int,
        fit_observation: Callable[[Collection[NDArray[np.float32]]], Normalizer] = Normalizer.fit_blocks,
        embodiment: Embodiment | Sequence[Embodiment] | None = None,
        weights: Mapping[str, float] | None = None,
        several_tasks: bool = False,
        task_vectors: Mapping[str, Sequence[float]] | None = None,
        images: bool = False,
    ) -> None:
        sources = [datasets] if isinstance(datasets, Dataset) else list(datasets)
        if not sources:
            raise InvalidInput("there is no dataset to learn from; give one or more")
        first = sources[0]
        if several_tasks:
            each_keys = choose_keys_of_tasks(sources, observation_keys)
            tasks, rows = describe_tasks(sources, each_keys, task_vectors)
            shapes = union_of_parts(tasks)
        else:
            each_keys, tasks, rows = [choose_keys(first, observation_keys, images)] * len(sources), (), []
            shapes = {key: first.observation_shapes[key] for key in each_keys[0]}
        each_body = None if embodiment is None or isinstance(embodiment, Embodiment) else list(embodiment)
        if each_body is not None and len(each_body) != len(sources):
            raise InvalidInput(f"there are {len(sources)} datasets and {len(each_body)} bodies; give one for each")
        for each in sources[1:]:
            _check_alike(first, each, {} if tasks else shapes, same_body=each_body is None)
        bodies, rows = _number(each_body) if each_body else ((), rows)
        prints = [each.fingerprint for each in sources]
        self.fingerprint = prints[0] if len(prints) == 1 else provenance.combine(prints)
        self.features = FeatureSpec(
            shapes,
            first.action_size,
            first.env_id,
            first.control_dt,
            first.env_kwargs,
            each_body[0] if each_body else embodiment if isinstance(embodiment, Embodiment) else None,
            bodies,
            tasks,
        )
        splits = [split_episodes(each.num_episodes, held_out, seed) for each in sources]

        def windows(side: int, steps: int, horizon: int, of: Collection[str], having: str = "") -> JoinedWindows:
            """Windows with the parts `of`, of the datasets that have the part `having`."""
            chosen = [i for i, keys in enumerate(each_keys) if not having or having in keys]
            plain = [
                Windows(
                    sources[i],
                    steps,
                    horizon,
                    1 - steps,
                    [key for key in each_keys[i] if key in of],
                    splits[i][side],
                    learnt_part(sources[i]),
                )
                for i in chosen
            ]
            wanted = {key: shape for key, shape in shapes.items() if key in of}
            widened: Sequence[Windows | UnionWindows] = (
                [UnionWindows(each, wanted) for each in plain] if tasks else plain
            )
            numbers = [rows[i] for i in chosen] if rows else []
            return JoinedWindows(widened, [sources[i] for i in chosen], numbers, TASK if tasks else BODY)

        steps, horizon = config.observation_steps, config.horizon
        self.training, self.held_out = (windows(side, steps, horizon, shapes) for side in (0, 1))
        self.weights = self.training.weights(weights or {})
        self.normalizers = {
            key: fit_observation(_Blocks(windows(0, 1, 1, [key], key), key)) for key in self.features.vectors
        }
        self.normalizers["action"] = Normalizer.fit_blocks(_Blocks(windows(0, 1, 1, [])))


class _Blocks(Sequence[NDArray[np.float32]]):
    """`(n, d)` values of an observation part, or of actions, at all windows in order, read as they are asked for."""

    def __init__(self, windows: "JoinedWindows", key: str | None = None) -> None:
        self._windows, self._key = windows, key

    def __len__(self) -> int:
        return -(-len(self._windows) // _BLOCK)

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(f"block {number} is not one of 0..{len(self) - 1}")
        batch = self._windows.gather(np.arange(number * _BLOCK, min((number + 1) * _BLOCK, len(self._windows))))
        values = batch.actions if self._key is None else batch.observations[self._key]
        return values[:, 0]


class JoinedWindows:
    """The windows of several datasets, numbered one after another.

    Args:
        windows: of each dataset.
        sources: the datasets.
        numbers: for each, the number of its body or task; empty where all have one. With it, what is narrower is padded
            with zeros to the widest of all, so that every batch is as wide.
        part: the observation part that tells the number.
    """

    def __init__(
        self,
        windows: Sequence[Windows | UnionWindows],
        sources: Sequence[Dataset],
        numbers: Sequence[int] = (),
        part: str = BODY,
    ) -> None:
        self._windows, self._sources, self._numbers, self._part = list(windows), list(sources), list(numbers), part
        self._starts = np.concatenate([[0], np.cumsum([len(each) for each in windows])])
        shapes = [each.observation_shapes for each in self._sources] if self._numbers else []
        self._widest = {
            key: max(each[key][-1] for each in shapes)
            for key in (shapes[0] if shapes else {})
            if all(len(each.get(key, ())) == 1 for each in shapes)
        }
        self._most_actions = max(each.action_size for each in self._sources)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def weights(self, given: Mapping[str, float]) -> NDArray[np.float64] | None:
        """`(len,)` weights of the windows by who acted at their steps; see `step_weights`."""
        if not given and all(POLICY_ACTION not in source.observation_shapes for source in self._sources):
            return None
        pairs = list(zip(self._windows, self._sources, strict=True))
        acted_by = np.concatenate(
            [source.acted_by()[windows.frames(np.arange(len(windows)))] for windows, source in pairs]
        )
        corrected = [np.full(len(windows), POLICY_ACTION in source.observation_shapes) for windows, source in pairs]
        return step_weights(acted_by, np.concatenate(corrected), given)

    def gather(self, indices: ArrayLike) -> WindowBatch:
        """The windows numbered `indices`, `(B,)`; see `Windows.gather`."""
        indices = np.asarray(indices, dtype=np.intp)
        if len(self._windows) == 1 and not self._numbers:
            return self._windows[0].gather(indices)
        outside = indices[(indices < 0) | (indices >= len(self))]
        if outside.size:
            raise IndexError(f"window {outside[0]} is not one of 0..{len(self) - 1}")
        source = np.searchsorted(self._starts, indices, side="right") - 1
        places = [np.flatnonzero(source == number) for number in range(len(self._windows))]
        batches = [
            self._with_number(windows.gather(indices[place] - start), number)
            for number, (windows, place, start) in enumerate(zip(self._windows, places, self._starts[:-1], strict=True))
            if place.size or not self._numbers
        ]
        order = np.argsort(np.concatenate(places))
        return WindowBatch(
            observations={
                key: _joined([batch.observations[key] for batch in batches], self._widest.get(key))[order]
                for key in batches[0].observations
            },
            actions=_joined([batch.actions for batch in batches], self._most_actions)[order],
            is_pad=np.concatenate([batch.is_pad for batch in batches])[order],
        )

    def _with_number(self, batch: WindowBatch, number: int) -> WindowBatch:
        if not self._numbers:
            return batch
        told = np.full((*batch.is_pad.shape[:1], 1, 1), self._numbers[number], dtype=np.float32)
        return WindowBatch({**batch.observations, self._part: told}, batch.actions, batch.is_pad)


def _joined(arrays: Sequence[NDArray[Any]], widest: int | None) -> NDArray[Any]:
    """One after another, with zeros where the last axis is shorter than `widest`."""
    if widest is None:
        return np.concatenate(arrays)
    return np.concatenate(
        [np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, widest - array.shape[-1])]) for array in arrays]
    )


def _number(each: Sequence[Embodiment]) -> tuple[tuple[Embodiment, ...], list[int]]:
    """The distinct ones of some bodies, and for each its number among them."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(body.fingerprint, len(numbers)) for body in each]
    return tuple(each[rows.index(number)] for number in numbers.values()), rows


def _check_alike(first: Dataset, other: Dataset, shapes: Mapping[str, tuple[int, ...]], same_body: bool) -> None:
    """Datasets of different bodies may differ in widths, of parts that both have."""
    theirs = {key: other.observation_shapes.get(key, "absent") for key in shapes}
    compared: list[tuple[str, Any, Any]] = [
        (f"observation part {key!r}", shape, theirs[key])
        for key, shape in shapes.items()
        if same_body or theirs[key] == "absent"
    ]
    if same_body:
        compared.append(("action_size", first.action_size, other.action_size))
    compared.append(("control_dt", first.control_dt, other.control_dt))
    for name, ours, other_value in compared:
        if ours != other_value:
            raise InvalidInput(
                f"{name} is {ours} in {first.path} but {other_value} in {other.path}: datasets that are learnt from "
                "together must agree in it. Choose observation_keys that they share, or train on them apart."
            )


def learnt_part(dataset: Dataset) -> str | None:
    """The part that is learnt in place of the executed actions, `expert_action` where the dataset has it.

    Raises:
        InvalidInput: the part is not as long as an action.
    """
    shape = dataset.observation_shapes.get(EXPERT_ACTION)
    if shape is None:
        return None
    if shape != (dataset.action_size,):
        raise InvalidInput(f"{EXPERT_ACTION} has shape {shape}; valid: ({dataset.action_size},), that of an action")
    return EXPERT_ACTION


def choose_keys(dataset: Dataset, keys: Sequence[str] | None, images: bool = False) -> list[str]:
    """The observation parts to learn from.

    Args:
        dataset: where they are.
        keys: those asked for. Unless given, all vectors but others' actions; with images, all images and what the
            robot senses of itself, for what else is in the scene is to be seen.
        images: whether images may be learnt from.

    Raises:
        InvalidInput: a part is unknown, neither a vector nor an image that is read, or what is to be learnt; or there
            are no images.
    """
    shapes = dataset.observation_shapes
    vectors = [key for key, shape in shapes.items() if len(shape) == 1 and key not in _OTHERS_ACTIONS]
    pictures = [key for key, place in dataset.spec.parts.items() if images and place.key in dataset.spec.cameras]
    if images and not pictures:
        raise InvalidInput(
            f"{dataset.path} has no images, which this policy reads: collect with "
            "--env-kwargs 'cameras=[\"agentview\"]', or take a policy that reads vectors"
        )
    if keys is None:
        parts = dataset.spec.parts
        return [*(key for key in vectors if not images or parts[key].key == STATE), *pictures]
    dataset.check_parts(keys)
    others = [key for key in keys if key not in vectors and key not in pictures]
    if others or not keys:
        raise InvalidInput(
            f"observation_keys {list(keys)} must be one or more parts that this policy reads: "
            f"{', '.join([*vectors, *pictures])}"
        )
    return list(keys)


def choose_keys_of_tasks(datasets: Sequence[Dataset], keys: Sequence[str] | None) -> list[list[str]]:
    """The parts to learn from, of each dataset: of those asked for, the ones that it has.

    Raises:
        InvalidInput: none has a part that is asked for, or one has none of them; as `choose_keys`.
    """
    known = {key for each in datasets for key in each.observation_shapes}
    for key in keys or ():
        if key not in known:
            datasets[0].check_parts([key])
    return [
        choose_keys(each, None if keys is None else [key for key in keys if key in each.observation_shapes])
        for each in datasets
    ]


class BatchOrder:
    """Which windows each step reads: every epoch a new permutation, cut into batches that run on across its end.

    Where windows have weights, each is drawn on its own, as often as its weight says. A pure function of the seed and
    the step, so that a resumed run reads what it would have read.
    """

    def __init__(self, windows: int, batch_size: int, seed: int, weights: NDArray[np.float64] | None = None) -> None:
        self.windows, self.batch_size, self.seed = windows, batch_size, seed
        self._drawn_below = None if weights is None else np.cumsum(weights) / weights.sum()
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.intp)

    def batch(self, step: int) -> NDArray[np.intp]:
        """`(batch_size,)` window numbers."""
        if self._drawn_below is not None:
            draws = np.random.default_rng((self.seed, step)).random(self.batch_size)
            return np.searchsorted(self._drawn_below[:-1], draws, side="right")
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
