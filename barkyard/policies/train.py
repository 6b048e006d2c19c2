"""Training a policy on a dataset."""

import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import torch

from barkyard.datasets import Dataset
from barkyard.embodiment import Embodiment
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.files import LOCK, FolderLock, make_folder
from barkyard.policies import configuration
from barkyard.policies.checkpoint import existing, load_policy, make_policy, read_json
from barkyard.policies.diffusion.config import DiffusionConfig
from barkyard.policies.parallel import join, launched, restarts
from barkyard.policies.policy import ChunkConfig, Origin, Policy
from barkyard.policies.progress import Progress
from barkyard.policies.registry import find
from barkyard.policies.trainer import STATE, Trainer
from barkyard.policies.training_data import TrainingData

LAST, BEST, LOG = "last", "best", "log.jsonl"
TRAINING = "training."
"""Begins the names of the settings that are the training's, not the policy's."""


def train(
    dataset_path: str | Path | Sequence[str | Path],
    policy_name: str | None,
    out: str | Path,
    *,
    init: str | Path | None = None,
    weights: Mapping[str, float] | None = None,
    task_vectors: Mapping[str, Sequence[float]] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    resume: bool = False,
    observation_keys: Sequence[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    embodiment: Embodiment | Sequence[Embodiment] | None = None,
    device: str = "cpu",
    log_every: int = 50,
    save_every: int = 500,
    keep_every: int | None = None,
    quiet: bool = False,
) -> Path:
    """Train a policy on a dataset.

    Writes `out/last` (a checkpoint that also holds what resuming needs), `out/best` (a checkpoint: lowest held-out
    loss), `out/log.jsonl` (one JSON object a line: `step`, `loss`, `heldout_loss` or null, `lr`, `seconds`) and
    `out/tensorboard`. Killed at any moment, a resumed run ends with the same weights, bit for bit, as one that was not.
    Ctrl-C saves `out/last` first. Begun by torchrun in several processes, these share out the shards of each batch.

    Args:
        dataset_path: the dataset, or several that are learnt from together; the first tells the environment.
        policy_name: a name in the registry; None with `init`.
        out: a new folder for the run.
        init: a checkpoint to go on from: its policy, observation parts and normalisation, with the new data.
        weights: how often steps are learnt from, by who acted; see `step_weights`. The held-out loss weighs all alike.
        task_vectors: what stands for each task, by its environment's id, for policies with a `task_embedding`; such as
            embeddings of a text. Learnt unless given.
        steps: optimiser steps; the policy's default unless given.
        batch_size: windows a step; the policy's default unless given.
        seed: of the initial weights, the held-out episodes, the batches and the noise.
        resume: go on with the run in `out`.
        observation_keys: observation parts to learn from; all vectors unless given. A part `expert_action` is never
            one of them: where a dataset has it, it is learnt instead of the executed action.
        overrides: settings of the policy by dotted name (`network.widths`), or of the training (`training.betas`).
        embodiment: the body that acts in the dataset, for policies that are built on one; for policies that learn from
            many bodies, a list of one for each dataset.
        device: torch device.
        log_every: steps from one line of the log to the next.
        save_every: steps from one held-out measurement and checkpoint to the next.
        keep_every: steps from one checkpoint `out/step_<number>` that stays to the next; none stay unless given.
        quiet: plain lines instead of a progress bar.

    Returns:
        The last checkpoint.

    Raises:
        InvalidInput: an argument is wrong, `out` holds another run, or resuming with other settings.
        DatasetError: the dataset is damaged.
        CheckpointError: a checkpoint cannot be written, or is damaged, or another process trains in `out`.
        KeyboardInterrupt: Ctrl-C, after `out/last` was saved.
    """
    if keep_every is not None and keep_every < 1:
        raise InvalidInput(f"keep_every is {keep_every}; give at least 1 step")
    out = Path(out)
    start = None if init is None else load_policy(init)
    if (start is None) == (policy_name is None):
        raise InvalidInput("give the name of a policy, or a checkpoint to go on from, which tells it")
    name = start.origin.policy if start is not None else str(policy_name)
    entry = find(name)
    changes = dict(overrides or {})
    changes |= {
        f"training.{name}": value for name, value in (("steps", steps), ("batch_size", batch_size)) if value is not None
    }
    of_training = {
        name.removeprefix(TRAINING): changes.pop(name) for name in list(changes) if name.startswith(TRAINING)
    }
    training = configuration.vary(entry.make_training(), of_training, TRAINING)
    config = configuration.vary(start.config if start is not None else entry.make_config(), changes)
    if start is not None:
        observation_keys, embodiment = _of_checkpoint(start, config, observation_keys)
    group = launched()
    resume = resume or (restarts() > 0 and out.is_dir())
    if group.leads:
        _check_folder(out, resume)
    several_tasks = isinstance(config, DiffusionConfig) and config.task_embedding > 0
    if task_vectors and not several_tasks:
        raise InvalidInput(f"policy {name!r} takes no vectors of tasks: give a diffusion policy with task_embedding=32")
    paths = [dataset_path] if isinstance(dataset_path, str | Path) else dataset_path
    data = TrainingData(
        [Dataset.open(each, mapped=True) for each in paths],
        config,
        observation_keys,
        training.held_out,
        seed,
        entry.policy_class().fit_observation,
        embodiment,
        weights,
        several_tasks,
        task_vectors,
        entry.reads_images,
    )
    if start is not None:
        start.features.check(data.features.observations, data.features.action_dim)
        if start.features.tasks != data.features.tasks:
            raise InvalidInput(
                "a run that goes on from a checkpoint keeps its tasks and their order: "
                f"{', '.join(task.name for task in start.features.tasks) or 'none'}"
            )
        policy, policy.origin = start, Origin(name, data.fingerprint)
    else:
        policy = make_policy(name, data.features, data.normalizers, config=config, seed=seed, dataset=data.fingerprint)
    settings = {
        "policy": name,
        "init": None if init is None else str(init),
        "weights": dict(weights) if weights else None,
        "task_vectors": {key: list(vector) for key, vector in task_vectors.items()} if task_vectors else None,
        "config": configuration.to_json(config),
        "training": configuration.to_json(training),
        "seed": seed,
        "dataset": data.fingerprint,
        "observations": list(data.features.observations),
        "device": device,
    }
    if group.leads:
        make_folder(out)
    with FolderLock(out, CheckpointError) if group.leads else nullcontext(), join(device) as group:
        trainer = Trainer(policy.to(group.device), data, training, seed, group)
        run = _Run(out, trainer, settings, log_every, save_every, keep_every)
        run.begin(resume)
        if group.leads:
            run.go_on(quiet)
        else:
            run.help()
    return out / LAST


def _of_checkpoint(
    start: Policy, config: ChunkConfig, observation_keys: Sequence[str] | None
) -> tuple[list[str], Embodiment | None]:
    """Observation parts and body of the checkpoint that a run goes on from. Raises InvalidInput."""
    keys = list(start.features.observations)
    if config != start.config or list(observation_keys or keys) != keys:
        raise InvalidInput(
            "a run that goes on from a checkpoint keeps its settings and its observation parts "
            f"({', '.join(keys)}); only the settings named training.* may be others"
        )
    return keys, start.features.embodiment


class _Run:
    """A trainer with its folder: log, checkpoints, TensorBoard."""

    def __init__(
        self,
        out: Path,
        trainer: Trainer,
        settings: dict[str, Any],
        log_every: int,
        save_every: int,
        keep_every: int | None,
    ) -> None:
        self.out, self.trainer, self.settings = out, trainer, settings
        self.log_every, self.save_every, self.keep_every = log_every, save_every, keep_every
        self.best = float("inf")
        self.losses: list[float] = []
        self.seconds = 0.0
        self.saved = -1

    def begin(self, resume: bool) -> None:
        """Restore the run in the folder, or make the folder."""
        last = existing(self.out / LAST)
        if resume and last.exists():
            self._check_settings(last)
            state = self.trainer.restore(last)
            try:
                self.best = float(state["best"]) if state["best"] is not None else float("inf")
                self.losses, self.seconds = list(map(float, state["losses"])), float(state["seconds"])
            except (KeyError, TypeError, ValueError) as error:
                raise CheckpointError(f"{last / STATE} is damaged: {type(error).__name__}: {error}") from error
            self.saved = self.trainer.step
        if self.trainer.group.leads:
            self._begin_log()

    def go_on(self, quiet: bool) -> None:
        """Train to the end."""
        from torch.utils.tensorboard import SummaryWriter

        trainer, total = self.trainer, self.trainer.config.steps
        began = time.monotonic() - self.seconds
        writer = SummaryWriter(str(self.out / "tensorboard"), purge_step=trainer.step + 1)
        with _Interrupts() as interrupts, Progress(total, trainer.step, quiet) as progress, writer:
            progress.say(self._describe())
            while trainer.step < total and not trainer.group.any(interrupts.seen):
                rate = trainer.learning_rate
                self.losses.append(trainer.advance())
                self.seconds = time.monotonic() - began
                progress.advance()
                measured = trainer.step % self.save_every == 0 or trainer.step == total
                if measured or trainer.step % self.log_every == 0:
                    line = self._log(rate, self._measure() if measured else None)
                    shown = {name: line[name] for name in ("loss", "heldout_loss", "lr") if line[name] is not None}
                    for name, value in shown.items():
                        writer.add_scalar(name, value, trainer.step)
                    progress.report(**shown)
                if self.keep_every and trainer.step % self.keep_every == 0:
                    trainer.save_average(self.out / f"step_{trainer.step:06d}")
                if measured:
                    self._save()
            if self.saved != trainer.step:
                self._save()
            if trainer.step < total:
                progress.say(f"interrupted at step {trainer.step}; resume goes on from {self.out / LAST}")
                raise KeyboardInterrupt

    def help(self) -> None:
        """Take part in another process's training."""
        trainer = self.trainer
        with _Interrupts() as interrupts:
            while trainer.step < trainer.config.steps and not trainer.group.any(interrupts.seen):
                trainer.advance()
        if trainer.step < trainer.config.steps:
            raise KeyboardInterrupt

    def _measure(self) -> float:
        loss = self.trainer.held_out_loss()
        if loss < self.best:
            self.best = loss
            self.trainer.save_average(self.out / BEST)
        return loss

    def _save(self) -> None:
        state = {
            "best": self.best if self.best < float("inf") else None,
            "losses": self.losses,
            "seconds": self.seconds,
            "settings": self.settings,
        }
        self.trainer.save(self.out / LAST, state)
        self.saved = self.trainer.step

    def _log(self, rate: float, heldout_loss: float | None) -> dict[str, Any]:
        line = {
            "step": self.trainer.step,
            "loss": sum(self.losses) / len(self.losses),
            "heldout_loss": heldout_loss,
            "lr": rate,
            "seconds": round(self.seconds, 3),
        }
        self.losses = []
        with (self.out / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")
        return line

    def _begin_log(self) -> None:
        """Drop what a killed run logged after its last checkpoint: it will be logged again."""
        log = self.out / LOG
        kept = []
        for line in log.read_text().splitlines() if log.exists() else []:
            try:
                if json.loads(line)["step"] <= self.trainer.step:
                    kept.append(line + "\n")
            except ValueError:
                continue
        fresh = log.with_name(LOG + ".new")
        fresh.write_text("".join(kept))
        os.replace(fresh, log)

    def _check_settings(self, last: Path) -> None:
        settings = read_json(last / STATE).get("settings")
        if not isinstance(settings, dict):
            raise CheckpointError(f"{last / STATE} is damaged: it has no settings")
        before = _flat(settings)
        now = _flat(self.settings)
        newer = {name for name in now.keys() - before.keys() if name.startswith(TRAINING)}
        names = [name for name in sorted({*before, *now} - newer) if before.get(name) != now.get(name)]
        if names:
            changes = "; ".join(f"{name} was {before.get(name)!r} and is now {now.get(name)!r}" for name in names)
            raise InvalidInput(f"cannot resume {self.out} with other settings: {changes}. Train into a new folder.")

    def _describe(self) -> str:
        data, policy = self.trainer.data, self.trainer.policy
        parameters = sum(parameter.numel() for parameter in policy.parameters())
        return (
            f"{policy.origin.policy}: {parameters:,} parameters, {len(data.training)} windows to train on and "
            f"{len(data.held_out)} held out, {torch.get_num_threads()} threads, from step {self.trainer.step}"
        )


class _Interrupts:
    """Turns the first Ctrl-C into a flag, so that no step is cut in half; the second raises at once."""

    def __init__(self) -> None:
        self.seen = False
        self._handles = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "_Interrupts":
        if self._handles:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True


def _check_folder(out: Path, resume: bool) -> None:
    if resume and not out.is_dir():
        raise InvalidInput(f"nothing to resume: {out} is no folder. Leave out resume to begin a run there.")
    if not resume and out.exists() and (not out.is_dir() or any(entry.name != LOCK for entry in out.iterdir())):
        raise InvalidInput(f"{out} exists already: go on with that run (resume), or choose a new folder")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return flat
