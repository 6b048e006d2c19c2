"""The loop: order, seeds, what is recorded, and independence of the number of environments."""

from typing import Any

import numpy as np
import pytest

from barkyard.episode import EXPERT_ACTION, Episode, check_collection_seeds, check_evaluation_seeds
from barkyard.errors import InvalidInput
from barkyard.rollout import rollout


class Counter:
    """Counts from the seed; succeeds when it has counted 2 + seed % 5 steps, gives up at 5."""

    env_id, control_dt, source = "test/Counter-v0", 0.1, "sim"

    def __init__(self, num_envs: int) -> None:
        self.num_envs, self.env_kwargs = num_envs, {"n": 1}
        self.count, self.seed = np.zeros(num_envs), np.zeros(num_envs, dtype=np.int64)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, Any]:
        for i in np.flatnonzero(options["reset_mask"]):
            self.count[i], self.seed[i] = 0.0, seed[i]
        return self._observe(), {}

    def _observe(self) -> dict[str, np.ndarray]:
        return {"count": np.column_stack([self.count, self.seed]).astype(np.float32)}

    def step(self, actions: np.ndarray) -> tuple[Any, ...]:
        self.count += actions[:, 0]
        success = self.count >= 2 + self.seed % 5
        late = self.count >= 5
        end = np.where(success, "success", np.where(late, "time_limit", ""))
        info = {"success": success, "end": end, "metrics": {"count": self.count.copy()}}
        return self._observe(), self.count.copy(), success, late & ~success, info

    def get_states(self) -> np.ndarray:
        return np.column_stack([self.count, self.seed]).astype(np.float64)


class Ones:
    name = "ones"

    def __init__(self) -> None:
        self.started: list[int] = []

    def reset(self, slots: np.ndarray, seeds: np.ndarray) -> None:
        self.started += [int(s) for s in seeds]

    def act(self, observations: Any) -> np.ndarray:
        return np.full((len(observations["count"]), 1), 7.0)


def _episodes(num_envs: int, **kwargs: Any) -> list[Episode]:
    return list(rollout(Counter(num_envs), Ones(), range(10, 20), **kwargs))


@pytest.mark.parametrize("num_envs", [1, 3, 10, 16])
def test_one_episode_a_seed_in_order(num_envs: int) -> None:
    episodes = _episodes(num_envs)
    assert [e.seed for e in episodes] == list(range(10, 20))
    for episode in episodes:
        wanted = 2 + episode.seed % 5
        assert episode.length == min(wanted, 5) and episode.success == (wanted <= 5)
        assert episode.end == ("success" if wanted <= 5 else "time_limit")
        assert episode.terminated == episode.success and episode.truncated != episode.success
        np.testing.assert_array_equal(episode.observations["count"][:, 0], np.arange(episode.length + 1))
        assert episode.states is not None
        np.testing.assert_array_equal(episode.states[:, 0], np.arange(episode.length + 1))
        np.testing.assert_array_equal(episode.rewards, np.arange(1, episode.length + 1))
        np.testing.assert_array_equal(episode.actions, np.ones((episode.length, 1)))
        assert episode.total_reward == episode.length * (episode.length + 1) / 2
        assert episode.metrics == {"count": episode.length} and set(episode.acted_by) == {"ones"}


def test_out_of_order_gives_the_same_episodes() -> None:
    ordered = _episodes(4)
    loose = _episodes(4, in_order=False)
    assert [e.seed for e in loose] != [e.seed for e in ordered]
    assert sorted(e.seed for e in loose) == [e.seed for e in ordered]


def test_less_is_kept_when_less_is_asked() -> None:
    for episode in _episodes(4, record_states=False, record_observations=False):
        assert episode.states is None
        np.testing.assert_array_equal(episode.observations["count"][:, 0], [0, episode.length])


class Tenths:
    """Answers a tenth of the count it has seen since the episode began, and a hundredth of the seed's last digit."""

    name = "tenths"

    def __init__(self, num_envs: int) -> None:
        self.asked, self.digit = np.zeros(num_envs), np.zeros(num_envs)

    def reset(self, slots: np.ndarray, seeds: np.ndarray) -> None:
        self.asked[slots], self.digit[slots] = 0.0, seeds % 10

    def act(self, observations: Any) -> np.ndarray:
        np.testing.assert_array_equal(observations["count"][:, 0][self.asked > 0], self.asked[self.asked > 0])
        answers = observations["count"][:, 0] / 10 + self.digit / 100
        self.asked += 1
        return np.where(observations["count"][:, :1] < 4, answers[:, None], 9.0)


@pytest.mark.parametrize("num_envs", [1, 3, 16])
def test_the_teachers_answers_stand_beside_what_it_saw(num_envs: int) -> None:
    """Each in the row of the observation it answers, clipped like an action; the last row repeats."""
    taught = list(rollout(Counter(num_envs), Ones(), range(10, 20), teacher=Tenths(num_envs)))
    for episode, alone in zip(taught, _episodes(num_envs), strict=True):
        answers = episode.observations.pop(EXPERT_ACTION)
        assert answers.shape == (episode.length + 1, 1) and answers.dtype == np.float32
        expected = np.arange(episode.length) / 10 + episode.seed % 10 / 100
        expected[4:] = 1.0
        np.testing.assert_allclose(answers[:, 0], [*expected, expected[-1]], rtol=1e-6)
        np.testing.assert_array_equal(episode.actions, alone.actions)
        np.testing.assert_array_equal(episode.observations["count"], alone.observations["count"])
        assert set(episode.acted_by) == {"ones"} and episode.seed == alone.seed


def test_without_a_teacher_there_are_no_answers() -> None:
    assert all(set(episode.observations) == {"count"} for episode in _episodes(3))


def test_watch_sees_every_moment_of_every_episode() -> None:
    seen: dict[int, int] = {}

    def watch(env: Any, slots: np.ndarray, numbers: np.ndarray) -> None:
        for slot, number in zip(slots, numbers, strict=True):
            assert env.seed[slot] == 10 + number
            seen[int(number)] = seen.get(int(number), 0) + 1

    episodes = _episodes(3, watch=watch)
    assert seen == {i: e.length + 1 for i, e in enumerate(episodes)}


def test_no_seeds_no_episodes() -> None:
    assert list(rollout(Counter(2), Ones(), [])) == []


def test_seed_ranges_exclude_each_other() -> None:
    check_collection_seeds(np.array([0, 999_999_999]))
    check_evaluation_seeds(np.array([1_000_000_000]))
    with pytest.raises(InvalidInput, match="seed 1000000000 is kept for evaluation"):
        check_collection_seeds(np.array([5, 1_000_000_000]))
    with pytest.raises(InvalidInput, match="seed 999999999 is kept for collection"):
        check_evaluation_seeds(np.array([999_999_999]))


def test_stopping_ends_what_is_under_way_and_begins_no_more() -> None:
    asked = iter([False, True])
    episodes = _episodes(3, stop=lambda: next(asked))
    assert [(e.seed, e.length) for e in episodes] == [(10, 2), (11, 2), (12, 2)]
    assert [e.end for e in episodes] == ["success", "interrupted", "interrupted"]
