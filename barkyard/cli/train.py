"""`barkyard train`: a policy from demonstrations."""

import json
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from barkyard.cli.opening import open_environment, settings
from barkyard.cli.terminal import Json, Quiet, print_json, print_text
from barkyard.embodiment import Embodiment
from barkyard.errors import InvalidInput
from barkyard.policies.registry import POLICIES, find


def train(
    datasets: Annotated[Positional[tuple[Path, ...]], arg(metavar="DATASET [DATASET ...]")],
    /,
    *,
    out: Annotated[Path, arg(metavar="DIR")],
    policy: Annotated[str, arg(metavar="NAME", help=f"What to train: {', '.join(POLICIES)}.")] = "diffusion-unet",
    steps: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    observations: tuple[str, ...] = (),
    override: tuple[str, ...] = (),
    body: Annotated[Path | None, arg(metavar="FILE")] = None,
    device: str = "cpu",
    resume: bool = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Train a policy on one or more datasets; stopped at any moment, it goes on with --resume.

    Args:
        datasets: their folders; the first tells the environment.
        out: the run's folder; it gets last, best, log.jsonl and tensorboard.
        policy: a name in the registry of policies.
        steps: optimiser steps; the policy's own number unless given.
        batch_size: windows a step; the policy's own number unless given.
        seed: of weights, batches and noise.
        observations: observation parts to learn from; all vectors unless given.
        override: settings by dotted name, as network.widths=[32,64] or training.learning_rate=1e-3.
        body: an embodiment's JSON file, for policies built on a body; that of the dataset's environment unless given.
        device: torch device.
        resume: go on with the run in DIR.
        as_json: print a summary as JSON.
        quiet: plain lines instead of a progress bar.
    """
    from barkyard.policies.train import LOG
    from barkyard.policies.train import train as run_training

    try:
        checkpoint = run_training(
            datasets,
            policy,
            out,
            steps=steps,
            batch_size=batch_size,
            seed=seed,
            resume=resume,
            observation_keys=observations or None,
            overrides=settings(override, "setting"),
            embodiment=_body(datasets[0], body) if find(policy).needs_body else None,
            device=device,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        kept = f"{out / 'last'} holds the training so far; the same command with --resume goes on from there."
        raise KeyboardInterrupt(kept if (out / "last").exists() else "Nothing was trained yet.") from None
    summary = _last_line(out / LOG)
    if as_json:
        print_json({"checkpoint": str(checkpoint), **summary})
    else:
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in summary.items() if value is not None)
        print_text(f"{checkpoint}: {numbers}")
    return 0


def _body(dataset: Path, file: Path | None) -> Embodiment:
    """What is in the file, or the body in the dataset's environment."""
    if file is not None:
        try:
            return Embodiment.from_json(json.loads(file.read_text()))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"--body {file}: {error}") from error
    from barkyard.datasets import Dataset
    from barkyard.envs.bodies import environment_body

    source = Dataset.open(dataset)
    arguments = {name: value for name, value in source.env_kwargs.items() if name != "cameras"}
    with open_environment(source.env_id, 1, arguments) as env:
        return environment_body(env)


def _last_line(log: Path) -> dict[str, Any]:
    """Step, losses and seconds at the end of a training."""
    line: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return {name: line[name] for name in ("step", "loss", "heldout_loss", "seconds")}
