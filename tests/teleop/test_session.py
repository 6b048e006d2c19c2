"""Sessions on a line: one number that actions add to, reaching 1 is success."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.episode import POLICY_ACTION, Episode, Observations
from barkyard.teleop.command import Command, Device
from barkyard.teleop.pace import Pace
from barkyard.teleop.session import Session, Status

GO, STAY = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0,) * 6


class Line:
    """An environment whose state is a number; it begins at seed / 1000 and ends at 1, or after 20 steps."""

    num_envs, env_id, control_dt, source = 1, "test/Line", 0.05, "sim"

    def __init__(self) -> None:
        self.env_kwargs: dict[str, Any] = {}
        self.state = np.zeros((1, 2))

    def _observe(self) -> Observations:
        return {"place": self.state[:, :1].astype(np.float32)}

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Observations, dict[str, Any]]:
        self.state = np.array([[seed[0] / 1000, 0.0]])
        return self._observe(), {}

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, Any, Any, Any, dict[str, Any]]:
        self.state = self.state + np.array([0.2 * float(actions[0, 0]), 1.0])
        success, over = self.succeeded(), self.state[:, 1] >= 20
        end = np.where(success, "success", np.where(over, "time_limit", ""))
        return self._observe(), np.zeros(1), success, over, {"success": success, "end": end, "metrics": {}}

    def succeeded(self) -> NDArray[np.bool_]:
        return self.state[:, 0] >= 1.0

    def get_states(self) -> NDArray[np.float64]:
        return self.state.copy()

    def set_states(self, states: NDArray[np.float64]) -> Observations:
        self.state = states
        return self._observe()

    def render_frames(self, camera: str | None, slots: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.zeros((1, 2, 2, 3), dtype=np.uint8)


class Scripted(Device):
    """Gives commands one after another, and stops at the end."""

    name = "script"

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = list(commands)
        self.grippers: list[float] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def begin(self, gripper: float) -> None: ...

    def set_gripper(self, gripper: float) -> None:
        self.grippers.append(gripper)

    def read(self, now: float) -> Command:
        return self._commands.pop(0) if self._commands else Command(events=("stop",))

    def usage(self) -> str:
        return ""


class Pusher:
    """The action is the forward velocity, and the gripper."""

    full = np.ones(6)

    def begin(self, seed: int) -> None: ...

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        return np.array([[command.twist[0], command.gripper]], dtype=np.float32)

    def gripper(self, action: NDArray[np.float32]) -> float:
        return float(action[0, 1])


class Shelf:
    """Keeps episodes that succeeded or were ended by the person."""

    def __init__(self) -> None:
        self.episodes: list[Episode] = []

    @property
    def kept(self) -> int:
        return len(self.episodes)

    def take(self, episode: Episode, *, always: bool = False) -> bool:
        if not episode.success and not always:
            return False
        self.episodes.append(episode)
        return True

    def undo(self) -> str:
        self.episodes.pop()
        return "undone"


class Notes:
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.seen: list[Status] = []

    def show(self, status: Status, picture: Callable[[], Any]) -> None:
        assert picture().shape == (2, 2, 3)
        self.seen.append(status)


START, KEEP, AGAIN, UNDO = (Command(events=(event,)) for event in ("start", "keep", "again", "undo"))
PUSH, REST = Command(GO, since=0.0), Command(STAY)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wait", lambda self: None)
    monkeypatch.setattr("barkyard.teleop.session.HELD_S", 0.0)


def run(commands: Sequence[Command], wanted: int = 9, **words: Any) -> tuple[Shelf, Notes, Session]:
    shelf, notes = Shelf(), Notes()
    session = Session(Line(), Scripted(commands), Pusher(), shelf, notes, **words)
    session.run(seed=0, wanted=wanted)
    return shelf, notes, session


def test_an_episode_begins_when_it_is_started_and_ends_with_success() -> None:
    shelf, notes, session = run([REST, REST, START, *[PUSH] * 5], wanted=1)
    (episode,) = shelf.episodes
    assert episode.success and episode.length == 5 and episode.end == "success"
    assert set(episode.acted_by) == {"human:script"}
    assert [status.phase for status in notes.seen[:3]] == ["waiting"] * 3
    assert notes.seen[-1].phase == "running" and notes.seen[-1].success
    assert len(session.latencies) == 5 and session.warnings == []


BACK = Command((-1.0, *GO[1:]))


def test_success_counts_once_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barkyard.teleop.session.HELD_S", 0.2)
    up = [START, *[PUSH] * 5]
    shelf, notes, _ = run([*up, REST, REST, BACK, *up, *[REST] * 4, *up, PUSH, AGAIN, *up, KEEP, *up, REST])
    assert [(e.seed, e.length, e.success) for e in shelf.episodes] == [(0, 5, True), (1, 5, True)]
    assert "success, but not held, after 0.2 s: not kept, begins again" in {status.message for status in notes.seen}


def test_what_is_kept_counts_seeds_up_and_what_is_not_is_begun_again() -> None:
    script = [START, *[PUSH] * 5, START, *[REST] * 20, START, *[PUSH] * 5]
    shelf, _, _ = run(script, wanted=2)
    assert [episode.seed for episode in shelf.episodes] == [0, 1]


def test_a_person_may_end_and_keep_forget_and_undo() -> None:
    script = [START, PUSH, KEEP, START, PUSH, PUSH, AGAIN, START, PUSH, REST, KEEP]
    shelf, _, _ = run(script)
    assert [(e.seed, e.length, e.end, e.success) for e in shelf.episodes] == [
        (0, 2, "interrupted", False),
        (1, 3, "interrupted", False),
    ]
    shelf, notes, _ = run([*script, UNDO, REST])
    assert [e.seed for e in shelf.episodes] == [0] and notes.seen[-1].message == "undone"


def test_stopping_leaves_out_the_episode_in_flight() -> None:
    shelf, _, _ = run([START, *[PUSH] * 5, START, PUSH])
    assert len(shelf.episodes) == 1


def test_words_that_mean_nothing_yet_do_nothing() -> None:
    shelf, _, _ = run([KEEP, AGAIN, START, START, *[PUSH] * 5], wanted=1)
    assert shelf.episodes[0].length == 6  # the second start is a step at rest


def test_states_that_do_not_replay_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "set_states", lambda self, states: {"place": np.full((1, 1), 9.0, np.float32)})
    shelf, notes, session = run([START, *[PUSH] * 5], wanted=2)
    assert len(shelf.episodes) == 1 and session.warnings == ["seed 0: the stored states do not give place[0] again"]
    assert "warning" in notes.seen[-1].message


class Creeper:
    """A policy that goes slowly and holds the gripper half closed."""

    name = "creeper"

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None: ...

    def act(self, observations: Observations) -> NDArray[np.float32]:
        return np.array([[0.05, 0.5]], dtype=np.float32)


def test_a_policy_acts_until_the_person_does_and_both_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.05))
    monkeypatch.setattr("barkyard.teleop.session.time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("barkyard.teleop.intervention.TAKEN_OVER", 0.12)
    script = [START, REST, REST, Command(GO), REST, REST, REST, REST, KEEP]
    shelf, _, _ = run(script, wanted=1, policy=Creeper())
    (episode,) = shelf.episodes
    human = [name == "human:script" for name in episode.acted_by]
    assert human == [False, False, True, True, True, False, False, False]
    assert set(episode.acted_by) == {"human:script", "creeper"}
    np.testing.assert_allclose(episode.actions[~np.array(human), 0], 0.05)
    assert episode.actions[2].tolist() == [1.0, 0.5]  # the gripper stays where the policy had it
    np.testing.assert_allclose(episode.observations[POLICY_ACTION], np.tile([[0.05, 0.5]], (9, 1)))
