"""Random numbers as a pure function of a key and a counter, for whole batches.

An environment keeps one key an episode in its state; whatever it draws later is a function of that key and of the
time, so stored states replay exactly. The mixing is SplitMix64 (Steele, Lea, Flood 2014).
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEYS = 2**52
"""Keys are integers below this, so that they are exact as float64."""
_GAMMA, _MIX_1, _MIX_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def _mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


def draw_keys(generators: list[np.random.Generator]) -> Array:
    """`(n,)` one new key from each generator."""
    return np.array([float(generator.integers(KEYS)) for generator in generators])


def uniform(keys: Array, counter: NDArray[Any] | int, size: int) -> Array:
    """`(n, size)` numbers in [0, 1).

    Args:
        keys: `(n,)` keys.
        counter: which draw of each key, an integer or `(n,)` integers; different uses of one key take different ones.
        size: how many numbers.
    """
    return np.asarray(_uniform(keys, np.broadcast_to(counter, keys.shape), size))


@njit(cache=True)
def _uniform(keys: Array, counter: Array, size: int) -> Array:
    out = np.empty((len(keys), size))
    for n in range(len(keys)):
        stream = _mix(_mix(np.uint64(keys[n]) + _GAMMA) + np.uint64(counter[n]) * _MIX_2)
        for i in range(size):
            out[n, i] = np.float64(_mix(stream + _GAMMA * np.uint64(i + 1)) >> np.uint64(11)) * 2.0**-53
    return out


def between(unit: Array, low: float | Array, high: float | Array) -> Array:
    """Numbers in [0, 1) stretched to [low, high)."""
    return low + (high - low) * unit
