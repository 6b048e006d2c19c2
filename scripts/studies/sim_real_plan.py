"""Which robots, tasks and policies the study of simulated against real success has, and where its files are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

REAL, SHIPPED, CALIBRATED, POSTERIOR = "surrogate", "shipped", "calibrated", "posterior"
SIMULATIONS = (SHIPPED, CALIBRATED, POSTERIOR)
REAL_SEEDS = 100_000
"""Far enough that none is shared: a real robot has no seeds."""
RANKED_ENV = "barkyard/Lift-v0"
RANKED = ("expert, noise 0.5", "expert, noise 1", "mlp", "mip, few", "mip, early", "diffusion")
"""Policies of the study that are tried on further surrogates: those that did not always succeed on the first."""
RANKED_REAL_EPISODES = 100
EXCITATIONS = ("chirp", "multisine", "prbs")


@dataclass(frozen=True)
class Robot:
    """A robot and how it is calibrated.

    Attributes:
        surrogate: seed of its hidden dynamics.
        fit: further words of `barkyard calibrate`.
        seconds: length of each recording.
    """

    surrogate: int
    fit: tuple[str, ...]
    seconds: float = 8.0


@dataclass(frozen=True)
class Learner:
    """A policy that learns from demonstrations.

    Attributes:
        policy: name in the registry.
        demonstrations: how many it learns from.
        steps: of training.
        settings: of policy and training, as typed.
    """

    policy: str
    demonstrations: int
    steps: int
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task and the policies that try it.

    Attributes:
        env: id of the environment.
        robot: name of the robot.
        noise: of the expert's actions, by the policy's name.
        learners: by the policy's name.
        arguments: of the environment on every side.
        posterior: arguments that draw the robot from the calibration's samples.
    """

    env: str
    robot: str
    noise: Mapping[str, float]
    learners: Mapping[str, Learner]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    posterior: Mapping[str, Any] = field(default_factory=lambda: {"randomization": POSTERIOR})

    @property
    def name(self) -> str:
        """The task's name without package and version."""
        return self.env.removeprefix("barkyard/").removesuffix("-v0")

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all that act."""
        return (*self.noise, *self.learners)


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        robots: by name.
        tasks: what is tried.
        episodes: of every policy in every simulation.
        real_episodes: of every policy on the surrogate.
        real_seeds: the surrogate's episodes begin this many seeds after the simulated ones.
        starts: random starts of a calibration's search.
        samples: robots drawn from a calibration's posterior.
    """

    robots: Mapping[str, Robot]
    tasks: tuple[Task, ...]
    episodes: int
    real_episodes: int
    real_seeds: int = REAL_SEEDS
    starts: int = 4
    samples: int = 25


_FIT = ("--quantities", "torque_gain", "damping", "armature", "frictionloss", "delay", "--shared", "delay")
_ROBOTS = {"panda": Robot(0, (*_FIT, "--payload", "right_hand")), "barkour_vb": Robot(0, _FIT)}
_GROUND = {"mass": [1, 1], "com": [0, 0], "gain": [1, 1], "armature": [1, 1], "friction_loss": [1, 1], "delay": [0, 0]}
"""The ground and the pushes vary as by default, on every side; the robot's own body does not."""
_SMALL = ("network.widths=[32,64,128]", "training.batch_size=64")
_MLP = ("observation_steps=1", "action_dropout=0.0", "network.widths=[256,256,256]", "training.batch_size=256",
        "training.learning_rate=1e-3")  # fmt: skip


def _arm(env: str, demonstrations: int, steps: int) -> Task:
    few, early = demonstrations // 5, steps // 5
    return Task(
        env,
        "panda",
        {"expert": 0.0, "expert, noise 0.5": 0.5, "expert, noise 1": 1.0},
        {
            "mlp": Learner("locomotion-mlp", demonstrations, steps, _MLP),
            "mip": Learner("mip-unet", demonstrations, steps, _SMALL),
            "mip, few": Learner("mip-unet", few, steps, _SMALL),
            "mip, early": Learner("mip-unet", demonstrations, early, _SMALL),
            "mip, long chunks": Learner("mip-unet", demonstrations, steps, (*_SMALL, "action_steps=12")),
            "diffusion": Learner(
                "diffusion-unet", demonstrations, steps, (*_SMALL, "action_steps=8", "inference_steps=5")
            ),
        },
    )  # fmt: skip


def _legs(env: str, demonstrations: int, steps: int) -> Task:
    few, early = demonstrations // 5, steps // 5
    return Task(
        env,
        "barkour_vb",
        {"expert": 0.0, "expert, noise 0.05": 0.05, "expert, noise 0.1": 0.1, "expert, noise 0.2": 0.2},
        {
            "mlp": Learner("locomotion-mlp", demonstrations, steps),
            "mlp, few": Learner("locomotion-mlp", few, steps),
            "mlp, early": Learner("locomotion-mlp", demonstrations, early),
            "transformer": Learner("locomotion-transformer", demonstrations, steps),
        },
        {"randomization": _GROUND},
        {"randomization": {**_GROUND, "posterior": True}},
    )


FULL = Plan(
    _ROBOTS,
    (
        _legs("barkyard/BroadJump-v0", 60, 600),
        _arm("barkyard/Lift-v0", 100, 1000),
        _arm("barkyard/PickPlaceCan-v0", 200, 1500),
    ),
    episodes=50,
    real_episodes=50,
)


def trial() -> Plan:
    """A small one, to see that it works."""
    robots = {name: replace(robot, seconds=6.0) for name, robot in _ROBOTS.items()}
    tasks = (_arm("barkyard/Lift-v0", 10, 10), _legs("barkyard/BroadJump-v0", 10, 10))
    kept = {"expert", "expert, noise 1", "expert, noise 0.2", "mlp", "mlp, few", "mip, early"}
    small = [
        replace(
            task,
            noise={name: noise for name, noise in task.noise.items() if name in kept},
            learners={name: learner for name, learner in task.learners.items() if name in kept},
        )
        for task in tasks
    ]
    return Plan(robots, tuple(small), episodes=4, real_episodes=4, starts=1, samples=3)


@dataclass(frozen=True)
class Study:
    """A plan and where it goes.

    Attributes:
        out: folder.
        plan: what is done.
        trained: folder of another study whose policies are taken; by default its own.
    """

    out: Path
    plan: Plan
    trained: Path | None = None

    def calibration(self, robot: str) -> Path:
        """What `calibrate` wrote."""
        return self.out / robot / "fit" / "calibration.json"

    def dataset(self, task: Task, demonstrations: int) -> Path:
        """Where so many demonstrations are."""
        return self.out / task.name / "data" / str(demonstrations)

    def training(self, task: Task, policy: str) -> Path:
        """Where a policy is trained."""
        return (self.trained or self.out) / task.name / "training" / file_name(policy)

    def result(self, task: Task, policy: str, side: str) -> Path:
        """Where an evaluation is."""
        return self.out / task.name / side / f"{file_name(policy)}.json"

    def report(self, side: str) -> Path:
        """Where a simulation is held against the surrogate."""
        return self.out / "report" / side

    def arguments(self, task: Task, side: str) -> dict[str, Any]:
        """Of the task's environment on one side."""
        if side == REAL:
            return {**task.arguments, "surrogate": self.plan.robots[task.robot].surrogate}
        if side == SHIPPED:
            return dict(task.arguments)
        known = {**task.arguments, "calibration": str(self.calibration(task.robot))}
        return {**known, **task.posterior} if side == POSTERIOR else known


def robot_study(study: Study, seed: int) -> Study:
    """The study's policies of `RANKED` on another surrogate, whose scenes are those of the simulated episodes."""
    task = next(task for task in study.plan.tasks if task.env == RANKED_ENV)
    noise = {name: each for name, each in task.noise.items() if name in RANKED}
    learners = {name: each for name, each in task.learners.items() if name in RANKED}
    plan = replace(
        study.plan,
        robots={task.robot: replace(study.plan.robots[task.robot], surrogate=seed)},
        tasks=(replace(task, noise=noise, learners=learners),),
        real_episodes=RANKED_REAL_EPISODES,
        real_seeds=0,
    )
    return Study(study.out / "robots" / str(seed), plan, study.out)


def file_name(policy: str) -> str:
    """What a policy is called in a path."""
    return policy.replace(", ", "-").replace(" ", "-")
