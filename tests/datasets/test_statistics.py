"""Statistics against numpy and against hand-computed values."""

import warnings

import numpy as np
import pytest

from barkyard.datasets.statistics import Aggregate, image_statistics, vector_statistics


def test_hand_computed() -> None:
    found = vector_statistics(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]], dtype=np.float32))
    assert found["min"] == [0.0, 5.0]
    assert found["max"] == [2.0, 5.0]
    assert found["mean"] == [1.0, 5.0]
    assert found["std"] == pytest.approx([np.sqrt(2 / 3), 0.0])
    assert found["count"] == [3]
    assert found["q10"] == pytest.approx([0.2, 5.0])
    assert found["q50"] == [1.0, 5.0]


def test_values_that_are_not_finite_are_left_out() -> None:
    values = np.array([[1.0, np.nan], [np.inf, np.nan], [3.0, np.nan]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = vector_statistics(values)
    assert found["max"] == [3.0, 0.0]
    assert found["mean"] == [2.0, 0.0]


def test_image_channels_on_the_unit_scale() -> None:
    images = np.zeros((2, 2, 2, 3), dtype=np.uint8)
    images[0, ..., 0] = 255
    images[..., 1] = 51
    found = image_statistics(images)
    assert np.array(found["mean"]).shape == (3, 1, 1)
    assert np.ravel(found["mean"]) == pytest.approx([0.5, 0.2, 0.0])
    assert np.ravel(found["std"]) == pytest.approx([0.5, 0.0, 0.0])
    assert np.ravel(found["max"]) == pytest.approx([1.0, 0.2, 0.0])
    assert np.ravel(found["q99"]) == pytest.approx([1.0, 0.2, 0.0])
    assert found["count"] == [2]


def test_aggregate_equals_the_statistics_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    episodes = [rng.normal(i, 1 + i, size=(5 + 7 * i, 3)) for i in range(4)]
    aggregate = Aggregate()
    for rows in episodes:
        aggregate.add(vector_statistics(rows))
    total, whole = aggregate.statistics(), vector_statistics(np.concatenate(episodes))
    for name in ("min", "max", "mean", "std", "count"):
        assert total[name] == pytest.approx(whole[name], rel=1e-12), name
    medians = np.array([vector_statistics(rows)["q50"] for rows in episodes])
    assert total["q50"] == pytest.approx(np.average(medians, axis=0, weights=list(map(len, episodes))))
