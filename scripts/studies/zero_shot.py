"""GET-Zero on hands that it has never seen: ours, as published, its baselines, and ours less each of its changes.

Each training hand's own gait demonstrates, half of the time with noise on what is done, and answers at every step. From
that every network learns for the same number of steps with the same batches, with several seeds; of its checkpoints the
one that turns the cube fastest with the validation hands goes on to the test hands. Beside them: on each hand the gait
of the training hand most like it, and the hand's own gait where it has one. Every job is done once: what is there is
not made again.
"""

import argparse
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jobs import add_options, backend_of, do_and_tell, run, write_report
from zero_shot_report import report

from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.assets.robots.leap_hand.variant import FULL as WHOLE
from barkyard.assets.robots.leap_hand.variant import HandVariant
from barkyard.envs.tasks.dexterity.hand_rotate import GOOD_RATE
from barkyard.episode import Actor
from barkyard.errors import InvalidInput
from barkyard.experts.hand.gait import GAITS_FILE, Gait, GaitActor, GaitEntry, nearest, read_gaits
from barkyard.experts.hand.search import CHECK_SEEDS, ENV_ID, open_hand
from barkyard.experts.hand.training import MOST_DROPS
from barkyard.files import write_whole
from barkyard.provenance import fingerprint

RANDOMIZATION = "moderate"
NOISE = 0.5
"""Standard deviation of the noise on demonstrated actions, whose largest is 1: a choice. Answers are without it."""
WATCHED = 200
"""Windows of each hand that measure the self-model."""
STEPS = 6
"""Of a window."""
TESTS = ("test_graph", "test_length", "test_both")


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        networks: names in `NETWORKS`.
        seeds: of weights and batches.
        demonstrations: episodes of each training hand.
        steps: optimiser steps of a training.
        checkpoints: of its last quarters, from which one is chosen.
        cell: episodes of a column of the table, at least, for each seed.
        choosing: episodes of a validation hand for each checkpoint.
        hands: of each set, at most.
        fewest: training hands.
    """

    networks: tuple[str, ...]
    seeds: int = 3
    demonstrations: int = 20
    steps: int = 3000
    checkpoints: int = 3
    cell: int = 100
    choosing: int = 2
    hands: int = 44
    fewest: int = 8


OURS, PUBLISHED, PLAIN, DEPTH_FIRST = "GET (ours)", "GET (published)", "embodiment transformer", "depth-first"
SIZE = ("layers=4", "width=64", "heads=4", "feed_forward=128")
"""Of every network: small enough for two cores."""
NETWORKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    OURS: ("get-zero", ()),
    PUBLISHED: ("get-zero-small", ()),
    PLAIN: ("embodiment-transformer", ()),
    DEPTH_FIRST: ("depth-first-transformer", ()),
    "published tokens": ("get-zero", ("whole_tokens=false",)),
    "norm of raw features": ("get-zero", ("input_norm=true",)),
    "joints' places": ("get-zero", ("tips=false", "self_model=2.0")),
    "no self-model": ("get-zero", ("self_model=0.0",)),
    "mean over slots": ("get-zero", ("masked_mean=false",)),
    "no hidden joints": ("get-zero", ("drop_joints=0.0",)),
    "no longer links": ("get-zero", ("stretch=0.0",)),
    "dropout": ("get-zero", ("dropout=0.1",)),
    "no graph": ("get-zero", ("structure=none",)),
}
"""A policy in the registry and its settings. From the fifth on: ours with one change taken away."""
SHARED = ("training.batch_size=128", "training.learning_rate=1e-3", "training.warmup_steps=200")
FULL = Plan(tuple(NETWORKS))
TRIAL = Plan(
    (OURS, PUBLISHED, PLAIN), seeds=1, demonstrations=2, steps=12, checkpoints=1, cell=1, choosing=1, hands=2, fewest=2
)


@dataclass(frozen=True)
class HandJob:
    """Episodes of a gait with a hand: demonstrations, or (with a column) an expert's measurement.

    Attributes:
        out: of the study.
        hand: who acts.
        gait: for its joints.
        donor: the hand that the gait was found for.
        episodes: how many.
        column: of the table; "" for demonstrations.
    """

    out: Path
    hand: str
    gait: Gait
    donor: str
    episodes: int
    column: str = ""


@dataclass(frozen=True)
class Job:
    """One training and its evaluation."""

    out: Path
    plan: Plan
    network: str
    seed: int
    hands: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.out / "networks" / f"{list(NETWORKS).index(self.network):02}-{self.seed}"


def is_expert(entry: GaitEntry) -> bool:
    """Whether a gait is fast enough, and drops seldom enough, to be learnt from."""
    return bool(entry.measured["yaw_rate"] >= GOOD_RATE and entry.measured["drops"] <= MOST_DROPS)


def training_gaits(path: Path, plan: Plan) -> dict[str, GaitEntry]:
    """The gaits of training hands that are experts (in a trial, any). Raises InvalidInput where they are too few."""
    gaits, split = read_gaits(path), load_split()
    fit = {hand: gaits[hand] for hand in split.train if hand in gaits and (plan is TRIAL or is_expert(gaits[hand]))}
    if len(fit) < plan.fewest:
        raise InvalidInput(
            f"{path} has experts for {len(fit)} training hands, and the study wants {plan.fewest}; find more with "
            "./scripts/train_hand_experts"
        )
    return dict(list(fit.items())[: plan.hands])


def demonstrate(job: HandJob) -> dict[str, Any]:
    """Record a dataset of one hand: one half of the episodes as the expert acts, the other with noise."""
    from barkyard.datasets import DatasetWriter
    from barkyard.evaluation import NoisyActor
    from barkyard.rollout import rollout

    folder = job.out / "data" / job.hand
    shutil.rmtree(folder, ignore_errors=True)
    seeds, rates = np.array_split(np.arange(job.episodes), 2), []
    writer: DatasetWriter | None = None
    with closing(open_hand(job.hand, len(seeds[0]), RANDOMIZATION)) as env:
        expert = GaitActor(job.gait, env.simulation.robot.robot.home, env.control_dt)
        actors: list[Actor] = [expert, NoisyActor(expert, len(job.gait.joints), NOISE)]
        for actor, own in zip(actors, seeds, strict=True):
            for episode in rollout(env, actor, own.tolist(), record_states=False, teacher=expert):
                writer = writer or DatasetWriter.create(folder, episode)
                writer.write(episode)
                rates.append(episode.metrics["yaw_rate"])
    assert writer is not None
    writer.close()
    return {"hand": job.hand, "yaw_rate": rates}


def play(job: HandJob) -> dict[str, Any]:
    """Measure a gait with a hand, and keep some of what was observed for the self-models to be measured on."""
    from barkyard.rollout import rollout

    seeds = (CHECK_SEEDS + np.arange(job.episodes)).tolist()
    rng, seen = np.random.default_rng(0), []
    with closing(open_hand(job.hand, job.episodes, RANDOMIZATION)) as env:
        actor = GaitActor(job.gait, env.simulation.robot.robot.home, env.control_dt)
        episodes = list(rollout(env, actor, seeds, record_states=False))
    if job.donor != job.hand:
        for number in rng.integers(len(episodes), size=WATCHED):
            first = int(rng.integers(0, max(episodes[number].length - STEPS, 1)))
            seen.append({key: each[first : first + STEPS] for key, each in episodes[number].observations.items()})
        content = io.BytesIO()
        np.savez(content, **{key: np.stack([each[key] for each in seen]) for key in seen[0]})
        write_whole(job.out / "watched" / f"{job.hand}.npz", content.getvalue())
    metrics = {name: [episode.metrics[name] for episode in episodes] for name in ("yaw_rate", "dropped", "cube_speed")}
    return {"column": job.column, "hand": job.hand, "donor": job.donor, **metrics}


def work(job: Job) -> dict[str, Any]:
    """Train, choose a checkpoint, evaluate."""
    policy, own = NETWORKS[job.network]
    training, plan = job.folder / "training", job.plan
    every = max(plan.steps // 4, 1)
    words = ["--policy", policy, "--steps", plan.steps, "--seed", job.seed, "--keep-every", every, "--quiet"]
    resume = ["--resume"] if training.exists() else []
    data = [job.out / "data" / hand for hand in job.hands]
    run("train", *data, "--out", training, *words, *resume, "--override", *SHARED, *SIZE, *own)
    kept = sorted(training.glob("step_*"))[-plan.checkpoints :]
    scores = {
        checkpoint.name: _mean(evaluate(job, checkpoint, ("validation",), plan.choosing, f"choosing/{checkpoint.name}"))
        for checkpoint in kept
    }
    chosen = training / max(scores, key=lambda name: scores[name])
    columns = evaluate(job, chosen, TESTS, _per_hand(plan, len(_hands(job.out, TESTS[0]))), "test")
    columns |= evaluate(job, chosen, ("train",), _per_hand(plan, len(job.hands)), "train")
    return {
        "network": job.network, "seed": job.seed, "chosen": chosen.name, "validation": scores, "columns": columns,
        "places_mm": {column: self_model(chosen, job.out, found["hands"]) for column, found in columns.items()},
        "parameters": _parameters(chosen),
    }  # fmt: skip


def evaluate(job: Job, checkpoint: Path, sets: Sequence[str], episodes: int, name: str) -> dict[str, Any]:
    """By column: the hands, and the mean rate and drops of each."""
    folder = job.folder / name
    files = [job.out / "hands" / f"{each}.txt" for each in sets]
    words = ["--episodes", episodes, "--num-envs", episodes, "--env-kwargs", f"randomization={RANDOMIZATION}"]
    run("evaluate", ENV_ID, "--actor", checkpoint, "--embodiments", *files, "--out", folder, *words, "--quiet")
    columns = json.loads((folder / "table.json").read_text())["columns"]
    return {
        column: {
            "hands": found["embodiments"],
            "episodes": found["episodes"],
            **{metric: found["metrics"][metric]["embodiments"] for metric in ("yaw_rate", "dropped", "cube_speed")},
        }
        for column, found in columns.items()
    }


def self_model(checkpoint: Path, out: Path, hands: Sequence[str]) -> list[float] | None:
    """By hand, the mean distance of predicted places (links' tips, or joints) from where they are [mm]."""
    import torch

    from barkyard.assets.robots.bodies import robot_body
    from barkyard.policies import load_policy
    from barkyard.policies.get_zero.policy import GetZeroPolicy

    policy = load_policy(checkpoint)
    assert isinstance(policy, GetZeroPolicy)
    if not policy.get_zero.self_model:
        return None
    distances = []
    for hand in hands:
        with np.load(out / "watched" / f"{hand}.npz") as file:
            seen = {key: torch.from_numpy(file[key]) for key in file.files}
        shapes = {key: tuple(values.shape[2:]) for key, values in seen.items()}
        own = policy.for_body(robot_body(_robot(hand)), shapes, shapes["joint_pos"][0])
        with torch.no_grad():
            distances.append(1e3 * float((own.link_places(seen) - own.true_places(seen)).norm(dim=-1).mean()))
    return distances


def _robot(hand: str) -> str:
    return "leap_hand" if hand == WHOLE.name else f"leap_hand:{hand}"


def _parameters(checkpoint: Path) -> int:
    from barkyard.policies import load_policy

    return sum(weights.numel() for weights in load_policy(checkpoint).parameters())


def _mean(columns: Mapping[str, Any]) -> float:
    return float(np.mean([rate for found in columns.values() for rate in found["yaw_rate"]]))


def _per_hand(plan: Plan, hands: int) -> int:
    return -(-plan.cell // hands)


def _hands(out: Path, name: str) -> tuple[str, ...]:
    return tuple((out / "hands" / f"{name}.txt").read_text().split())


def expert_jobs(out: Path, plan: Plan, known: Mapping[str, GaitEntry], every: Mapping[str, GaitEntry]) -> list[HandJob]:
    """For each hand of each column: the nearest training hand's gait, and the hand's own if there is one."""
    found = []
    for column in ("train", *TESTS):
        hands = _hands(out, column)
        for hand in hands:
            others = [name for name in known if name != hand]
            own = [hand] if hand in every else []
            for donor in [nearest(hand, others), *own]:
                gait = every[donor].gait.for_joints(HandVariant.from_name(hand).joints)
                found.append(HandJob(out, hand, gait, donor, _per_hand(plan, len(hands)), column))
    return found


def begin(out: Path, plan: Plan, known: Mapping[str, GaitEntry]) -> None:
    """Note what the study is of. Raises InvalidInput where the folder holds another."""
    gaits = {hand: each.gait.to_json() for hand, each in known.items()}
    content = json.dumps({"plan": asdict(plan), "gaits": fingerprint(gaits)}, indent=1) + "\n"
    note = out / "plan.json"
    if note.exists() and note.read_text() != content:
        raise InvalidInput(f"{out} holds a study with another plan or other gaits; choose another folder")
    write_whole(note, content.encode())
    split = load_split()
    sets = {"train": list(known), **{name: getattr(split, name)[: plan.hands] for name in ("validation", *TESTS)}}
    for name, chosen in sets.items():
        write_whole(out / "hands" / f"{name}.txt", ("\n".join(chosen) + "\n").encode())


def main() -> None:
    """Do all of it; the report is OUT/report.md, and OUT/results.json holds every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/get_zero"))
    parser.add_argument("--trial", action="store_true", help="a small one, to see that it works")
    parser.add_argument("--gaits", type=Path, default=GAITS_FILE, help="file of experts; the package's own by default")
    add_options(parser)
    options = parser.parse_args()
    plan: Plan = TRIAL if options.trial else FULL
    out, backend = options.out, backend_of(options)
    try:
        known = training_gaits(options.gaits, plan)
        begin(out, plan, known)
    except InvalidInput as error:
        raise SystemExit(str(error)) from None

    shows = [HandJob(out, hand, each.gait, hand, plan.demonstrations) for hand, each in known.items()]
    shown = do_and_tell(demonstrate, {out / "demonstrations" / f"{job.hand}.json": job for job in shows}, backend)
    plays = expert_jobs(out, plan, known, read_gaits(options.gaits))
    played = do_and_tell(
        play, {out / "experts" / f"{job.column}-{job.hand}-{job.donor}.json": job for job in plays}, backend
    )
    jobs = [Job(out, plan, network, seed, tuple(known)) for seed in range(plan.seeds) for network in plan.networks]
    lines = do_and_tell(work, {job.folder / "study.json": job for job in jobs}, backend)
    results = {"demonstrations": shown, "experts": played, "networks": lines}
    write_report(out, results, report(results, OURS, PLAIN))


if __name__ == "__main__":
    main()
