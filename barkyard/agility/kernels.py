"""The compiled tracker: one sample of N runs over the course, in flat arrays.

`STATE` and `GEOMETRY` say what is where in a run's state and in a course; times are seconds since the run's start, or
NEVER. The rules are described in `tracker.py`. All that the compiled functions depend on is in this file, because
numba's cache watches no other.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])

OBSTACLES: Final = ("start_table", "weave_poles", "a_frame", "broad_jump", "end_table")
NUM_OBSTACLES: Final = 5
GATE_COUNTS: Final = (1, 6, 3, 2, 1)
FIRST_GATES: Final = (0, 1, 7, 10, 12)
NUM_GATES: Final = 13
APEX_GATE: Final = 8
LANDING_GATE: Final = 11

NEVER: Final = -1.0
GATE_DISTANCE: Final = 0.02
"""A base this near to a gate [m] is in it; one that moved twice as far is judged by its motion."""
DWELL: Final = 5.0
"""How long the base must stay on the end table [s]."""
LEAVING_FACTOR: Final = 1.1
"""After reaching the end table, a run breaks off outside a box this much larger."""


class StateLayout(NamedTuple):
    """Offsets into a run's state."""

    MODE: int = 0
    NOW: int = 1
    STARTED: int = 2
    REACHED: int = 3
    ENDED: int = 4
    STAYED: int = 5
    NEXT_GATE: int = 6
    BESIDE: int = 7
    FLOWN: int = 8
    PROGRESS: int = 9
    CROSSED: int = 14
    FAULTS: int = 27
    SIZE: int = 35


class GeometryLayout(NamedTuple):
    """Offsets into a course's array. A frame is x, y of its origin, cosine and sine of its heading."""

    ORDER: int = 0
    APEX_HEIGHT: int = 5
    BOARD_FRAME: int = 6
    BOARD_HALF_LENGTH: int = 10
    BOARD_HALF_WIDTH: int = 11
    END_FRAME: int = 12
    END_HALF_LENGTH: int = 16
    END_HALF_WIDTH: int = 17
    SIZE: int = 18


STATE: Final = StateLayout()
GEOMETRY: Final = GeometryLayout()

PUBLISHED: Final = 1.0
STRICT: Final = 2.0
_FULL_DWELL: Final = DWELL - 1e-6  # sums of sample periods fall short of 5 s by rounding

BOARD_TOUCHED: Final = STATE.FAULTS
POLE_TOUCHED: Final = STATE.FAULTS + 1
_NOT_CLIMBED: Final = STATE.FAULTS + 2
_BESIDE: Final = STATE.FAULTS + 3
_ON_FOOT: Final = STATE.FAULTS + 4
_BACKWARDS: Final = STATE.FAULTS + 5
_SKIPPED: Final = STATE.FAULTS + 6
_LEFT: Final = STATE.FAULTS + 7
WEAVE: Final = 1
JUMP: Final = 3
END: Final = 4


def _compiled(function: Function) -> Function:
    return cast(Function, njit(cache=True, error_model="numpy")(function))


@_compiled
def _note(state: Array, fault: int) -> None:
    if state[fault] < 0.0:
        state[fault] = state[STATE.NOW]


@_compiled
def _in_frame(frame: Array, x: float, y: float) -> tuple[float, float]:
    dx, dy = x - frame[0], y - frame[1]
    return frame[2] * dx + frame[3] * dy, frame[2] * dy - frame[3] * dx


@_compiled
def _cross(ax: float, ay: float, bx: float, by: float) -> float:
    return ax * by - ay * bx


@_compiled
def _intersects(gate: Array, x0: float, y0: float, x1: float, y1: float) -> bool:
    """Whether the motion meets the gate; a motion along the gate's own line does not."""
    lx, ly, rx, ry = gate[0, 0], gate[0, 1], gate[1, 0], gate[1, 1]
    before, after = _cross(rx - lx, ry - ly, x0 - lx, y0 - ly), _cross(rx - lx, ry - ly, x1 - lx, y1 - ly)
    left, right = _cross(x1 - x0, y1 - y0, lx - x0, ly - y0), _cross(x1 - x0, y1 - y0, rx - x0, ry - y0)
    return bool(np.sign(before) != np.sign(after) and np.sign(left) != np.sign(right))


@_compiled
def _distance(gate: Array, x: float, y: float) -> float:
    sx, sy = gate[1, 0] - gate[0, 0], gate[1, 1] - gate[0, 1]
    along = ((x - gate[0, 0]) * sx + (y - gate[0, 1]) * sy) / (sx * sx + sy * sy)
    along = min(max(along, 0.0), 1.0)
    return float(np.hypot(x - gate[0, 0] - along * sx, y - gate[0, 1] - along * sy))


@_compiled
def _meets(gate: Array, x0: float, y0: float, x1: float, y1: float) -> bool:
    """The published test of one sample against one gate."""
    if np.hypot(x1 - x0, y1 - y0) >= 2.0 * GATE_DISTANCE:
        return _intersects(gate, x0, y0, x1, y1)
    return _distance(gate, x1, y1) < GATE_DISTANCE


@_compiled
def _allowed(
    state: Array,
    geometry: Array,
    index: int,
    gate: Array,
    direction: Array,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    height: float,
) -> bool:
    """What `strict` demands of a crossing beyond the published test; notes what is wrong."""
    forward = (x1 - x0) * direction[0] + (y1 - y0) * direction[1]
    ahead = (x0 - gate[0, 0]) * direction[0] + (y0 - gate[0, 1]) * direction[1]
    if forward < 0.0 and _intersects(gate, x0, y0, x1, y1):
        _note(state, _BACKWARDS)
    if forward <= 0.0 or ahead > 0.0:
        return False
    if index == APEX_GATE and height < geometry[GEOMETRY.APEX_HEIGHT]:
        _note(state, _NOT_CLIMBED)
        return False
    if index == LANDING_GATE and state[STATE.BESIDE] == 1.0:
        _note(state, _BESIDE)
        return False
    if index == LANDING_GATE and state[STATE.FLOWN] == 0.0:
        _note(state, _ON_FOOT)
        return False
    return True


@_compiled
def _count(state: Array, index: int, obstacle: int) -> None:
    """Counts a gate as crossed, and forgives the tries that failed before."""
    state[STATE.PROGRESS + obstacle] += 1.0
    state[STATE.CROSSED + index] = state[STATE.NOW]
    state[_BACKWARDS] = NEVER
    if obstacle == 0:
        state[STATE.STARTED] = state[STATE.NOW]
    elif index == APEX_GATE:
        state[_NOT_CLIMBED] = NEVER
    elif index == LANDING_GATE:
        state[_BESIDE] = state[_ON_FOOT] = NEVER


@_compiled
def _close_before(state: Array, geometry: Array, position: int) -> None:
    """Notes whether an obstacle before this one in the order is unfinished."""
    for earlier in range(position):
        obstacle = int(geometry[GEOMETRY.ORDER + earlier])
        if state[STATE.PROGRESS + obstacle] < GATE_COUNTS[obstacle]:
            _note(state, _SKIPPED)


@_compiled
def _first_open(state: Array, geometry: Array) -> int:
    """Position in the order of the first obstacle that may still be taken."""
    if state[STATE.MODE] != STRICT:
        return 0
    if state[STATE.REACHED] >= 0.0:
        return NUM_OBSTACLES - 1
    first = 0
    for position in range(NUM_OBSTACLES):
        if state[STATE.PROGRESS + int(geometry[GEOMETRY.ORDER + position])] > 0.0:
            first = position
    return first


@_compiled
def _cross_gates(
    state: Array,
    gates: Array,
    directions: Array,
    geometry: Array,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    height: float,
) -> None:
    strict = state[STATE.MODE] == STRICT
    for position in range(_first_open(state, geometry), NUM_OBSTACLES):
        obstacle = int(geometry[GEOMETRY.ORDER + position])
        done = int(state[STATE.PROGRESS + obstacle])
        if done == GATE_COUNTS[obstacle]:
            continue
        index = FIRST_GATES[obstacle] + done
        if not _meets(gates[index], x0, y0, x1, y1):
            continue
        if strict and not _allowed(state, geometry, index, gates[index], directions[index], x0, y0, x1, y1, height):
            continue
        _count(state, index, obstacle)
        if strict:
            _close_before(state, geometry, position)


@_compiled
def _follow_board(state: Array, geometry: Array, x0: float, y0: float, x1: float, y1: float, airborne: bool) -> None:
    """Between the gates of the jump: was the base beside the board, and was it over it in flight?"""
    frame = geometry[GEOMETRY.BOARD_FRAME : GEOMETRY.BOARD_FRAME + 4]
    half_length, half_width = geometry[GEOMETRY.BOARD_HALF_LENGTH], geometry[GEOMETRY.BOARD_HALF_WIDTH]
    u0, v0 = _in_frame(frame, x0, y0)
    u1, v1 = _in_frame(frame, x1, y1)
    if u1 < -half_length:  # in front of the board again: a new try
        state[STATE.BESIDE] = state[STATE.FLOWN] = 0.0
        return
    if min(u0, u1) > half_length:
        return
    slope = (v1 - v0) / (u1 - u0) if u1 != u0 else 0.0
    entered = v0 + slope * (min(max(u0, -half_length), half_length) - u0)
    left = v1 + slope * (min(max(u1, -half_length), half_length) - u1)
    if max(abs(entered), abs(left)) > half_width:
        state[STATE.BESIDE] = 1.0
    if airborne and u1 <= half_length:
        state[STATE.FLOWN] = 1.0


@_compiled
def _watch_end_table(state: Array, geometry: Array, x: float, y: float) -> None:
    u, v = _in_frame(geometry[GEOMETRY.END_FRAME : GEOMETRY.END_FRAME + 4], x, y)
    outside = max(abs(u) / geometry[GEOMETRY.END_HALF_LENGTH], abs(v) / geometry[GEOMETRY.END_HALF_WIDTH])
    now = state[STATE.NOW]
    if outside < 1.0:
        if state[STATE.REACHED] < 0.0:
            state[STATE.REACHED] = now
            if state[STATE.MODE] == STRICT:
                _close_before(state, geometry, NUM_OBSTACLES - 1)
        if now - state[STATE.REACHED] >= _FULL_DWELL:
            state[STATE.ENDED], state[STATE.STAYED] = now, 1.0
    elif state[STATE.REACHED] >= 0.0 and outside > LEAVING_FACTOR:
        state[STATE.ENDED] = now
        _note(state, _LEFT)


@_compiled
def _next_gate(state: Array, geometry: Array) -> int:
    for position in range(_first_open(state, geometry), NUM_OBSTACLES):
        obstacle = int(geometry[GEOMETRY.ORDER + position])
        done = int(state[STATE.PROGRESS + obstacle])
        if done < GATE_COUNTS[obstacle]:
            return FIRST_GATES[obstacle] + done
    return NUM_GATES


@_compiled
def advance(
    state: Array,
    gates: Array,
    directions: Array,
    geometry: Array,
    before_xy: Array,
    after_xyz: Array,
    time: Array,
    board_touch: Flags,
    pole_touch: Flags,
    airborne: Flags,
) -> None:
    """Takes one sample of each of N runs; those that have ended stay as they are. Compiled; nothing is checked.

    Args:
        state: (N, STATE_SIZE), begun; changed in place.
        gates: (N, 13, 2, 2) as in `CourseArrays`, with `directions` (N, 13, 2) and `geometry` (N, GEOMETRY.SIZE).
        directions: see `gates`.
        geometry: see `gates`.
        before_xy: (N, >= 2) base position at the sample before [m]; at the first sample the same as `after_xyz`.
        after_xyz: (N, 3) base position [m]; z is above the ground on which the obstacles stand.
        time: (N,) seconds since the run's start.
        board_touch: (N,) whether the robot touched the board since the sample before.
        pole_touch: (N,) whether it touched a pole.
        airborne: (N,) whether no foot was on the ground.
    """
    for run in range(state.shape[0]):
        one = state[run]
        if one[STATE.ENDED] >= 0.0:
            continue
        x0, y0 = before_xy[run, 0], before_xy[run, 1]
        x1, y1 = after_xyz[run, 0], after_xyz[run, 1]
        one[STATE.NOW] = time[run]
        if board_touch[run]:
            _note(one, BOARD_TOUCHED)
        if one[STATE.MODE] == STRICT:
            if pole_touch[run]:
                _note(one, POLE_TOUCHED)
            if one[STATE.PROGRESS + JUMP] == 1.0:
                _follow_board(one, geometry[run], x0, y0, x1, y1, airborne[run])
        _cross_gates(one, gates[run], directions[run], geometry[run], x0, y0, x1, y1, after_xyz[run, 2])
        _watch_end_table(one, geometry[run], x1, y1)
        one[STATE.NEXT_GATE] = _next_gate(one, geometry[run])


@_compiled
def completed_obstacles(state: Array, dwell: bool) -> Flags:
    """`tracker.completed`. Compiled."""
    done = np.empty((state.shape[0], NUM_OBSTACLES), dtype=np.bool_)
    for run in range(state.shape[0]):
        one = state[run]
        for obstacle in range(NUM_OBSTACLES):
            done[run, obstacle] = one[STATE.PROGRESS + obstacle] >= GATE_COUNTS[obstacle]
        done[run, WEAVE] &= one[POLE_TOUCHED] < 0.0
        done[run, JUMP] &= one[BOARD_TOUCHED] < 0.0
        done[run, END] |= one[STATE.MODE] != STRICT
        done[run, END] &= one[STATE.STAYED] == 1.0 if dwell else one[STATE.REACHED] >= 0.0
    return done


@_compiled
def follow(
    state: Array,
    gates: Array,
    directions: Array,
    geometry: Array,
    positions: Array,
    times: Array,
    board_touch: Flags,
    pole_touch: Flags,
    airborne: Flags,
) -> None:
    """Takes T samples of each of N runs: `advance` with arrays (T, N, ...), standing still at the first. Compiled."""
    for sample in range(positions.shape[0]):
        before, after = positions[max(sample - 1, 0)], positions[sample]
        touched, poled, flying = board_touch[sample], pole_touch[sample], airborne[sample]
        advance(state, gates, directions, geometry, before, after, times[sample], touched, poled, flying)
