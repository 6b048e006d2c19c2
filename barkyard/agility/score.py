"""The score of a run, by the paper's rule or the script's.

Both start from 1 and take 0.1 for each obstacle that is not completed and 0.01 for each second beyond the allotted
time, a nominal length over a target speed (Caluwaerts et al. 2023, arXiv 2305.14654). They differ:

- `paper`: full seconds count; all obstacles contribute to the allotted time (10.65 s). A run ends when it reaches the
  end table, which completes that obstacle, or else when its score is 0: so a run that never gets there has 0, and no
  score is below 0.
- `script` (google/brax `experimental/barkour/score_barkour.py`): seconds count continuously; only completed obstacles
  contribute to the allotted time. The end table is completed by a stay of 5 s. Without it the run counts as 50 s over
  time. The score may be below 0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from barkyard.agility.kernels import DWELL, GATE_COUNTS, OBSTACLES, STATE
from barkyard.agility.layout import NOMINAL_LENGTHS, TARGET_SPEED, Course
from barkyard.agility.log import Trajectory
from barkyard.agility.tracker import (
    FAULTS,
    Mode,
    completed,
    fault_times,
    follow,
    gate_times,
    new_state,
    reached_end,
    run_time,
    stayed,
)
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]
Rule = Literal["paper", "script"]

RULES: Final = ("paper", "script")
ALLOTTED_TIMES: Final = tuple(length / TARGET_SPEED for length in NOMINAL_LENGTHS)
"""Allotted time of each obstacle [s]."""
OBSTACLE_PENALTY: Final = 0.1
SECOND_PENALTY: Final = 0.01
EXCESS_WITHOUT_STAY: Final = 50.0
"""Excess time [s] by the script where the stay on the end table is missing."""

_FAULT_WORDS: Final = {
    "board_touched": "the board was touched, so the jump is lost",
    "pole_touched": "a pole was touched, so the weave is lost",
    "a_frame_not_climbed": "the A-frame's apex gate was crossed below the height of its ridge",
    "board_passed_beside": "the board was passed beside its width",
    "board_passed_on_foot": "the board was passed with a foot on the ground all the time",
    "gate_crossed_backwards": "a gate was crossed against its direction",
    "obstacle_skipped": "an obstacle was left unfinished for a later one",
    "end_table_left": "the end table was left before the stay was complete",
}


@dataclass(frozen=True)
class Score:
    """What a run is worth, and why.

    Attributes:
        value: the score.
        rule: one of `RULES`.
        mode: one of `MODES`.
        completed: whether each obstacle counts.
        run_time: [s] from the start gate, or else the first sample, to reaching the end table, or else the last sample.
        reached_end: whether the base was over the end table.
        stayed: whether it stayed there for 5 s.
        gate_times: (13,) when each gate was crossed [s since the first sample], or None.
        faults: what was wrong, in words.
        not_judged: what the log does not tell, in words; it was taken to be right.
    """

    value: float
    rule: str
    mode: str
    completed: Mapping[str, bool]
    run_time: float
    reached_end: bool
    stayed: bool
    gate_times: tuple[float | None, ...]
    faults: tuple[str, ...]
    not_judged: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; the value is called `score`."""
        facts = asdict(self)
        return {"score": facts.pop("value"), **facts}


def scores(state: Array, rule: Rule = "script") -> Array:
    """(N,) scores of runs that ended now.

    Args:
        state: (N, STATE_SIZE) of the tracker.
        rule: one of `RULES`.

    Raises:
        InvalidInput: there is no such rule.
    """
    if rule not in RULES:
        raise InvalidInput(f"rule is {rule!r}; valid: {', '.join(RULES)}")
    done = completed(state, dwell=rule == "script")
    value = 1.0 - OBSTACLE_PENALTY * (len(OBSTACLES) - done.sum(axis=1))
    if rule == "paper":
        excess = np.maximum(run_time(state) - sum(ALLOTTED_TIMES), 0.0)
        value -= SECOND_PENALTY * np.floor(excess + 1e-9)  # a full second stays one after rounding
        return np.where(reached_end(state), np.maximum(value, 0.0), 0.0)
    excess = np.maximum(run_time(state) - done @ np.array(ALLOTTED_TIMES), 0.0)
    return value - SECOND_PENALTY * np.where(stayed(state), excess, EXCESS_WITHOUT_STAY)


def score_trajectory(
    trajectory: Trajectory, course: Course | None = None, rule: Rule = "script", mode: Mode = "strict"
) -> Score:
    """The score of a recorded run.

    Args:
        trajectory: the run, in the course's frame.
        course: the standard course by default.
        rule: one of `RULES`.
        mode: one of `MODES`.

    Raises:
        InvalidInput: there is no such rule or mode.
    """
    state = new_state(1, mode)
    samples = len(trajectory.time)
    height = trajectory.base_pos[:, 2] if trajectory.has_height else np.full(samples, np.inf)
    feet = trajectory.foot_contact
    follow(
        state,
        *(course or Course.standard()).arrays(),
        np.column_stack([trajectory.base_pos[:, :2], height])[:, None],
        (trajectory.time - trajectory.time[0])[:, None],
        _or_never(trajectory.board_contact, samples)[:, None],
        _or_never(trajectory.pole_contact, samples)[:, None],
        (np.ones(samples, dtype=np.bool_) if feet is None else ~feet.any(axis=1))[:, None],
    )
    return Score(
        value=float(scores(state, rule)[0]),
        rule=rule,
        mode=mode,
        completed=dict(zip(OBSTACLES, completed(state, dwell=rule == "script")[0].tolist(), strict=True)),
        run_time=float(run_time(state)[0]),
        reached_end=bool(reached_end(state)[0]),
        stayed=bool(stayed(state)[0]),
        gate_times=tuple(time if time >= 0.0 else None for time in gate_times(state)[0].tolist()),
        faults=tuple(_faults_in_words(state)),
        not_judged=tuple(_not_judged(trajectory, mode)),
    )


def _or_never(flags: NDArray[np.bool_] | None, samples: int) -> NDArray[np.bool_]:
    return np.zeros(samples, dtype=np.bool_) if flags is None else flags


def _faults_in_words(state: Array) -> list[str]:
    times = zip(FAULTS, fault_times(state)[0].tolist(), strict=True)
    words = [f"{_FAULT_WORDS[name]} (at {time:.2f} s)" for name, time in times if time >= 0.0]
    crossed = state[0, STATE.PROGRESS : STATE.CROSSED].astype(int).tolist()
    for name, done, gates in zip(OBSTACLES[:-1], crossed, GATE_COUNTS, strict=False):
        if done < gates:
            words.append(f"{name}: {done} of {gates} gates crossed")
    if not reached_end(state)[0]:
        words.append("the end table was not reached")
    elif not completed(state, dwell=False)[0, -1]:
        words.append("the end table was not entered through its gate")
    if reached_end(state)[0] and not stayed(state)[0]:
        words.append(f"no stay of {DWELL:.0f} s on the end table")
    return words


def _not_judged(trajectory: Trajectory, mode: Mode) -> list[str]:
    missing = []
    if trajectory.board_contact is None:
        missing.append("whether the board was touched (no board_contact)")
    if mode == "strict":
        if trajectory.pole_contact is None:
            missing.append("whether a pole was touched (no pole_contact)")
        if trajectory.foot_contact is None:
            missing.append("whether all feet left the ground over the board (no foot_contact)")
        if not trajectory.has_height:
            missing.append("whether the A-frame was climbed (no base height)")
    return missing
