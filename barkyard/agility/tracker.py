"""Follows N runs over the course, sample by sample, in flat arrays that can live inside a simulation's state.

A gate counts as in the published script: when the base's projection is within 0.02 m of it, or, where it moved at least
0.04 m since the last sample, when that motion meets it. The gates of one obstacle count one after another. Two modes:

- `published`: as the script. Obstacles are independent of one another, gates may be crossed either way, and only a
  touched board fails an obstacle.
- `strict`: a gate counts only in its direction, from behind it; crossing the first gate of an obstacle closes the
  unfinished ones before it, and so does reaching the end table; a touched pole loses the weave; the apex gate counts
  only with the base at least as high as the ridge; the board must be passed over its whole length, inside its width,
  with all feet off the ground at one sample at least; the end table counts only with its gate crossed.

The state is an array (N, STATE_SIZE) of float64; a run that is one row of it can live inside a simulation's state.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from barkyard.agility.kernels import (
    FIRST_GATES,
    GATE_COUNTS,
    NEVER,
    OBSTACLES,
    PUBLISHED,
    STATE,
    STRICT,
    Array,
    Flags,
    completed_obstacles,
)
from barkyard.agility.kernels import advance as advance
from barkyard.agility.kernels import follow as follow
from barkyard.errors import InvalidInput

Mode = Literal["strict", "published"]

MODES: Final = ("strict", "published")
STATE_SIZE: Final = STATE.SIZE

FAULTS: Final = (
    "board_touched",
    "pole_touched",
    "a_frame_not_climbed",
    "board_passed_beside",
    "board_passed_on_foot",
    "gate_crossed_backwards",
    "obstacle_skipped",
    "end_table_left",
)
"""`published` knows the first and the last alone. A later try that succeeds clears what a failed one left: the A-frame
not climbed, the board passed wrongly, a gate crossed backwards."""

_CODES: Final = {"published": PUBLISHED, "strict": STRICT}


def new_state(num_runs: int, mode: Mode = "strict") -> Array:
    """State (N, STATE_SIZE) of `num_runs` runs about to start."""
    state = np.empty((num_runs, STATE.SIZE))
    begin(state, slice(None), mode)
    return state


def begin(state: Array, ids: Any, mode: Mode = "strict", first: str = OBSTACLES[0]) -> None:
    """Starts runs anew.

    Args:
        state: (N, STATE_SIZE), changed in place.
        ids: which rows: indices, mask or slice.
        mode: one of `MODES`; it stays with the state.
        first: the obstacle in front of which the runs start; those before it in `OBSTACLES` count as done. The clock
            then runs from the start.

    Raises:
        InvalidInput: there is no such mode or obstacle, or the state has another width.
    """
    if first not in OBSTACLES:
        raise InvalidInput(f"first is {first!r}; valid: {', '.join(OBSTACLES)}")
    if mode not in _CODES:
        raise InvalidInput(f"mode is {mode!r}; valid: {', '.join(MODES)}")
    if state.shape[-1] != STATE.SIZE:
        raise InvalidInput(f"state has {state.shape[-1]} numbers a run; give {STATE.SIZE}")
    fresh = np.full(STATE.SIZE, NEVER)
    fresh[STATE.MODE] = _CODES[mode]
    fresh[[STATE.NOW, STATE.STAYED, STATE.BESIDE, STATE.FLOWN]] = 0.0
    fresh[STATE.PROGRESS : STATE.CROSSED] = 0.0
    done = OBSTACLES.index(first)
    fresh[STATE.PROGRESS : STATE.PROGRESS + done] = GATE_COUNTS[:done]
    fresh[STATE.NEXT_GATE] = FIRST_GATES[done]
    state[ids] = fresh


def completed(state: Array, dwell: bool = True) -> Flags:
    """(N, 5) which of `OBSTACLES` count.

    Args:
        state: (N, STATE_SIZE).
        dwell: whether the end table needs the full stay, or only to be reached.
    """
    return np.asarray(completed_obstacles(state, dwell))


def next_gate(state: Array) -> NDArray[np.int64]:
    """(N,) index of the first gate, in the course's order, that is open and not yet crossed; 13 where there is none."""
    return state[:, STATE.NEXT_GATE].astype(np.int64)


def reached_end(state: Array) -> Flags:
    """(N,) whether the base has been over the end table."""
    return state[:, STATE.REACHED] >= 0.0


def stayed(state: Array) -> Flags:
    """(N,) whether the stay on the end table is complete."""
    return state[:, STATE.STAYED] == 1.0


def finished(state: Array) -> Flags:
    """(N,) whether the run is over: the stay is complete, or the end table was left. Its state changes no more."""
    return state[:, STATE.ENDED] >= 0.0


def run_time(state: Array) -> Array:
    """(N,) time [s] from the start gate, or else the run's start, to reaching the end table, or else to now."""
    until = np.where(reached_end(state), state[:, STATE.REACHED], state[:, STATE.NOW])
    return np.maximum(until - np.maximum(state[:, STATE.STARTED], 0.0), 0.0)


def gate_times(state: Array) -> Array:
    """(N, 13) when each gate was crossed [s since the run's start], or NEVER."""
    return state[:, STATE.CROSSED : STATE.FAULTS].copy()


def fault_times(state: Array) -> Array:
    """(N, len(FAULTS)) when each fault first happened [s since the run's start], or NEVER."""
    return state[:, STATE.FAULTS :].copy()


def faults(state: Array) -> Flags:
    """(N, len(FAULTS)) which faults there are."""
    return state[:, STATE.FAULTS :] >= 0.0
