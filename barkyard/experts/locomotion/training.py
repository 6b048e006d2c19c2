"""How the shipped skills are made: `python -m barkyard.experts.locomotion.training OUT [SKILL ...]`."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.envs.tasks.agility.way import LAND, SLOPE, WEAVE
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion.lessons import CourseLesson, JumpLesson, SlopeLesson, WalkLesson
from barkyard.experts.locomotion.network import Network
from barkyard.experts.locomotion.ppo import Lesson, PPOSettings, learn
from barkyard.provenance import versions

WEIGHTS, STAGES = Path(__file__).parent / "weights", "stages"


@dataclass(frozen=True)
class Stage:
    """One run of PPO.

    Attributes:
        lesson: what is learnt.
        env_id: where.
        settings: of PPO.
        env_kwargs: arguments of the environment.
        start: skill and stage whose weights it goes on from; None is the stage before, or random weights for the first.
        span: which part of the lesson this is.
        seed: of torch and of the lesson.
    """

    lesson: Callable[[RobotVectorEnv, int], Lesson]
    env_id: str
    settings: PPOSettings
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)
    start: tuple[str, int] | None = None
    span: tuple[float, float] = (0.0, 1.0)
    seed: int = 0


_ROUGH, _WEAVE, _COURSE, _JUMP = (
    f"barkyard/{name}-v0" for name in ("QuadrupedRough", "WeavePoles", "AgilityCourse", "BroadJump")
)
_SMOOTH = {"randomization": {"friction_loss": [0.0, 0.0]}}
"""Joints without dry friction step a quarter faster; each skill ends with a stage that has it."""
_BOARDS = {"terminate_on_success": False, "difficulty": 0.3}
_PARTS = {"terminate_on_success": False, "difficulty": 0.05}


def _fine(iterations: int, std: float = 0.1) -> PPOSettings:
    """To go on from weights that walk already."""
    return PPOSettings(iterations, std=std, entropy=0.001, learning_rate=(6e-4, 1e-4), warm_up=8)


def _practise(skill: int, hurry: float = 0.0) -> Callable[[RobotVectorEnv, int], Lesson]:
    return partial(CourseLesson, skills=(skill,), hurry=hurry)


RECIPES: Mapping[str, Sequence[Stage]] = {
    "walk": (
        Stage(WalkLesson, _ROUGH, PPOSettings(500, std=0.2, entropy=0.002), _SMOOTH),
        Stage(WalkLesson, _ROUGH, PPOSettings(200, std=0.12, entropy=0.001, learning_rate=(6e-4, 1e-4)), seed=1),
        Stage(WalkLesson, _ROUGH, _fine(300, 0.12), seed=2),
    ),
    "jump": (
        Stage(JumpLesson, _JUMP, PPOSettings(700, std=0.2, entropy=0.002, learning_rate=(1e-3, 2e-4)), _BOARDS),
    ),
    "weave": (
        Stage(CourseLesson, _WEAVE, _fine(400), _BOARDS, start=("walk", 1)),
        Stage(_practise(WEAVE), _COURSE, _fine(250), {**_PARTS, "difficulty": 0.1}, seed=1),
    ),
    "slope": (
        Stage(SlopeLesson, _ROUGH, PPOSettings(400, std=0.15, entropy=0.002), {**_SMOOTH, "terrain": "slope"},
              start=("walk", 1)),
        Stage(SlopeLesson, _ROUGH, PPOSettings(250, std=0.12, entropy=0.001, learning_rate=(6e-4, 1e-4), warm_up=6),
              {"terrain": "slope"}, seed=1),
        Stage(_practise(SLOPE, hurry=0.1), _COURSE, _fine(200), _PARTS, seed=2),
    ),
    "land": (
        Stage(_practise(LAND, hurry=0.3), _COURSE, _fine(250, 0.12), _PARTS, start=("slope", 2)),
    ),
}  # fmt: skip
"""In the order in which they build on one another."""


def train(skill: str, out: Path, threads: int) -> Network:
    """Make one skill.

    Writes `OUT/<skill>.safetensors`, its numbers to `OUT/<skill>.jsonl`, and each stage to `OUT/stages`, where other
    skills begin.

    Raises:
        InvalidInput: a stage it begins with is not there.
    """
    network: Network | None = None
    began, steps = time.perf_counter(), 0
    (out / STAGES).mkdir(parents=True, exist_ok=True)
    with (out / f"{skill}.jsonl").open("w") as log:
        for number, stage in enumerate(RECIPES[skill]):
            if stage.start is not None:
                network = _stage(out, *stage.start)

            def report(numbers: dict[str, float], _: Callable[[], Network], stage_number: int = number) -> None:
                log.write(json.dumps({"stage": stage_number, **numbers}) + "\n")
                log.flush()
                if numbers["iteration"] % 10 == 0:
                    words = " ".join(f"{name} {value:.3g}" for name, value in numbers.items())
                    print(f"{skill}.{stage_number}: {words}", file=sys.stderr)

            env = make_vec_env(
                stage.env_id,
                stage.settings.num_envs,
                autoreset_mode="Disabled",
                num_threads=threads,
                **stage.env_kwargs,
            )
            network = learn(
                stage.lesson(env, stage.seed), stage.settings, stage.seed, network, stage.span, report, threads
            )
            env.close()
            network.save(_stage_path(out, skill, number))
            steps += stage.settings.iterations * stage.settings.num_envs * stage.settings.steps
    assert network is not None
    stages = [
        {"settings": asdict(s.settings), "env": s.env_id, "kwargs": dict(s.env_kwargs), "seed": s.seed}
        for s in RECIPES[skill]
    ]
    network.facts = {
        "command": f"./scripts/train_experts {skill}", "stages": stages, "steps": steps,
        "seconds": round(time.perf_counter() - began), "versions": dict(versions()),
    }  # fmt: skip
    network.save(out / f"{skill}.safetensors")
    return network


def _stage_path(out: Path, skill: str, number: int) -> Path:
    return out / STAGES / f"{skill}.{number}.safetensors"


def _stage(out: Path, skill: str, number: int) -> Network:
    path = _stage_path(out, skill, number)
    if not path.exists():
        raise InvalidInput(f"{path} is not there; train {skill!r} first, into the same folder")
    return Network.load(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("skills", nargs="*", metavar="SKILL", help=f"of {', '.join(RECIPES)}; all by default")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the weights; the package's own by default")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of physics and of PyTorch")
    options = parser.parse_args(arguments)
    for skill in options.skills or RECIPES:
        if skill not in RECIPES:
            parser.error(f"unknown skill {skill!r}; the skills are {', '.join(RECIPES)}")
        train(skill, options.out, options.threads)


if __name__ == "__main__":
    main()
