"""Clustered means against hand-computed values, and their coverage against plain intervals."""

import math

import numpy as np
import pytest

from barkyard.errors import InvalidInput
from barkyard.evaluation.clusters import clustered_mean


def test_by_hand() -> None:
    """Means 1, 2 and 6: their mean is 3, the deviation sqrt(7), and t(0.975, 2) is 4.3027."""
    found = clustered_mean([[0.0, 2.0], [2.0], [5.0, 6.0, 7.0]])
    half = 4.302653 * math.sqrt(7 / 3)
    assert found.mean == pytest.approx(3.0)
    assert found.interval == pytest.approx((3.0 - half, 3.0 + half), rel=1e-6)
    assert (found.clusters, found.episodes) == (3, 6)


def test_one_cluster_tells_nothing_of_others() -> None:
    found = clustered_mean([[1.0, 3.0]])
    assert found.mean == 2.0 and found.interval == (-math.inf, math.inf)


def test_copies_of_episodes_make_nothing_surer() -> None:
    few, many = clustered_mean([[1.0], [2.0], [4.0]]), clustered_mean([[1.0] * 50, [2.0] * 50, [4.0] * 50])
    assert few.interval == pytest.approx(many.interval)


def test_the_interval_covers_the_mean_of_all_clusters() -> None:
    """Of 1000 draws of 10 clusters with 10 alike episodes each 95 % hold the true mean, give or take 2 %."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 10, 1)) + 0.5 * rng.normal(size=(1000, 10, 10))
    held = sum(low <= 0.0 <= high for low, high in (clustered_mean(list(each)).interval for each in values))
    assert held / 1000 == pytest.approx(0.95, abs=0.02)


def test_refuses() -> None:
    for clusters in ([], [[1.0], []]):
        with pytest.raises(InvalidInput, match="at least 1"):
            clustered_mean(clusters)
