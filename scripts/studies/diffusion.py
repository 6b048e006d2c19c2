"""Diffusion policies at equal size: what denoises, what it learns, how many steps it takes, and how late it may be.

Every network learns the noise (DDPM, sampled by DDIM) and the velocity (flow matching, sampled by Euler's method) from
the same demonstrations of lifting, with the same batches. Each then runs with seeds that no demonstration has: with 2,
4 and 10 steps, and with 4 steps and chunks that are 1 to 4 control steps late, which just take over or were predicted
to go on from the old ones. All of it goes through the commands of `barkyard`, each of which is done once: what is
there is not made again.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delay_curve import MANNERS, Point, delay_curve
from jobs import add_options, backend_of, do_and_tell, run, write_report
from networks import equal_denoisers

ENV = "barkyard/Lift-v0"
ENV_KWARGS = ("controller=JOINT_POSITION",)
"""The body's graph tells which joint an action is of; commands of the tool would all be the root's."""
OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "ddim": ("objective=ddpm", "sampler=ddim"),
    "flow": ("objective=flow", "sampler=euler"),
}
LATE_STEPS = 4
"""Steps of the evaluations with a delay."""
SHARED = ("horizon=12", "action_steps=4", "training.batch_size=64", "training.learning_rate=1e-3")
"""Chunks are executed by four actions, so that a delay of four steps lets one inference run at a time."""


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        demonstrations: to learn from.
        seeds: of weights and batches.
        steps: optimiser steps of a training.
        episodes: runs of an evaluation.
        warmup: of a training [steps].
        inference_steps: of the evaluations without delay; `LATE_STEPS` is one of them.
        delays: of the others [control steps].
    """

    demonstrations: int = 100
    seeds: int = 2
    steps: int = 1500
    episodes: int = 50
    warmup: int = 100
    inference_steps: tuple[int, ...] = (2, 4, 10)
    delays: tuple[int, ...] = (1, 2, 3, 4)


FULL = Plan()
TRIAL = Plan(4, seeds=1, steps=5, episodes=1, warmup=1, inference_steps=(2, LATE_STEPS), delays=(4,))


@dataclass(frozen=True)
class Job:
    """One training and its evaluations."""

    out: Path
    plan: Plan
    network: str
    objective: str
    seed: int
    policy: str
    settings: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.out / f"{self.network}-{self.objective}-{self.seed}"

    @property
    def facts(self) -> dict[str, Any]:
        """What is told apart in tables."""
        return {"network": self.network, "objective": self.objective, "seed": self.seed}

    @property
    def runs(self) -> list[str]:
        """How it is evaluated."""
        episodes = self.plan.episodes
        return ["--episodes", str(episodes), "--num-envs", str(min(episodes, 25)), "--env-kwargs", *ENV_KWARGS]


def work(job: Job) -> dict[str, Any]:
    """Train, and evaluate without delay."""
    plan, training = job.plan, job.folder / "training"
    settings = (*SHARED, f"training.warmup_steps={plan.warmup}", *OBJECTIVES[job.objective], *job.settings)
    words = ["--policy", job.policy, "--steps", plan.steps, "--seed", job.seed, "--override", *settings]
    resume = ["--resume"] if training.exists() else []
    began = time.process_time()
    run("train", job.out / "data", "--out", training, *words, *resume, "--quiet")
    line = {**job.facts, "parameters": parameters(training), "training_seconds": time.process_time() - began}
    for steps in plan.inference_steps:
        checkpoint = with_steps(training, steps, job.folder / f"steps_{steps}")
        curve = delay_curve(checkpoint, ENV, job.folder / f"{steps}", delays=[0], manners=["switch"], words=job.runs)
        (line[f"{steps} steps"],) = map(_count, curve)
    return {**line, "seconds": time.process_time() - began}


def late(job: Job) -> dict[str, Any]:
    """Evaluate what `work` trained with every delay."""
    checkpoint, out, began = job.folder / f"steps_{LATE_STEPS}", job.folder / f"{LATE_STEPS}", time.process_time()
    points = delay_curve(checkpoint, ENV, out, delays=job.plan.delays, words=job.runs)
    counts = {f"{point.manner} {point.delay}": _count(point) for point in points}
    return {**job.facts, **counts, "seconds": time.process_time() - began}


def _count(point: Point) -> list[int]:
    return [point.result.num_successes, point.result.num_episodes]


def with_steps(training: Path, steps: int, out: Path) -> Path:
    """A checkpoint of the same weights that samples in so many steps."""
    from barkyard.policies import load_policy
    from barkyard.policies.diffusion.policy import DiffusionPolicy

    if not out.exists():
        policy = load_policy(training)
        assert isinstance(policy, DiffusionPolicy)
        policy.sampled(steps).save(out)
    return out


def parameters(checkpoint: Path) -> int:
    """Of a policy."""
    from barkyard.policies import load_policy

    return sum(weights.numel() for weights in load_policy(checkpoint).parameters())


def report(lines: Sequence[Mapping[str, Any]], plan: Plan) -> str:
    """Tables in Markdown: successes over all seeds, with exact 95 % intervals; of late chunks where they were run."""
    steps = [f"{number} steps" for number in plan.inference_steps]
    text = [
        "### Networks and objectives",
        "",
        _row(["network", "objective", "parameters", *steps]),
        _rule(3 + len(steps)),
    ]
    pairs = list(dict.fromkeys((line["network"], line["objective"]) for line in lines))
    for network, objective in pairs:
        here = [line for line in lines if (line["network"], line["objective"]) == (network, objective)]
        text.append(_row([network, objective, f"{here[0]['parameters']:,}", *(_pooled(here, name) for name in steps)]))
    text += ["", "### All networks together", "", _row(["objective", *steps]), _rule(1 + len(steps))]
    for objective, here in _by_objective(lines):
        text.append(_row([objective, *(_pooled(here, name) for name in steps)]))
    if all(f"{MANNERS[0]} {plan.delays[0]}" in line for line in lines):
        text += _late_tables(lines, plan, pairs)
    return "\n".join(text) + "\n"


def _late_tables(lines: Sequence[Mapping[str, Any]], plan: Plan, pairs: Sequence[tuple[str, str]]) -> list[str]:
    zero, late = f"{LATE_STEPS} steps", [f"{manner} {delay}" for manner in MANNERS for delay in plan.delays]
    text = ["", f"### Late chunks, {LATE_STEPS} steps, all networks together", ""]
    text += [_row(["objective", "chunks", "delay 0", *map(str, plan.delays)]), _rule(3 + len(plan.delays))]
    for objective, here in _by_objective(lines):
        for manner in MANNERS:
            points = [zero, *(f"{manner} {delay}" for delay in plan.delays)]
            text.append(_row([objective, manner, *(_pooled(here, name) for name in points)]))
    text += ["", f"### Late chunks, {LATE_STEPS} steps, success in %", "", _row(["network", "objective", "0", *late])]
    text.append(_rule(3 + len(late)))
    for network, objective in pairs:
        here = [line for line in lines if (line["network"], line["objective"]) == (network, objective)]
        text.append(_row([network, objective, *(f"{100 * _rate(here, name):.0f}" for name in (zero, *late))]))
    return text


def _by_objective(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for objective in dict.fromkeys(line["objective"] for line in lines):
        yield objective, [line for line in lines if line["objective"] == objective]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(columns: int) -> str:
    return "|---" * columns + "|"


def _counts(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[int, int]:
    return sum(line[name][0] for line in lines), sum(line[name][1] for line in lines)


def _rate(lines: Sequence[Mapping[str, Any]], name: str) -> float:
    successes, episodes = _counts(lines, name)
    return successes / episodes


def _pooled(lines: Sequence[Mapping[str, Any]], name: str) -> str:
    from barkyard.evaluation.intervals import clopper_pearson

    successes, episodes = _counts(lines, name)
    low, high = clopper_pearson(successes, episodes)
    return f"{successes}/{episodes} ({100 * low:.0f} - {100 * high:.0f} %)"


def main() -> None:
    """Do all of it; the report is OUT/report.md, and OUT/results.json holds every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/diffusion"))
    parser.add_argument("--trial", action="store_true", help="a small one, to see that it works")
    parser.add_argument("--networks", nargs="+", help="only these, of unet, transformer, dit, body")
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES), help="only these")
    parser.add_argument("--on-time", action="store_true", help="without the late chunks, which take as long again")
    add_options(parser)
    options = parser.parse_args()
    plan: Plan = TRIAL if options.trial else FULL
    if not (options.out / "data").exists():
        count = ["--episodes", plan.demonstrations, "--num-envs", min(plan.demonstrations, 32)]
        run(
            "collect", ENV, "--out", options.out / "data", *count, "--no-states", "--env-kwargs", *ENV_KWARGS, "--quiet"
        )
    networks = equal_denoisers(options.out / "data", SHARED)
    if unknown := set(options.networks or ()) - set(networks):
        parser.error(f"no such networks: {', '.join(sorted(unknown))}; valid: {', '.join(networks)}")
    jobs = [
        Job(options.out, plan, network, objective, seed, policy, settings)
        for seed in range(plan.seeds)
        for network, (policy, settings) in networks.items()
        for objective in options.objectives
        if network in (options.networks or networks)
    ]
    backend = backend_of(options)
    lines = do_and_tell(work, {job.folder / "study.json": job for job in jobs}, backend)
    if not options.on_time:
        found = do_and_tell(late, {job.folder / "late.json": job for job in jobs}, backend)
        pairs = zip(lines, found, strict=True)
        lines = [{**line, **more, "seconds": line["seconds"] + more["seconds"]} for line, more in pairs]
    write_report(options.out, lines, report(lines, plan))


if __name__ == "__main__":
    main()
