"""What a dataset holds, in numbers: histograms of every element, and the episodes that stand out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.datasets.reader import Dataset
from barkyard.datasets.spec import IMAGE_PART

BINS: Final = 40
LARGEST_PART: Final = 32
"""A part with more elements is taken as one, such as the heights of the ground around a robot; a choice."""
OUTLIER_SCORE: Final = 3.5
"""Modified z-score beyond which an episode stands out (Iglewicz and Hoaglin, 1993); a normal one does in 1 of 2,000."""
FEWEST_EPISODES: Final = 10
"""Below this many, a median and a spread say too little to call an episode unusual; a choice."""
_NORMAL_MAD, _NORMAL_MEAN_DEVIATION = 0.6745, 1.2533
"""Of a normal distribution: median absolute deviation, and one over mean absolute deviation (root of pi/2)."""
_ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class Element:
    """How the values of one element are distributed over all frames.

    Attributes:
        name: such as `joint_pos[2]`.
        counts: `(BINS,)` frames in each of the equal bins from `low` to `high`.
        low: lower edge of the first bin.
        high: upper edge of the last bin.
        mean: of the finite values.
        std: of the finite values.
        minimum: of the finite values.
        maximum: of the finite values.
        not_finite: how many values are infinite or no number; they are in no bin.
    """

    name: str
    counts: NDArray[np.int64]
    low: float
    high: float
    mean: float
    std: float
    minimum: float
    maximum: float
    not_finite: int


@dataclass(frozen=True)
class Reason:
    """One thing in which an episode stands out.

    Attributes:
        quantity: what, such as `length [steps]`.
        value: the episode's.
        median: of all episodes.
        score: modified z-score.
    """

    quantity: str
    value: float
    median: float
    score: float


@dataclass(frozen=True)
class Outlier:
    """An episode that stands out.

    Attributes:
        episode: its number.
        reasons: in what, the largest score first.
    """

    episode: int
    reasons: tuple[Reason, ...]


def distribution(name: str, values: NDArray[np.float32], bounds: tuple[float, float] | None = None) -> Element:
    """The distribution of `values`, of any shape, over bins within `bounds`; without these over all that there is."""
    finite = values[np.isfinite(values)].astype(np.float64)
    kept = finite if finite.size else np.zeros(1)
    low, high = bounds or (float(kept.min()), float(kept.max()))
    counts, edges = np.histogram(finite, BINS, (low, high))
    return Element(
        name=name,
        counts=counts.astype(np.int64),
        low=float(edges[0]),
        high=float(edges[-1]),
        mean=float(kept.mean()),
        std=float(kept.std()),
        minimum=float(kept.min()),
        maximum=float(kept.max()),
        not_finite=values.size - finite.size,
    )


def action_distributions(dataset: Dataset) -> list[Element]:
    """One for each element of the action, over [-1, 1] where all actions lie there."""
    actions = dataset.actions
    within = bool(np.all(np.abs(actions) <= 1.0))
    bounds = (-1.0, 1.0) if within else None
    return [distribution(f"action[{i}]", actions[:, i], bounds) for i in range(dataset.action_size)]


def observation_distributions(dataset: Dataset) -> Iterator[tuple[str, list[Element]]]:
    """Of each part that is no image, its name and one distribution for each element, or one for all of a large part."""
    everything = np.arange(dataset.num_frames)
    for part, shape in dataset.observation_shapes.items():
        if not part.startswith(IMAGE_PART):
            values = dataset.take([part], everything)[part].reshape(dataset.num_frames, -1)
            if values.shape[1] > LARGEST_PART:
                yield part, [distribution(f"all {values.shape[1]} elements", values)]
            else:
                names = [str(list(index)) for index in np.ndindex(*shape)] if shape else [""]
                yield part, [distribution(f"{part}{name}", values[:, i]) for i, name in enumerate(names)]


def episode_measures(dataset: Dataset) -> dict[str, NDArray[np.float64]]:
    """`(num_episodes,)` numbers by which episodes are compared: length, return, and how the actions are."""
    lengths = dataset.lengths
    first = dataset.starts[:-1]
    actions = dataset.actions.astype(np.float64)
    means = np.add.reduceat(actions, first) / lengths[:, None]
    spreads = np.sqrt(np.maximum(np.add.reduceat(actions**2, first) / lengths[:, None] - means**2, 0.0))
    changes = np.abs(np.diff(actions, axis=0, prepend=actions[:1])).mean(axis=1)
    changes[first] = 0.0  # from one episode to the next is no change
    measures = {
        "length [steps]": lengths.astype(np.float64),
        "return": np.array([record.total_reward for record in dataset.records]),
        "mean change of the action a step": np.add.reduceat(changes, first) / np.maximum(lengths - 1, 1),
    }
    for i in range(dataset.action_size):
        measures |= {f"mean of action[{i}]": means[:, i], f"spread of action[{i}]": spreads[:, i]}
    return measures


def modified_z_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`(N,)` distances from the median in units of a robust standard deviation.

    That is the median absolute deviation over 0.6745. Where more than half of the values are alike it is 0; then the
    mean absolute deviation times 1.2533 takes its place (a choice). Where all are alike, up to rounding, all scores
    are 0.
    """
    deviations = values - np.median(values)
    smallest = _ROUNDING * max(float(np.abs(values).max()), _ROUNDING)
    unit = float(np.median(np.abs(deviations))) / _NORMAL_MAD
    if unit <= smallest:
        unit = float(np.abs(deviations).mean()) * _NORMAL_MEAN_DEVIATION
    return deviations / unit if unit > smallest else np.zeros_like(deviations)


def outliers(dataset: Dataset) -> list[Outlier]:
    """Episodes with a modified z-score beyond `OUTLIER_SCORE`, the most unusual first; none of too few episodes."""
    if dataset.num_episodes < FEWEST_EPISODES:
        return []
    reasons: dict[int, list[Reason]] = {}
    for quantity, values in episode_measures(dataset).items():
        if np.isfinite(values).all():
            scores, median = modified_z_scores(values), float(np.median(values))
            for i in np.flatnonzero(np.abs(scores) > OUTLIER_SCORE):
                reasons.setdefault(int(i), []).append(Reason(quantity, float(values[i]), median, float(scores[i])))
    found = [
        Outlier(episode, tuple(sorted(each, key=lambda reason: -abs(reason.score))))
        for episode, each in reasons.items()
    ]
    return sorted(found, key=lambda outlier: (-abs(outlier.reasons[0].score), outlier.episode))
