"""What is said of a dataset's values, and which of its episodes stand out."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.datasets import survey as s

from .synthetic import make_episode


def write(path: Path, actions: list[NDArray[np.float32]]) -> Dataset:
    """A dataset with these `(T, 2)` actions and rewards of 1."""
    with DatasetWriter.create(path, make_episode(0, actions=np.zeros((5, 2), np.float32))) as writer:
        for seed, each in enumerate(actions):
            rewards = np.ones(len(each), np.float32)
            writer.write(make_episode(seed, len(each), actions=each, rewards=rewards))
    return Dataset.open(path)


def alike(count: int, length: int = 4) -> list[NDArray[np.float32]]:
    draw = np.random.default_rng(0)
    return [draw.uniform(-0.5, 0.5, (length, 2)).astype(np.float32) for _ in range(count)]


def test_scores_are_those_worked_out_by_hand() -> None:
    scores = s.modified_z_scores(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    assert scores == pytest.approx(0.6745 * np.array([-2.0, -1.0, 0.0, 1.0, 97.0]), rel=1e-12)  # median 3, MAD 1


def test_where_most_are_alike_the_mean_deviation_is_the_measure() -> None:
    values = np.full(20, 400.0)
    values[3] = 200.0
    assert s.modified_z_scores(values)[3] == pytest.approx(-200.0 / (1.2533 * 200.0 / 20))
    assert not s.modified_z_scores(np.full(20, 400.0)).any()
    assert not s.modified_z_scores(400.0 + 1e-8 * np.arange(20)).any(), "rounding is no difference"


def test_of_normal_values_one_in_two_thousand_stands_out() -> None:
    scores = s.modified_z_scores(np.random.default_rng(0).normal(5.0, 3.0, 200_000))
    assert 0.0003 < np.mean(np.abs(scores) > s.OUTLIER_SCORE) < 0.0007


def test_measures_are_those_of_each_episode(tmp_path: Path) -> None:
    actions = [np.array([[0.0, 1.0], [0.5, -1.0], [0.0, 1.0]], np.float32), np.array([[0.25, 0.25]], np.float32)]
    measures = s.episode_measures(write(tmp_path, actions))
    assert measures["length [steps]"].tolist() == measures["return"].tolist() == [3.0, 1.0]
    assert measures["mean of action[1]"] == pytest.approx([1 / 3, 0.25])
    assert measures["spread of action[1]"] == pytest.approx([np.std([1.0, -1.0, 1.0]), 0.0])
    assert measures["mean change of the action a step"] == pytest.approx([(0.5 + 2.0) / 2, 0.0])


def test_the_odd_episode_is_found_and_why(tmp_path: Path) -> None:
    actions = alike(30)
    actions[7] = np.full((40, 2), [0.9, 0.0], np.float32)
    (found, *others) = s.outliers(write(tmp_path, actions))
    assert found.episode == 7 and not others
    quantities = {reason.quantity: reason for reason in found.reasons}
    assert (quantities["length [steps]"].value, quantities["length [steps]"].median) == (40.0, 4.0)
    assert {"return", "mean of action[0]"} <= quantities.keys()
    assert np.all(np.diff([abs(reason.score) for reason in found.reasons]) <= 0)


def test_few_episodes_are_not_judged(tmp_path: Path) -> None:
    actions = alike(s.FEWEST_EPISODES - 1)
    actions[0] = np.zeros((40, 2), np.float32)
    assert s.outliers(write(tmp_path, actions)) == []


def test_a_distribution_counts_every_value_once() -> None:
    values = np.array([-1.0, -0.99, 0.0, 1.0, np.nan, np.inf], np.float32)
    element = s.distribution("a", values, (-1.0, 1.0))
    assert element.counts[0] == 2 and element.counts[-1] == 1 and element.counts.sum() == 4
    assert (element.minimum, element.maximum, element.not_finite) == (-1.0, 1.0, 2)
    assert element.mean == pytest.approx(-0.99 / 4)
    nothing = s.distribution("b", np.full(3, np.nan, np.float32))
    assert nothing.counts.sum() == 0 and nothing.not_finite == 3


def test_elements_have_their_place_in_the_part_and_large_parts_are_taken_as_one(tmp_path: Path) -> None:
    like = make_episode(0, vectors={"joint_pos": (2,), "terrain": (2, 2), "heights": (33,)})
    with DatasetWriter.create(tmp_path, like) as writer:
        writer.write(like)
    found = dict(s.observation_distributions(Dataset.open(tmp_path)))
    assert [element.name for element in found["joint_pos"]] == ["joint_pos[0]", "joint_pos[1]"]
    assert [element.name for element in found["terrain"]][1] == "terrain[0, 1]"
    assert len(found["heights"]) == 1 and found["heights"][0].counts.sum() == 33 * like.length
    second = like.observations["terrain"][:-1, 0, 1]
    assert found["terrain"][1].mean == pytest.approx(second.mean(), abs=1e-6)


def test_actions_beyond_one_have_bounds_of_their_own(tmp_path: Path) -> None:
    inside = s.action_distributions(write(tmp_path / "a", alike(2)))
    outside = s.action_distributions(write(tmp_path / "b", [np.array([[90.0, -30.0], [0.0, 0.0]], np.float32)]))
    assert (inside[0].low, inside[0].high) == (-1.0, 1.0)
    assert (outside[0].low, outside[0].high) == (0.0, 90.0)
