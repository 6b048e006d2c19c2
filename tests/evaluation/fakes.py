"""A task and actors whose every episode is known beforehand."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.evaluation import EpisodeRecord, EvalResult, evaluation_seeds

TIME_LIMIT = 12
FRAME_SIZE = (32, 48)


def succeeds(seed: int, probability: float = 0.7) -> bool:
    """Whether the episode of `seed` succeeds."""
    return bool(np.random.default_rng(seed).random() < probability)


def length(seed: int) -> int:
    """Steps of the episode of `seed`."""
    return 3 + seed % 5 if succeeds(seed) else TIME_LIMIT


class FakeVectorEnv:
    """Obeys `barkyard.rollout.EpisodicEnv`; the frames are grey, brighter with every step, 0 at the reset."""

    env_id = "barkyard/Fake-v0"
    control_dt = 0.1
    source = "sim"
    fingerprint = "feedfacefeedface"

    def __init__(self, num_envs: int, frame_size: tuple[int, int] = FRAME_SIZE) -> None:
        self.num_envs = num_envs
        self.env_kwargs: dict[str, Any] = {"reward": "dense", "cameras": ()}
        self.seeds = np.zeros(num_envs, dtype=np.int64)
        self.steps = np.zeros(num_envs, dtype=np.int64)
        self.frame_size = frame_size
        self.rendered: list[list[int]] = []

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observations, dict[str, Any]]:
        """Begin the episodes in the mask."""
        assert options is not None
        for i in np.flatnonzero(options["reset_mask"]):
            self.seeds[i], self.steps[i] = seed[i], 0
        return self._observations(), {}

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        """Reward is the mean action."""
        assert actions.shape == (self.num_envs, 2)
        self.steps += 1
        lengths = np.array([length(seed) for seed in self.seeds])
        over = self.steps >= lengths
        success = over & np.array([succeeds(seed) for seed in self.seeds])
        info = {
            "success": success,
            "end": np.where(success, "success", np.where(over, "time_limit", "")),
            "metrics": {"score": self.steps / TIME_LIMIT},
        }
        return self._observations(), actions.mean(axis=1), success, over & ~success, info

    def get_states(self) -> NDArray[np.float64]:
        """Never asked for by an evaluation."""
        raise AssertionError("an evaluation keeps no states")

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Grey frames."""
        self.rendered.append(self.seeds[slots].tolist())
        grey = (20 * self.steps[slots]).astype(np.uint8)
        return np.broadcast_to(grey[:, None, None, None], (len(slots), *self.frame_size, 3)).copy()

    def _observations(self) -> Observations:
        return {"steps": self.steps[:, None].astype(np.float32)}


class StillActor:
    """Never moves."""

    name = "still"

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Keeps nothing."""

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Zeros."""
        return np.zeros((len(observations["steps"]), 2), dtype=np.float32)


class SlotDependentActor(StillActor):
    """Breaks the contract of actors: what it does depends on the slot."""

    name = "slot-dependent"

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """The slot's number."""
        slots = np.arange(len(observations["steps"]), dtype=np.float32)
        return np.repeat(slots[:, None] / 100, 2, axis=1)


class FailingActor(StillActor):
    """Raises `error` when asked for the `calls`-th time."""

    def __init__(self, calls: int, error: BaseException) -> None:
        self.calls, self.error = calls, error

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Zeros, until it is time."""
        self.calls -= 1
        if self.calls <= 0:
            raise self.error
        return super().act(observations)


def make_result(successes: int = 95, trials: int = 100, **changes: Any) -> EvalResult:
    """A result with the first `successes` of `trials` episodes successful."""
    records = tuple(
        EpisodeRecord(
            seed=seed,
            success=i < successes,
            total_reward=0.25 * i,
            length=10 + i,
            end="success" if i < successes else "time_limit",
            score=i / trials,
        )
        for i, seed in enumerate(evaluation_seeds(trials))
    )
    values: dict[str, Any] = {
        "env_id": "barkyard/Lift-v0",
        "env_kwargs": {"controller": "OSC_POSE"},
        "actor": "diffusion",
        "episodes": records,
        "episodes_asked": trials,
        "seconds": 12.5,
        "fingerprints": {"env": "00112233"},
        "versions": {"mujoco": "3.17.0"},
    }
    return EvalResult(**{**values, **changes})
