"""Whether probabilities are right as often as they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from barkyard.errors import InvalidInput
from barkyard.evaluation.correlation import Floats
from barkyard.evaluation.intervals import clopper_pearson

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


@dataclass(frozen=True)
class ReliabilityBin:
    """Statements of about the same probability.

    Attributes:
        low: the least probability of the bin.
        high: the largest.
        count: statements in it; without any the two means are NaN.
        said: their mean probability.
        right: the share of them that came true.
    """

    low: float
    high: float
    count: int
    said: float
    right: float


def reliability(probabilities: Floats, outcomes: Floats, edges: Sequence[float] = EDGES) -> list[ReliabilityBin]:
    """How often two-sided statements came true, by how sure they were.

    "A with 0.2" is taken as "not A with 0.8", so every statement is one of 0.5 or more (a reliability diagram, folded).

    Args:
        probabilities: `(N,)` of A, in [0, 1].
        outcomes: `(N,)` 1 where A came true, 0 where it did not, 0.5 where neither did.
        edges: of the bins, from 0.5 to 1; a probability on an edge belongs to the bin above it, 1 to the last.

    Raises:
        InvalidInput: shapes differ, or values are not in [0, 1].
    """
    said, came = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if said.shape != came.shape or said.ndim != 1:
        raise InvalidInput(f"probabilities {said.shape} and outcomes {came.shape} must be of one shape (N,)")
    if not (np.all((said >= 0) & (said <= 1)) and np.all((came >= 0) & (came <= 1))):
        raise InvalidInput("probabilities and outcomes must be in [0, 1]; a tie is 0.5")
    likely, right = np.maximum(said, 1 - said), np.where(said >= 0.5, came, 1 - came)
    where = np.clip(np.searchsorted(edges, likely, side="right") - 1, 0, len(edges) - 2)
    found = []
    for i, (low, high) in enumerate(pairwise(edges)):
        inside = where == i
        count = int(inside.sum())
        means = (float(likely[inside].mean()), float(right[inside].mean())) if count else (np.nan, np.nan)
        found.append(ReliabilityBin(low, high, count, *means))
    return found


def reliability_figure(curves: Mapping[str, Sequence[ReliabilityBin]], title: str) -> Figure:
    """What was said against what happened, with exact 95 % intervals, ties rounded; a curve a label."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0.5, 1], [0.5, 1], color="0.6", linewidth=1, label="as said")
    for label, bins in curves.items():
        filled = [each for each in bins if each.count]
        said, right = np.array([(each.said, each.right) for each in filled]).T
        ends = np.array([clopper_pearson(round(each.right * each.count), each.count) for each in filled]).T
        axes.errorbar(said, right, np.maximum([right - ends[0], ends[1] - right], 0.0), marker="o", label=label)
    axes.set(xlabel="probability that was said", ylabel="share that was right", title=title, ylim=(-0.02, 1.02))
    axes.legend()
    return figure
