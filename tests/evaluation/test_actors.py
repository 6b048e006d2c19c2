import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.evaluation import NoisyActor, RandomActor


def actions_of(seed: int, slot: int, batch: int, steps: int = 4) -> NDArray[np.float32]:
    """Actions in one episode, with other episodes in the other slots."""
    actor = RandomActor(3)
    actor.reset(np.arange(batch), np.arange(batch) + 1000)
    for _ in range(2 * (slot + 1)):  # neighbours are at different ages
        actor.act({"x": np.zeros((batch, 1))})
    actor.reset(np.array([slot]), np.array([seed]))
    return np.stack([actor.act({"x": np.zeros((batch, 1))})[slot] for _ in range(steps)])


def test_actions_depend_on_the_seed_alone() -> None:
    alone = actions_of(seed=7, slot=0, batch=1)
    np.testing.assert_array_equal(alone, actions_of(seed=7, slot=4, batch=5))
    np.testing.assert_array_equal(alone, actions_of(seed=7, slot=2, batch=64))
    assert not np.array_equal(alone, actions_of(seed=8, slot=0, batch=1))


def test_actions_are_uniform_float32() -> None:
    actions = actions_of(seed=1, slot=0, batch=1, steps=3000)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    assert np.abs(actions.mean(axis=0)).max() < 0.05  # 5 standard errors of 0.0105
    np.testing.assert_allclose(actions.std(axis=0), 1 / np.sqrt(3), atol=0.03)


def test_stream_is_not_the_environments() -> None:
    of_environment = np.random.default_rng(np.random.SeedSequence(7)).uniform(-1, 1, 3).astype(np.float32)
    assert not np.array_equal(actions_of(seed=7, slot=0, batch=1)[0], of_environment)


def test_idle_slots_get_zeros() -> None:
    actor = RandomActor(2)
    actor.reset(np.array([1]), np.array([5]))
    actions = actor.act({"x": np.zeros((3, 1))})
    assert not actions[[0, 2]].any()
    assert actions[1].all()


def test_refuses_no_actions() -> None:
    with pytest.raises(InvalidInput, match="action_dim is 0"):
        RandomActor(0)


class _Still:
    """Acts 0.5 throughout."""

    name = "still"

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        self.begun = seeds.tolist()

    def act(self, observations: dict[str, NDArray[np.float64]]) -> NDArray[np.float32]:
        return np.full((len(observations["x"]), 2), 0.5, np.float32)


def _noisy(noise: float, batch: int, slot: int, steps: int) -> NDArray[np.float32]:
    actor = NoisyActor(_Still(), 2, noise)
    actor.reset(np.arange(batch), np.where(np.arange(batch) == slot, 7, 100 + np.arange(batch)))
    return np.stack([actor.act({"x": np.zeros((batch, 1))})[slot] for _ in range(steps)])


def test_noise_is_normal_and_depends_on_the_seed_alone() -> None:
    actions = _noisy(0.1, 1, 0, 4000)
    np.testing.assert_array_equal(actions, _noisy(0.1, 5, 3, 4000))
    np.testing.assert_allclose(actions.mean(axis=0), 0.5, atol=0.008)  # 5 standard errors
    np.testing.assert_allclose(actions.std(axis=0), 0.1, atol=0.006)


def test_noisy_actions_stay_in_range_and_none_is_none() -> None:
    actions = _noisy(5.0, 1, 0, 200)
    assert np.abs(actions).max() == 1.0
    np.testing.assert_array_equal(_noisy(0.0, 1, 0, 3), np.full((3, 2), 0.5, np.float32))
    assert NoisyActor(_Still(), 2, 0.25).name == "still with noise 0.25"


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_refuses_noise_that_is_no_deviation(noise: float) -> None:
    with pytest.raises(InvalidInput, match="give a standard deviation of the actions, 0 or more"):
        NoisyActor(_Still(), 2, noise)
