"""Races: who is better, known early. Outcomes are set by the actor's name and the seed."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.evaluation import EvalResult, evaluate, evaluation_seeds
from barkyard.evaluation.comparison import BETTER, NO_PRACTICAL_DIFFERENCE, NOT_ENOUGH_EVIDENCE, WORSE
from barkyard.evaluation.race import OnBlock, RaceResult, Rules, race
from barkyard.evaluation.sequential import SequentialComparison

from .fakes import FakeVectorEnv, StillActor, succeeds


class RatedEnv(FakeVectorEnv):
    """Success depends on who acts: the mean action is the success probability."""

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        """Every episode has three steps."""
        self.steps += 1
        over = self.steps >= 3
        rates = actions.mean(axis=1)
        success = over & np.array(
            [succeeds(int(seed), float(rate)) for seed, rate in zip(self.seeds, rates, strict=True)]
        )
        info = {
            "success": success,
            "end": np.where(success, "success", np.where(over, "time_limit", "")),
            "metrics": {},
        }
        return self._observations(), rates, success, over & ~success, info


class RatedActor(StillActor):
    """Succeeds with one probability, on the same seeds as everybody else who is at least as good."""

    def __init__(self, rate: float) -> None:
        self.name, self._rate = f"rate {rate}", rate

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """The rate."""
        return np.full((len(observations["steps"]), 2), self._rate, dtype=np.float32)


def run(
    *rates: float, episodes: int = 200, num_envs: int = 8, on_block: OnBlock | None = None, **rules: Any
) -> RaceResult:
    actors = {str(rate): RatedActor(rate) for rate in rates}
    return race(RatedEnv(num_envs), actors, evaluation_seeds(episodes), Rules(**rules), on_block=on_block)


def fixed(rate: float, episodes: int = 200) -> EvalResult:
    return evaluate(RatedEnv(4), RatedActor(rate), evaluation_seeds(episodes))


def test_it_stops_when_the_answer_is_known() -> None:
    found = run(0.9, 0.1)
    assert (found.verdict, found.may_be_best) == (BETTER, ("0.9",))
    assert found.decided_after is not None and found.decided_after <= 24
    assert found.episodes == 2 * 8 * -(-found.decided_after // 8)  # whole batches
    assert found.saved == 400 - found.episodes
    assert found.words == f"0.9: better than 0.1, known after {found.decided_after} seeds"
    assert run(0.1, 0.9).verdict == WORSE


def test_the_verdict_is_that_of_one_seed_after_another_at_any_number_of_environments() -> None:
    first, second = fixed(0.7), fixed(0.4)
    comparison = SequentialComparison()
    by_hand = 0
    for a, b in zip(first.episodes, second.episodes, strict=True):
        by_hand += 1
        if comparison.update(a.success, b.success).verdict != NOT_ENOUGH_EVIDENCE:
            break
    for num_envs in (1, 7, 32):
        assert run(0.7, 0.4, num_envs=num_envs).decided_after == by_hand


def test_against_a_result_runs_only_the_new_actor() -> None:
    found = run(0.9, against={"old": fixed(0.2)})
    assert (found.verdict, set(found.results)) == (BETTER, {"0.9"})
    assert found.episodes_asked == 200 and found.episodes == found.results["0.9"].num_episodes < 50
    assert found.results["0.9"].episodes == fixed(0.9, found.episodes).episodes


def test_many_drop_the_beaten_and_go_on_with_the_rest() -> None:
    found = run(0.9, 0.85, 0.1, episodes=64)
    episodes = {name: result.num_episodes for name, result in found.results.items()}
    assert found.verdict == NOT_ENOUGH_EVIDENCE and found.may_be_best == ("0.9", "0.85")
    assert episodes["0.1"] < 40 and episodes["0.9"] == episodes["0.85"] == 64
    assert found.words == "one of these is the best: 0.9, 0.85"
    assert run(0.9, 0.3, 0.1).words.startswith("shown to be the best: 0.9, known after ")


def test_equal_actors_end_without_a_winner() -> None:
    assert run(0.5, against={"same": fixed(0.5)}, margin=0.2).verdict == NO_PRACTICAL_DIFFERENCE
    found = run(0.5, against={"same": fixed(0.5)}, margin=0.0)
    assert (found.verdict, found.decided_after, found.saved) == (NOT_ENOUGH_EVIDENCE, None, 0)


def test_results_say_that_they_are_sequential_and_keep_an_interval_that_is_valid_then() -> None:
    seen: list[int] = []
    found = run(0.9, 0.1, on_block=lambda results, words: seen.append(results["0.9"].num_episodes))
    result = found.results["0.9"]
    assert result.sampling == "sequential" and "better than 0.1" in result.unfair
    assert result.interval.low < 0.9 <= result.interval.high
    assert seen == list(range(8, result.num_episodes + 1, 8))


def test_refuses() -> None:
    other = FakeVectorEnv(1)
    other.fingerprint = "elsewhere"
    for options, named in (
        ({"against": {}}, "give an actor and one other"),
        ({"against": {"0.9": fixed(0.5)}}, "two are named '0.9'"),
        ({"against": {"few": fixed(0.5, 100)}}, "few lacks 100 of the 200 seeds"),
        ({"against": {"far": evaluate(other, StillActor(), evaluation_seeds(200))}}, "another environment"),
        ({"against": {"early": run(0.9, 0.1).results["0.9"]}}, "ended when an answer was known"),
    ):
        with pytest.raises(InvalidInput, match=named):
            run(0.9, **options)
