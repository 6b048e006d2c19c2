"""Pictures of the report, as PNG."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from barkyard.calibration.logs import RobotLog

Array = NDArray[np.float64]

_COMMAND, _MEASURED, _SIMULATED = "#8a949e", "#1c2024", "#d9730d"


def overlay_png(log: RobotLog, simulated: Array, seconds: float) -> bytes:
    """Command, measurement and simulation of every joint.

    Args:
        log: the recording.
        simulated: `(T, J)` angles [rad].
        seconds: length of the stretch that is drawn, where the simulation is furthest off [s].
    """
    time = log.time - log.time[0]
    size = max(2, round(seconds * len(time) / max(log.duration, seconds)))
    figure = Figure(figsize=(9.0, 1.5 * len(log.joints)), layout="constrained")
    for axes, column in zip(np.atleast_1d(figure.subplots(len(log.joints), 1)), range(len(log.joints)), strict=True):
        error = np.cumsum(np.append(0.0, (simulated[:, column] - log.position[:, column]) ** 2))
        first = int(np.argmax(error[size:] - error[:-size])) if size < len(time) else 0
        shown = slice(first, first + size)
        held = np.clip(np.searchsorted(log.command_time, log.time[shown], side="right") - 1, 0, None)
        axes.step(time[shown], log.command[held, column], where="post", color=_COMMAND, linewidth=0.9, label="command")
        axes.plot(time[shown], log.position[shown, column], color=_MEASURED, linewidth=1.2, label="measured")
        axes.plot(time[shown], simulated[shown, column], color=_SIMULATED, linewidth=1.1, label="simulated")
        axes.set_title(log.joints[column], fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        axes.set_ylabel("rad", fontsize=8)
    figure.axes[-1].set_xlabel("s", fontsize=8)
    figure.axes[0].legend(fontsize=8, ncols=3, loc="upper right")
    return _png(figure)


def spectra_png(logs: Sequence[RobotLog], simulated: Sequence[Array]) -> bytes:
    """Amplitude density of the deviations over frequency, for every joint; thin lines are recordings."""
    joints = logs[0].joints
    figure = Figure(figsize=(9.0, 2.2 * ((len(joints) + 2) // 3)), layout="constrained")
    grid = figure.subplots((len(joints) + 2) // 3, 3, squeeze=False, sharex=True, sharey=True).ravel()
    for column, axes in enumerate(grid):
        if column >= len(joints):
            axes.set_axis_off()
            continue
        for log, angles in zip(logs, simulated, strict=True):
            frequency, density = _spectrum(log, angles[:, column] - log.position[:, column])
            axes.loglog(frequency, 1e3 * density, linewidth=0.8, label=log.name)
        axes.set_title(joints[column], fontsize=9, loc="left")
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("mrad/√Hz", fontsize=8)
    grid[0].legend(fontsize=6)
    return _png(figure)


def _spectrum(log: RobotLog, deviation: Array) -> tuple[Array, Array]:
    """Welch's estimate over halves that overlap, windows of an eighth of the recording."""
    size = max(16, len(deviation) // 8)
    period = log.duration / (len(deviation) - 1)
    window = np.hanning(size)
    parts = [deviation[first : first + size] for first in range(0, len(deviation) - size + 1, size // 2)]
    power = np.mean([np.abs(np.fft.rfft(window * (part - part.mean()))) ** 2 for part in parts], axis=0)
    density = np.sqrt(2.0 * power * period / np.sum(window**2))
    return np.fft.rfftfreq(size, period)[1:], density[1:]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
