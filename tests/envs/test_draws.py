"""Counter-based draws: known numbers, purity, independence of the batch, uniformity."""

import numpy as np
import pytest

from barkyard.envs import draws
from barkyard.envs.draws import KEYS, between, draw_keys, uniform

KEYS_IN_A_ROW = np.arange(2000, dtype=np.float64)


def test_the_mixing_is_splitmix64() -> None:
    state = np.uint64(1234567)
    known = (6457827717110365317, 3203168211198807973, 9817491932198370423)
    with np.errstate(over="ignore"):
        for i, expected in enumerate(known, start=1):
            assert int(draws._mix(state + draws._GAMMA * np.uint64(i))) == expected


def test_draws_are_a_pure_function() -> None:
    first = uniform(KEYS_IN_A_ROW, 5, 4)
    np.random.default_rng(0).uniform(size=10)
    np.testing.assert_array_equal(uniform(KEYS_IN_A_ROW, 5, 4), first)


def test_a_draw_does_not_know_its_batch() -> None:
    whole = uniform(KEYS_IN_A_ROW, 3, 6)
    order = np.random.default_rng(1).permutation(len(KEYS_IN_A_ROW))
    np.testing.assert_array_equal(uniform(KEYS_IN_A_ROW[order], 3, 6), whole[order])
    np.testing.assert_array_equal(uniform(KEYS_IN_A_ROW[7:8], 3, 6)[0], whole[7])
    np.testing.assert_array_equal(uniform(KEYS_IN_A_ROW, 3, 2), whole[:, :2])


def test_a_counter_for_each_key_is_the_same_as_one_for_all() -> None:
    keys = KEYS_IN_A_ROW[:3]
    each = uniform(keys, np.array([4.0, 9.0, 4.0]), 2)
    np.testing.assert_array_equal(each[[0, 2]], uniform(keys, 4, 2)[[0, 2]])
    np.testing.assert_array_equal(each[1], uniform(keys, 9, 2)[1])


def test_no_keys_give_no_draws() -> None:
    assert uniform(np.zeros(0), 1, 3).shape == (0, 3)


@pytest.mark.parametrize("keys", [KEYS_IN_A_ROW, KEYS_IN_A_ROW * 2**40], ids=["neighbours", "large"])
def test_draws_are_uniform(keys: np.ndarray) -> None:
    values = uniform(keys, 11, 10)
    assert values.min() >= 0.0 and values.max() < 1.0
    counts = np.histogram(values, bins=20, range=(0.0, 1.0))[0]
    expected = values.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8, "the 0.1 % point of chi-square, 19 degrees of freedom"


def test_draws_of_different_columns_counters_and_keys_are_unrelated() -> None:
    first, second = uniform(KEYS_IN_A_ROW, 0, 3), uniform(KEYS_IN_A_ROW, 1, 3)
    columns = np.concatenate([first, second, np.roll(first, 1, axis=0)], axis=1)
    relation = np.corrcoef(columns.T) - np.eye(9)
    assert np.abs(relation).max() < 0.08, "four standard deviations of the correlation of 2000 pairs"
    assert len(np.unique(columns)) == 2000 * 6


def test_keys_are_exact_and_come_from_the_generators() -> None:
    generators = [np.random.default_rng(seed) for seed in range(50)]
    keys = draw_keys(generators)
    assert keys.dtype == np.float64 and keys.min() >= 0 and keys.max() < KEYS and keys.max() > 2**48
    np.testing.assert_array_equal(keys, keys.astype(np.int64))
    assert len(np.unique(keys)) == 50
    np.testing.assert_array_equal(draw_keys([np.random.default_rng(seed) for seed in range(50)]), keys)
    assert not np.any(draw_keys(generators) == keys), "the next key of each generator is another"


def test_between_stretches() -> None:
    np.testing.assert_allclose(between(np.array([0.0, 0.25, 0.5]), -1.0, 3.0), [-1.0, 0.0, 1.0])
    assert between(np.array([0.7]), 2.0, 2.0)[0] == 2.0
