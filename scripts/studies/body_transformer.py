"""Imitation with Body Transformers and their baselines, at equal size, on data of three sizes, closed loop.

For each robot: demonstrations of the expert, from which every network learns for the same number of steps with the same
batches; then runs with seeds that no demonstration has, and the error of the actions on demonstrations kept apart. All
of it goes through the commands of `barkyard`, each of which is done once: what is there is not made again.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jobs import add_options, backend_of, do_and_tell, run, write_report
from networks import equal_mlp, interval

TEST_SEED = 500_000
"""Seeds of the demonstrations kept apart begin here, far from those that are learnt from."""
ROWS = 8192
"""At most this many of their steps measure the error."""


@dataclass(frozen=True)
class Robot:
    """A robot at a task.

    Attributes:
        env: where.
        sizes: numbers of demonstrations to learn from, each the first of the next.
        kept_apart: number of demonstrations to measure the error of actions on.
        steps: optimiser steps of a training.
        env_kwargs: arguments of the environment, as typed.
    """

    env: str
    sizes: tuple[int, ...]
    kept_apart: int
    steps: int
    env_kwargs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        robots: by name.
        seeds: of weights and batches.
        episodes: runs of an evaluation.
        settings: of every training.
    """

    robots: Mapping[str, Robot]
    seeds: int = 3
    episodes: int = 32
    settings: tuple[str, ...] = ("training.warmup_steps=200",)


_EASY = ("difficulty=0.2",)
FULL = Plan(
    {
        "quadruped": Robot("barkyard/AgilityCourse-v0", (10, 50, 250), 20, 2500, _EASY),
        "arm": Robot("barkyard/Lift-v0", (10, 30, 100), 20, 1200, ("controller=JOINT_POSITION",)),
    }
)
TRIAL = Plan(
    {"arm": Robot("barkyard/Lift-v0", (4,), 4, 30, ("controller=JOINT_POSITION",))},
    seeds=2,
    episodes=4,
    settings=("training.warmup_steps=5",),
)
BASELINE = "transformer"
SIZE = ("layers=6", "width=32", "heads=2", "feed_forward=64")
"""Of every transformer: as deep as a quadruped's graph is wide, and narrow enough for two cores."""
NETWORKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mlp": ("locomotion-mlp", ("observation_steps=1", "action_dropout=0.0")),
    BASELINE: ("limb-transformer", SIZE),
    "hard": ("body-transformer-hard", SIZE),
    "mix": ("body-transformer-mix", SIZE),
    "soft": ("body-transformer-soft", SIZE),
    "shuffled": ("body-transformer-hard", (*SIZE, "attention=shuffled")),
}
"""A policy in the registry and its settings. `shuffled` is the control: as sparse, of a body that is not there."""
SHARED = ("training.batch_size=128", "training.learning_rate=8e-3", "training.gradient_clip=1.0",
          "training.weight_decay=0.01", "training.betas=[0.9,0.999]")  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One training and its evaluation."""

    out: Path
    plan: Plan
    robot: str
    size: int
    network: str
    seed: int
    settings: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.out / self.robot / f"{self.network}-{self.size}-{self.seed}"


def collect(out: Path, name: str, robot: Robot) -> None:
    """Demonstrations of every size, and those kept apart."""
    arguments = ["--env-kwargs", *robot.env_kwargs] if robot.env_kwargs else []
    for size, seed, folder in [(n, 0, str(n)) for n in robot.sizes] + [(robot.kept_apart, TEST_SEED, "apart")]:
        words = ["--episodes", size, "--num-envs", min(size, 32), "--seed", seed, "--no-states"]
        run("collect", robot.env, "--out", out / name / "data" / folder, *words, *arguments, "--quiet")


def mlp_settings(out: Path, name: str, robot: Robot) -> tuple[str, ...]:
    """Settings of the MLP, as large as the transformers."""
    from barkyard.datasets import Dataset
    from barkyard.envs.bodies import environment_body
    from barkyard.envs.registry import make_vec_env
    from barkyard.policies.configuration import vary
    from barkyard.policies.registry import find
    from barkyard.policies.training_data import TrainingData

    source = Dataset.open(out / name / "data" / str(robot.sizes[0]))
    with closing(make_vec_env(source.env_id, 1, **source.env_kwargs)) as env:
        body = environment_body(env)
    config = vary(find("locomotion-mlp").make_config(), {"observation_steps": 1})
    data = TrainingData(source, config, None, 0.02, 0, embodiment=body)
    return equal_mlp(data.features, data.normalizers, SIZE)


def work(job: Job) -> dict[str, Any]:
    """Train, measure, evaluate."""
    robot = job.plan.robots[job.robot]
    policy, own = NETWORKS[job.network]
    if job.network == "shuffled":
        own = (*own, f"shuffle_seed={job.seed}")
    settings = (*SHARED, *job.plan.settings, *own, *job.settings)
    training = job.folder / "training"
    words = ["--policy", policy, "--steps", robot.steps, "--seed", job.seed, "--override", *settings]
    resume = ["--resume"] if training.exists() else []
    run("train", job.out / job.robot / "data" / str(job.size), "--out", training, *words, *resume, "--quiet")
    score = job.folder / "score.json"
    if not score.exists():
        arguments = ["--env-kwargs", *robot.env_kwargs] if robot.env_kwargs else []
        count = ["--episodes", job.plan.episodes, "--num-envs", min(job.plan.episodes, 32)]
        run("evaluate", robot.env, "--actor", training / "last", "--out", score, *count, *arguments, "--quiet")
    episodes = json.loads(score.read_text())["episodes"]
    return {
        "robot": job.robot, "size": job.size, "network": job.network, "seed": job.seed,
        "score": float(np.mean([episode.get("score") or 0.0 for episode in episodes])),
        "success": float(np.mean([episode["success"] for episode in episodes])),
        **action_error(training / "last", job.out / job.robot / "data" / "apart"),
    }  # fmt: skip


def action_error(checkpoint: Path, dataset: Path) -> dict[str, float]:
    """Mean squared error of actions on demonstrations kept apart, in the action's own unit, and the parameters."""
    import torch

    from barkyard.datasets import Dataset, Windows
    from barkyard.policies import load_policy

    policy, source = load_policy(checkpoint), Dataset.open(dataset)
    steps = policy.config.observation_steps
    windows = Windows(source, steps, 1, 0, list(policy.features.observations))
    chosen = np.random.default_rng(0).permutation(len(windows))[:ROWS]
    total = 0.0
    for start in range(0, len(chosen), 512):
        batch = windows.gather(chosen[start : start + 512])
        seen = {key: torch.from_numpy(values) for key, values in batch.observations.items()}
        with torch.inference_mode():
            predicted = policy.act(seen, torch.empty(0)).numpy()
        total += float(((predicted - batch.actions) ** 2).mean(axis=(1, 2)).sum())
    parameters = sum(weights.numel() for weights in policy.parameters())
    return {"error": total / len(chosen), "parameters": float(parameters)}


def report(lines: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """Tables in Markdown: means over seeds, and what each gains over the plain transformer with the same seed."""
    text = []
    for name, robot in plan.robots.items():
        scored = any(line["score"] for line in lines if line["robot"] == name)
        metrics = ("score", "success", "error") if scored else ("success", "error")
        for size in robot.sizes:
            here = [line for line in lines if (line["robot"], line["size"]) == (name, size)]
            text += [f"\n### {name}, {robot.env}, {size} demonstrations\n"]
            text += [f"| network | parameters | {' | '.join(f'{m} | minus {BASELINE}' for m in metrics)} |"]
            text += ["|---" * (2 + 2 * len(metrics)) + "|"]
            for network in NETWORKS:
                own = {line["seed"]: line for line in here if line["network"] == network}
                base = {line["seed"]: line for line in here if line["network"] == BASELINE}
                cells = []
                for metric in metrics:
                    gains = [own[seed][metric] - base[seed][metric] for seed in own if seed in base]
                    for values in ([line[metric] for line in own.values()], gains):
                        mean, half = interval(values)
                        cells.append(f"{mean:.3g} ± {half:.2g}")
                count = int(next(iter(own.values()))["parameters"])
                text.append(f"| {network} | {count:,} | {' | '.join(cells)} |")
    return "\n".join(text).lstrip() + "\n"


def main() -> None:
    """Do all of it; the report is OUT/report.md, and OUT/results.json holds every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/body_transformer"))
    parser.add_argument("--trial", action="store_true", help="a small one, to see that it works")
    add_options(parser)
    options = parser.parse_args()
    plan: Plan = TRIAL if options.trial else FULL
    jobs: list[Job] = []
    for name, robot in plan.robots.items():
        collect(options.out, name, robot)
        widths = mlp_settings(options.out, name, robot)
        jobs += [
            Job(options.out, plan, name, size, network, seed, widths if network == "mlp" else ())
            for seed in range(plan.seeds)
            for size in robot.sizes
            for network in NETWORKS
        ]
    lines = do_and_tell(work, {job.folder / "study.json": job for job in jobs}, backend_of(options))
    write_report(options.out, lines, report(lines, plan))


if __name__ == "__main__":
    main()
