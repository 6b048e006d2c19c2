"""The only loop that steps an environment."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import EXPERT_ACTION, Actor, Episode, Observations
from barkyard.errors import InvalidInput

Watcher = Callable[["EpisodicEnv", NDArray[np.intp], NDArray[np.int64]], None]


class EpisodicEnv(Protocol):
    """What the loop needs of a vector environment; `barkyard.envs.RobotVectorEnv` provides it.

    The environment must not reset by itself (`AutoresetMode.DISABLED`).
    """

    num_envs: int
    env_id: str
    env_kwargs: dict[str, Any]
    control_dt: float
    source: str

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observations, dict[str, Any]]:
        """Reset the environments in `options["reset_mask"]`, each with its own seed."""

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        """Advance every environment by one control period."""

    def get_states(self) -> NDArray[np.float64]:
        """`(N, S)` simulator states."""


@dataclass
class _Slot:
    """One environment's episode in flight."""

    number: int
    seed: int
    observations: list[Observations] = field(default_factory=list)
    actions: list[NDArray[np.float32]] = field(default_factory=list)
    answers: list[NDArray[np.float32]] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    states: list[NDArray[np.float64]] = field(default_factory=list)


def rollout(
    env: EpisodicEnv,
    actor: Actor,
    seeds: Sequence[int],
    *,
    record_states: bool = True,
    record_observations: bool = True,
    teacher: Actor | None = None,
    in_order: bool = True,
    watch: Watcher | None = None,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Episode]:
    """Run one episode for each seed.

    Results do not depend on the number of environments: every episode begins with an explicit seeded reset.

    Args:
        env: a vector environment with autoreset disabled.
        actor: who acts; asked once a step for all environments.
        seeds: one seed an episode.
        record_states: keep simulator states for exact replay.
        record_observations: keep observations; without them only the first and last are kept.
        teacher: an actor that is asked too, at every step, and not obeyed; its actions become the observation part
            `EXPERT_ACTION`, whose last row repeats the one before.
        in_order: yield episodes in the order of `seeds`, holding back those that end early; else as they end.
        watch: called after every reset and step with the environment, the slots in use, and the number in `seeds` of
            the episode each runs; for video.
        stop: asked after every step; where it answers yes, the episodes under way end there, and no more begin.

    Yields:
        Finished episodes.

    Raises:
        InvalidInput: there is a teacher, and no observations are recorded.
    """
    if teacher is not None and not record_observations:
        raise InvalidInput("a teacher's answers are kept beside the observations; set record_observations too")
    loop = _Loop(env, actor, list(seeds), record_states, record_observations, teacher, watch, stop)
    finished: dict[int, Episode] = {}
    following = 0
    for number, episode in loop.run():
        if not in_order:
            yield episode
            continue
        finished[number] = episode
        while following in finished:
            yield finished.pop(following)
            following += 1


class _Loop:
    def __init__(
        self,
        env: EpisodicEnv,
        actor: Actor,
        seeds: list[int],
        record_states: bool,
        record_observations: bool,
        teacher: Actor | None,
        watch: Watcher | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.env, self.actor, self.seeds, self.teacher = env, actor, seeds, teacher
        self.record_states, self.record_observations, self.watch = record_states, record_observations, watch
        self.stop = stop
        self.slots: list[_Slot | None] = [None] * env.num_envs
        self.started = 0
        self.observations: Observations = {}

    def run(self) -> Iterator[tuple[int, Episode]]:
        self._start(np.arange(self.env.num_envs))
        while any(slot is not None for slot in self.slots):
            actions = np.clip(np.asarray(self.actor.act(self.observations), dtype=np.float32), -1.0, 1.0)
            self._ask_teacher()
            self.observations, rewards, terminated, truncated, info = self.env.step(actions)
            self._record(actions, rewards)
            stopped = self.stop is not None and self.stop()
            done = np.flatnonzero(terminated | truncated | stopped)
            ended = [i for i in done if self.slots[i] is not None]
            for i in ended:
                slot = self.slots[i]
                assert slot is not None
                yield slot.number, self._finish(slot, i, info)
                self.slots[i] = None
            if ended and not stopped:
                self._start(np.array(ended))

    def _start(self, free: NDArray[np.intp]) -> None:
        free = free[: len(self.seeds) - self.started]
        if not free.size:
            return
        numbers = np.arange(self.started, self.started + len(free))
        self.started += len(free)
        mask = np.zeros(self.env.num_envs, dtype=bool)
        mask[free] = True
        seeds: list[int | None] = [None] * self.env.num_envs
        for i, number in zip(free, numbers, strict=True):
            seeds[i] = self.seeds[number]
        self.observations, _ = self.env.reset(seed=seeds, options={"reset_mask": mask})
        episode_seeds = np.array([self.seeds[n] for n in numbers], dtype=np.int64)
        self.actor.reset(free, episode_seeds)
        if self.teacher is not None:
            self.teacher.reset(free, episode_seeds)
        states = self.env.get_states() if self.record_states else None
        for i, number in zip(free, numbers, strict=True):
            slot = _Slot(int(number), self.seeds[number])
            slot.observations.append(_row(self.observations, i))
            if states is not None:
                slot.states.append(states[i].copy())
            self.slots[i] = slot
        self._show(free)

    def _ask_teacher(self) -> None:
        if self.teacher is None:
            return
        answers = np.clip(np.asarray(self.teacher.act(self.observations), dtype=np.float32), -1.0, 1.0)
        for slot, answer in zip(self.slots, answers, strict=True):
            if slot is not None:
                slot.answers.append(answer.copy())

    def _record(self, actions: NDArray[np.float32], rewards: NDArray[np.float64]) -> None:
        states = self.env.get_states() if self.record_states else None
        active = []
        for i, slot in enumerate(self.slots):
            if slot is None:
                continue
            active.append(i)
            slot.actions.append(actions[i].copy())
            slot.rewards.append(float(rewards[i]))
            if not self.record_observations and len(slot.observations) == 2:
                slot.observations.pop()
            slot.observations.append(_row(self.observations, i))
            if states is not None:
                slot.states.append(states[i].copy())
        self._show(np.array(active, dtype=np.intp))

    def _show(self, slots: NDArray[np.intp]) -> None:
        if self.watch is not None:
            running = [self.slots[i] for i in slots]
            self.watch(self.env, slots, np.array([slot.number for slot in running if slot is not None]))

    def _finish(self, slot: _Slot, i: int, info: dict[str, Any]) -> Episode:
        observations = {name: np.stack([row[name] for row in slot.observations]) for name in slot.observations[0]}
        if slot.answers:
            observations[EXPERT_ACTION] = np.stack([*slot.answers, slot.answers[-1]])
        return Episode(
            observations=observations,
            actions=np.stack(slot.actions),
            rewards=np.array(slot.rewards, dtype=np.float32),
            success=bool(info["success"][i]),
            end=str(info["end"][i]) or "interrupted",
            dt=self.env.control_dt,
            seed=slot.seed,
            env_id=self.env.env_id,
            env_kwargs=dict(self.env.env_kwargs),
            acted_by=np.full(len(slot.actions), self.actor.name),
            states=np.stack(slot.states) if self.record_states else None,
            source=self.env.source,
            metrics={name: float(values[i]) for name, values in info["metrics"].items()},
        )


def _row(observations: Observations, i: int) -> Observations:
    return {name: values[i].copy() for name, values in observations.items()}
