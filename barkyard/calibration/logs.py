"""What a real robot was commanded and what it measured, as it was recorded, and what looks wrong in it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.log_files import read_arrays
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

LARGEST_ANGLE: Final = 12.0
"""No joint that is told in radians goes further [rad]: nearly two turns. A choice."""
DEGREE: Final = 180.0 / np.pi
GAP: Final = 2.5
"""A pause longer than this many median periods is reported as a gap. A choice."""
OUTLIER: Final = 12.0
"""A sample further than this many robust deviations from the median of its neighbours is reported. A choice."""
SWAPPED: Final = 0.8
"""Correlation with another joint's command from which two joints count as swapped. A choice."""


@dataclass(frozen=True)
class RobotLog:
    """One recording of J joints. Times of commands and of measurements are kept apart and never resampled.

    Attributes:
        name: of the file, without its ending.
        joints: names, in the order of the columns.
        command_time: `(C,)` when each command was given [s], rising; it holds until the next.
        command: `(C, J)` commanded positions [rad].
        time: `(T,)` when each measurement was stamped [s], rising.
        position: `(T, J)` measured positions [rad].
        speed: `(J,)` at the first measurement [rad/s]; None for a recording that begins at rest.
        sha256: of the file's content; "" where it came from no file.
        source: `real`, or `surrogate` for a simulation that stands in for the robot.
    """

    name: str
    joints: tuple[str, ...]
    command_time: Array
    command: Array
    time: Array
    position: Array
    speed: Array | None = None
    sha256: str = ""
    source: str = "real"

    def __post_init__(self) -> None:
        """Raises InvalidInput naming array, joint and row (from 1) where a value cannot be."""
        pairs = (("t_cmd", self.command_time, "q_cmd", self.command), ("t_meas", self.time, "q_meas", self.position))
        for clock, time, name, values in pairs:
            _check_time(clock, time)
            _check_values(name, values, len(time), self.joints)
        if len(set(self.joints)) != len(self.joints):
            raise InvalidInput(f"joints are {', '.join(self.joints)}; each name may be there once")
        if self.time[0] > self.command_time[-1] or self.command_time[0] > self.time[-1]:
            raise InvalidInput(
                f"commands are from {self.command_time[0]} to {self.command_time[-1]} s and measurements from "
                f"{self.time[0]} to {self.time[-1]} s; they must overlap and have one clock"
            )

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a log by its ending.

        Args:
            path: `.npz` with `q_cmd (C, J)`, `q_meas (T, J)` [rad], `joints (J,)` and either `t` or `t_cmd (C,)` and
                `t_meas (T,)` [s]; optionally `units` and `source`. Or `.csv` with the columns `t` or `t_cmd` and
                `t_meas`, and `<joint>.cmd` and `<joint>.meas` for every joint.

        Raises:
            InvalidInput: the file is absent, damaged or holds what cannot be; the message has file, column and row.
        """
        path = Path(path)
        try:
            if not path.is_file():
                raise InvalidInput("is not a file; give a recording that ends in .npz or .csv")
            found = read_arrays(path)
            clock = found.get("t")
            log = cls(
                name=path.stem,
                joints=tuple(str(name) for name in found["joints"]),
                command_time=found["t_cmd"] if clock is None else clock,
                command=found["q_cmd"],
                time=found["t_meas"] if clock is None else clock,
                position=found["q_meas"],
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                source=str(found.get("source", "real")),
            )
            log.check_plausible()
        except InvalidInput as problem:
            raise InvalidInput(f"{path}: {problem}") from None
        return log

    def check_plausible(self) -> None:
        """Raises InvalidInput where columns are in degrees, or two of them are swapped."""
        _check_units(self)
        _check_order(self)

    @property
    def duration(self) -> float:
        """From the first measurement to the last [s]."""
        return float(self.time[-1] - self.time[0])

    def named(self, names: Mapping[str, str], joints: Sequence[str]) -> Self:
        """The columns under the model's names.

        Args:
            names: the model's name of each column that has another one.
            joints: the model's joints; columns of no such joint are an error.

        Raises:
            InvalidInput: a name is neither of a column nor of a joint.
        """
        unknown = [name for name in names if name not in self.joints]
        renamed = tuple(names.get(name, name) for name in self.joints)
        foreign = [name for name in renamed if name not in joints]
        if unknown or foreign:
            raise InvalidInput(
                f"{self.name}: {', '.join(unknown or foreign)} is not a {'column' if unknown else 'joint'}; columns: "
                f"{', '.join(self.joints)}; joints of the model: {', '.join(joints)}. Say which is which: COLUMN=JOINT"
            )
        return replace(self, joints=renamed)

    def without(self, joints: Sequence[str]) -> Self:
        """Without the columns `joints`. Raises InvalidInput if there is none of that name, or none is left."""
        foreign = [joint for joint in joints if joint not in self.joints]
        kept = [place for place, joint in enumerate(self.joints) if joint not in joints]
        if foreign or not kept:
            raise InvalidInput(
                f"{self.name}: cannot skip {', '.join(foreign or joints)}; its columns are {', '.join(self.joints)}"
            )
        return replace(
            self,
            joints=tuple(self.joints[place] for place in kept),
            command=self.command[:, kept],
            position=self.position[:, kept],
            speed=None if self.speed is None else self.speed[kept],
        )

    def rescaled(self, joint: str, low: float, high: float) -> Self:
        """The column `joint`, recorded from 0 to 1, over `low` to `high` [rad]."""
        place = self.joints.index(joint)
        command, position = self.command.copy(), self.position.copy()
        for values in (command, position):
            values[:, place] = low + values[:, place] * (high - low)
        return replace(self, command=command, position=position)

    def between(self, start: float, stop: float) -> Self:
        """The stretch whose measurements are stamped from `start` to `stop`, after the log's first stamp [s]."""
        seconds = self.time - self.time[0]
        chosen = (seconds >= start) & (seconds < stop)
        if chosen.sum() < 2:
            raise InvalidInput(f"{self.name} has fewer than two samples from {start} to {stop} s")
        time = self.time[chosen]
        first = max(int(np.searchsorted(self.command_time, time[0], side="right")) - 1, 0)
        last = int(np.searchsorted(self.command_time, time[-1], side="right"))
        part = slice(first, max(last, first + 2))
        cut = int(np.argmax(chosen))
        near = slice(max(cut - 2, 0), cut + 3)
        return replace(
            self,
            name=f"{self.name}[{start:g}:{stop:g}]",
            command_time=self.command_time[part],
            command=self.command[part],
            time=time,
            position=self.position[chosen],
            speed=np.polyfit(self.time[near] - time[0], self.position[near], 1)[0] if cut else self.speed,
        )

    def remarks(self) -> tuple[str, ...]:
        """What looks odd and was left as it is: gaps, repeated stamps, repeated frames, outliers."""
        found = []
        for clock, time in (("t_cmd", self.command_time), ("t_meas", self.time)):
            step = np.diff(time)
            period = float(np.median(step[step > 0.0])) if (step > 0.0).any() else 0.0
            gaps, same = np.flatnonzero(step > GAP * period), np.flatnonzero(step == 0.0)
            if len(gaps):
                longest = gaps[np.argmax(step[gaps])]
                found.append(f"{clock} has {len(gaps)} gaps, the longest {step[longest]:.3f} s after row {longest + 1}")
            if len(same):
                found.append(f"{clock} has {len(same)} repeated stamps, the first in row {same[0] + 2}")
        for joint, values in zip(self.joints, self.position.T, strict=True):
            rows = _outliers(values)
            if len(rows):
                found.append(f"{joint} has {len(rows)} outliers, the first in row {rows[0] + 1}: {values[rows[0]]:.4f}")
        return tuple(f"{self.name}: {words}" for words in found)


def _check_time(clock: str, time: Array) -> None:
    if time.ndim != 1 or len(time) < 2:
        raise InvalidInput(f"{clock} has the shape {time.shape}; a recording has at least two samples")
    wrong = np.flatnonzero(~np.isfinite(time))
    if len(wrong):
        raise InvalidInput(f"{clock}, row {wrong[0] + 1}: {time[wrong[0]]}; every stamp must be finite")
    back = np.flatnonzero(np.diff(time) < 0.0)
    if len(back):
        row = int(back[0]) + 1
        raise InvalidInput(f"{clock}, row {row + 1}: {time[row]} after {time[row - 1]}; time must not fall")


def _check_values(name: str, values: Array, rows: int, joints: Sequence[str]) -> None:
    if values.shape != (rows, len(joints)):
        raise InvalidInput(f"{name} has the shape {values.shape}; {rows} stamps of {len(joints)} joints were recorded")
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise InvalidInput(f"{name} of {joints[column]}, row {row + 1}: {values[row, column]}; it must be finite")


def _check_units(log: RobotLog) -> None:
    """Degrees for radians: all columns alike, or commands and measurements that differ by the factor."""
    for name, values in (("q_cmd", log.command), ("q_meas", log.position)):
        row, column = (int(i) for i in np.unravel_index(np.argmax(np.abs(values)), values.shape))
        if abs(values[row, column]) > LARGEST_ANGLE:
            raise InvalidInput(
                f"{name} of {log.joints[column]}, row {row + 1}: {values[row, column]:.4g} is no angle in radians; "
                f"if the file is in degrees, divide by {DEGREE:.4f}"
            )
    for place, joint in enumerate(log.joints):
        given, measured = np.ptp(log.command[:, place]), np.ptp(log.position[:, place])
        ratio = max(given, measured) / max(min(given, measured), 1e-9)
        if 0.7 * DEGREE < ratio < 1.4 * DEGREE and min(given, measured) > 1e-3:
            larger = "q_cmd" if given > measured else "q_meas"
            values = log.command if given > measured else log.position
            highest = int(np.argmax(np.abs(values[:, place])))
            raise InvalidInput(
                f"{larger} of {joint}, row {highest + 1}: {values[highest, place]:.4g} is {ratio:.1f} times what its "
                f"partner spans; is it in degrees? Divide by {DEGREE:.4f}"
            )


def _check_order(log: RobotLog) -> None:
    """Two measured columns that follow one another's commands, at the lag that suits them best."""
    held = np.clip(np.searchsorted(log.command_time, log.time, side="right") - 1, 0, None)
    command, count = log.command[held], len(log.joints)
    lags = range(0, max(1, min(len(log.time) // 4, 15)))
    match = np.full((count, count), -1.0)
    for lag in lags:
        match = np.maximum(match, _correlation(log.position[lag:], command[: len(command) - lag]))
    for a in range(count):
        for b in range(a + 1, count):
            own, other = max(match[a, a], match[b, b]), min(match[a, b], match[b, a])
            if other > SWAPPED and own < other - 0.3:
                row = int(np.argmax(np.abs(log.position[:, a] - command[:, a]))) + 1
                raise InvalidInput(
                    f"q_meas of {log.joints[a]} and {log.joints[b]} follow one another's commands (correlation "
                    f"{other:.2f}, with their own {own:.2f}; furthest apart in row {row}); the columns are swapped"
                )


def _correlation(first: Array, second: Array) -> Array:
    """`(J, J)` correlations of columns; 0 for one that stands still."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    scale = np.outer(np.linalg.norm(first, axis=0), np.linalg.norm(second, axis=0))
    return np.divide(first.T @ second, scale, out=np.zeros_like(scale), where=scale > 1e-12)


def _outliers(values: Array) -> NDArray[np.intp]:
    """Rows that jump away from both neighbours and back."""
    middle = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    off = np.abs(values[1:-1] - middle)
    usual = 1.4826 * np.median(np.abs(np.diff(values)))
    return np.flatnonzero(off > OUTLIER * max(float(usual), 1e-3)) + 1
