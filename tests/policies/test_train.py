import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barkyard.datasets import Dataset
from barkyard.errors import BarkyardError, CheckpointError, InvalidInput
from barkyard.policies.actor import PolicyActor
from barkyard.policies.checkpoint import load_policy, read_tensors
from barkyard.policies.train import BEST, LAST, LOG, train
from barkyard.policies.trainer import STATE, TENSORS, Trainer
from tests.policies.synthetic import GAIN

TINY: dict[str, Any] = {
    "network.widths": [16, 32],
    "network.step_embedding": 16,
    "horizon": 8,
    "action_steps": 4,
    "training.held_out": 0.1,
    "training.warmup_steps": 10,
    "training.learning_rate": 3e-3,
}


def run(dataset_path: Path, out: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"steps": 30, "batch_size": 16, "save_every": 10, "log_every": 5, "quiet": True}
    overrides = {**TINY, **changes.pop("overrides", {})}
    return train(dataset_path, "diffusion-unet", out, overrides=overrides, **(arguments | changes))


def content(out: Path) -> dict[str, bytes]:
    files = [path for folder in (LAST, BEST) for path in (out / folder).glob("*.safetensors")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def without_time(out: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in log(out)]


def test_what_a_run_writes(dataset_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run(dataset_path, out) == out / LAST
    lines = log(out)
    assert [line["step"] for line in lines] == [5, 10, 15, 20, 25, 30]
    assert [line["heldout_loss"] is None for line in lines] == [True, False] * 3
    assert all(np.isfinite(line["loss"]) and line["seconds"] > 0 for line in lines)
    assert load_policy(out).origin.step == 30
    assert load_policy(out).origin.dataset == Dataset.open(dataset_path).fingerprint
    best = min((line for line in lines if line["heldout_loss"]), key=lambda line: line["heldout_loss"])
    assert load_policy(out / BEST).origin.step == best["step"]
    assert list((out / "tensorboard").glob("events.out.tfevents.*"))
    assert sorted(path.name for path in out.glob("[!.]*")) == [BEST, LAST, LOG, "tensorboard"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "step 30/30" in shown.err and "steps/s" in shown.err and "left" in shown.err


def test_learning_rate_by_hand(dataset_path: Path, tmp_path: Path) -> None:
    """Peak 1 after 4 steps of warm-up, then half a cosine over 8: a half of it is done at step 8."""
    rates = []
    original = Trainer.advance

    def note(self: Trainer) -> float:
        rates.append(self.learning_rate / 3e-3)
        return original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", note)
        run(dataset_path, tmp_path / "run", steps=12, overrides={"training.warmup_steps": 4})
    np.testing.assert_allclose(rates[:5], [0.25, 0.5, 0.75, 1.0, 1.0])
    np.testing.assert_allclose(rates[8], 0.5)
    np.testing.assert_allclose(rates[10], 0.5 * (1 - 0.5**0.5))


@pytest.mark.parametrize(("objective", "steps"), [("ddpm", 400), ("mip", 200)])
def test_learns_the_task(dataset_path: Path, tmp_path: Path, objective: str, steps: int) -> None:
    """In closed loop the point arrives at targets it has not seen."""
    size = {"network.widths": [32, 64], "network.step_embedding": 32, "horizon": 4, "action_steps": 2}
    settings = {"batch_size": 64, "save_every": steps, "overrides": {**size, "objective": objective}}
    run(dataset_path, tmp_path / "run", steps=steps, **settings)
    actor = PolicyActor(load_policy(tmp_path / "run"), 8)
    rng = np.random.default_rng(1)
    position, target = rng.uniform(-0.4, 0.4, (2, 8, 2))
    actor.reset(np.arange(8), np.arange(8))
    first = actor.act({"position": position, "target": target})
    assert np.abs(first - (target - position)).mean() < 0.12, "the first chunk points at the target"
    for _ in range(40):
        position = position + GAIN * actor.act({"position": position, "target": target})
    assert np.abs(target - position).max() < 0.1


def test_resumes_exactly_after_a_kill(dataset_path: Path, tmp_path: Path) -> None:
    """SIGKILL at a moment of no one's choosing; then the same weights, moments and log as without it, bit for bit."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    settings: dict[str, Any] = {"steps": 120, "save_every": 20}
    run(dataset_path, whole, **settings)
    program = (
        "import torch; torch.set_num_threads(1); from pathlib import Path; from tests.policies.test_train import run; "
        f"run(Path({str(dataset_path)!r}), Path({str(killed)!r}), **{settings!r})"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 120
    while not (killed / LOG).exists() or len((killed / LOG).read_text().splitlines()) < 7:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert log(killed)[-1]["step"] < 120
    run(dataset_path, killed, resume=True, **settings)
    assert content(killed) == content(whole)
    assert without_time(killed) == without_time(whole)


def test_resumes_exactly_from_every_checkpoint(dataset_path: Path, tmp_path: Path) -> None:
    """Also between two checkpoints, where Ctrl-C saves, and with dropout."""
    settings: dict[str, Any] = {"overrides": {"network.attention_dropout": 0.2, "network.embedding_dropout": 0.1}}
    overrides = {"network.layers": 1, "network.heads": 2, "network.width": 32, "horizon": 8, "action_steps": 4}
    arguments: dict[str, Any] = {"steps": 12, "batch_size": 16, "save_every": 6, "log_every": 4, "quiet": True}
    arguments["overrides"] = settings["overrides"] | overrides
    train(dataset_path, "diffusion-transformer", tmp_path / "whole", **arguments)
    out = tmp_path / "parts"
    for stop in (1, 5, 6, 7, 12):
        with pytest.MonkeyPatch.context() as patch:
            _interrupt_at(patch, stop)
            try:
                train(dataset_path, "diffusion-transformer", out, resume=out.exists(), **arguments)
            except KeyboardInterrupt:
                assert load_policy(out).origin.step == stop
    assert content(out) == content(tmp_path / "whole")
    assert without_time(out) == without_time(tmp_path / "whole")


def _interrupt_at(patch: pytest.MonkeyPatch, stop: int) -> None:
    original = Trainer.advance

    def advance(self: Trainer) -> float:
        value = original(self)
        if self.step == stop < self.config.steps:
            signal.raise_signal(signal.SIGINT)
        return value

    patch.setattr(Trainer, "advance", advance)


def test_interrupt_saves_and_is_passed_on(dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = signal.getsignal(signal.SIGINT)
    _interrupt_at(monkeypatch, 13)
    with pytest.raises(KeyboardInterrupt):
        run(dataset_path, tmp_path / "run")
    assert load_policy(tmp_path / "run").origin.step == 13
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_seed_is_repeated_and_another_is_not(dataset_path: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(name))
        run(dataset_path, tmp_path / name, seed=seed, steps=6)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_torchs_own_generator_is_left_alone(dataset_path: Path, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    run(dataset_path, tmp_path / "run", steps=3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_run_is_not_overwritten(dataset_path: Path, tmp_path: Path) -> None:
    run(dataset_path, tmp_path / "run", steps=3)
    before = content(tmp_path / "run")
    with pytest.raises(
        InvalidInput, match=r"run exists already: go on with that run \(resume\), or choose a new folde"
    ):
        run(dataset_path, tmp_path / "run", steps=3)
    assert content(tmp_path / "run") == before


def test_nothing_to_resume(dataset_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to resume: .*run is no folder"):
        run(dataset_path, tmp_path / "run", resume=True)


def test_resuming_with_other_settings_is_refused(dataset_path: Path, tmp_path: Path) -> None:
    run(dataset_path, tmp_path / "run")
    before = content(tmp_path / "run")
    with pytest.raises(InvalidInput, match="seed was 0 and is now 1; training.steps was 30 and is now 40. Train into"):
        run(dataset_path, tmp_path / "run", resume=True, seed=1, steps=40)
    assert content(tmp_path / "run") == before


def test_resuming_a_finished_run_changes_nothing(dataset_path: Path, tmp_path: Path) -> None:
    run(dataset_path, tmp_path / "run")
    before = content(tmp_path / "run"), log(tmp_path / "run")
    run(dataset_path, tmp_path / "run", resume=True)
    assert (content(tmp_path / "run"), log(tmp_path / "run")) == before


def test_resuming_from_a_damaged_checkpoint(dataset_path: Path, tmp_path: Path) -> None:
    run(dataset_path, tmp_path / "run", steps=3)
    os.truncate(tmp_path / "run" / LAST / TENSORS, 100)
    with pytest.raises(CheckpointError, match=f"cannot read .*{TENSORS}"):
        run(dataset_path, tmp_path / "run", steps=3, resume=True)


@pytest.mark.parametrize("changes", [{"best": "low"}, {"losses": None}, {"seconds": []}, {"settings": 3}])
def test_resuming_from_a_damaged_state(dataset_path: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    run(dataset_path, tmp_path / "run", steps=2)
    state = tmp_path / "run" / LAST / STATE
    state.write_text(json.dumps(json.loads(state.read_text()) | changes))
    with pytest.raises(CheckpointError, match="is damaged"):
        run(dataset_path, tmp_path / "run", steps=2, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(
    dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "barkyard.policies.diffusion.policy.masked_mean", lambda errors, real: errors.sum() * float("inf")
    )
    with pytest.raises(BarkyardError, match=r"the loss is inf at step 0: .* Lower the learning rate \(now 0.0003\)"):
        run(dataset_path, tmp_path / "run")


def test_weight_decay_is_for_matrices(dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decayed = []
    original = torch.optim.AdamW.__init__

    def note(self: torch.optim.AdamW, groups: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
        decayed.append({group["weight_decay"]: {tuple(p.shape) for p in group["params"]} for group in groups})
        original(self, groups, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "__init__", note)
    run(dataset_path, tmp_path / "run", steps=1)
    (groups,) = decayed
    assert min(len(shape) for shape in groups[1e-6]) >= 2
    assert max(len(shape) for shape in groups[0.0]) == 1


def test_unknown_names(dataset_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unknown policy 'diffusion'; valid: body-transformer-hard"):
        train(dataset_path, "diffusion", tmp_path / "run")
    with pytest.raises(InvalidInput, match="unknown setting 'training.lr'; valid: training.batch_size, training.be"):
        run(dataset_path, tmp_path / "run", overrides={"training.lr": 1.0})
    assert not (tmp_path / "run").exists()


def test_the_average_is_what_is_saved(dataset_path: Path, tmp_path: Path) -> None:
    last = run(dataset_path, tmp_path / "run")
    weights, training = read_tensors(last / "model.safetensors"), read_tensors(last / TENSORS)
    assert {f"weight/{name}" for name in weights} <= set(training)
    assert any(not torch.equal(weights[name], training[f"weight/{name}"]) for name in weights)
