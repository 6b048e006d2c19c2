"""A person, or a policy and a person who corrects it, acts in real time, and what is kept is recorded."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import POLICY_ACTION, Actor, Episode, Observations
from barkyard.rollout import EpisodicEnv, rollout
from barkyard.teleop.command import AGAIN, KEEP, START, STOP, UNDO, Command, Device
from barkyard.teleop.intervention import Intervention
from barkyard.teleop.operator import Operator
from barkyard.teleop.pace import Pace

Image = NDArray[np.uint8]

HELD_S: Final = 0.5
"""Success counts once it has lasted so long [s]: ten control periods, as robosuite's recorder wants."""
_STATES_CHECKED: Final = 5
_IDLE: Final = 0.02
"""Between two looks at the device while no episode runs [s]."""


class TeleopEnv(EpisodicEnv, Protocol):
    """What a session needs of an environment beyond what the loop needs."""

    def succeeded(self) -> NDArray[np.bool_]:
        """`(N,)` whether the task is achieved at this moment."""

    def set_states(self, states: NDArray[np.float64]) -> Observations:
        """Put `(N, S)` states; returns the observations."""

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> Image:
        """`(k, H, W, 3)` pictures."""


class Recorder(Protocol):
    """Where episodes go."""

    @property
    def kept(self) -> int:
        """Episodes that are there."""

    def take(self, episode: Episode, *, always: bool = False) -> bool:
        """Keep it, or leave out a failure unless `always`. Says which; what is kept is on disk."""

    def undo(self) -> str:
        """Remove the last episode. Returns what happened, in words."""


@dataclass(frozen=True)
class Status:
    """What the person is to know.

    Attributes:
        phase: `waiting` for the start, or `running`.
        kept: episodes in the dataset.
        wanted: episodes that it is to hold.
        seconds: of the episode so far.
        success: whether the task is achieved now.
        actor: who acts now.
        message: what happened last.
        latency: from the last input to the action that it changed [s], or None.
        asked: what the task asks for in `observations["command"]`, or None.
    """

    phase: str
    kept: int
    wanted: int
    seconds: float
    success: bool
    actor: str
    message: str
    latency: float | None
    asked: tuple[float, ...] | None


class Screen(Protocol):
    """Shows the status, and the picture if it wants one."""

    def show(self, status: Status, picture: Callable[[], Image]) -> None:
        """Called after every step and while waiting; `picture` renders when called, `(H, W, 3)`."""


class _Again(Exception):
    """The episode is forgotten and begins again."""


class _Stop(Exception):
    """The session ends."""


class Session:
    """Episodes by a person. Final; run it once.

    Args:
        env: one environment without autoreset.
        device: what the person holds; open.
        operator: carries out the commands.
        recorder: where episodes go.
        screen: what the person sees.
        policy: acts until the person does, and again a while after; see `Intervention`.
        camera: what is shown; None is the environment's own choice.

    Attributes:
        pace: keeps the control rate, and what it cost.
        latencies: from each input to the action that it changed [s].
        warnings: what the check of the episodes found.
    """

    def __init__(
        self,
        env: TeleopEnv,
        device: Device,
        operator: Operator,
        recorder: Recorder,
        screen: Screen,
        *,
        policy: Actor | None = None,
        camera: str | None = None,
    ) -> None:
        self.name = f"human:{device.name}"
        self._env, self._device, self._operator, self._recorder = env, device, operator, recorder
        self._screen, self._policy, self._camera = screen, policy, camera
        self.pace = Pace(env.control_dt)
        self.latencies: list[float] = []
        self.warnings: list[str] = []
        self._message, self._wanted, self._phase = "", 0, "waiting"
        self._keep = False
        self._acted_by: list[str] = []
        self._proposals: list[NDArray[np.float32]] = []
        self._asked: tuple[float, ...] | None = None
        self._intervention = Intervention(device, operator)

    @property
    def steps(self) -> int:
        """Control periods of the episode so far."""
        return len(self._acted_by)

    def run(self, seed: int, wanted: int) -> None:
        """Record until the dataset holds `wanted` episodes or the person stops.

        Args:
            seed: of the first episode. An episode that is kept is followed by the next seed; one that is not is begun
                again with the same, so hard starts are not left out.
            wanted: episodes.
        """
        self._wanted = wanted
        while self._recorder.kept < wanted:
            try:
                episodes = list(rollout(self._env, self, [seed], watch=self._watch, stop=lambda: self._keep))
                kept = self._finish(self._completed(episodes[0]))
            except _Again:
                self._message = "forgotten; begins again"
                continue
            except _Stop:
                return
            seed += kept

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """An episode begins; see `barkyard.episode.Actor`."""
        self._phase, self._keep = "waiting", False
        self._acted_by.clear()
        self._proposals.clear()
        self._intervention.begin()
        self._operator.begin(int(seeds[0]))
        self._device.begin(0.0)
        if self._policy is not None:
            self._policy.reset(slots, seeds)

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """Wait for the start or for the control period, and act; see `barkyard.episode.Actor`."""
        while self._phase == "waiting":
            self._listen(self._device.read(time.monotonic()))
            if self._phase == "waiting":
                self._show()
                time.sleep(_IDLE)
            else:
                self.pace.begin()
        self.pace.wait()
        now = time.monotonic()
        command = self._device.read(now)
        self._listen(command)
        self._asked = tuple(observations["command"][0].tolist()) if "command" in observations else None
        action = self._choose(command, observations, now)
        if command.since is not None:
            self.latencies.append(time.monotonic() - command.since)
        return action

    def _choose(self, command: Command, observations: Observations, now: float) -> NDArray[np.float32]:
        """The policy's action until the person acts, and then the person's."""
        if self._policy is None:
            self._acted_by.append(self.name)
            return self._operator.action(command, observations)
        proposal = np.clip(self._policy.act(observations), -1.0, 1.0).astype(np.float32)
        self._proposals.append(proposal[0].copy())
        action = self._intervention.choose(command, proposal, observations, now)
        self._acted_by.append(self._policy.name if action is None else self.name)
        return proposal if action is None else action

    def _listen(self, command: Command) -> None:
        for event in command.events:
            if event == STOP:
                raise _Stop
            if event == UNDO:
                self._message = self._recorder.undo()
            elif event == START:
                self._phase = "running"
            elif event == AGAIN and self._phase == "running":
                raise _Again
            elif event == KEEP and self._phase == "running":
                self._keep = True

    def _watch(self, env: Any, slots: NDArray[np.intp], numbers: NDArray[np.int64]) -> None:
        del env, slots, numbers
        self._show()

    def _show(self) -> None:
        steps, dt = self.steps, self._env.control_dt
        status = Status(
            self._phase, self._recorder.kept, self._wanted, steps * dt, bool(self._env.succeeded()[0]),
            self._acted_by[-1] if steps else self.name, self._message,
            self.latencies[-1] if self.latencies else None, self._asked,
        )  # fmt: skip
        self._screen.show(status, lambda: self._env.render_frames(self._camera, np.array([0]))[0])

    def _completed(self, episode: Episode) -> Episode:
        """With who acted at each step, and what the policy would have done."""
        observations = dict(episode.observations)
        if self._proposals:
            observations[POLICY_ACTION] = np.stack([*self._proposals, self._proposals[-1]])
        return replace(episode, observations=observations, acted_by=np.array(self._acted_by))

    def _finish(self, episode: Episode) -> bool:
        """Keep the episode if it is to be kept; whether it was."""
        lost = episode.success and not self._keep and not self._holds(episode)
        episode = replace(episode, success=episode.success and not lost)
        differs = self._replay_difference(episode)
        if differs:
            self.warnings.append(f"seed {episode.seed}: the stored states do not give {differs} again")
        kept = self._recorder.take(episode, always=self._keep)
        fate = "kept" if kept else "not kept, begins again"
        how = "success" if episode.success else "success, but not held," if lost else episode.end.replace("_", " ")
        self._message = f"{how} after {episode.length * episode.dt:.1f} s: {fate}" + (
            f"; warning: {self.warnings[-1]}" if differs else ""
        )
        return kept

    def _holds(self, episode: Episode) -> bool:
        """Whether success lasts while whoever acts goes on. These steps are not recorded."""
        observations = {name: values[-1:] for name, values in episode.observations.items() if name != POLICY_ACTION}
        for _ in range(round(HELD_S / self._env.control_dt)):
            observations = self._env.step(self.act(observations))[0]
            self._show()
            if self._keep:
                break
            if not self._env.succeeded()[0]:
                return False
        return True

    def _replay_difference(self, episode: Episode) -> str:
        """`part[step]` of the first observation that a few stored states do not give again, or empty."""
        assert episode.states is not None
        self._env.reset(seed=[episode.seed])
        for step in np.unique(np.linspace(0, episode.length, _STATES_CHECKED).astype(int)):
            seen = self._env.set_states(episode.states[step][None])
            for name, values in seen.items():
                if values[0].tobytes() != episode.observations[name][step].tobytes():
                    return f"{name}[{step}]"
        return ""
