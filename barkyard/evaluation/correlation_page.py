"""A study of real against simulated success as one page, and in a few lines of text."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from barkyard.evaluation.atomic import write_atomically
from barkyard.evaluation.correlation_plots import agreement_svg, prediction_svg
from barkyard.evaluation.correlation_report import CorrelationReport
from barkyard.evaluation.intervals import Interval
from barkyard.evaluation.prediction import PredictedOutcome
from barkyard.evaluation.shifts import Effect, Shift
from barkyard.evaluation.task_agreement import SIGNIFICANT, Measure, PolicyOutcome, TaskAgreement, TopPolicy

MEASURE_NAMES: Final = {"pearson": "Pearson r", "spearman": "Spearman rho", "mmrv": "MMRV"}
UNDEFINED: Final = "undefined"


def write_page(report: CorrelationReport, path: Path | str) -> None:
    """Write one HTML file that needs nothing else: no network, no scripts, no other file.

    Raises:
        ResultError: the file cannot be written; an earlier one stays as it was.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = resources.files(__package__).joinpath("correlation.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(source).render(
        report=report,
        rows=[_row(agreement) for agreement in report.tasks],
        shifts=[_shift(shift) for shift in report.shifts],
        predictions=_predictions(report.predictions),
    )
    write_atomically(Path(path), page.encode("utf-8", errors="replace"))


def agreement_words(agreement: TaskAgreement) -> str:
    """What a roboticist has to know, in a sentence or three."""
    chance = agreement.measures["mmrv"].chance
    parts = []
    if chance is not None:
        parts.append(
            "The simulation orders these policies better than chance"
            if chance <= SIGNIFICANT
            else "That the simulation orders these policies better than chance is not shown"
        )
        parts[-1] += f" (MMRV, permutation p {f'= {chance:.3f}' if chance >= 0.001 else '< 0.001'})."
    if agreement.order_p is not None and agreement.line_p is not None:
        if max(agreement.order_p, agreement.line_p) > SIGNIFICANT:
            parts.append("Its order may be right throughout: the violations are within the luck of the trials.")
        else:
            parts.append("Some of its order is wrong: more trials would not mend it.")
    differing = sum(outcome.p <= SIGNIFICANT for outcome in agreement.outcomes)
    parts.append(
        f"Simulated and real success differ for {differing} of {len(agreement.outcomes)} policies (p <= 0.05 each)."
    )
    return " ".join(parts)


def top_words(top: TopPolicy | None) -> str:
    """How likely the simulation's first choice is the best in reality, and what it costs."""
    if top is None:
        return UNDEFINED
    others = f" (tied with {', '.join(top.picked[1:])})" if len(top.picked) > 1 else ""
    mean, bound = top.loss
    return f"{top.picked[0]}{others}: {100 * top.best:.0f} %; costs {100 * mean:.1f} points, at most {100 * bound:.1f}"


def prediction_words(outcomes: Sequence[PredictedOutcome]) -> str:
    """In how many policies the real rate was as predicted, and from how many simulated robots."""
    held = sum(outcome.held for outcome in outcomes)
    robots = max(outcome.prediction.parameter_sets for outcome in outcomes)
    source = (
        f"samples of the calibration, {robots} of them," if robots > 1 else "one set of parameters, taken as right,"
    )
    return f"Intervals predicted from {source} hold the real success of {held} of {len(outcomes)} policies (95 % each)."


def interval_words(interval: Interval | None, digits: int = 2) -> str:
    """Such as `0.73 to 0.94`."""
    return UNDEFINED if interval is None else f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def measure_cells(measures: dict[str, Measure]) -> list[dict[str, str]]:
    """Every measure as text; no value comes without its interval."""
    return [
        {
            "name": MEASURE_NAMES[name],
            "value": UNDEFINED if measure.value is None else f"{measure.value:.3f}",
            "interval": interval_words(measure.interval, 3 if name == "mmrv" else 2),
            "others": interval_words(measure.others, 3 if name == "mmrv" else 2),
            "chance": UNDEFINED if measure.chance is None else f"{measure.chance:.3f}",
            "bootstrap": interval_words(measure.bootstrap, 3 if name == "mmrv" else 2),
        }
        for name, measure in measures.items()
    ]


def _row(agreement: TaskAgreement) -> dict[str, Any]:
    return {
        "agreement": agreement,
        "cells": measure_cells(agreement.measures),
        "top": top_words(agreement.top),
        "words": agreement_words(agreement),
        "plot": Markup(agreement_svg(agreement)),
        "lines": [_line(outcome) for outcome in agreement.outcomes],
    }


def _line(outcome: PolicyOutcome) -> dict[str, Any]:
    low, high = (100 * bound for bound in outcome.difference)
    return {
        "policy": outcome.policy,
        "real": _rate_words(outcome.real, outcome.real_interval),
        "sim": _rate_words(outcome.sim, outcome.sim_interval),
        "difference": f"{100 * (outcome.real_rate - outcome.sim_rate):+.1f} [{low:+.1f}, {high:+.1f}]",
        "p": f"{outcome.p:.3f}" if outcome.p >= 0.001 else "< 0.001",
        "violated": outcome.violation > 0,
        "violation": f"{100 * outcome.violation:.1f} points, to {outcome.against}" if outcome.violation > 0 else "none",
    }


def _rate_words(counts: tuple[float, float], interval: Interval) -> str:
    successes, trials = counts
    return f"{100 * successes / trials:.1f} % of {trials:.0f} [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def _predictions(outcomes: Sequence[PredictedOutcome]) -> list[dict[str, Any]]:
    by_task: dict[str, list[PredictedOutcome]] = {}
    for outcome in outcomes:
        by_task.setdefault(outcome.task, []).append(outcome)
    return [
        {
            "task": task,
            "words": prediction_words(group),
            "plot": Markup(prediction_svg(group)),
            "lines": [
                {
                    "policy": each.policy,
                    "predicted": f"{100 * each.prediction.mean:.1f} %",
                    "interval": " - ".join(f"{100 * bound:.0f}" for bound in each.prediction.interval) + " %",
                    "spread": f"{100 * each.prediction.spread:.1f}"
                    if each.prediction.parameter_sets > 1
                    else "unknown",
                    "real": f"{each.real[0]} of {each.real[1]} = {100 * each.real_rate:.1f} %",
                    "held": each.held,
                }
                for each in group
            ],
        }
        for task, group in by_task.items()
    ]


def _shift(shift: Shift) -> dict[str, str]:
    return {
        "task": shift.task,
        "change": f"{shift.factor}: {shift.base} to {shift.level}",
        "real": _effect_words(shift.real),
        "sim": _effect_words(shift.sim),
        "verdict": shift.verdict,
    }


def _effect_words(effect: Effect | None) -> str:
    if effect is None:
        return "not tried"
    low, high = (100 * bound for bound in effect.interval)
    return f"{100 * effect.change:+.1f} [{low:+.1f}, {high:+.1f}] of {effect.shifted[1]}"
