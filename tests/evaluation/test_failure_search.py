"""Searching failures, and bisecting checkpoints, where the truth is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.evaluation import evaluation_seeds
from barkyard.evaluation.bisect import bisect_outcome
from barkyard.evaluation.comparison import compare
from barkyard.evaluation.failure_search import Variant, search_failures
from barkyard.evaluation.trials import trials_of_results

from .fakes import FakeVectorEnv, StillActor


def start(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-1, 1, 4)


class CornerEnv(FakeVectorEnv):
    """Fails where the first number of the start is large; in its dark variant nearly everywhere."""

    def __init__(self, num_envs: int, limit: float) -> None:
        super().__init__(num_envs)
        self.limit = limit
        self.env_kwargs = {"limit": limit}

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        """One step an episode."""
        self.steps += 1
        fails = np.array([start(int(seed))[0] > self.limit for seed in self.seeds])
        info = {"success": ~fails, "end": np.where(fails, "failure", "success"), "metrics": {}}
        every = np.ones(self.num_envs, dtype=bool)
        return self._observations(), np.zeros(self.num_envs), every, ~every, info

    def _observations(self) -> Observations:
        starts = np.array([start(int(seed)) for seed in self.seeds])
        return {"steps": starts.astype(np.float32), "image_front": np.zeros((self.num_envs, 2, 2, 3), dtype=np.uint8)}


def variant(limit: float) -> Variant:
    return Variant(CornerEnv(8, limit), StillActor(), {"checkpoint": "abc"})


def test_it_finds_more_failures_than_luck_would() -> None:
    seeds = evaluation_seeds(600)
    found = search_failures({"plain": variant(0.9)}, seeds, 64)["plain"]
    truly = np.mean([start(seed)[0] > 0.9 for seed in seeds])
    failures = found.num_episodes - found.num_successes
    assert truly < 0.08 and failures >= 15  # luck would find about 3
    assert all(start(record.seed)[0] > 0.9 for record in found.episodes if not record.success)
    again = search_failures({"plain": variant(0.9)}, seeds, 64)["plain"]
    assert again.episodes == found.episodes


def test_the_bad_variant_is_tried_more_often() -> None:
    found = search_failures({"plain": variant(2.0), "dark": variant(-0.8)}, evaluation_seeds(300), 64)
    assert found["dark"].num_episodes > 2 * found["plain"].num_episodes
    assert found["dark"].env_kwargs == {"limit": -0.8}


def test_what_is_found_is_marked_and_refused() -> None:
    found = search_failures({"plain": variant(0.5)}, evaluation_seeds(64), 16)["plain"]
    assert found.sampling == "search" and found.interval == (0.0, 1.0) and "not a fair sample" in found.unfair
    with pytest.raises(InvalidInput, match="not a fair sample"):
        compare([("a", found), ("b", found)])
    with pytest.raises(InvalidInput, match="not a fair sample"):
        trials_of_results([("a", found)])


def test_refuses() -> None:
    with pytest.raises(InvalidInput, match="no variant"):
        search_failures({}, evaluation_seeds(4), 2)
    with pytest.raises(InvalidInput, match="episodes is 5"):
        search_failures({"plain": variant(0.5)}, evaluation_seeds(4), 5)


@pytest.mark.parametrize("first_failure", range(1, 12))
def test_bisection_finds_the_change(first_failure: int) -> None:
    asked: list[int] = []
    change = bisect_outcome(lambda number: (asked.append(number), number < first_failure)[1], 12)  # type: ignore[func-returns-value]
    assert (change.before, change.after) == (first_failure - 1, first_failure)
    assert change.outcomes[change.before] and not change.outcomes[change.after]
    assert len(asked) == len(set(asked)) <= 6


def test_bisection_of_what_does_not_change() -> None:
    with pytest.raises(InvalidInput, match="all 5 checkpoints succeed"):
        bisect_outcome(lambda number: True, 5)
    with pytest.raises(InvalidInput, match="at least 2"):
        bisect_outcome(lambda number: True, 1)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_bisection_of_training_that_is_not_monotone(outcomes: list[bool]) -> None:
    if len(set(outcomes)) == 1:
        with pytest.raises(InvalidInput, match="there is no change"):
            bisect_outcome(outcomes.__getitem__, len(outcomes))
        return
    change = bisect_outcome(outcomes.__getitem__, len(outcomes))
    assert change.after == change.before + 1
    assert outcomes[change.before] != outcomes[change.after] == outcomes[-1]
