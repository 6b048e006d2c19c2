"""`barkyard train`: a policy from demonstrations."""

import json
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from barkyard.cli.opening import settings
from barkyard.cli.terminal import Json, Quiet, print_json, print_text
from barkyard.policies.registry import POLICIES


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


def _last_line(log: Path) -> dict[str, Any]:
    """Step, losses and seconds at the end of a training."""
    line: dict[str, Any] = json.loads(log.read_text().splitlines()[-1])
    return {name: line[name] for name in ("step", "loss", "heldout_loss", "seconds")}
