"""Search for a hand's gait by CMA-ES (Hansen 2016, arXiv 1604.00772) in the task itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cma
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from barkyard.assets.robots.leap_hand.variant import HandVariant
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.episode import EVALUATION_SEED_START
from barkyard.experts.hand.gait import HARMONIC, Gait, GaitActor

ENV_ID = "barkyard/HandRotate-v0"
DROP_COST = 8.0
"""What a dropped cube costs beside the turning that is lost [deg/s]: a choice."""
LEFT, RIGHT = 1, -1
"""Seen from above; the task rewards the first."""
SEARCH_SEEDS, CHECK_SEEDS = 1_000_000, EVALUATION_SEED_START
"""Where the seeds of episodes begin: of the search, and of what is measured at its end."""


@dataclass(frozen=True)
class Budget:
    """How long and how widely to search.

    Attributes:
        generations: of the evolution strategy.
        candidates: of a generation.
        starts: episodes of a candidate.
        seconds: of an episode.
        deviation: of the first generation [rad].
        randomization: of the task.
        direction: in which the cube is to be turned, `LEFT` or `RIGHT`.
    """

    generations: int
    candidates: int = 12
    starts: int = 3
    seconds: float = 25.0
    deviation: float = 0.06
    randomization: str = "moderate"
    direction: int = LEFT


@dataclass(frozen=True)
class Measured:
    """What a gait does.

    Attributes:
        yaw_rate: mean over episodes, in the direction that is searched for; nothing turns after a drop [deg/s].
        deviation: standard deviation of the mean [deg/s].
        drops: part of the episodes.
        cube_speed: mean linear speed [m/s].
        episodes: how many.
    """

    yaw_rate: float
    deviation: float
    drops: float
    cube_speed: float
    episodes: int


def search(
    hand: str,
    start: Gait,
    budget: Budget,
    seed: int,
    report: Callable[[int, float], None] = lambda generation, score: None,
) -> Gait:
    """Improve a gait.

    All candidates of a generation meet the same episodes; each generation meets new ones. A pure function of its
    arguments.

    Args:
        hand: name.
        start: where to begin, a gait of this hand.
        budget: how long.
        seed: of the candidates and the episodes.
        report: is told the generation and the best score in it [deg/s].

    Returns:
        The mean of the last generation's distribution.
    """
    generator = np.random.default_rng(np.random.SeedSequence((seed, 0)))
    env = open_hand(hand, budget.candidates * budget.starts, budget.randomization)
    options = {
        "popsize": budget.candidates,
        "seed": np.nan,
        "randn": lambda *shape: generator.standard_normal(shape),
        "verbose": -9,
    }
    strategy = cma.CMAEvolutionStrategy(start.numbers.ravel(), budget.deviation, options)
    for generation in range(budget.generations):
        candidates = strategy.ask()
        gaits = [Gait(start.joints, np.reshape(candidate, (-1, HARMONIC))) for candidate in candidates]
        seeds = SEARCH_SEEDS + seed * 1_000 + generation * budget.starts + np.arange(budget.starts)
        rates, dropped, _ = play(env, gaits, seeds, budget.seconds)
        scores = budget.direction * rates.mean(axis=1) - DROP_COST * dropped.mean(axis=1)
        strategy.tell(candidates, (-scores).tolist())
        report(generation, float(scores.max()))
    env.close()
    return Gait(start.joints, np.reshape(strategy.mean, (-1, HARMONIC)))


def measure(
    hand: str, gait: Gait, episodes: int, randomization: str, first_seed: int = CHECK_SEEDS, direction: int = LEFT
) -> Measured:
    """Play whole episodes with seeds from `first_seed` on."""
    env = open_hand(hand, episodes, randomization)
    rates, dropped, speeds = play(env, [gait], first_seed + np.arange(episodes), env.task.time_limit)
    env.close()
    spread = float(rates.std(ddof=1) / np.sqrt(episodes)) if episodes > 1 else 0.0
    return Measured(direction * float(rates.mean()), spread, float(dropped.mean()), float(speeds.mean()), episodes)


def open_hand(hand: str, num_envs: int, randomization: str) -> RobotVectorEnv:
    """Environments of a hand that do not begin again by themselves."""
    return make_vec_env(
        ENV_ID, num_envs, embodiment=hand, randomization=randomization, autoreset_mode=AutoresetMode.DISABLED
    )


def play(
    env: RobotVectorEnv, gaits: Sequence[Gait], seeds: NDArray[np.int64], seconds: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Play every gait with every seed.

    Args:
        env: as many copies as gaits times seeds.
        gaits: of the environment's hand.
        seeds: of the episodes.
        seconds: their length.

    Returns:
        `(G, S)` mean rates [deg/s], whether dropped, and mean linear speeds of the cube [m/s].
    """
    starts = len(seeds)
    each = [gait for gait in gaits for _ in range(starts)]
    actor = GaitActor(each, env.simulation.robot.robot.home, env.control_dt)
    observations, _ = env.reset(seed=np.tile(seeds, len(gaits)))
    running = np.ones(env.num_envs, dtype=bool)
    turned, speeds, dropped = np.zeros((3, env.num_envs))
    for step in range(1, round(seconds / env.control_dt) + 1):
        observations, _, terminated, _, info = env.step(actor.act(observations))
        elapsed, metrics = step * env.control_dt, info["metrics"]
        span = np.where(terminated, env.task.time_limit, elapsed)
        turned[running] = (metrics["yaw_rate"] * span)[running]
        speeds[running] = metrics["cube_speed"][running]
        failed = terminated & (metrics["dropped"] > 0)
        dropped[running & failed] = 1.0
        running &= ~failed
        if not running.any():
            break
    shape = (len(gaits), starts)
    return turned.reshape(shape) / seconds, dropped.reshape(shape), speeds.reshape(shape)


def first_guess(hand: str, direction: int = LEFT) -> Gait:
    """Fingers that stroke the cube's far side in that direction while they press, and come back while they do not.

    A choice: 0.2 rad about the home pose, which a target can follow at 1/24 rad a step.
    """
    joints = HandVariant.from_name(hand).joints
    numbers = np.zeros((len(joints), HARMONIC))
    for row, joint in enumerate(joints):
        if joint.endswith("_rot"):
            numbers[row, 1] = direction * 0.2
        elif joint.endswith("_mcp") and not joint.startswith("thumb"):
            numbers[row, 2] = 0.2
    return Gait(joints, numbers)
