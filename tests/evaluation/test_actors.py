import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.evaluation import RandomActor


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
