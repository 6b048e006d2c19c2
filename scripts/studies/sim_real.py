"""Does calibrating a simulation make it predict success on the robot? Policies of every quality, on surrogate robots.

Surrogates with hidden dynamics stand for the real robots. From nothing: commands are played on a surrogate's stand, a
calibration is fitted to what it measured, policies learn from demonstrations in the simulation as shipped, and all are
evaluated on the surrogate and in three simulations: as shipped, calibrated, and over samples of the calibration. All of
it goes through the commands of `barkyard`, each of which is done once: what is there is not made again.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs import add_options, backend_of, do_all, run
from sim_real_plan import CALIBRATED, EXCITATIONS, FULL, POSTERIOR, REAL, SIMULATIONS, Study, Task, robot_study, trial
from sim_real_robots import write_robots
from sim_real_summary import compare_speed, write_summary

from barkyard.fleet import Backend


def calibrate(study: Study, robot: str) -> None:
    """From nothing to a calibration: commands, what the surrogate measures, and the fit."""
    known, folder = study.plan.robots[robot], study.out / robot
    if study.calibration(robot).exists():
        return
    commands = [(folder / f"{kind}.npz", kind, 1) for kind in EXCITATIONS] + [(folder / "other.npz", "multisine", 2)]
    for path, kind, seed in commands:
        if not path.exists():
            run("calibrate", "--design", robot, "--kind", kind, "--duration", known.seconds, "--seed", seed,
                "--out", path)  # fmt: skip
    logs = [folder / "logs" / path.name for path, _, _ in commands]
    if not all(log.exists() for log in logs):
        run("surrogate", robot, *(path for path, _, _ in commands), "--seed", known.surrogate, "--out",
            folder / "logs", "--force", "--quiet")  # fmt: skip
    run("calibrate", *logs[:-1], "--held-out", logs[-1], "--model", robot, *known.fit, "--starts", study.plan.starts,
        "--samples", study.plan.samples, "--out", folder / "fit", "--quiet")  # fmt: skip


def collect(study: Study, task: Task) -> None:
    """Demonstrations of the expert in the simulation as shipped; the smaller sets are parts of the larger ones."""
    for count in sorted({learner.demonstrations for learner in task.learners.values()}):
        run("collect", task.env, "--out", study.dataset(task, count), "--episodes", count, "--num-envs", min(count, 50),
            "--no-states", "--quiet", *_typed({**task.arguments, "num_threads": 1}))  # fmt: skip


def train(study: Study, task: Task, policy: str) -> None:
    """Train one policy, or go on with it."""
    learner, folder = task.learners[policy], study.training(task, policy)
    if _trained_steps(folder) >= learner.steps:
        return
    warm = f"training.warmup_steps={min(100, learner.steps // 2)}"
    run("train", study.dataset(task, learner.demonstrations), "--out", folder, "--policy", learner.policy, "--steps",
        learner.steps, "--quiet", "--override", warm, *learner.settings,
        *(["--resume"] if folder.exists() else []))  # fmt: skip


def evaluate(study: Study, task: Task, policy: str, side: str) -> None:
    """Run one policy on one side."""
    out = study.result(task, policy, side)
    if out.exists():
        return
    plan, real = study.plan, side == REAL
    actor = study.training(task, policy) if policy in task.learners else "expert"
    episodes = plan.real_episodes if real else plan.episodes
    run("evaluate", task.env, "--actor", actor, "--noise", task.noise.get(policy, 0.0), "--out", out, "--episodes",
        episodes, "--num-envs", episodes, "--seed-start", plan.real_seeds if real else 0, "--quiet",
        *_typed({**study.arguments(task, side), "num_threads": 1}))  # fmt: skip


def correlate(study: Study, side: str) -> None:
    """Hold one simulation against the surrogate."""
    words = {
        each: [f"{policy}={study.result(task, policy, each)}" for task in study.plan.tasks for policy in task.policies]
        for each in (side, REAL)
    }
    run("correlate", *words[side], "--real", *words[REAL], "--out", study.report(side))


def _typed(arguments: Mapping[str, Any]) -> list[str]:
    return ["--env-kwargs", json.dumps(arguments)]


def _trained_steps(folder: Path) -> int:
    log = folder / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() and (folder / "last").exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


Job = tuple[Callable[..., None], tuple[Any, ...]]


def work(job: Job) -> str:
    """Do one job; says which."""
    do, arguments = job
    do(*arguments)
    return f"{do.__name__} {' '.join(_told(argument) for argument in arguments[1:])}"


def _told(argument: Any) -> str:
    return argument.name if isinstance(argument, Task) else str(argument)


def robot_stages(study: Study, count: int) -> Iterable[list[Job]]:
    """Other surrogates, each with a calibration of its own, and the policies of the study on both sides of it."""
    robots = [robot_study(study, seed) for seed in range(1, count + 1)]
    yield [(calibrate, (each, robot)) for each in robots for robot in each.plan.robots]
    yield [
        (evaluate, (whole, task, policy, side))
        for each in robots
        for paired in [replace(each, plan=replace(each.plan, episodes=each.plan.real_episodes))]
        for task in each.plan.tasks
        for policy in task.policies
        for whole, side in ((each, REAL), (each, POSTERIOR), (paired, CALIBRATED))
    ]


def stages(study: Study) -> Iterable[list[Job]]:
    """Jobs that do not wait for one another, stage by stage."""
    tasks = study.plan.tasks
    yield [
        *((calibrate, (study, robot)) for robot in dict.fromkeys(task.robot for task in tasks)),
        *((collect, (study, task)) for task in tasks),
    ]
    yield [(train, (study, task, policy)) for task in tasks for policy in task.learners]
    sides = (REAL, *SIMULATIONS)
    yield [(evaluate, (study, task, policy, side)) for task in tasks for policy in task.policies for side in sides]
    yield [(correlate, (study, side)) for side in SIMULATIONS]


def do_stages(stages: Iterable[list[Job]], study: Study, backend: Backend) -> dict[str, float]:
    """All stages; the seconds of each."""
    took = {}
    for number, jobs in enumerate(stages):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=study.out) as folder:
            places = {Path(folder) / f"{i}.json": job for i, job in enumerate(jobs)}
            for done, told in enumerate(do_all(work, places, backend), start=1):
                print(f"stage {number}, {done} of {len(jobs)}: {told}", file=sys.stderr, flush=True)
        took[jobs[-1][0].__name__] = time.monotonic() - began
    return took


def main(words: Sequence[str] | None = None) -> None:
    """Do all of it; OUT/report holds a page for each simulation, OUT/summary.md and OUT/sim_real.png compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("runs/sim_real"))
    parser.add_argument("--trial", action="store_true", help="a small one, to see that it works")
    parser.add_argument("--tasks", nargs="+", default=[], help="only these, such as Lift")
    add_options(parser)
    parser.add_argument("--speed", type=int, metavar="EPISODES", help="only time evaluations, this many one at a time")
    parser.add_argument("--robots", type=int, metavar="N", help="after the study: Lift on so many other surrogates")
    options = parser.parse_args(words)
    plan = trial() if options.trial else FULL
    chosen = tuple(task for task in plan.tasks if task.name in options.tasks or not options.tasks)
    study = Study(options.out, replace(plan, tasks=chosen))
    study.out.mkdir(parents=True, exist_ok=True)
    if options.speed:
        print(compare_speed(study, options.speed))
        return
    if options.robots:
        do_stages(robot_stages(study, options.robots), study, backend_of(options))
        print(write_robots(study, options.robots))
        return
    began = time.monotonic()
    took = do_stages(stages(study), study, backend_of(options))
    write_summary(study)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    print((options.out / "summary.md").read_text())
    stages_told = ", ".join(f"{name} {seconds:.0f}" for name, seconds in took.items())
    print(
        f"{time.monotonic() - began:.0f} s in {options.jobs} processes ({stages_told}); {cpu:.0f} s of processor time"
    )


if __name__ == "__main__":
    main()
