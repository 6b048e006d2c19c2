"""The search for gaits: on landscapes with a known best gait, and its bookkeeping."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from barkyard.assets.robots.leap_hand.variant import FULL, HandVariant
from barkyard.control.joint_step import LONGEST_STEP
from barkyard.errors import InvalidInput
from barkyard.experts.hand import search as searching
from barkyard.experts.hand import training
from barkyard.experts.hand.gait import GAITS_FILE, Gait, GaitActor, difference, nearest, read_gaits
from barkyard.experts.hand.search import LEFT, RIGHT, Budget, first_guess, measure, search
from barkyard.experts.hand.training import Visit, order, read, visit

HAND, LIKE, UNLIKE = "i34-m1234-t1234", "i34-m234-t1234", "i1234-r1234-t34"


class Landscape:
    """In the place of the simulation: a gait is as fast as it is near to the best one, whatever the episode."""

    def __init__(self) -> None:
        self.played = 0

    def best(self, joints: Sequence[str]) -> np.ndarray:
        """The same for joints of one name."""
        rows = [np.random.default_rng(list(joint.encode())).uniform(-0.3, 0.3, 3) for joint in joints]
        return np.array(rows)

    def play(self, env: Any, gaits: Sequence[Gait], seeds: np.ndarray, seconds: float) -> tuple[np.ndarray, ...]:
        self.played += len(gaits) * len(seeds)
        away = np.array([((gait.numbers - self.best(gait.joints)) ** 2).mean() for gait in gaits])
        rates = np.repeat((30.0 - 400.0 * away)[:, None], len(seeds), axis=1)
        return rates, np.zeros_like(rates), np.zeros_like(rates)


class NoEnvironment:
    task = type("Task", (), {"time_limit": 25.0})

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def landscape(monkeypatch: pytest.MonkeyPatch) -> Landscape:
    made = Landscape()
    monkeypatch.setattr(searching, "play", made.play)
    monkeypatch.setattr(searching, "open_hand", lambda *words: NoEnvironment())
    return made


def test_the_search_finds_a_known_best_gait(landscape: Landscape) -> None:
    start = first_guess("i34-t34")
    told: list[float] = []
    found = search("i34-t34", start, Budget(120, deviation=0.1), 0, lambda generation, score: told.append(score))
    assert np.abs(found.numbers - landscape.best(start.joints)).max() < 0.03
    assert np.abs(start.numbers - landscape.best(start.joints)).max() > 0.1
    assert len(told) == 120 and told[-1] > 29.5 > told[0]


def test_the_search_is_a_function_of_its_arguments(landscape: Landscape) -> None:
    start = first_guess("i34-t34")
    one, again, other = (search("i34-t34", start, Budget(3), seed).numbers for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_the_direction_turns_the_score_about(landscape: Landscape) -> None:
    start = Gait(first_guess("i34-t34").joints, landscape.best(first_guess("i34-t34").joints))
    left, right = (measure("i34-t34", start, 2, "none", direction=way).yaw_rate for way in (LEFT, RIGHT))
    assert left == pytest.approx(30.0) and right == pytest.approx(-30.0)
    away = search("i34-t34", start, Budget(10, direction=RIGHT), 0)
    assert measure("i34-t34", away, 2, "none").yaw_rate < 29.0


def test_a_gait_survives_its_file_and_keeps_joints_of_one_name() -> None:
    gait = Gait(HandVariant.from_name(HAND).joints, np.random.default_rng(0).normal(size=(10, 3)).round(4))
    again = Gait.from_json(json.loads(json.dumps(gait.to_json())))
    assert again.joints == gait.joints and np.array_equal(again.numbers, gait.numbers)
    whole = gait.for_joints(FULL.joints)
    assert np.array_equal(whole.for_joints(gait.joints).numbers, gait.numbers)
    strange = [row for row, joint in enumerate(FULL.joints) if joint not in gait.joints]
    assert len(strange) == 6 and not whole.numbers[strange].any()


def test_the_actor_moves_targets_to_the_gait_of_the_next_step() -> None:
    """At phase 0, by hand: offset, no sine, the cosine; an angle of 2 pi / 40 later. Steps are of 1/24 rad at most."""
    gait = Gait(("a", "b"), np.array([[0.01, 0.0, 0.0], [0.0, 1.0, 0.02]]))
    actor = GaitActor(gait, (0.1, 0.2), 0.05)
    angle = 2 * np.pi * 0.05 / 2.0
    target = np.array([[0.1, 0.2]], dtype=np.float32)
    action = actor.act({"clock": np.array([[0.0, 1.0]], dtype=np.float32), "joint_target": target})
    assert action[0, 0] == pytest.approx(0.01 / LONGEST_STEP, rel=1e-5)
    assert np.sin(angle) + 0.02 * np.cos(angle) > LONGEST_STEP and action[0, 1] == 1.0


def test_likeness_of_hands() -> None:
    """A link that one lacks is 1, 15 mm are a half."""
    assert difference(HAND, LIKE) == 1.0 == difference(LIKE, HAND)
    assert difference("i34-t1234", "i3+4-t1234") == 0.5
    assert nearest(HAND, [UNLIKE, LIKE]) == LIKE
    with pytest.raises(InvalidInput, match="no hand with a gait"):
        nearest(HAND, [])


def found(landscape: Landscape, hand: str, error: float) -> Visit:
    """A hand whose gait is as far from its best."""
    joints = HandVariant.from_name(hand).joints
    gait = Gait(joints, landscape.best(joints) + error)
    return Visit(gait, 1, measure(hand, gait, 4, "none"), hand)


def test_a_hand_begins_with_the_best_gait_of_its_neighbours(landscape: Landscape) -> None:
    """The nearer one is poor here, and the farther one good; without any search the gait is taken over."""
    visits = {LIKE: found(landscape, LIKE, 0.2), UNLIKE: found(landscape, UNLIKE, 0.0)}
    none = replace(Budget(0), randomization="none")
    warm = visit(HAND, visits, none, 4, seed=0)
    assert warm.parent == UNLIKE
    shared = [joint for joint in warm.gait.joints if joint in visits[UNLIKE].gait.joints]
    assert shared and warm.rounds == 1
    for joint in shared:
        np.testing.assert_allclose(warm.gait.to_json()[joint], visits[UNLIKE].gait.to_json()[joint], atol=1e-4)


def test_what_is_worse_is_not_kept(landscape: Landscape) -> None:
    good = found(landscape, HAND, 0.0)
    again = visit(HAND, {HAND: good}, Budget(1, deviation=1.0), 4, seed=0)
    assert again.gait is good.gait and again.rounds == 2 and again.measured == good.measured


def test_whom_to_visit(landscape: Landscape) -> None:
    hands = [FULL.name, HAND, LIKE]
    assert order({}, hands) == [FULL.name]
    solved, poor = found(landscape, FULL.name, 0.0), found(landscape, HAND, 0.4)
    assert solved.solved and not poor.solved
    assert order({FULL.name: poor}, hands) == [FULL.name]
    assert order({FULL.name: solved, HAND: poor}, hands) == [LIKE, HAND]
    assert order({name: solved for name in hands}, hands) == []


def test_a_search_that_is_stopped_and_goes_on_is_one_that_was_not(
    landscape: Landscape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each visit, against all in one go."""
    visited: list[int] = []
    monkeypatch.setattr(training, "FIRST", Budget(3, deviation=0.1))
    monkeypatch.setattr(training, "FURTHER", Budget(2, deviation=0.05))
    words = ["--hands", FULL.name, HAND, LIKE, "--episodes", "2"]
    clock = Clock(8)
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=clock))
    training.main([*words, "--out", str(tmp_path / "whole.json"), "--minutes", "0.1"])
    while not visited or visited[-1] < sum(each.rounds for each in read(tmp_path / "whole.json").values()):
        clock.left = 1
        training.main([*words, "--out", str(tmp_path / "parts.json"), "--minutes", "0.1"])
        visited.append(sum(each.rounds for each in read(tmp_path / "parts.json").values()))
        assert len(visited) <= 8
    whole, parts = (json.loads((tmp_path / name).read_text())["hands"] for name in ("whole.json", "parts.json"))
    assert len(visited) > 2 and whole == parts
    assert set(read_gaits(tmp_path / "whole.json")) == set(whole)


class Clock:
    """Says that the time is over after `left` visits."""

    def __init__(self, left: int) -> None:
        self.left, self._asked = left, False

    def __call__(self) -> float:
        if self.left < 0:
            return 1e9
        self.left -= 1
        return 0.0


def test_a_real_episode_turns_the_cube(tmp_path: Path) -> None:
    """Two seconds of the gait that ships, in the simulation, as the search plays them."""
    gait = read_gaits(GAITS_FILE)[FULL.name].gait
    env = searching.open_hand(FULL.name, 2, "none")
    rates, dropped, speeds = searching.play(env, [gait, first_guess(FULL.name, RIGHT)], np.array([5]), 2.0)
    env.close()
    assert rates.shape == dropped.shape == speeds.shape == (2, 1)
    assert not dropped.any() and rates[0, 0] > rates[1, 0] and (speeds > 0).all()
