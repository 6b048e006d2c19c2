import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from barkyard.datasets import Dataset, Windows
from barkyard.errors import InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.checkpoint import load_policy
from barkyard.policies.locomotion.policy import LocomotionPolicy
from barkyard.policies.train import LAST, train
from barkyard.policies.trainer import Trainer
from barkyard.policies.training_data import TrainingData, choose_keys, learnt_part
from tests.policies.synthetic_locomotion import NAMES, SHAPES, STEPS, TINY, episode, make_tiny, write_dataset

KINDS = sorted(TINY)
SIZES: dict[str, dict[str, Any]] = {
    "transformer": {"network.layers": 2, "network.heads": 1, "network.width": 32},
    "mlp": {"network.widths": [64, 64], "network.scan_width": 16},
}
SETTINGS: dict[str, Any] = {
    "observation_steps": STEPS,
    "scan_shape": [4, 3],
    "scan_channels": [4, 8],
    "training.held_out": 0.1,
    "training.warmup_steps": 10,
    "training.learning_rate": 1e-2,
}


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "walker", range(40))


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Executed actions are noise; what an expert would have done stands beside them."""
    return write_dataset(tmp_path_factory.mktemp("data") / "corrected", range(40), expert=True)


def run(dataset: Path, kind: str, out: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"steps": 12, "batch_size": 16, "save_every": 6, "log_every": 4, "quiet": True}
    overrides = {**SETTINGS, **SIZES[kind], **changes.pop("overrides", {})}
    return train(dataset, NAMES[kind], out, overrides=overrides, **(arguments | changes))


def weights(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / LAST).glob("*.safetensors")}


def mean_error(policy: LocomotionPolicy, dataset: Dataset, labels: NDArray[np.float32]) -> float:
    """Root of the mean squared error over all frames, relative to that of always giving the mean."""
    windows = Windows(dataset, STEPS, 1, 0, list(SHAPES))
    seen = windows.gather(np.arange(len(windows))).observations
    with torch.inference_mode():
        parts = {key: torch.from_numpy(values.copy()) for key, values in seen.items()}
        predicted = policy.act(parts, torch.zeros(len(windows), *policy.noise_shape))[:, 0].numpy()
    return float(np.sqrt(((predicted - labels) ** 2).mean() / labels.var(axis=0).mean()))


@pytest.mark.parametrize("kind", KINDS)
def test_learns_a_task_of_states_previous_actions_and_scans(kind: str, demonstrations: Path, tmp_path: Path) -> None:
    """On episodes it has not seen. Without scans, or without older states, 0.53 of the spread would be left."""
    steps, size = {"transformer": (300, 32), "mlp": (300, 128)}[kind]
    run(demonstrations, kind, tmp_path / "run", steps=steps, batch_size=size, save_every=steps)
    policy = load_policy(tmp_path / "run")
    assert isinstance(policy, LocomotionPolicy)
    unseen = Dataset.open(write_dataset(tmp_path / "unseen", range(100, 110)))
    assert mean_error(policy, unseen, unseen.actions) < 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_learns_the_experts_action_where_it_was_recorded(kind: str, corrected: Path, tmp_path: Path) -> None:
    run(corrected, kind, tmp_path / "run", steps=100, batch_size=64, save_every=100)
    policy, dataset = load_policy(tmp_path / "run"), Dataset.open(corrected)
    assert isinstance(policy, LocomotionPolicy)
    assert list(policy.features.observations) == list(SHAPES)
    labels = dataset.take(["expert_action"], np.arange(dataset.num_frames))["expert_action"]
    assert mean_error(policy, dataset, labels) < 0.7
    assert mean_error(policy, dataset, dataset.actions) > 0.9


def test_windows_of_expert_actions(corrected: Path) -> None:
    """Each window's newest target is the expert's action for its newest observation; the dataset is left alone."""
    dataset = Dataset.open(corrected)
    executed = dataset.actions.copy()
    data = TrainingData(dataset, TINY["transformer"], None, 0.5, seed=0)
    expected = {episode(seed, expert=True).observations["expert_action"][:-1].tobytes() for seed in range(40)}
    for first in range(0, len(data.training), 20):
        assert data.training.gather(np.arange(first, first + 20)).actions[:, -1].tobytes() in expected
    assert np.array_equal(dataset.actions, executed)
    labels = dataset.take(["expert_action"], np.arange(dataset.num_frames))["expert_action"]
    assert (data.normalizers["action"].low >= labels.min(axis=0)).all()


def test_windows_of_two_datasets(demonstrations: Path, corrected: Path) -> None:
    """Numbered one after another, in whatever order they are asked for; targets of each by its own rule."""
    datasets = [Dataset.open(path) for path in (demonstrations, corrected)]
    both = TrainingData(datasets, TINY["transformer"], None, 0.5, seed=0)
    alone = [TrainingData(each, TINY["transformer"], None, 0.5, seed=0) for each in datasets]
    assert len(both.training) == 800 and both.features.observations == alone[0].features.observations
    order = np.random.default_rng(0).permutation(800)
    gathered = both.training.gather(order)
    for row, number in list(enumerate(order))[:60]:
        expected = alone[number // 400].training.gather([number % 400])
        assert np.array_equal(gathered.actions[row], expected.actions[0])
        assert np.array_equal(gathered.is_pad[row], expected.is_pad[0])
        for key in SHAPES:
            assert np.array_equal(gathered.observations[key][row], expected.observations[key][0])
    assert len({both.fingerprint, alone[0].fingerprint, alone[1].fingerprint}) == 3
    with pytest.raises(IndexError, match=r"window 800 is not one of 0..799"):
        both.training.gather([3, 800])


def test_datasets_that_differ(demonstrations: Path, dataset_path: Path) -> None:
    datasets = [Dataset.open(path) for path in (demonstrations, dataset_path)]
    with pytest.raises(InvalidInput, match=r"observation part 'joint_pos' is \(3,\) in .*walker but absent in .*point"):
        TrainingData(datasets, TINY["transformer"], None, 0.5, seed=0)
    with pytest.raises(InvalidInput, match="there is no dataset to learn from; give one or more"):
        TrainingData([], TINY["transformer"], None, 0.5, seed=0)


def test_trains_on_two_datasets(demonstrations: Path, corrected: Path, tmp_path: Path) -> None:
    overrides = {**SETTINGS, **SIZES["mlp"]}
    train(
        [demonstrations, corrected],
        NAMES["mlp"],
        tmp_path / "run",
        steps=3,
        batch_size=16,
        overrides=overrides,
        quiet=True,
    )
    assert load_policy(tmp_path / "run").origin.step == 3


def test_expert_actions_are_no_observation(corrected: Path) -> None:
    dataset = Dataset.open(corrected)
    assert choose_keys(dataset, None) == list(SHAPES)
    with pytest.raises(InvalidInput, match=r"\['expert_action'\] must be one or more parts that this policy reads"):
        choose_keys(dataset, ["expert_action"])


def test_expert_actions_of_another_length(corrected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset.open(corrected)
    monkeypatch.setattr(Dataset, "action_size", 3)
    with pytest.raises(InvalidInput, match=r"expert_action has shape \(2,\); valid: \(3,\), that of an action"):
        learnt_part(dataset)


@pytest.mark.parametrize("kind", KINDS)
def test_the_actors_history_is_the_training_window(kind: str, demonstrations: Path) -> None:
    """Bit for bit, from an episode's first step on: what it does is what it predicts on the dataset's windows."""
    dataset = Dataset.open(demonstrations)
    policy = make_tiny(kind, seed=3)
    windows = Windows(dataset, STEPS, 1, 0, list(SHAPES)).gather(np.resize(np.arange(20), policy.inference_batch))
    seen = {key: torch.from_numpy(values.copy()) for key, values in windows.observations.items()}
    with torch.inference_mode():
        expected = policy.act(seen, torch.zeros(policy.inference_batch, *policy.noise_shape))[:20, 0].numpy()
        whole = policy.predict(seen, torch.zeros(policy.inference_batch, *policy.noise_shape))[:20, -1].numpy()
    np.testing.assert_allclose(expected, whole, rtol=0, atol=1e-6)
    for slots, slot in ((1, 0), (40, 35)):
        actor = PolicyActor(policy, slots)
        assert actor.inference_batch == 32
        actor.reset(np.array([slot]), np.array([0]))
        observed = dataset.episode(0).observations
        taken = []
        for step in range(20):
            shown = {key: np.full((slots, *SHAPES[key]), 0.1 * step, dtype=np.float32) for key in SHAPES}
            for key in SHAPES:
                shown[key][slot] = observed[key][step]
            taken.append(actor.act(shown)[slot])
        assert np.array_equal(taken, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_resumes_exactly(kind: str, demonstrations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between two checkpoints; with hidden actions."""
    settings = {"overrides": {"action_dropout": 0.5}}
    run(demonstrations, kind, tmp_path / "whole", **settings)
    original = Trainer.advance

    def advance(self: Trainer) -> float:
        value = original(self)
        if self.step == 7:
            signal.raise_signal(signal.SIGINT)
        return value

    monkeypatch.setattr(Trainer, "advance", advance)
    with pytest.raises(KeyboardInterrupt):
        run(demonstrations, kind, tmp_path / "parts", **settings)
    assert load_policy(tmp_path / "parts").origin.step == 7
    monkeypatch.undo()
    run(demonstrations, kind, tmp_path / "parts", resume=True, **settings)
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
