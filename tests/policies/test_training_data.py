from pathlib import Path

import numpy as np
import pytest

from barkyard.datasets import Dataset
from barkyard.errors import InvalidInput
from barkyard.policies.training_data import BatchOrder, TrainingData, choose_keys
from tests.policies.synthetic import TINY_UNET


def test_every_epoch_reads_every_window_once() -> None:
    """Ten windows in batches of four: five batches are two epochs."""
    order = BatchOrder(10, 4, seed=0)
    read = np.concatenate([order.batch(step) for step in range(5)])
    assert sorted(read[:10]) == sorted(read[10:]) == list(range(10))
    assert read[:10].tolist() != read[10:].tolist()


def test_batches_are_a_function_of_seed_and_step() -> None:
    in_order = [BatchOrder(10, 4, seed=0).batch(step).tolist() for step in range(6)]
    order = BatchOrder(10, 4, seed=0)
    assert [order.batch(step).tolist() for step in reversed(range(6))] == in_order[::-1]
    assert [BatchOrder(10, 4, seed=1).batch(step).tolist() for step in range(6)] != in_order


def test_a_batch_larger_than_the_dataset() -> None:
    assert np.bincount(BatchOrder(3, 7, seed=0).batch(0), minlength=3).tolist() in ([3, 2, 2], [2, 3, 2], [2, 2, 3])


def test_split_and_features(dataset_path: Path) -> None:
    """Forty episodes of twenty frames, a tenth of them held out."""
    data = TrainingData(Dataset.open(dataset_path), TINY_UNET, None, 0.1, seed=0)
    assert (len(data.training), len(data.held_out)) == (36 * 20, 4 * 20)
    assert data.features.observations == {"position": (2,), "target": (2,)}
    assert (data.features.action_dim, data.features.env_id) == (2, "test/Point-v0")
    assert data.features.control_dt == pytest.approx(0.05)


def test_normalisation_knows_the_training_episodes_alone(dataset_path: Path) -> None:
    data = TrainingData(Dataset.open(dataset_path), TINY_UNET, None, 0.5, seed=0)
    every = data.training.gather(np.arange(len(data.training)))
    normalised = data.normalizers["action"].normalize(every.actions)
    assert normalised.min() == pytest.approx(-1, abs=1e-6)
    assert normalised.max() == pytest.approx(1, abs=1e-6)
    others = data.held_out.gather(np.arange(len(data.held_out)))
    assert np.abs(data.normalizers["action"].normalize(others.actions)).max() > 1


def test_chosen_parts(dataset_path: Path) -> None:
    dataset = Dataset.open(dataset_path)
    assert choose_keys(dataset, None) == ["position", "target"]
    assert choose_keys(dataset, ["target"]) == ["target"]
    with pytest.raises(InvalidInput, match="'speed' is not one of the dataset's parts: position, target"):
        choose_keys(dataset, ["speed"])
    with pytest.raises(InvalidInput, match="must be one or more parts that this policy reads"):
        choose_keys(dataset, [])
