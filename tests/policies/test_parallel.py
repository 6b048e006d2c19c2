"""One training in several processes is the training in one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barkyard.errors import CheckpointError, InvalidInput
from barkyard.files import FolderLock
from barkyard.policies.checkpoint import read_tensors
from barkyard.policies.parallel import Group
from barkyard.policies.train import LAST
from barkyard.policies.trainer import TENSORS, Trainer
from tests.policies.test_train import TINY, content, run, without_time

PATIENCE = 300.0


def start(processes: int, dataset: Path, out: Path, steps: int, *words: str) -> "subprocess.Popen[str]":
    """What a person types, with one thread for each process."""
    overrides = [f"{name}={json.dumps(value)}" for name, value in TINY.items()]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += [*words, "-m", "barkyard", "train", str(dataset), "--policy", "diffusion-unet", "--out", str(out)]
    command += ["--steps", str(steps), "--batch-size", "16", "--save-every", "10", "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [*command, "--override", "training.shards=2", *overrides],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, said[-3000:]
    return said


def alone(dataset: Path, out: Path, steps: int) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run(dataset, out, steps=steps, log_every=50, overrides={"training.shards": 2})
    finally:
        torch.set_num_threads(threads)


def assert_same_training(one: Path, two: Path) -> None:
    """Losses and weights to float32's tolerance: who adds which shard's gradient first may differ."""
    for ours, theirs in zip(without_time(one), without_time(two), strict=True):
        assert ours["step"] == theirs["step"]
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    ours, theirs = (read_tensors(out / LAST / TENSORS) for out in (one, two))
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-6)


def test_two_processes_train_as_one_does(dataset_path: Path, tmp_path: Path) -> None:
    alone(dataset_path, tmp_path / "one", 20)
    said = finish(start(2, dataset_path, tmp_path / "two", 20))
    assert_same_training(tmp_path / "one", tmp_path / "two")
    assert len(re.findall(r"from step 0", said)) == 1, "one process tells"


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_the_steps_since_the_checkpoint(dataset_path: Path, tmp_path: Path) -> None:
    """torchrun starts both anew, and they go on from the last checkpoint by themselves."""
    alone(dataset_path, tmp_path / "one", 300)
    process = start(2, dataset_path, tmp_path / "two", 300, "--max-restarts", "2")
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "two" / LAST / "training.json").exists():
        assert process.poll() is None and time.monotonic() < end, "no checkpoint"
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    said = finish(process)
    begun = [int(step) for step in re.findall(r"from step (\d+)", said)]
    assert len(begun) == 2 and begun[0] == 0 and 10 <= begun[1] < 300
    assert_same_training(tmp_path / "one", tmp_path / "two")


def test_shards_are_shared_out_evenly() -> None:
    assert [list(Group(rank, 2).share(4)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    with pytest.raises(InvalidInput, match=r"3 processes cannot share out evenly.*training.shards=3"):
        Group(0, 3).share(4)


def test_the_loss_of_shards_is_their_mean(dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four shards of 4 windows: the gradient is the mean of theirs, each with noise of its own."""
    whole: list[float] = []
    parts: list[list[float]] = []
    real = Trainer.advance

    def advance(self: Trainer) -> float:
        losses: list[float] = []
        policy_loss = self.policy.loss

        def loss(batch: Any, generator: torch.Generator) -> torch.Tensor:
            assert len(batch.actions) == 4
            value = policy_loss(batch, generator)
            losses.append(value.item())
            return value

        monkeypatch.setattr(self.policy, "loss", loss)
        whole.append(real(self))
        monkeypatch.setattr(self.policy, "loss", policy_loss)
        parts.append(losses)
        return whole[-1]

    monkeypatch.setattr(Trainer, "advance", advance)
    run(dataset_path, tmp_path, steps=3, overrides={"training.shards": 4})
    assert [len(losses) for losses in parts] == [4, 4, 4]
    np.testing.assert_allclose(whole, np.mean(parts, axis=1), rtol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_weights_and_what_is_saved_are_float32(dataset_path: Path, tmp_path: Path, precision: str) -> None:
    run(dataset_path, tmp_path, overrides={"training.precision": precision})
    assert {tensor.dtype for tensor in read_tensors(tmp_path / LAST / TENSORS).values()} == {torch.float32}


def test_bf16_learns_nearly_the_same(dataset_path: Path, tmp_path: Path) -> None:
    wide, narrow = tmp_path / "float32", tmp_path / "bf16"
    run(dataset_path, wide)
    run(dataset_path, narrow, overrides={"training.precision": "bf16"})
    assert content(wide) != content(narrow)
    for ours, theirs in zip(without_time(wide), without_time(narrow), strict=True):
        assert theirs["loss"] == pytest.approx(ours["loss"], rel=0.03)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"training.shards": 3}, "shards 3 must divide"), ({"training.precision": "fp8"}, "'fp8' is not one of float32")],
)
def test_wrong_settings_are_refused(dataset_path: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        run(dataset_path, tmp_path / "run", overrides=changes)


def test_one_at_a_time_trains_in_a_folder(dataset_path: Path, tmp_path: Path) -> None:
    """The second is refused; the lock goes with the process, so that a killed one needs no clearing up."""
    run(dataset_path, tmp_path)
    with FolderLock(tmp_path), pytest.raises(CheckpointError, match="being written by another process"):
        run(dataset_path, tmp_path, resume=True)
    assert run(dataset_path, tmp_path, resume=True) == tmp_path / LAST
