"""What is calibrating worth on a robot with hidden dynamics? Surrogates of the Panda and of a quadruped, from nothing.

Commands are played on a surrogate's stand, a calibration is fitted to what it measured, and its error on a recording
that it has not seen is printed beside that of the model as shipped. Then manipulation: the expert acts in the shipped
model and in the calibrated one, and either one's actions are played without looking, from the same starts, on the
surrogate: its success before and after calibration. Last, the actions from the shipped model are played in each
simulation, to see which of them foretells the surrogate.

What OUT has already is not made again.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from sim_real import calibrate
from sim_real_plan import FULL, Study

from barkyard.envs.registry import make_vec_env
from barkyard.evaluation import evaluation_seeds
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.experts import make_expert
from barkyard.files import write_whole
from barkyard.rollout import rollout

Array = NDArray[Any]
ROBOTS = ("panda", "barkour_vb")
TASKS = ("barkyard/Lift-v0", "barkyard/PickPlaceCan-v0")
SECONDS, STARTS, SAMPLES = 10.0, 16, 200
"""Length of each recording, starts of the search and draws to keep: the command line's own but for the starts."""


def main(
    out: tyro.conf.Positional[Path] = Path("runs/surrogate"),
    controller: Literal["OSC_POSE", "JOINT_POSITION"] = "OSC_POSE",
    episodes: int = 50,
    tasks: tuple[str, ...] = TASKS,
    robots: tuple[str, ...] = ROBOTS,
) -> None:
    """Print the errors of both robots and a line of JSON a task; OUT/<task>-<controller>.json keeps each.

    Args:
        out: where everything goes.
        controller: of the manipulation tasks.
        episodes: of each task.
        tasks: manipulation tasks with the Panda.
        robots: whose surrogate 0 is calibrated.
    """
    known = {name: replace(FULL.robots[name], seconds=SECONDS) for name in dict.fromkeys(("panda", *robots))}
    study = Study(out, replace(FULL, robots=known, starts=STARTS, samples=SAMPLES))
    for robot in known:
        calibrate(study, robot)
    for task in tasks:
        found = compare(task, study.calibration("panda"), controller, known["panda"].surrogate, episodes)
        name = task.removeprefix("barkyard/").removesuffix("-v0")
        write_whole(out / f"{name}-{controller}.json", json.dumps(found, indent=1).encode())
        print(json.dumps(found), flush=True)


def compare(task: str, calibration: Path, controller: str, surrogate: int, episodes: int) -> dict[str, Any]:
    """Success of actions from either model on the surrogate, and what each simulation says of the shipped model's."""
    seeds = evaluation_seeds(episodes)
    kinds: Mapping[str, dict[str, Any]] = {
        "shipped": {},
        "calibrated": {"calibration": str(calibration)},
        "posterior": {"calibration": str(calibration), "randomization": "posterior"},
    }
    found: dict[str, Any] = {"task": task, "controller": controller, "episodes": episodes, "on the surrogate": {}}
    plans, real = {}, {}
    for source in ("shipped", "calibrated"):
        plans[source] = demonstrated(task, seeds, controller=controller, **kinds[source])
        real[source] = played(task, plans[source], seeds, controller=controller, surrogate=surrogate)
        found["on the surrogate"][f"actions of the {source} model"] = counted(real[source][0])
    won, way = real["shipped"]
    found["foretold of the shipped model's actions"] = {
        name: foretold(*played(task, plans["shipped"], seeds, controller=controller, **changes), won, way)
        for name, changes in kinds.items()
    }
    return found


def foretold(success: Array, path: Array, won: Array, way: Array) -> dict[str, Any]:
    """How a simulation's outcomes and tool paths `(T, N, 3)` [m] compare with the surrogate's, `won` and `way`."""
    gap = 1e3 * np.linalg.norm(path - way, axis=2)
    return {
        **counted(success),
        "alike": int((success == won).sum()),
        "tool_rms_mm": round(float(np.sqrt(np.mean(gap**2))), 2),
    }


def counted(success: Array) -> dict[str, Any]:
    """Successes with their exact 95 % interval."""
    low, high = clopper_pearson(int(success.sum()), len(success))
    return {"successes": int(success.sum()), "interval": [round(low, 3), round(high, 3)]}


def demonstrated(task: str, seeds: list[int], **changes: Any) -> Array:
    """`(N, T, A)` actions of the expert in that simulation; the last one is held."""
    env = make_vec_env(task, len(seeds), autoreset_mode="Disabled", **changes)
    runs = [episode.actions for episode in rollout(env, make_expert(env), seeds, record_states=False)]
    longest = max(map(len, runs))
    return np.stack([np.pad(run, ((0, longest - len(run)), (0, 0)), mode="edge") for run in runs])


def played(task: str, actions: Array, seeds: list[int], **changes: Any) -> tuple[Array, Array]:
    """`(N,)` whether it succeeded, and `(T, N, 3)` where the tool point was [m]."""
    env = make_vec_env(task, len(seeds), autoreset_mode="Disabled", **changes)
    env.reset(seed=seeds)
    won, path = np.zeros(len(seeds), dtype=bool), []
    for step in range(actions.shape[1]):
        observations, _, _, _, info = env.step(actions[:, step])
        won |= info["success"]
        path.append(observations["tcp_pos_world"])
    return won, np.stack(path)


if __name__ == "__main__":
    tyro.cli(main)
