"""Means over episodes that come in clusters, such as those of one embodiment, which are like one another."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from barkyard.errors import InvalidInput
from barkyard.evaluation.intervals import Interval


@dataclass(frozen=True)
class ClusteredMean:
    """A mean over clusters.

    Attributes:
        mean: of the clusters' means, so that each cluster counts alike.
        interval: of the mean over all clusters that might have been drawn; infinite for a single one.
        clusters: their number.
        episodes: in all of them.
    """

    mean: float
    interval: Interval
    clusters: int
    episodes: int


def clustered_mean(clusters: Collection[Sequence[float]], confidence: float = 0.95) -> ClusteredMean:
    """The mean over clusters, with an interval that takes episodes of one cluster for alike.

    The cluster is what was drawn, so the interval is Student's t over the clusters' means (the estimator of cluster
    sampling with clusters of equal weight: Cochran, Sampling Techniques, 3rd edition, 1977, chapter 9). More episodes
    of the same clusters hardly narrow it.

    Args:
        clusters: one value an episode, for each cluster.
        confidence: nominal coverage.

    Raises:
        InvalidInput: there is no cluster, or one without episodes.
    """
    from scipy.stats import t

    if not clusters or not all(len(values) for values in clusters):
        raise InvalidInput(f"{len(clusters)} clusters are given, or one without episodes; each needs at least 1")
    means, episodes = [fmean(values) for values in clusters], sum(len(values) for values in clusters)
    if len(means) == 1:
        return ClusteredMean(means[0], Interval(-math.inf, math.inf), 1, episodes)
    half = float(t.ppf(0.5 + confidence / 2, len(means) - 1)) * stdev(means) / math.sqrt(len(means))
    mean = fmean(means)
    return ClusteredMean(mean, Interval(mean - half, mean + half), len(means), episodes)
