"""What happened (`Episode`) and who may act (`Actor`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

EVALUATION_SEED_START = 1_000_000_000
"""Seeds from here on are for evaluation only; collection refuses them, so no policy is measured on what it saw."""

EXPERT_ACTION = "expert_action"
"""The observation part that holds what an expert would have done where another acted; policies learn it instead of
the action that was executed (DAgger: Ross et al., 2011)."""

POLICY_ACTION = "policy_action"
"""The observation part that holds what a policy chose where a person may have acted instead; no policy sees it."""

CALIBRATION_SAMPLE = "calibration_sample"
"""The metric that holds which sample of a calibration's posterior an episode's robot was drawn as."""

ENDS = ("success", "failure", "time_limit", "simulation_error", "interrupted")
"""Why an episode may have ended."""

SOURCES = ("sim", "surrogate", "real")
"""What an artefact tells of: a simulation, one with hidden dynamics that stands in for a real robot, or a real one."""

Observations = dict[str, NDArray[Any]]


def check_collection_seeds(seeds: NDArray[np.int64]) -> None:
    """Refuse seeds kept for evaluation. Raises InvalidInput."""
    _check_range(seeds, 0, EVALUATION_SEED_START, "collection", "evaluation")


def check_evaluation_seeds(seeds: NDArray[np.int64]) -> None:
    """Refuse seeds that collection may have used. Raises InvalidInput."""
    _check_range(seeds, EVALUATION_SEED_START, 2**31, "evaluation", "collection")


def _check_range(seeds: NDArray[np.int64], low: int, high: int, use: str, other: str) -> None:
    bad = seeds[(seeds < low) | (seeds >= high)]
    if bad.size:
        raise InvalidInput(
            f"seed {bad[0]} is kept for {other}: {use} takes seeds in [{low}, {high}). Pick a seed in that range."
        )


@dataclass(frozen=True)
class Episode:
    """One episode, simulated or real.

    Attributes:
        observations: named parts, each `(T+1, ...)`: float32 vectors, or uint8 `(T+1, H, W, 3)` for `image_*`. The
            last row is the observation after the last action.
        actions: `(T, A)` float32 in [-1, 1].
        rewards: `(T,)` float32, the reward received after each action.
        success: whether the task had succeeded when the episode ended.
        end: why it ended, one of `ENDS`.
        dt: control period [s].
        seed: the seed the episode was reset with.
        env_id: the environment's id, such as `barkyard/Lift-v0`.
        env_kwargs: the keyword arguments that rebuild the environment; JSON only.
        states: `(T+1, S)` float64 simulator states for exact replay, or None where there is no simulator.
        source: one of `SOURCES`.
        acted_by: `(T,)` names of who chose each action (`expert`, `human`, a policy's name).
        metrics: named numbers measured at the end.
    """

    observations: Observations
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    success: bool
    end: str
    dt: float
    seed: int
    env_id: str
    env_kwargs: Mapping[str, Any]
    acted_by: NDArray[np.str_]
    states: NDArray[np.float64] | None = None
    source: str = "sim"
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Number of actions, T."""
        return len(self.actions)

    @property
    def total_reward(self) -> float:
        """Sum of the rewards."""
        return float(np.sum(self.rewards, dtype=np.float64))

    @property
    def terminated(self) -> bool:
        """Whether the task itself ended the episode, by success or failure."""
        return self.end in ("success", "failure")

    @property
    def truncated(self) -> bool:
        """Whether something outside the task ended the episode."""
        return not self.terminated


class Actor(Protocol):
    """Anything that chooses actions for a batch of environments: expert, policy, device, replay, random.

    An actor's choice for one episode depends only on that episode's observations and seed, never on the slot it runs
    in nor on its neighbours, so results are the same at any number of environments.
    """

    name: str

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin new episodes.

        Args:
            slots: `(k,)` indices of the environments whose episodes begin.
            seeds: `(k,)` their seeds, for the actor's own randomness.
        """

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Choose one action for every environment.

        Args:
            observations: named parts, each `(N, ...)`. Slots that run no episode hold their last observation; what is
                returned for them is ignored.

        Returns:
            `(N, A)` float32 actions in [-1, 1].
        """
