"""Windows against hand-computed cases and a per-window loop."""

from pathlib import Path

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetWriter, WindowBatch, Windows, split_episodes
from barkyard.episode import Episode
from barkyard.errors import InvalidInput

from .synthetic import make_episode

LENGTHS = (4, 1, 7, 2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("dataset")
    with DatasetWriter.create(path, make_episode(0, images=True)) as writer:
        for seed, length in enumerate(LENGTHS):
            writer.write(make_episode(seed, length, images=True))
    return Dataset.open(path)


def counting_dataset(path: Path) -> Dataset:
    """Two episodes, of 3 and 2 steps, whose observation and action are the step's number, from 10 in the second."""
    with DatasetWriter.create(path, counting_episode(0, 0, 3)) as writer:
        writer.write(counting_episode(0, 0, 3))
        writer.write(counting_episode(1, 10, 2))
    return Dataset.open(path)


def counting_episode(seed: int, first: int, length: int) -> Episode:
    steps = np.arange(first, first + length + 1, dtype=np.float32)[:, None]
    return make_episode(seed, length, observations={"clock": steps}, actions=steps[:-1])


def test_hand_computed(tmp_path: Path) -> None:
    windows = Windows(counting_dataset(tmp_path), 2, 4, -1, ["clock"])
    batch = windows.gather(np.arange(5))
    assert len(windows) == 5
    assert batch.observations["clock"][..., 0].tolist() == [[0, 0], [0, 1], [1, 2], [10, 10], [10, 11]]
    assert batch.actions[..., 0].tolist() == [
        [0, 0, 1, 2],
        [0, 1, 2, 2],
        [1, 2, 2, 2],
        [10, 10, 11, 11],
        [10, 11, 11, 11],
    ]
    assert batch.is_pad.astype(int).tolist() == [
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [1, 0, 0, 1],
        [0, 0, 1, 1],
    ]


def test_actions_may_start_later(tmp_path: Path) -> None:
    batch = Windows(counting_dataset(tmp_path), 1, 2, 1, ["clock"], episodes=[1]).gather([0, 1])
    assert batch.observations["clock"][..., 0].tolist() == [[10], [11]]
    assert batch.actions[..., 0].tolist() == [[11, 11], [11, 11]]
    assert batch.is_pad.tolist() == [[False, True], [True, True]]


def naive_window(dataset: Dataset, place: tuple[int, int], to: int, tp: int, start: int, key: str) -> WindowBatch:
    stored, step = dataset.episode(place[0]), place[1]
    last = stored.length - 1
    observations, actions, is_pad = [], [], []
    for t in range(step - to + 1, step + 1):
        observations.append(stored.observations[key][max(t, 0)])
    for t in range(step + start, step + start + tp):
        actions.append(stored.actions[min(max(t, 0), last)])
        is_pad.append(t < 0 or t > last)
    return WindowBatch({key: np.stack(observations)}, np.stack(actions), np.array(is_pad))


@pytest.mark.parametrize("key", ["joint_pos", "terrain", "command", "image_front"])
@pytest.mark.parametrize("case", range(6))
def test_equals_a_loop_over_windows(dataset: Dataset, key: str, case: int) -> None:
    rng = np.random.default_rng(case)
    to, tp, start = int(rng.integers(1, 5)), int(rng.integers(1, 12)), int(rng.integers(-4, 4))
    episodes = rng.permutation(len(LENGTHS))[: rng.integers(1, len(LENGTHS) + 1)]
    windows = Windows(dataset, to, tp, start, [key], episodes)
    places = [(int(episode), step) for episode in episodes for step in range(LENGTHS[episode])]
    assert len(windows) == len(places)
    order = rng.integers(0, len(places), size=20)
    batch = windows.gather(order)
    assert batch.observations[key].shape == (20, to, *dataset.observation_shapes[key])
    assert batch.observations[key].dtype == (np.uint8 if key == "image_front" else np.float32)
    for i, number in enumerate(order):
        expected = naive_window(dataset, places[number], to, tp, start, key)
        assert np.array_equal(batch.observations[key][i], expected.observations[key])
        assert np.array_equal(batch.actions[i], expected.actions)
        assert np.array_equal(batch.is_pad[i], expected.is_pad)


def test_parts_of_one_batch_do_not_depend_on_each_other(dataset: Dataset) -> None:
    keys = ["terrain", "image_front", "gripper_pos", "joint_pos", "command"]
    together = Windows(dataset, 3, 4, -2, keys).gather([9, 0, 4])
    assert list(together.observations) == keys
    for key in keys:
        alone = Windows(dataset, 3, 4, -2, [key]).gather([9, 0, 4])
        assert np.array_equal(together.observations[key], alone.observations[key])


def test_a_batch_is_the_callers_own(dataset: Dataset) -> None:
    windows = Windows(dataset, 2, 4, -1, ["joint_pos", "image_front"])
    first = windows.gather([3])
    for values in (*first.observations.values(), first.actions):
        values[...] = 0
    second = windows.gather([3])
    assert second.actions.any()
    assert all(values.any() for values in second.observations.values())


def test_refuses(dataset: Dataset) -> None:
    with pytest.raises(InvalidInput, match="gripper_pos"):
        Windows(dataset, 2, 4, -1, ["grip"])
    with pytest.raises(InvalidInput, match="observation_steps is 0"):
        Windows(dataset, 0, 4, -1, ["joint_pos"])
    with pytest.raises(InvalidInput, match="horizon is 0"):
        Windows(dataset, 2, 0, -1, ["joint_pos"])
    with pytest.raises(InvalidInput, match=r"episode 4 is not one of 0\.\.3"):
        Windows(dataset, 2, 4, -1, ["joint_pos"], [0, 4])
    windows = Windows(dataset, 2, 4, -1, ["joint_pos"])
    for number in (len(windows), -1):
        with pytest.raises(IndexError):
            windows.gather([number])


@pytest.mark.parametrize(("n", "fraction", "expected"), [(100, 0.02, 2), (10, 0.01, 1), (2, 0.99, 1), (5, 0.5, 2)])
def test_split(n: int, fraction: float, expected: int) -> None:
    train, held_out = split_episodes(n, fraction, seed=1)
    assert len(held_out) == expected
    assert sorted([*train, *held_out]) == list(range(n))
    again = split_episodes(n, fraction, seed=1)
    assert np.array_equal(train, again[0])
    assert np.array_equal(held_out, again[1])


def test_split_depends_on_the_seed_and_refuses() -> None:
    assert len({tuple(split_episodes(50, 0.1, seed)[1]) for seed in range(5)}) == 5
    with pytest.raises(InvalidInput, match="1 episodes"):
        split_episodes(1, 0.1, 0)
    for fraction in (0.0, 1.0, float("nan")):
        with pytest.raises(InvalidInput, match="fraction"):
            split_episodes(10, fraction, 0)
