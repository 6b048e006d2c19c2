"""A study, whole: from made-up trials to JSON and the page."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barkyard.errors import InvalidInput
from barkyard.evaluation.agreement import Counts
from barkyard.evaluation.correlation_page import agreement_words, measure_cells, top_words, write_page
from barkyard.evaluation.correlation_plots import agreement_figure
from barkyard.evaluation.correlation_report import MEAN_OF_TASKS, SCHEMA, CorrelationReport, correlate
from barkyard.evaluation.planning import widths_of_agreement
from barkyard.evaluation.prediction import predict_success
from barkyard.evaluation.published import SIMPLER_NOTES, simpler_report, simpler_tables
from barkyard.evaluation.task_agreement import TaskAgreement, measure_agreement
from barkyard.evaluation.trials import Trial, TrialSet

from .test_report import HOSTILE, Page


def made_up(source: str, count: int, successes: dict[str, int], task: str = "T", light: str = "base") -> list[Trial]:
    return [
        Trial(policy, task, f"{source}{light}{i}", i < k, {"light": light})
        for policy, k in successes.items()
        for i in range(count)
    ]


def side(source: str, *trials: list[Trial]) -> TrialSet:
    return TrialSet(source, tuple(trial for each in trials for trial in each), (("made up", "00"),))


REAL = side(
    "real",
    made_up("real", 20, {"a": 18, "b": 12, "c": 6, "d": 1}),
    made_up("real", 40, {"a": 30, "b": 35, "c": 6}, "U"),
    made_up("real", 20, {"a": 2, "b": 1, "c": 0, "d": 0}, light="dark"),
)
SIM = side(
    "sim",
    made_up("sim", 100, {"a": 95, "b": 40, "c": 55, "d": 3}),
    made_up("sim", 100, {"a": 60, "b": 80, "c": 20, "e": 1}, "U"),
    made_up("sim", 100, {"a": 94, "b": 41, "c": 55, "d": 3}, light="dark"),
)


@pytest.fixture(scope="module")
def report() -> CorrelationReport:
    return correlate(real=REAL, sim=SIM, title="Made up", command="barkyard correlate made up")


def task(report: CorrelationReport, name: str) -> TaskAgreement:
    [found] = [agreement for agreement in report.tasks if agreement.task == name]
    return found


def test_tasks_policies_and_who_is_left_out(report: CorrelationReport) -> None:
    assert [(each.task, [o.policy for o in each.outcomes]) for each in report.tasks] == [
        ("T", ["a", "b", "c", "d"]),
        ("U", ["a", "b", "c"]),
        (MEAN_OF_TASKS, ["a", "b", "c"]),
    ]
    assert "U: e is left out, it has no real trials" in report.notes
    first = task(report, "T").outcomes[0]
    assert (first.real, first.sim) == ((20, 40), (189, 200))
    assert [(shift.level, shift.verdict) for shift in report.shifts] == [("dark", "shown only in reality")]


def test_every_value_has_an_interval_that_holds_it(report: CorrelationReport) -> None:
    for agreement in report.tasks:
        for measure in agreement.measures.values():
            assert measure.value is not None and measure.interval is not None
            assert measure.interval.low <= measure.value <= measure.interval.high
        for outcome in agreement.outcomes:
            assert outcome.real_interval.low <= outcome.real_rate <= outcome.real_interval.high


def test_violations_name_the_pair(report: CorrelationReport) -> None:
    b, c = task(report, "T").outcomes[1:3]
    assert b.violation == c.violation == pytest.approx((13 - 6) / 40)
    assert (b.against, c.against) == ("c", "b")
    assert task(report, "T").outcomes[0].violation == 0.0


def test_the_mean_of_tasks_claims_the_certainty_of_its_trials(report: CorrelationReport) -> None:
    a = task(report, MEAN_OF_TASKS).outcomes[0]
    assert a.real_rate == pytest.approx((20 / 40 + 30 / 40) / 2)
    assert a.real[1] == pytest.approx(4 / (1 / 40 + 1 / 40))


def test_the_same_trials_give_the_same_report(report: CorrelationReport) -> None:
    again = correlate(real=REAL, sim=SIM, title="Made up", command="barkyard correlate made up")
    assert again.to_json() == report.to_json()


def test_json(report: CorrelationReport, tmp_path: Path) -> None:
    report.save(tmp_path / "correlation.json")
    data = json.loads((tmp_path / "correlation.json").read_text())
    assert data["schema"] == SCHEMA
    first = data["tasks"][0]
    assert first["outcomes"][0]["real_rate"] == 0.5
    assert len(first["measures"]["mmrv"]["interval"]) == 2
    assert data["shifts"][0]["verdict"] == "shown only in reality"
    told = data["predictions"][0]
    assert (told["task"], told["policy"], told["real"], told["held"]) == ("T", "a", [20, 40], False)
    assert told["prediction"]["mean"] == pytest.approx(190 / 202)


def test_the_page_holds_everything(report: CorrelationReport, tmp_path: Path) -> None:
    write_page(report, tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert page.open == []
    assert page.sections()[0] == "summary" and page.sections()[-3:] == ["predictions", "shifts", "provenance"]
    assert len(page.all("svg")) == len(report.tasks) + 2
    assert not re.search(r"https?:|//www|@import|url\((?!#)|<script|#0[1-4]0[1-4]0[1-4]", page.source)
    for text in ("50.0 % of 40 [34, 66]", "17.5 points, to c", "shown only in reality", "barkyard correlate made up"):
        assert text in page.text, text


def test_samples_of_a_calibration_are_told_apart(tmp_path: Path) -> None:
    trials = tuple(replace(trial, sample=i % 10) for i, trial in enumerate(SIM.trials))
    drawn = correlate(real=REAL, sim=replace(SIM, trials=trials), title="x")
    [a] = [each for each in drawn.predictions if (each.task, each.policy) == ("U", "a")]
    assert a.prediction == predict_success([6] * 10, [10] * 10, 40) and a.held
    write_page(drawn, tmp_path / "page.html")
    assert "samples of the calibration, 10 of them, hold" in Page(tmp_path / "page.html").text


def test_no_rate_stands_without_an_interval(report: CorrelationReport, tmp_path: Path) -> None:
    write_page(report, tmp_path / "page.html")
    for count in re.findall(r"\d+\.\d % of \d+(.{3})", Page(tmp_path / "page.html").text):
        assert count.startswith(" [")


def test_hostile_names_are_text(tmp_path: Path) -> None:
    names = {HOSTILE: "a", HOSTILE + "2": "b", HOSTILE + "3": "c"}
    sets = [
        side(source, made_up(source, 5, {name: i for i, name in enumerate(names)}, task=HOSTILE))
        for source in ("real", "sim")
    ]
    write_page(correlate(real=sets[0], sim=sets[1], title=HOSTILE, command=HOSTILE), tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert page.text.count(HOSTILE) >= 6 and page.all("script") == []


def test_a_surrogate_is_called_one(tmp_path: Path) -> None:
    real = replace(REAL, source="surrogate")
    write_page(correlate(real=real, sim=SIM, title="x"), tmp_path / "page.html")
    assert 'The "real" side is a surrogate' in Page(tmp_path / "page.html").text


def test_two_policies_get_no_correlation() -> None:
    counts = Counts(np.array([[3.0, 40.0], [9.0, 60.0]]), np.array([[10.0, 100.0], [10.0, 100.0]]))
    agreement = measure_agreement("T", ("a", "b"), counts)
    assert agreement.measures["pearson"].value is None and agreement.top is None
    assert agreement.measures["mmrv"].value == 0.0 and agreement.measures["mmrv"].interval is None
    assert "two always lie on a line" in agreement.warnings[0]
    assert {cell["interval"] for cell in measure_cells(agreement.measures)} == {"undefined"}
    assert top_words(agreement.top) == "undefined"
    assert agreement_words(agreement)


def test_few_policies_and_trials_are_warned_of_with_the_numbers() -> None:
    counts = Counts(np.array([[3.0, 40.0], [5.0, 50.0], [9.0, 60.0]]), np.tile([10.0, 100.0], (3, 1)))
    few, trials = measure_agreement("T", ("a", "b", "c"), counts).warnings
    assert "1/6 = 0.167" in few and "0.997" in few
    assert "b has 10, and its interval is 19 - 81 %" in trials


def test_constant_rates_are_undefined() -> None:
    counts = Counts(np.array([[10.0, 40.0], [10.0, 50.0], [10.0, 60.0]]), np.tile([10.0, 100.0], (3, 1)))
    measures = measure_agreement("T", ("a", "b", "c"), counts).measures
    assert measures["pearson"].value is None and measures["spearman"].value is None
    assert measures["mmrv"].value == 0.0


def test_the_best_policy_by_a_clear_margin_is_found() -> None:
    counts = Counts(np.array([[99.0, 990.0], [50.0, 500.0], [1.0, 10.0]]), np.tile([100.0, 1000.0], (3, 1)))
    top = measure_agreement("T", ("a", "b", "c"), counts).top
    assert top is not None
    assert (top.picked, top.best, top.same) == (("a",), 1.0, 1.0)
    assert top.loss == (0.0, 0.0)


def test_nothing_in_common_says_what_there_is() -> None:
    other = side("sim", made_up("sim", 5, {"x": 1, "y": 2}))
    with pytest.raises(InvalidInput, match="Real: a on T.* Simulated: x on T, y on T"):
        correlate(real=REAL, sim=other, title="x")


def test_a_figure_of_ties_and_of_many() -> None:
    for count in (3, 14):
        counts = Counts(np.full((count, 2), 5.0), np.full((count, 2), 10.0))
        agreement = measure_agreement("T", tuple(map(str, range(count))), counts)
        assert len(agreement_figure(agreement).axes) == 2


def test_published_trials() -> None:
    tables = {table.task: table for table in simpler_tables()}
    coke = tables["coke can, mean, visual matching"].counts
    assert coke.trials[0].tolist() == [75, 300] and coke.successes[0] == pytest.approx([0.853 * 75, 0.857 * 300])
    assert tables["open drawer, visual matching"].real_trials == (27, 27, 27, 27, 27, 2)
    assert tables["apple in drawer, variant aggregation"].real_trials == (27,) * 6
    assert tables["WidowX, carrot on plate"].sim_trials == (24, 72, 72)
    assert any("0 of 2" in note for note in SIMPLER_NOTES)


def test_more_trials_make_narrower_intervals() -> None:
    rates = np.array([[0.9, 0.8], [0.6, 0.5], [0.3, 0.4], [0.2, 0.1]])
    few, many = (widths_of_agreement(rates, trials, 200, repeats=10) for trials in (10, 500))
    assert all(many[name] < few[name] for name in few) and not any(map(math.isnan, few.values()))


@pytest.mark.slow
def test_the_audit_says_what_the_command_finds() -> None:
    page = (Path(__file__).parents[2] / "docs/simpler_audit.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")][1:]
    tasks = {agreement.task: agreement for agreement in simpler_report().tasks}
    assert [row[0] for row in rows] == list(tasks)
    for name, r, r_interval, value, _, chance, _, order, first in rows:
        agreement = tasks[name]
        pearson, _, mmrv = measure_cells(agreement.measures)
        assert (r, value, chance) == (pearson["value"], mmrv["value"], mmrv["chance"])
        assert r_interval == pearson["interval"]
        assert agreement.top is not None and agreement.order_p is not None and agreement.line_p is not None
        assert first == f"{agreement.top.picked[0]}: {100 * agreement.top.best:.0f} %"
        assert (order == "yes") == (max(agreement.order_p, agreement.line_p) > 0.05)
