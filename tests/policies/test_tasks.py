"""One policy for several tasks, whose observations differ."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from barkyard.datasets import Dataset, DatasetWriter
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.checkpoint import load_policy, make_policy
from barkyard.policies.configuration import vary
from barkyard.policies.diffusion.policy import DiffusionPolicy
from barkyard.policies.diffusion.task_input import TaskInput
from barkyard.policies.onnx import export_onnx
from barkyard.policies.policy import TASK, FeatureSpec, TaskFeatures
from barkyard.policies.train import train
from barkyard.policies.training_data import TrainingData
from tests.policies.synthetic import TINY_TRANSFORMER, TINY_UNET, episode

POINT, GATE = "test/Point-v0", "test/Gate-v0"
CONFIG = replace(TINY_UNET, task_embedding=3)
TINY_SETTINGS = {
    "task_embedding": 3,
    "network.widths": [16, 32],
    "network.step_embedding": 16,
    "horizon": 8,
    "inference_steps": 2,
    "training.warmup_steps": 1,
}
FEATURES = FeatureSpec(
    {"position": (2,), "target": (2,), "gate": (1,)},
    action_dim=2,
    env_id=POINT,
    control_dt=0.05,
    tasks=(
        TaskFeatures(POINT, {"position": (2,), "target": (2,)}),
        TaskFeatures(GATE, {"position": (2,), "gate": (1,)}),
    ),
)


def write(path: Path, env_id: str, seeds: range) -> Path:
    """Episodes of the point; with a gate at 5 in place of the target, where it is the task of the gate."""
    episodes = []
    for seed in seeds:
        each = replace(episode(seed), env_id=env_id)
        if env_id == GATE:
            rows = len(each.observations["position"])
            gate = np.random.default_rng(seed).uniform(4.0, 6.0) * np.ones((rows, 1), dtype=np.float32)
            seen = {"position": each.observations["position"], "gate": gate.astype(np.float32)}
            each = replace(each, observations=seen)
        episodes.append(each)
    with DatasetWriter.create(path, episodes[0]) as writer:
        for each in episodes:
            writer.write(each)
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tasks")
    return [write(folder / "point", POINT, range(6)), write(folder / "gate", GATE, range(10, 14))]


@pytest.fixture(scope="module")
def run(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    train(paths, "diffusion-unet", out, steps=2, batch_size=8, overrides=TINY_SETTINGS, quiet=True)
    return out


def data(paths: list[Path], **arguments: object) -> TrainingData:
    return TrainingData([Dataset.open(path) for path in paths], CONFIG, None, 0.3, 0, several_tasks=True, **arguments)  # type: ignore[arg-type]


def test_what_is_appended_by_hand() -> None:
    """Parts position, target and gate, 2 + 2 + 1 long: the second task has no target."""
    task_input = TaskInput(FEATURES, 3)
    assert task_input.size == 5 + 3 + 3
    values = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]]).repeat(2, 1, 1)
    told = task_input(values, torch.tensor([0, 1]))
    embeddings = task_input.embedding(torch.arange(2)).tolist()
    assert told[0, 0].tolist() == [1, 2, 3, 4, 0, 1, 1, 0, *embeddings[0]]
    assert told[1, 0].tolist() == [1, 2, 0, 0, 5, 1, 0, 1, *embeddings[1]]


def test_batches_have_all_parts_and_the_task(paths: list[Path]) -> None:
    joined = data(paths)
    batch = joined.training.gather(np.arange(len(joined.training)))
    assert {key: values.shape[2] for key, values in batch.observations.items()} == {
        "position": 2,
        "target": 2,
        "gate": 1,
        TASK: 1,
    }
    rows = batch.observations[TASK][:, 0, 0]
    assert [int((rows == number).sum()) for number in (0, 1)] == [4 * 20, 3 * 20]
    assert not batch.observations["gate"][rows == 0].any() and not batch.observations["target"][rows == 1].any()
    assert batch.observations["gate"][rows == 1].min() >= 4.0


def test_zeros_of_absent_parts_do_not_widen_the_normalisation(paths: list[Path]) -> None:
    """The gate is between 4 and 6; a zero among its values would put its centre near 3."""
    normalizer = data(paths).normalizers["gate"]
    assert 4.0 <= normalizer.low[0] <= normalizer.high[0] <= 6.0


def test_what_an_absent_part_holds_makes_no_difference(paths: list[Path]) -> None:
    joined = data(paths)
    policy = make_policy("diffusion-unet", joined.features, joined.normalizers, config=CONFIG)
    batch = joined.training.gather(np.arange(0, len(joined.training), 7))
    before = policy.loss(batch, torch.Generator().manual_seed(0))
    absent = batch.observations[TASK][:, 0, 0] == 0
    batch.observations["gate"][absent] = 9.0
    assert torch.equal(policy.loss(batch, torch.Generator().manual_seed(0)), before)
    batch.observations["gate"][~absent] = 9.0
    assert not torch.equal(policy.loss(batch, torch.Generator().manual_seed(0)), before)


def test_the_loss_moves_every_parameter(paths: list[Path]) -> None:
    joined = data(paths)
    policy = make_policy("diffusion-unet", joined.features, joined.normalizers, config=CONFIG)
    batch = joined.training.gather(np.arange(0, len(joined.training), 7))
    policy.loss(batch, torch.Generator().manual_seed(0)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def predict(policy: DiffusionPolicy, keys: tuple[str, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    seen = {
        key: torch.rand(16, 2, policy.features.observations[key][0], generator=generator)
        for key in sorted(keys, key=["position", "target", "gate"].index)
    }
    noise = torch.randn(16, *policy.noise_shape, generator=generator)
    with torch.inference_mode():
        return policy.predict(seen, noise)


def test_a_checkpoint_acts_at_each_of_its_tasks_and_no_other(run: Path, tmp_path: Path) -> None:
    policy = load_policy(run)
    assert isinstance(policy, DiffusionPolicy)
    with pytest.raises(CheckpointError, match="did not learn test/Other-v0; it learnt test/Point-v0, test/Gate-v0"):
        policy.for_task("test/Other-v0")
    with pytest.raises(InvalidInput, match=r"say which, policy.for_task\(NAME\), of test/Point-v0, test/Gate-v0"):
        PolicyActor(policy, 1)
    for name, keys in ((POINT, ("position", "target")), (GATE, ("position", "gate"))):
        acting = policy.for_task(name)
        assert tuple(acting.features.observations) == keys and acting.features.env_id == name
        actor = PolicyActor(acting, 1)
        actor.reset(np.array([0]), np.array([0]))
        seen = {key: np.zeros((1, *shape), dtype=np.float32) for key, shape in acting.features.observations.items()}
        assert np.isfinite(actor.act(seen)).all()
        acting.save(tmp_path / keys[1])
        again = load_policy(tmp_path / keys[1])
        assert isinstance(again, DiffusionPolicy)
        assert torch.equal(predict(again, keys), predict(acting, keys))


@pytest.mark.slow
def test_it_is_exported_at_one_of_its_tasks(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'barkyard[onnx]'")
    pytest.importorskip("onnxscript", reason="needs onnxscript: pip install 'barkyard[onnx]'")
    done = export_onnx(load_policy(run).for_task(GATE), tmp_path / "gate.onnx")
    assert set(done.inputs) == {"position", "gate", "noise"}


def test_the_same_seen_in_two_tasks_is_acted_on_otherwise(run: Path) -> None:
    """With the same parts, so that the embedding alone differs."""
    both = tuple(TaskFeatures(name, {"position": (2,), "target": (2,)}) for name in (POINT, GATE))
    features = replace(FEATURES, observations=both[0].observations, tasks=both)
    policy = make_policy("diffusion-unet", features, load_policy(run).normalizers, config=CONFIG)
    assert isinstance(policy, DiffusionPolicy)
    point, gate = (predict(policy.for_task(name), ("position", "target")) for name in (POINT, GATE))
    assert not torch.allclose(point, gate)


def test_given_vectors_stand_for_tasks(run: Path) -> None:
    """Tasks of one vector are one to the policy; those of different vectors are not."""
    normalizers = load_policy(run).normalizers
    for second, alike in (((1.0, 0.0), True), ((0.0, 1.0), False)):
        tasks = tuple(
            TaskFeatures(name, {"position": (2,)}, vector=vector)
            for name, vector in ((POINT, (1.0, 0.0)), (GATE, second))
        )
        features = FeatureSpec.from_json(replace(FEATURES, observations={"position": (2,)}, tasks=tasks).to_json())
        policy = make_policy(
            "diffusion-transformer", features, normalizers, config=vary(TINY_TRANSFORMER, {"task_embedding": 3})
        )
        assert isinstance(policy, DiffusionPolicy)
        chunks = [predict(policy.for_task(name), ("position",)) for name in (POINT, GATE)]
        assert torch.equal(*chunks) == alike


def test_what_does_not_go_together(paths: list[Path], run: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no vector is given for test/Gate-v0; given: test/Point-v0"):
        data(paths, task_vectors={POINT: [1.0]})
    with pytest.raises(InvalidInput, match=r"have lengths \[1, 2\]"):
        data(paths, task_vectors={POINT: [1.0], GATE: [1.0, 2.0]})
    with pytest.raises(InvalidInput, match="task_embedding is 0, and the policy learns 2 tasks"):
        make_policy("diffusion-unet", FEATURES, load_policy(run).normalizers, config=TINY_UNET)
    with pytest.raises(InvalidInput, match="takes no vectors of tasks"):
        train(paths, "diffusion-unet", tmp_path / "run", task_vectors={POINT: [1.0]}, quiet=True)
    datasets = [Dataset.open(path) for path in paths]
    with pytest.raises(InvalidInput, match="'speed' is not one of the dataset's parts"):
        TrainingData(datasets, CONFIG, ["position", "speed"], 0.3, 0, several_tasks=True)
    chosen = TrainingData(datasets, CONFIG, ["position", "gate"], 0.3, 0, several_tasks=True)
    assert [tuple(task.observations) for task in chosen.features.tasks] == [("position",), ("position", "gate")]
