"""A run over the agility course seen from above."""

import io
import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle as Disc
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from barkyard.agility import FIRST_GATES, GATE_COUNTS, GATE_OBSTACLES, OBSTACLES, Circle, Course, Score, Trajectory

Array = NDArray[np.float64]

SPEED_WINDOW: Final = 0.2
"""Speed is taken over this time [s], because a base sways with every stride."""

_SIZE, _DPI = (10.4, 7.4), 110
_INK, _QUIET, _FAINT, _GROUND, _BODY = "#1c2024", "#5c6670", "#b6bec6", "#f6f7f9", "#e2e6ea"
_DONE, _MISSED = "#1a7f4b", "#c62828"
_FAULT_LINES = 10
"""There is room for no more."""
_MARGIN = 0.3
"""Around everything that is shown [m]."""
_LEFT, _TIMES, _LINE = 0.715, 0.968, 0.0285
"""Of the column of times: left and right edge and distance of lines, in parts of the figure."""


def path_png(
    trajectory: Trajectory, course: Course, score: Score, title: str, present: Sequence[str] = OBSTACLES
) -> bytes:
    """A PNG picture: the obstacles, the base's path coloured by speed, the numbered gates and when they were crossed.

    A gate's number stands where the path crossed it, or else in its middle. A cross marks where a touch of the board or
    of a pole began.

    Args:
        trajectory: the run, in the course's frame.
        course: where it was run.
        score: of this run on this course.
        title: the first line; the second says what the run achieved.
        present: the obstacles that are there. Where some are missing, the score and its faults, which speak of a whole
            course, are left out.
    """
    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white")
    figure.text(0.03, 0.95, title, fontsize=13, weight="bold", color=_INK, parse_math=False)
    figure.text(0.03, 0.912, _achievement(score, present), fontsize=11, color=_INK)
    axes = figure.add_axes((0.06, 0.065, 0.625, 0.82), facecolor=_GROUND)
    axes.set_aspect("equal", anchor="NW")
    _draw_obstacles(axes, course, present)
    _draw_path(figure, axes, trajectory)
    _draw_gates(axes, trajectory, course, score, present)
    _set_limits(axes, trajectory, course, present)
    _write_times(figure, score, present)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def speeds(time: Array, position: Array) -> Array:
    """(T,) horizontal speed [m/s] over `SPEED_WINDOW` about each sample.

    Args:
        time: (T,) [s], never falling.
        position: (T, >= 2) [m].
    """
    moments, first = np.unique(time, return_index=True)
    if len(moments) < 2:
        return np.zeros(len(time))
    before = np.maximum(time - SPEED_WINDOW / 2, moments[0])
    after = np.minimum(time + SPEED_WINDOW / 2, moments[-1])
    x, y = (np.interp(after, moments, along) - np.interp(before, moments, along) for along in position[first, :2].T)
    return np.asarray(np.hypot(x, y) / (after - before))


def _achievement(score: Score, present: Sequence[str]) -> str:
    done = [name for name in present if score.completed[name]]
    if len(present) == len(OBSTACLES):
        words = f"score {score.value:.3f} ({score.rule} rule, {score.mode} mode)"
        words += f", {len(done)} of {len(OBSTACLES)} obstacles completed"
    else:
        words = ", ".join(f"{_plain(name)} {'' if name in done else 'not '}completed" for name in present)
    return f"{words}, {score.run_time:.2f} s"


def _draw_obstacles(axes: Axes, course: Course, present: Sequence[str]) -> None:
    for name, outline in course.outlines().items():
        if isinstance(outline, Circle):
            if "weave_poles" in present:
                axes.add_patch(Disc(outline.centre, outline.radius, color=_INK, linewidth=2, zorder=4))
        elif name in present:
            hatch = "///" if name == "broad_jump" else None
            axes.add_patch(Polygon(outline, facecolor=_BODY, edgecolor=_FAINT, hatch=hatch, linewidth=1.2, zorder=1))
            _name_obstacle(axes, name, outline)
            if name == "a_frame":
                ridge = (outline[:2] + outline[[3, 2]]) / 2
                axes.plot(*ridge.T, color=_QUIET, linewidth=1, linestyle="--", zorder=1)


def _name_obstacle(axes: Axes, name: str, corners: Array) -> None:
    """Writes the name along the lower side, from its left end."""
    sides = [corners[[1, 2]], corners[[3, 0]]]
    side = min(sides, key=lambda side: float(side[:, 1].sum()))
    left, right = side[np.argsort(side[:, 0], kind="stable")]
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    text = axes.annotate(_plain(name), (left[0], left[1]), (2, -3), textcoords="offset points", color=_QUIET, zorder=1)
    text.set(fontsize=9, rotation=angle, rotation_mode="anchor", ha="left", va="top")


def _draw_path(figure: Figure, axes: Axes, trajectory: Trajectory) -> None:
    points, speed = trajectory.base_pos[:, :2], speeds(trajectory.time, trajectory.base_pos)
    path = LineCollection(list(np.stack([points[:-1], points[1:]], axis=1)), cmap="plasma", capstyle="round", zorder=3)
    path.set(array=(speed[:-1] + speed[1:]) / 2, linewidth=2.6, clim=(0.0, max(float(speed.max()), 0.1)))
    axes.add_collection(path)
    axes.plot(*points[0], "o", color=_INK, markersize=7, markerfacecolor="white", markeredgewidth=1.6, zorder=5)
    axes.plot(*points[-1], "s", color=_INK, markersize=6, markerfacecolor="white", markeredgewidth=1.6, zorder=5)
    for touch in (trajectory.board_contact, trajectory.pole_contact):
        if touch is not None:
            begun = np.flatnonzero(np.diff(touch.astype(int), prepend=0) > 0)
            axes.plot(*points[begun].T, "X", color=_MISSED, markeredgecolor="white", markersize=9, zorder=5)
    bar = figure.colorbar(path, cax=figure.add_axes((_LEFT, 0.085, _TIMES - _LEFT, 0.016)), orientation="horizontal")
    bar.set_label("speed of the base [m/s]", color=_INK, fontsize=9)
    bar.ax.tick_params(labelsize=8, color=_FAINT, labelcolor=_INK)
    bar.outline.set_visible(False)


def _draw_gates(axes: Axes, trajectory: Trajectory, course: Course, score: Score, present: Sequence[str]) -> None:
    since = trajectory.time - trajectory.time[0]
    for gate, obstacle in enumerate(GATE_OBSTACLES):
        if OBSTACLES[obstacle] not in present:
            continue
        time, ends = score.gate_times[gate], course.gates[gate]
        colour = _MISSED if time is None else _DONE
        axes.plot(*ends.T, color=colour, linewidth=1.2, linestyle=":" if time is None else "-", zorder=2)
        place = ends.mean(axis=0)
        if time is not None:
            place = trajectory.base_pos[int(np.searchsorted(since, time - 1e-9)), :2]
        axes.plot(*place, "o", color=colour, markersize=14, markerfacecolor="white", zorder=6)
        number = axes.text(place[0], place[1], str(gate + 1), color=colour, fontsize=8, weight="bold", zorder=6)
        number.set(ha="center", va="center_baseline")


def _set_limits(axes: Axes, trajectory: Trajectory, course: Course, present: Sequence[str]) -> None:
    gates = [course.gates[gate] for gate, obstacle in enumerate(GATE_OBSTACLES) if OBSTACLES[obstacle] in present]
    outlines = [shape for name, shape in course.outlines().items() if name in present and not isinstance(shape, Circle)]
    points = np.concatenate([trajectory.base_pos[:, :2], *gates, *outlines])
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes.tick_params(labelsize=8, color=_FAINT, labelcolor=_QUIET)
    axes.set_xlabel("x [m]", color=_QUIET, fontsize=9)
    axes.set_ylabel("y [m]", color=_QUIET, fontsize=9)
    for spine in axes.spines.values():
        spine.set_color(_FAINT)


def _write_times(figure: Figure, score: Score, present: Sequence[str]) -> None:
    """The column beside the map: when each gate was crossed, and what was wrong."""
    y = 0.885 - _LINE / 2
    for name, first, count in zip(OBSTACLES, FIRST_GATES, GATE_COUNTS, strict=True):
        if name not in present:
            continue
        done = score.completed[name]
        mark, colour = ("completed", _DONE) if done else ("not completed", _MISSED)
        figure.text(_LEFT, y, _plain(name), fontsize=10, weight="bold", color=_INK, va="center")
        figure.text(_TIMES, y, mark, fontsize=9, color=colour, ha="right", va="center")
        for gate in range(first, first + count):
            y -= _LINE
            time = score.gate_times[gate]
            figure.text(_LEFT + 0.01, y, f"gate {gate + 1}", fontsize=9, color=_QUIET, va="center")
            words = "not crossed" if time is None else f"{time:.2f} s"
            figure.text(_TIMES, y, words, fontsize=9, color=_QUIET if time is None else _INK, ha="right", va="center")
        y -= 1.25 * _LINE
    if len(present) == len(OBSTACLES):
        figure.text(_LEFT, y, _faults_that_fit(score.faults), fontsize=7.5, color=_MISSED, va="top", linespacing=1.35)


def _faults_that_fit(faults: Sequence[str]) -> str:
    blocks = [textwrap.wrap(f"- {fault}", 52, subsequent_indent="  ") for fault in faults]
    if sum(map(len, blocks)) > _FAULT_LINES:
        while sum(map(len, blocks)) >= _FAULT_LINES:
            blocks.pop()
        blocks.append(["- and more, which barkyard score lists"])
    return "\n".join(line for block in blocks for line in block)


def _plain(name: str) -> str:
    return name.replace("a_frame", "A-frame").replace("_", " ")
