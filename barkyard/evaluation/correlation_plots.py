"""Pictures of an agreement: real against simulated rates, the ranks on both sides, and predicted against real rates."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.stats import rankdata

from barkyard.evaluation.plots import ACCENT, FAINT, INK, SECOND, inline_svg, plain_frame
from barkyard.evaluation.prediction import PredictedOutcome
from barkyard.evaluation.task_agreement import PolicyOutcome, TaskAgreement

_LIMITS = (-0.04, 1.04)


def agreement_figure(agreement: TaskAgreement) -> Figure:
    """Left the rates with exact 95 % intervals and the identity line, right the ranks, violated ones in another colour.

    Policies are numbered from 1 in their order; a page beside the picture names them.
    """
    figure = Figure(figsize=(7.6, 3.7))
    scatter = figure.add_axes((0.08, 0.13, 0.44, 0.84))
    ranks = figure.add_axes((0.63, 0.13, 0.34, 0.84))
    _draw_rates(scatter, agreement.outcomes)
    _draw_ranks(ranks, agreement.outcomes)
    return figure


def agreement_svg(agreement: TaskAgreement) -> str:
    """`agreement_figure` as inline SVG."""
    return inline_svg(agreement_figure(agreement))


def prediction_figure(outcomes: Sequence[PredictedOutcome]) -> Figure:
    """Predicted 95 % intervals as bars with their means, and real rates as dots, in another colour outside the bar.

    Policies are numbered from 1 in their order; a page beside the picture names them.
    """
    figure = Figure(figsize=(7.6, 2.6))
    axes = figure.add_axes((0.08, 0.18, 0.9, 0.78))
    for number, outcome in enumerate(outcomes, start=1):
        colour = ACCENT if outcome.held else SECOND
        axes.vlines(number, *outcome.prediction.interval, color=colour, linewidth=9, alpha=0.3)
        axes.hlines(outcome.prediction.mean, number - 0.14, number + 0.14, color=colour, linewidth=2)
        axes.plot([number], [outcome.real_rate], "o", color=INK if outcome.held else SECOND, markersize=5)
    axes.set(xlim=(0.4, len(outcomes) + 0.6), ylim=_LIMITS)
    axes.set_xticks(np.arange(1, len(outcomes) + 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    axes.set_xlabel("policy", color=INK)
    axes.set_ylabel("real success [%]", color=INK)
    plain_frame(axes)
    return figure


def prediction_svg(outcomes: Sequence[PredictedOutcome]) -> str:
    """`prediction_figure` as inline SVG."""
    return inline_svg(prediction_figure(outcomes))


def _draw_rates(axes: Axes, outcomes: tuple[PolicyOutcome, ...]) -> None:
    axes.plot(_LIMITS, _LIMITS, linestyle=(0, (4, 3)), color=FAINT, linewidth=1.5)
    for number, outcome in enumerate(outcomes, start=1):
        x, y, colour = outcome.sim_rate, outcome.real_rate, _colour(outcome)
        axes.hlines(y, *outcome.sim_interval, color=colour, linewidth=2.5, alpha=0.35)
        axes.vlines(x, *outcome.real_interval, color=colour, linewidth=2.5, alpha=0.35)
        axes.plot([x], [y], "o", color=colour, markersize=6)
        above = y < 0.9
        axes.annotate(
            str(number), (x, y), xytext=(6, 5 if above else -13), textcoords="offset points", color=INK, fontsize=9
        )
    axes.set(xlim=_LIMITS, ylim=_LIMITS)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=""))
        axis.set_ticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("simulated success [%]", color=INK)
    axes.set_ylabel("real success [%]", color=INK)
    plain_frame(axes)


def _draw_ranks(axes: Axes, outcomes: tuple[PolicyOutcome, ...]) -> None:
    real = rankdata([-outcome.real_rate for outcome in outcomes])
    sim = rankdata([-outcome.sim_rate for outcome in outcomes])
    for number, (outcome, left, right) in enumerate(zip(outcomes, real, sim, strict=True), start=1):
        colour = _colour(outcome)
        axes.plot([0, 1], [left, right], "o-", color=colour, linewidth=1 + 12 * outcome.violation, markersize=5)
        for x, rank, side in ((-0.08, left, "right"), (1.08, right, "left")):
            tied = [i for i, other in enumerate(real if x < 0 else sim, start=1) if other == rank]
            shift = 0.32 * tied.index(number) * (-1 if side == "right" else 1)
            axes.text(x + shift, rank, str(number), color=INK, ha=side, va="center", fontsize=9)
    axes.set(xlim=(-0.9, 1.9), ylim=(len(outcomes) + 0.6, 0.4))
    axes.set_xticks([0, 1], ["real", "simulated"])
    axes.set_yticks(np.arange(1, len(outcomes) + 1) if len(outcomes) <= 12 else [1, len(outcomes)])
    axes.set_ylabel("rank", color=INK)
    plain_frame(axes)
    axes.grid(visible=False)


def _colour(outcome: PolicyOutcome) -> str:
    return SECOND if outcome.violation > 0 else ACCENT
