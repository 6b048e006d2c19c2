"""Laws of limits normalisation."""

import json

import numpy as np
import pytest

from barkyard.datasets import Normalizer
from barkyard.errors import InvalidInput


def test_hand_computed() -> None:
    normalizer = Normalizer.from_limits([0.0, -1.0, 5.0], [10.0, 1.0, 5.0])
    values = np.array([[0.0, -1.0, 5.0], [10.0, 1.0, 5.0], [2.5, 0.5, 6.0]], dtype=np.float32)
    expected = [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-0.5, 0.5, 1.0]]
    assert normalizer.normalize(values).tolist() == expected
    assert normalizer.denormalize(np.array(expected, dtype=np.float32)).tolist() == values.tolist()


def test_round_trip_and_range() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(50, 4, 6)) * 10.0 ** np.arange(-2, 4) + 100 * rng.normal(size=6)).astype(np.float32)
    normalizer = Normalizer.fit(values)
    normal = normalizer.normalize(values)
    assert normal.dtype == np.float32
    assert normal.shape == values.shape
    flat = normal.reshape(-1, 6)
    assert flat.min(axis=0).tolist() == [-1.0] * 6
    assert flat.max(axis=0).tolist() == [1.0] * 6
    rounding = np.finfo(np.float32).eps * (np.abs(values) + normalizer.half_range)
    assert (np.abs(normalizer.denormalize(normal) - values) <= rounding).all()


def test_a_narrow_dimension_is_shifted_not_scaled() -> None:
    values = np.array([[3.0, 3.0], [3.00005, 3.0002]], dtype=np.float32)
    normal = Normalizer.fit(values).normalize(values)
    assert np.abs(normal[:, 0]).max() < 1e-4
    assert np.ptp(normal[:, 0]) == pytest.approx(5e-5, abs=1e-6)
    assert normal[:, 1] == pytest.approx([-1.0, 1.0], abs=1e-2)


def test_json_round_trip_is_exact() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    normalizer = Normalizer.fit(values)
    again = Normalizer.from_json(json.loads(json.dumps(normalizer.to_json())))
    assert again.normalize(values).tobytes() == normalizer.normalize(values).tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    values = np.zeros((4, 3), dtype=np.float32)
    values[2, 1] = value
    with pytest.raises(InvalidInput, match="row 2, dimension 1"):
        Normalizer.fit(values)
    with pytest.raises(InvalidInput, match="dimension 1"):
        Normalizer.from_limits([0, value], [1, 1])


def test_refuses() -> None:
    with pytest.raises(InvalidInput, match="dimension 0"):
        Normalizer.from_limits([2.0], [1.0])
    for shape in ((0, 3), (3,)):
        with pytest.raises(InvalidInput, match="shape"):
            Normalizer.fit(np.zeros(shape))
    with pytest.raises(InvalidInput, match=r"\(\.\.\., 2\)"):
        Normalizer.from_limits([0, 0], [1, 1]).normalize(np.zeros((5, 3)))
    for data in ({}, {"low": [0.0]}, {"low": None, "high": "x"}):
        with pytest.raises(InvalidInput):
            Normalizer.from_json(data)
