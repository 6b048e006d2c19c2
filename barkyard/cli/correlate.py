"""`barkyard correlate`: does the simulated score predict the real one?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from tyro.conf import Positional, arg

from barkyard.cli.opening import typed_command
from barkyard.cli.terminal import Json, print_json, print_note, print_text, table
from barkyard.errors import InvalidInput

if TYPE_CHECKING:
    from barkyard.evaluation.correlation_report import CorrelationReport
    from barkyard.evaluation.result import EvalResult
    from barkyard.evaluation.task_agreement import TaskAgreement
    from barkyard.evaluation.trials import TrialSet

PLANNED_RATES: Final = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
PLANNED_TRIALS: Final = (10, 20, 50, 100, 200, 500, 1000)


def correlate(
    sim: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME=]SIM.json")] = (),
    /,
    *,
    real: Annotated[tuple[str, ...], arg(metavar="[NAME=]FILE")] = (),
    out: Annotated[Path | None, arg(metavar="FOLDER")] = None,
    published: Literal["simpler"] | None = None,
    plan_width: float | None = None,
    seed: int = 0,
    as_json: Json = False,
) -> int:
    """Compare simulated with real success over policies: Pearson, Spearman, MMRV, each with an interval.

    Args:
        sim: results of barkyard evaluate; NAME= names the policy, which is otherwise the result's actor.
        real: tables of real trials (.csv or .json with policy, task, trial, success), or results of source real or
            surrogate.
        out: where correlation.json and correlation.html go.
        published: show published rates instead, with the intervals that their numbers of trials support.
        plan_width: how many real trials of a policy would make an interval this wide: of r for the given policies, or
            of a success rate where none are given.
        seed: of all draws.
        as_json: print JSON.
    """
    from barkyard.evaluation.correlation_page import write_page

    if plan_width is not None and not sim and not real and published is None:
        return _plan(plan_width, None, as_json)
    report = _report(sim, real, published, seed)
    if plan_width is not None:
        return _plan(plan_width, report, as_json)
    if out is not None:
        report.save(out / "correlation.json")
        write_page(report, out / "correlation.html")
        print_note(f"the report is {out / 'correlation.html'}")
    if as_json:
        print_json(report.to_json())
    else:
        print_text(in_words(report))
    return 0


def in_words(report: "CorrelationReport") -> str:
    """A line a task, what each line means, and the warnings."""
    from barkyard.evaluation.correlation_page import agreement_words, measure_cells, prediction_words, top_words

    header = (
        "task",
        "policies",
        "Pearson r",
        "95 %",
        "Spearman rho",
        "95 %",
        "MMRV",
        "95 %",
        "first choice is the best",
    )
    rows = []
    for agreement in report.tasks:
        cells = measure_cells(agreement.measures)
        numbers = [text for cell in cells for text in (cell["value"], cell["interval"])]
        rows.append((agreement.task, str(len(agreement.outcomes)), *numbers, top_words(agreement.top).split(";")[0]))
    lines = [printable(table(header, rows)), ""]
    if report.real_source != "real":
        lines.append(f"the real side is a {report.real_source}, not a robot")
    for agreement in report.tasks:
        lines.append(printable(f"{agreement.task}: {agreement_words(agreement)}"))
        lines += [printable(f"  warning: {warning}") for warning in agreement.warnings]
    for task in dict.fromkeys(outcome.task for outcome in report.predictions):
        group = [outcome for outcome in report.predictions if outcome.task == task]
        lines.append(printable(f"{task}: {prediction_words(group)}"))
    return "\n".join([*lines, *(printable(f"note: {note}") for note in report.notes)])


def named_result(word: str) -> "tuple[str, EvalResult]":
    """The policy's name and its result, from `FILE` or `NAME=FILE`."""
    from barkyard.evaluation import EvalResult

    name, equals, path = word.partition("=")
    if equals and not Path(word).exists():
        if not name:
            raise InvalidInput(f"{word!r} gives no name; write NAME=FILE, or FILE")
        return name, EvalResult.load(path)
    result = EvalResult.load(word)
    return result.actor, result


def _report(sim: tuple[str, ...], real: tuple[str, ...], published: str | None, seed: int) -> "CorrelationReport":
    from barkyard.evaluation.correlation_report import correlate as run_correlation
    from barkyard.evaluation.published import simpler_report
    from barkyard.evaluation.trials import trials_of_results

    if published is not None:
        if sim or real:
            raise InvalidInput("--published shows published rates alone; leave the files out, or --published")
        return simpler_report(seed, typed_command())
    if not sim or not real:
        raise InvalidInput("give results of barkyard evaluate and --real FILE, or --published simpler")
    simulated = trials_of_results([named_result(word) for word in sim])
    return run_correlation(
        real=real_trials(real), sim=simulated, title="Simulation against reality", seed=seed, command=typed_command()
    )


def real_trials(words: tuple[str, ...]) -> "TrialSet":
    """Trials of the real side, from tables and results, each `FILE` or `NAME=FILE`."""
    from barkyard.evaluation.trials import is_result, join, read_real_trials, trials_of_results

    tables = [read_real_trials(word) for word in words if not is_result(_path(word))]
    results = [named_result(word) for word in words if is_result(_path(word))]
    return join([*tables, *([trials_of_results(results)] if results else [])])


def _path(word: str) -> Path:
    return Path(word) if Path(word).exists() else Path(word.partition("=")[2] or word)


def _plan(width: float, report: "CorrelationReport | None", as_json: bool) -> int:
    """Prints real trials for a rate's interval, or what more trials would make of each task's measures."""
    if report is None:
        from barkyard.evaluation.planning import trials_for_width

        plan = {f"{rate:g}": trials_for_width(width, rate) for rate in PLANNED_RATES}
        if as_json:
            print_json({"width": width, "trials": plan})
        else:
            print_text(f"real trials of a policy for an exact 95 % interval {100 * width:g} points wide, on average:")
            print_text(table(("success rate", "trials"), [(f"{100 * float(k):g} %", str(n)) for k, n in plan.items()]))
        return 0
    plans = [_agreement_plan(agreement, width) for agreement in report.tasks if len(agreement.outcomes) >= 3]
    if as_json:
        print_json({"width": width, "tasks": plans})
    else:
        print_text("mean width of the 95 % intervals for these policies, if the observed rates were the true ones:")
        rows = [
            (plan["task"], str(line["trials"]), *(f"{line[name]:.3f}" for name in ("pearson", "spearman", "mmrv")))
            for plan in plans
            for line in plan["widths"]
        ]
        print_text(printable(table(("task", "real trials", "Pearson r", "Spearman rho", "MMRV"), rows)))
        for plan in plans:
            enough = plan["enough"] or f"more than {PLANNED_TRIALS[-1]}"
            print_text(printable(f"{plan['task']}: r to within {width:g} takes {enough} real trials of each policy"))
    return 0


def _agreement_plan(agreement: "TaskAgreement", width: float) -> dict[str, Any]:
    import numpy as np

    from barkyard.evaluation.planning import widths_of_agreement

    rates = np.array([(outcome.real_rate, outcome.sim_rate) for outcome in agreement.outcomes])
    sim_trials = round(min(outcome.sim[1] for outcome in agreement.outcomes))
    widths = [{"trials": each, **widths_of_agreement(rates, each, sim_trials)} for each in PLANNED_TRIALS]
    enough = next((line["trials"] for line in widths if line["pearson"] <= width), None)
    return {"task": agreement.task, "sim_trials": sim_trials, "widths": widths, "enough": enough}


def printable(text: str) -> str:
    """Without the control characters with which a file from elsewhere could drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
