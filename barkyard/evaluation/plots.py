"""Plots as inline SVG that take their colours from the page around them."""

import io
import re
from collections.abc import Sequence
from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from barkyard.evaluation.intervals import Interval

INK, FAINT, ACCENT, SECOND = "#010101", "#020202", "#030303", "#040404"
_PAGE_COLOURS = {INK: "currentColor", FAINT: "var(--faint)", ACCENT: "var(--accent)", SECOND: "var(--second)"}
_NOT_FOR_INLINE = "|".join(
    (
        r"^.*?(?=<svg)",
        r"<metadata>.*?</metadata>",
        r"<style.*?</style>",
        r' xmlns(:\w+)?="[^"]*"',
        r'(?<=<g) id="[^"]*"',
    )
)

MAX_POINTS = 400
"""A longer curve is drawn as the means of this many equal stretches."""

Curve = Sequence[tuple[float, float]]


def interval_svg(rate: float, interval: Interval) -> str:
    """A strip from 0 to 1 with the interval as a bar and the rate as a dot; no text."""
    figure = Figure(figsize=(2.6, 0.26))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-0.03, 1.03), ylim=(-1, 1))
    axes.set_axis_off()
    axes.hlines(0, 0, 1, color=FAINT, linewidth=1)
    axes.vlines((0, 0.5, 1), -0.5, 0.5, color=FAINT, linewidth=1)
    axes.hlines(0, interval.low, interval.high, color=ACCENT, linewidth=5, alpha=0.45)
    axes.plot([rate], [0], "o", color=ACCENT, markersize=7)
    return inline_svg(figure)


def training_svg(loss: Curve, heldout_loss: Curve) -> str:
    """Training and held-out loss `(step, loss)` over steps, on a logarithmic scale where no loss is 0 or less."""
    figure = Figure(figsize=(6.4, 2.6))
    axes = figure.add_axes((0.09, 0.19, 0.89, 0.78))
    for curve, colour, width in ((loss, ACCENT, 1.2), (heldout_loss, SECOND, 2.0)):
        if curve:
            shown = stretch_means(curve, MAX_POINTS)
            marker = "o" if len(shown) <= 20 else ""
            axes.plot(*zip(*shown, strict=True), color=colour, linewidth=width, marker=marker, markersize=3)
    if all(value > 0 for _, value in (*loss, *heldout_loss)):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("loss", color=INK)
    plain_frame(axes)
    return inline_svg(figure)


def stretch_means(curve: Curve, stretches: int) -> list[tuple[float, float]]:
    """Means of (step, value) over at most `stretches` stretches of equal length, up to rounding."""
    if len(curve) <= stretches:
        return list(curve)
    edges = [i * len(curve) // stretches for i in range(stretches + 1)]
    parts = [curve[low:high] for low, high in pairwise(edges)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def plain_frame(axes: Axes) -> None:
    """A grid behind the data, and no box around it."""
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=9)
    for spine in axes.spines.values():
        spine.set_visible(False)


def inline_svg(figure: Figure) -> str:
    """The figure as SVG for a page that gives `--faint`, `--accent` and `--second` their colours."""
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "barkyard"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = re.sub(_NOT_FOR_INLINE, "", buffer.getvalue(), flags=re.DOTALL)
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg
