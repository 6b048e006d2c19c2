"""Whether recordings move a robot enough to say anything about what is asked, before anything is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import PlantModel, default_values
from barkyard.calibration.unknowns import Unknown

Array = NDArray[np.float64]

POWER: Final = 0.95
"""The bandwidth is where this part of the command's speed lies below."""
FAST_ENOUGH: Final = 0.5
"""Bandwidth times lag [rad] from which inertia and delay begin to show. A choice: a phase of 30 degrees."""
REVERSALS: Final = 4
"""Turns of the motion that friction needs, at least. A choice."""
MOVING: Final = 0.02
"""What counts as having moved [rad]. A choice."""


@dataclass(frozen=True)
class Excitation:
    """How one joint was moved, over all recordings.

    Attributes:
        joint: its name.
        bandwidth: of the command [Hz].
        speed: largest measured [rad/s].
        lag: of the measurement behind the command [s].
        reversals: turns of the measured motion.
        deviation: largest difference between command and measurement [rad].
        travel: range of the measurement [rad].
    """

    joint: str
    bandwidth: float
    speed: float
    lag: float
    reversals: int
    deviation: float
    travel: float


def measure(logs: Sequence[RobotLog]) -> tuple[Excitation, ...]:
    """The excitation of every joint, the largest of all recordings."""
    found = []
    for column, joint in enumerate(logs[0].joints):
        each = [_of_one(log, column) for log in logs]
        largest = np.max(each, axis=0)
        bandwidth, speed, lag, reversals, deviation, travel = (float(value) for value in largest)
        found.append(Excitation(joint, bandwidth, speed, lag, int(reversals), deviation, travel))
    return tuple(found)


def _of_one(log: RobotLog, column: int) -> tuple[float, float, float, int, float, float]:
    held = np.clip(np.searchsorted(log.command_time, log.time, side="right") - 1, 0, None)
    command, position = log.command[held, column], log.position[:, column]
    period = log.duration / (len(log.time) - 1)
    power = np.abs(np.fft.rfft(np.diff(command))) ** 2
    below = np.cumsum(power) / max(float(power.sum()), 1e-300)
    bandwidth = float(np.searchsorted(below, POWER)) / log.duration if power.sum() > 0.0 else 0.0
    width = max(2, round(0.06 / period))
    speed = float(np.max(np.abs(position[width:] - position[:-width]))) / (width * period)
    return (
        bandwidth,
        speed,
        _lag(command, position) * period,
        _reversals(position),
        float(np.max(np.abs(command - position))),
        float(np.ptp(position)),
    )


def _lag(command: Array, position: Array) -> int:
    """Samples by which the measurement is best matched by an earlier command."""
    errors = [
        float(np.std(position[shift:] - command[: len(command) - shift])) for shift in range(min(40, len(command) // 4))
    ]
    return int(np.argmin(errors))


def _reversals(position: Array) -> int:
    """Turns after which the joint moved on by `MOVING`."""
    count, turned, direction = 0, position[0], 0
    for value in position:
        if (direction >= 0 and value > turned) or (direction <= 0 and value < turned):
            if direction == 0 and abs(value - position[0]) > MOVING:
                direction = 1 if value > position[0] else -1
            if direction != 0:
                turned = value
        if direction != 0 and (turned - value) * direction > MOVING:
            count, direction, turned = count + 1, -direction, value
    return count


def warnings(unknowns: Sequence[Unknown], logs: Sequence[RobotLog], model: PlantModel) -> tuple[str, ...]:
    """What the recordings will hardly determine, and what would."""
    excitations = {each.joint: each for each in measure(logs)}
    found = []
    for unknown in unknowns:
        if unknown.joint in excitations:
            reason = _reason(unknown, excitations[unknown.joint], model)
            found += [f"{unknown.name}: {reason}"] if reason else []
    return tuple(found)


def _reason(unknown: Unknown, seen: Excitation, model: PlantModel) -> str:
    if seen.travel < MOVING:
        return f"the joint moves by {1e3 * seen.travel:.0f} mrad only; record one that moves"
    needed = FAST_ENOUGH / (2.0 * np.pi * max(seen.lag, 1e-3))
    if unknown.quantity in ("armature", "delay") and seen.bandwidth < needed:
        return (
            f"the command's bandwidth is {seen.bandwidth:.2f} Hz, and a lag of {1e3 * seen.lag:.0f} ms shows what "
            f"it is made of from {needed:.1f} Hz; record a faster chirp"
        )
    if unknown.quantity == "frictionloss" and seen.reversals < REVERSALS:
        return f"the motion turns {seen.reversals} times; friction needs {REVERSALS}"
    if unknown.quantity == "torque_limit":
        actuator = model.actuators[model.joints.index(unknown.joint)]
        names = [(actuator, "position_gain"), (actuator, "torque_limit")]
        gain, limit = default_values(model.shipped, names)
        if np.isfinite(limit) and gain * seen.deviation < 0.5 * limit:
            return (
                f"the command is never further than {1e3 * seen.deviation:.0f} mrad away, which asks for "
                f"{gain * seen.deviation:.2f} of {limit:.2f} N m; record larger steps"
            )
    return ""
