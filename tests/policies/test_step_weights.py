"""Who acted decides how often a step is learnt from, and training goes on from a checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.episode import POLICY_ACTION, Episode
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.checkpoint import load_policy
from barkyard.policies.step_weights import step_weights
from barkyard.policies.train import train
from barkyard.policies.training_data import BatchOrder, TrainingData
from tests.policies.synthetic import TINY_UNET, episode
from tests.policies.test_train import TINY, run

NAMES = np.array(["expert", "expert", "weak", "weak", "weak", "human:keyboard"])
CORRECTED = np.array([False, False, True, True, True, True])


def corrected(seed: int) -> Episode:
    """A person acts at the last five of twenty steps."""
    one = episode(seed)
    names = np.array(["weak"] * 15 + ["human:keyboard"] * 5)
    proposals = np.zeros_like(one.observations["position"])
    return replace(one, acted_by=names, observations={**one.observations, POLICY_ACTION: proposals})


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    with DatasetWriter.create(tmp_path / "corrections", corrected(0)) as writer:
        for seed in range(10):
            writer.write(corrected(seed))
    return tmp_path / "corrections"


def test_corrections_count_as_much_as_all_else() -> None:
    weights = step_weights(NAMES, CORRECTED, {})
    assert weights is not None and weights.tolist() == [1, 1, 1, 1, 1, 5]


def test_where_nobody_was_corrected_all_steps_are_alike() -> None:
    assert step_weights(NAMES, np.zeros(6, dtype=bool), {}) is None
    assert step_weights(NAMES[5:], CORRECTED[5:], {}) is None


def test_weights_are_given_by_name_and_the_longer_name_counts() -> None:
    weights = step_weights(NAMES, CORRECTED, {"human:keyboard": 3, "human": 9, "weak": 0})
    assert weights is not None and weights.tolist() == [1, 1, 0, 0, 0, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nobody": 1}, "valid: expert, human, human:keyboard, weak"),
        ({"human": -1}, "weight of human is -1"),
        ({"human": "much"}, "weight of human is 'much'"),
        ({"expert": 0, "weak": 0, "human": 0}, "no step to learn from"),
    ],
)
def test_wrong_weights(given: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        step_weights(NAMES, CORRECTED, given)


def test_windows_are_drawn_as_often_as_they_weigh() -> None:
    order = BatchOrder(3, 4000, seed=0, weights=np.array([1.0, 0.0, 3.0]))
    drawn = np.bincount(order.batch(7), minlength=3)
    assert drawn[1] == 0 and drawn[2] / 4000 == pytest.approx(0.75, abs=0.03)
    again = BatchOrder(3, 4000, seed=0, weights=np.array([1.0, 0.0, 3.0]))
    np.testing.assert_array_equal(again.batch(7), order.batch(7))
    assert (order.batch(8) != order.batch(7)).any()


def test_who_acted_is_read_in_the_order_of_the_windows(dataset_path: Path, corrections: Path) -> None:
    datasets = [Dataset.open(dataset_path), Dataset.open(corrections)]
    data = TrainingData(datasets, TINY_UNET, ["position", "target"], 0.1, seed=0)
    assert data.weights is not None
    heavy = np.flatnonzero(data.weights > 1)
    demonstrations, corrections_kept = 36 * 20, 9
    assert (heavy >= demonstrations).all() and len(heavy) == corrections_kept * 5
    assert ((heavy - demonstrations) % 20 >= 15).all()
    assert data.weights[heavy].sum() == pytest.approx(len(data.weights) - len(heavy))
    assert POLICY_ACTION not in data.features.observations


def test_a_run_goes_on_from_a_checkpoint_with_its_normalisation(
    dataset_path: Path, corrections: Path, tmp_path: Path
) -> None:
    run(dataset_path, tmp_path / "first")
    quiet: dict[str, Any] = {"steps": 1, "batch_size": 16, "quiet": True}
    still = {"training.learning_rate": 1e-12, "training.warmup_steps": 0, "training.held_out": 0.1}
    train(corrections, None, tmp_path / "second", init=tmp_path / "first", overrides=still, **quiet)
    before, after = load_policy(tmp_path / "first"), load_policy(tmp_path / "second")
    for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True):
        np.testing.assert_allclose(new.numpy(), old.numpy(), atol=1e-6, err_msg=name)
    assert {k: n.to_json() for k, n in after.normalizers.items()} == {
        k: n.to_json() for k, n in before.normalizers.items()
    }
    assert after.origin.step == 1 and after.origin.dataset == Dataset.open(corrections).fingerprint


def test_what_a_checkpoint_tells_is_not_told_again(dataset_path: Path, tmp_path: Path) -> None:
    run(dataset_path, tmp_path / "first")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"policy_name": "diffusion-unet"}, "give the name of a policy, or a checkpoint"),
        ({"overrides": {"network.step_embedding": 32}}, "keeps its settings"),
        ({"observation_keys": ["target"]}, "keeps its settings and its observation parts"),
    ]
    for words, message in cases:
        with pytest.raises(InvalidInput, match=message):
            arguments: dict[str, Any] = {"policy_name": None, "init": tmp_path / "first", **words}
            train(dataset_path, out=tmp_path / "second", quiet=True, steps=1, **arguments)
    with pytest.raises(InvalidInput, match="give the name of a policy"):
        train(dataset_path, None, tmp_path / "second", quiet=True)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        train(dataset_path, None, tmp_path / "second", init=tmp_path / "nothing", quiet=True, overrides=TINY)
