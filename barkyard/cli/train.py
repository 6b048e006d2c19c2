"""`barkyard train`: a policy from demonstrations."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from tyro.conf import Positional, arg

from barkyard.cli.opening import environment_arguments, open_environment, settings
from barkyard.cli.terminal import Json, Progress, Quiet, print_json, print_text
from barkyard.errors import InvalidInput
from barkyard.policies.registry import POLICIES, find
from barkyard.untrusted import parse_json

if TYPE_CHECKING:
    from barkyard.embodiment import Embodiment

DEFAULT: Final = "diffusion-unet"


def train(
    datasets: Annotated[Positional[tuple[Path, ...]], arg(metavar="DATASET [DATASET ...]")],
    /,
    *,
    out: Annotated[Path, arg(metavar="DIR")],
    policy: Annotated[str | None, arg(metavar="NAME", help=f"What to train: {', '.join(POLICIES)}.")] = None,
    init: Annotated[Path | None, arg(metavar="CHECKPOINT")] = None,
    steps: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    observations: tuple[str, ...] = (),
    override: tuple[str, ...] = (),
    weights: tuple[str, ...] = (),
    task_vectors: Annotated[Path | None, arg(metavar="FILE.json")] = None,
    rl: Annotated[str | None, arg(metavar="ENV")] = None,
    num_envs: int = 256,
    env_kwargs: tuple[str, ...] = (),
    body: Annotated[Path | None, arg(metavar="FILE")] = None,
    device: str = "cpu",
    save_every: int = 500,
    keep_every: int | None = None,
    resume: bool = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Train a policy on one or more datasets; stopped at any moment, it goes on with --resume. Or by trial, with --rl.

    In several processes, on one machine or many: torchrun --nproc-per-node 2 -m barkyard train ...; see docs/fleet.md.

    Args:
        datasets: their folders; the first tells the environment. None with --rl.
        out: the run's folder; it gets last, best, log.jsonl and tensorboard.
        policy: a name in the registry of policies; diffusion-unet unless given.
        init: go on from this checkpoint, with its policy and normalisation.
        steps: optimiser steps; the policy's own number unless given. With --rl, iterations of PPO.
        batch_size: windows a step; the policy's own number unless given.
        seed: of weights, batches and noise.
        observations: observation parts to learn from; all vectors unless given, or images and what the robot senses of
            itself for a policy that reads images.
        override: settings by dotted name, as network.widths=[32,64] or training.learning_rate=1e-3.
        weights: how often steps are learnt from by who acted, as human=2 expert=0.5; unless given, a person's
            corrections of a policy count together as much as all other steps together.
        task_vectors: what stands for each task, where several are learnt (task_embedding=32): a JSON object of lists of
            numbers by environment, such as embeddings of an instruction; learnt unless given.
        rl: learn by PPO in this environment, from its reward.
        num_envs: parallel environments of --rl.
        env_kwargs: arguments of the environment of --rl, as difficulty=0.2.
        body: an embodiment's JSON file, for policies built on a body; that of the dataset's environment unless given.
        device: torch device.
        save_every: steps from one checkpoint to the next, which a kill loses at most.
        keep_every: keep a checkpoint step_<number> in DIR each so many steps; barkyard bisect searches them.
        resume: go on with the run in DIR.
        as_json: print a summary as JSON.
        quiet: plain lines instead of a progress bar.
    """
    if rl is not None:
        if datasets or resume or batch_size or observations or body or init or weights or keep_every or task_vectors:
            raise InvalidInput("--rl learns from an environment alone: leave out datasets and the options about them")
        return _reinforce(rl, out, policy or DEFAULT, steps, num_envs, seed, override, env_kwargs, as_json, quiet)
    if not datasets:
        raise InvalidInput("give one or more datasets to learn from, or an environment with --rl")
    if init is None:
        policy = policy or DEFAULT
    from barkyard.policies.parallel import launched
    from barkyard.policies.train import LOG
    from barkyard.policies.train import train as run_training

    try:
        checkpoint = run_training(
            datasets,
            policy,
            out,
            init=init,
            weights=settings(weights, "weight"),
            task_vectors=_vectors(task_vectors),
            steps=steps,
            batch_size=batch_size,
            seed=seed,
            resume=resume,
            observation_keys=observations or None,
            overrides=settings(override, "setting"),
            embodiment=_bodies(datasets, body, policy) if policy else None,
            device=device,
            save_every=save_every,
            keep_every=keep_every,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        kept = f"{out / 'last'} holds the training so far; the same command with --resume goes on from there."
        raise KeyboardInterrupt(kept if (out / "last").exists() else "Nothing was trained yet.") from None
    if not launched().leads:
        return 0
    summary = _last_line(out / LOG)
    if as_json:
        print_json({"checkpoint": str(checkpoint), **summary})
    else:
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in summary.items() if value is not None)
        print_text(f"{checkpoint}: {numbers}")
    return 0


def _vectors(file: Path | None) -> dict[str, list[float]] | None:
    if file is None:
        return None
    try:
        content = parse_json(file.read_text())
        return {str(name): [float(value) for value in vector] for name, vector in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"--task-vectors {file} holds no JSON object of lists of numbers: {error}") from error


def _reinforce(
    env_id: str,
    out: Path,
    policy: str,
    iterations: int | None,
    num_envs: int,
    seed: int,
    override: tuple[str, ...],
    env_kwargs: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    from barkyard.experts.reinforcement import LAST, PPOConfig, reinforce

    total, line = iterations or PPOConfig().iterations, dict[str, Any]()
    with (
        open_environment(env_id, num_envs, environment_arguments(env_kwargs)) as env,
        Progress(f"{policy} in {env_id}", total, unit="iterations", quiet=quiet) as progress,
    ):

        def report(numbers: dict[str, Any]) -> None:
            line.update(numbers)
            told = [f"{name} {numbers[name]:.3g}" for name in ("return", "length", "std") if numbers[name] is not None]
            progress.advance(numbers["iteration"], " ".join(told))

        changes = settings(override, "setting")
        reinforce(env, policy, out, iterations=iterations, seed=seed, overrides=changes, report=report)
    if as_json:
        print_json({"checkpoint": str(out / LAST), **line})
    else:
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in line.items() if value is not None)
        print_text(f"{out / LAST}: {numbers}")
    return 0


def _bodies(datasets: tuple[Path, ...], file: Path | None, policy: str) -> "Embodiment | list[Embodiment] | None":
    """What the policy is built on: nothing, the body of the first dataset, or that of each."""
    entry = find(policy)
    if not entry.needs_body:
        return None
    if entry.many_bodies and file is None:
        return [_body(dataset, None) for dataset in datasets]
    return _body(datasets[0], file)


def _body(dataset: Path, file: Path | None) -> "Embodiment":
    """What is in the file, or the body in the dataset's environment."""
    from barkyard.embodiment import Embodiment

    if file is not None:
        try:
            return Embodiment.from_json(parse_json(file.read_text()))
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
