"""Does a calibrated simulation say what an open-loop run will do on the robot? Lift, on a surrogate of the Panda.

The expert lifts cubes in the simulation of the shipped model. Its actions are then played without looking, from the
same starts, on the surrogate, on the shipped model, on the calibrated one, and on draws from its posterior. Printed are
the lifts, in how many episodes a simulation and the surrogate come out alike, and how far their tool points are apart.

    python scripts/open_loop_transfer.py CALIBRATION.json --controller OSC_POSE --surrogate 0 --episodes 50
"""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from barkyard.envs.registry import make_vec_env
from barkyard.evaluation import evaluation_seeds
from barkyard.evaluation.intervals import clopper_pearson
from barkyard.experts import make_expert
from barkyard.rollout import rollout

Array = NDArray[Any]


def main(
    calibration: tyro.conf.Positional[Path],
    controller: Literal["OSC_POSE", "JOINT_POSITION"] = "OSC_POSE",
    surrogate: int = 0,
    episodes: int = 50,
) -> None:
    """Print a JSON line."""
    print(json.dumps(compare(calibration, controller, surrogate, episodes)))


def compare(calibration: Path, controller: str, surrogate: int, episodes: int) -> dict[str, Any]:
    """Lifts of the surrogate and of each simulation, how many come out alike, and how far the tools are apart."""
    seeds = evaluation_seeds(episodes)
    actions = demonstrated(controller, seeds)
    lifted, way = played(actions, seeds, controller=controller, surrogate=surrogate)
    found: dict[str, Any] = {"controller": controller, "episodes": episodes, "surrogate": counted(lifted)}
    kinds: dict[str, dict[str, Any]] = {
        "shipped": {},
        "calibrated": {"calibration": str(calibration)},
        "posterior": {"calibration": str(calibration), "randomization": "posterior"},
    }
    for name, changes in kinds.items():
        success, path = played(actions, seeds, controller=controller, **changes)
        gap = 1e3 * np.linalg.norm(path - way, axis=2)
        found[name] = {
            **counted(success),
            "alike": int((success == lifted).sum()),
            "tool_rms_mm": round(float(np.sqrt(np.mean(gap**2))), 2),
        }
    return found


def counted(success: Array) -> dict[str, Any]:
    """Lifts with their exact 95 % interval."""
    low, high = clopper_pearson(int(success.sum()), len(success))
    return {"lifts": int(success.sum()), "interval": [round(low, 3), round(high, 3)]}


def demonstrated(controller: str, seeds: list[int]) -> Array:
    """`(N, T, A)` actions of the expert in the shipped model; the last one is held."""
    env = make_vec_env("barkyard/Lift-v0", len(seeds), controller=controller, autoreset_mode="Disabled")
    runs = [episode.actions for episode in rollout(env, make_expert(env), seeds, record_states=False)]
    longest = max(map(len, runs))
    return np.stack([np.pad(run, ((0, longest - len(run)), (0, 0)), mode="edge") for run in runs])


def played(actions: Array, seeds: list[int], **changes: Any) -> tuple[Array, Array]:
    """`(N,)` whether the cube was lifted, and `(T, N, 3)` where the tool point was [m]."""
    env = make_vec_env("barkyard/Lift-v0", len(seeds), autoreset_mode="Disabled", **changes)
    env.reset(seed=seeds)
    lifted, path = np.zeros(len(seeds), dtype=bool), []
    for step in range(actions.shape[1]):
        observations, _, _, _, info = env.step(actions[:, step])
        lifted |= info["success"]
        path.append(observations["tcp_pos_world"])
    return lifted, np.stack(path)


if __name__ == "__main__":
    tyro.cli(main)
