"""Stretches of a recording where all joints are late by the same time: stamps or commands slipped, no servo did."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.logs import RobotLog

Array = NDArray[np.float64]

WINDOW: Final = 2.0
"""Length of what is compared at once [s]. A choice."""
LONGEST: Final = 0.2
"""Furthest shift that is tried [s]. A choice."""
MOVING: Final = 0.02
"""Standard deviation of an angle [rad] from which a joint moves enough to tell. A choice."""
FALLS: Final = 0.5
"""A shift explains a window if every moving joint's error falls to this part of it or lower. A choice."""


@dataclass(frozen=True)
class Slip:
    """From `start` to `stop` [s] after the first measurement, all joints are `late` [s] against the simulation."""

    start: float
    stop: float
    late: float


def find_slips(log: RobotLog, simulated: Array) -> tuple[Slip, ...]:
    """Where a common shift of time, of two sampling periods or more, explains what a simulation `(T, J)` does not.

    Servos have lags of their own. At least two joints have to move, and all that do have to agree.
    """
    time = log.time - log.time[0]
    period = log.duration / (len(time) - 1)
    shifts = period * np.arange(-round(LONGEST / period), round(LONGEST / period) + 1)
    found: list[Slip] = []
    for start in np.arange(0.0, log.duration - WINDOW + 1e-9, WINDOW):
        rows = (time >= start) & (time < start + WINDOW)
        late = _common_shift(time, log.position, simulated, rows, shifts)
        if abs(late) < 1.9 * period:
            continue
        if found and start - found[-1].stop < 1e-6 and late * found[-1].late > 0.0:
            found[-1] = Slip(found[-1].start, float(start) + WINDOW, max(found[-1].late, late, key=abs))
        else:
            found.append(Slip(float(start), float(start) + WINDOW, late))
    return tuple(slip for slip in found if slip.stop - slip.start > 1.5 * WINDOW)


def _common_shift(time: Array, measured: Array, simulated: Array, rows: NDArray[np.bool_], shifts: Array) -> float:
    moving = np.flatnonzero(measured[rows].std(axis=0) > MOVING)
    if len(moving) < 2:
        return 0.0
    errors = np.empty((len(shifts), len(moving)))
    for column, joint in enumerate(moving):
        at = time[rows][None] - shifts[:, None]
        moved = np.interp(at.ravel(), time, simulated[:, joint]).reshape(at.shape)
        errors[:, column] = (moved - measured[rows, joint]).std(axis=1)
    best = int(np.argmin(np.sum(errors**2, axis=1)))
    unmoved = errors[np.argmin(np.abs(shifts))]
    return float(shifts[best]) if (errors[best] <= FALLS * unmoved).all() else 0.0
