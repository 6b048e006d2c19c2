"""PPO with a Body Transformer and its baselines, at equal size and steps, with a whole robot and with a dead actuator.

Every network learns the task from scratch, with the whole robot and with an actuator that is dead in half of the
episodes; then it runs with each of some actuators dead, of which no training had more than one. All of it goes through
the commands of `barkyard`, each of which is done once: what is there is not made again.
"""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jobs import add_options, backend_of, do_and_tell, run, write_report
from networks import equal_mlp, interval

ENV = "barkyard/QuadrupedVelocity-v0"
DEAD_IN_TRAINING = "FL_knee"
DEAD = ("", DEAD_IN_TRAINING, "FR_knee", "HR_knee", "FL_hip", "HR_hip", "HR_abduction")
"""What is dead in an evaluation; nothing in the first."""
SIZE = ("layers=4", "width=32", "heads=2", "feed_forward=64")
"""Of every transformer: it reaches from a foot to the torso, and is small enough for two cores."""
BASELINE = "transformer"
NETWORKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mlp": ("locomotion-mlp", ()),
    BASELINE: ("limb-transformer", SIZE),
    "mix": ("body-transformer-mix", SIZE),
}
TRAININGS = {"whole": 0.0, f"{DEAD_IN_TRAINING} dead in half": 0.5}
"""How often the actuator is dead in a training."""
CURVE = (0.25, 0.5, 0.75, 1.0)
"""Parts of the training at which the curve is told."""


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        seeds: of weights, noise and environments.
        iterations: of PPO.
        num_envs: environments of a training.
        episodes: runs of an evaluation.
        settings: of every training.
    """

    seeds: int = 3
    iterations: int = 100
    num_envs: int = 128
    episodes: int = 32
    settings: tuple[str, ...] = ("ppo.epochs=3",)


FULL = Plan()
TRIAL = Plan(seeds=2, iterations=3, num_envs=8, episodes=4)


@dataclass(frozen=True)
class Job:
    """One training and its evaluations."""

    out: Path
    plan: Plan
    network: str
    training: str
    seed: int
    settings: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.out / self.training.replace(" ", "-") / f"{self.network}-{self.seed}"


def dead(actuator: str, probability: float) -> list[str]:
    """Arguments of an environment in which an actuator is dead in so many episodes."""
    if not actuator or not probability:
        return []
    return ["--env-kwargs", f'randomization={{"failing": ["{actuator}"], "failure": {probability}}}']


def mlp_settings() -> tuple[str, ...]:
    """Settings of the MLP, as large as the transformers."""
    from barkyard.envs.registry import make_vec_env
    from barkyard.experts.reinforcement import environment_features, no_scaling

    with closing(make_vec_env(ENV, 1)) as env:
        features = environment_features(env)
    return equal_mlp(features, no_scaling(features), SIZE)


def work(job: Job) -> dict[str, Any]:
    """Train and evaluate."""
    plan = job.plan
    policy, own = NETWORKS[job.network]
    training, done = job.folder / "training", job.folder / "trained"
    if not done.exists():
        shutil.rmtree(training, ignore_errors=True)
        size = ["--steps", plan.iterations, "--num-envs", plan.num_envs, "--seed", job.seed]
        arguments = dead(DEAD_IN_TRAINING, TRAININGS[job.training])
        settings = ["--override", *plan.settings, *own, *job.settings]
        run("train", "--rl", ENV, "--policy", policy, "--out", training, *size, *arguments, *settings, "--quiet")
        done.touch()
    line: dict[str, Any] = {"network": job.network, "training": job.training, "seed": job.seed}
    line["curve"] = curve(training / "log.jsonl")
    line["parameters"] = parameters(training / "last")
    line["dead"] = {actuator: evaluated(job, training / "last", actuator) for actuator in DEAD}
    return line


def curve(log: Path) -> list[dict[str, float]]:
    """Steps, and the mean return and length of the episodes that ended since, where any did."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [{key: line[key] for key in ("steps", "return", "length", "episodes")} for line in lines if line["episodes"]]


def parameters(checkpoint: Path) -> int:
    """Of the actor."""
    from barkyard.policies import load_policy

    return sum(weights.numel() for weights in load_policy(checkpoint).parameters())


def evaluated(job: Job, checkpoint: Path, actuator: str) -> dict[str, float]:
    """Mean return, length and success of held-out runs with this actuator dead."""
    score = job.folder / f"dead-{actuator or 'nothing'}.json"
    if not score.exists():
        count = ["--episodes", job.plan.episodes, "--num-envs", min(job.plan.episodes, 50)]
        run("evaluate", ENV, "--actor", checkpoint, "--out", score, *count, *dead(actuator, 1.0), "--quiet")
    episodes = json.loads(score.read_text())["episodes"]
    return {name: float(np.mean([episode[name] for episode in episodes])) for name in ("return", "length", "success")}


def late(line: Mapping[str, Any], part: float, name: str) -> float:
    """Mean over the episodes that ended in the tenth of the training's steps before `part` of them."""
    last = line["curve"][-1]["steps"]
    points = [point for point in line["curve"] if part - 0.1 < point["steps"] / last <= part]
    return float(np.average([point[name] for point in points], weights=[point["episodes"] for point in points]))


def report(lines: Sequence[Mapping[str, Any]]) -> str:
    """Tables in Markdown: means over seeds with 95 % intervals, and gains over the plain transformer, seed by seed."""
    text = ["### Mean return while learning, whole robot\n"]
    steps = lines[0]["curve"][-1]["steps"]
    heads = [f"{round(part * steps):,} steps" for part in CURVE]
    text += [f"| network | parameters | {' | '.join(heads)} |", "|---" * (2 + len(heads)) + "|"]
    for network in NETWORKS:
        own = [line for line in lines if (line["network"], line["training"]) == (network, "whole")]
        cells = [told([late(line, part, "return") for line in own]) for part in CURVE]
        text.append(f"| {network} | {own[0]['parameters']:,} | {' | '.join(cells)} |")
    for training in TRAININGS:
        text += [f"\n### Mean return with an actuator dead, trained: {training}\n"]
        text += [f"| dead | {' | '.join(NETWORKS)} | mix minus {BASELINE} | mix minus mlp |", "|---" * 6 + "|"]
        groups = [(actuator or "nothing", [actuator]) for actuator in DEAD]
        unseen = [actuator for actuator in DEAD if actuator not in ("", DEAD_IN_TRAINING)]
        for name, actuators in [*groups, ("all that no training had", unseen)]:
            found = {network: returns(lines, network, training, actuators) for network in NETWORKS}
            gains = [np.subtract(found["mix"], found[other]).tolist() for other in (BASELINE, "mlp")]
            text.append(f"| {name} | {' | '.join(told(values) for values in [*found.values(), *gains])} |")
    return "\n".join(text) + "\n"


def returns(lines: Sequence[Mapping[str, Any]], network: str, training: str, actuators: Sequence[str]) -> list[float]:
    """For each seed, the mean return over these actuators dead."""
    own = [line for line in lines if (line["network"], line["training"]) == (network, training)]
    own = sorted(own, key=lambda line: int(line["seed"]))
    return [float(np.mean([line["dead"][actuator]["return"] for actuator in actuators])) for line in own]


def told(values: Sequence[float]) -> str:
    """Mean and half of its interval."""
    mean, half = interval(values)
    return f"{mean:.3g} ± {half:.2g}"


def draw(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Learning curves: mean over seeds, and their range."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for column, (name, unit) in enumerate((("return", "return"), ("length", "steps before the end"))):
        axes = figure.add_subplot(1, 2, column + 1)
        for network in NETWORKS:
            own = [line for line in lines if (line["network"], line["training"]) == (network, "whole")]
            grid = np.linspace(0.1, 1.0, 19)
            values = np.array([[late(line, part, name) for part in grid] for line in own])
            steps = grid * own[0]["curve"][-1]["steps"]
            (drawn,) = axes.plot(steps, values.mean(axis=0), label=network)
            axes.fill_between(steps, values.min(axis=0), values.max(axis=0), alpha=0.2, color=drawn.get_color())
        axes.set(xlabel="environment steps", ylabel=unit)
        axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Do all of it; the report is OUT/report.md, and OUT/results.json holds every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/reinforcement"))
    parser.add_argument("--trial", action="store_true", help="a small one, to see that it works")
    add_options(parser)
    parser.add_argument("--picture", type=Path, help="where the learning curves go; OUT/curves.png unless given")
    options = parser.parse_args()
    plan = TRIAL if options.trial else FULL
    widths = mlp_settings()
    jobs = [
        Job(options.out, plan, network, training, seed, widths if network == "mlp" else ())
        for training in TRAININGS
        for seed in range(plan.seeds)
        for network in NETWORKS
    ]
    lines = do_and_tell(work, {job.folder / "study.json": job for job in jobs}, backend_of(options))
    draw(lines, options.picture or options.out / "curves.png")
    write_report(options.out, lines, report(lines))


if __name__ == "__main__":
    main()
