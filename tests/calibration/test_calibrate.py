"""From recordings to the artefact and the page."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barkyard.assets.calibration import Calibration
from barkyard.calibration import CalibrateConfig, FitConfig, Outcome, calibrate, split
from barkyard.calibration.report import error_rows, parameter_rows, write_report
from barkyard.errors import InvalidInput
from tests.calibration.synthetic import TRUTH, arm, record, unknowns

QUICK = CalibrateConfig(fit=FitConfig(starts=0, iterations=6), samples=16)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    model = arm()
    sought = unknowns(model)
    train, test = (
        [replace(record(model, sought, TRUTH, seed, seconds=5.0, noise=1e-3), sha256=f"{seed:064d}") for seed in seeds]
        for seeds in ((1, 2), (3,))
    )
    return calibrate(model, train, test, sought, QUICK)


def test_the_fit_follows_what_it_has_not_seen(outcome: Outcome) -> None:
    error = outcome.held_out[0]
    assert (error.fitted < 1.5e-3).all(), "little more than the noise of 1 mrad"
    assert (error.fitted < 0.2 * error.shipped).all() and (error.shipped < error.command).all()


def test_the_artefact_holds_it_all_and_reads_back(outcome: Outcome, tmp_path: Path) -> None:
    made = outcome.calibration()
    made.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == made
    assert made.robot == "arm" and made.model == arm().fingerprint and made.source == "real"
    assert [log.name for log in made.logs] == ["run1", "run2"]
    assert made.held_out is not None and made.held_out.recordings == ("run3",)
    assert dict(made.held_out.joints)["elbow"] == pytest.approx(float(outcome.held_out[0].fitted[1]))
    assert len(made.samples) == 16 and len(made.samples[0]) == len(made.parameters) == 10
    for parameter in made.parameters:
        truth = TRUTH[parameter.quantity][("shoulder", "elbow").index(parameter.element)]
        assert parameter.interval is not None
        low, high = parameter.interval
        assert low <= parameter.value <= high and low * 0.9 < truth < high * 1.1


def test_a_calibrated_model_moves_as_the_fit_did(outcome: Outcome) -> None:
    spec = arm().spec.copy()
    outcome.calibration().apply(spec)
    model = spec.compile()
    elbow = model.actuator("elbow")
    assert elbow.gainprm[0] == pytest.approx(12.0, rel=0.05)
    assert model.actuator_delay[elbow.id] == pytest.approx(0.018, abs=0.002)


def test_a_surrogates_logs_make_a_surrogates_calibration(outcome: Outcome) -> None:
    logs = tuple(replace(log, source="surrogate") for log in outcome.problem.logs)
    copy = replace(outcome, problem=replace(outcome.problem, logs=logs))
    assert copy.calibration().source == "surrogate"


def test_rows_and_page(outcome: Outcome, tmp_path: Path) -> None:
    rows = error_rows(outcome, outcome.held_out)
    assert [row[0] for row in rows] == ["shoulder", "elbow", "all joints"]
    both = np.mean(outcome.held_out[0].fitted ** 2)
    assert rows[-1][1] == f"{1e3 * np.sqrt(both):.2f}"
    write_report(outcome, tmp_path / "report.html", command="barkyard calibrate <run>")
    page = (tmp_path / "report.html").read_text()
    for row in (*rows, *parameter_rows(outcome)):
        assert row[0] in page and row[1] in page
    assert page.count("data:image/png;base64,") == 2 and "&lt;run&gt;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_recording_cannot_be_fitted_and_held_out(outcome: Outcome) -> None:
    logs = outcome.problem.logs
    with pytest.raises(InvalidInput, match="run1 is held out and fitted"):
        calibrate(arm(), logs, logs[:1], outcome.problem.unknowns, QUICK)
    with pytest.raises(InvalidInput, match="there is no recording to fit"):
        calibrate(arm(), [], [], outcome.problem.unknowns, QUICK)
    other = logs[0].without(("elbow",))
    with pytest.raises(InvalidInput, match="has the joints shoulder"):
        calibrate(arm(), [logs[1], other], [], outcome.problem.unknowns, QUICK)


def test_split_is_in_time(outcome: Outcome) -> None:
    first, rest = split(outcome.problem.logs, 0.6)
    for log, before, after in zip(outcome.problem.logs, first, rest, strict=True):
        assert before.time[-1] < after.time[0] and len(before.time) + len(after.time) == len(log.time)
        assert after.speed is not None and before.speed is None
    with pytest.raises(InvalidInput, match="split is 1.5"):
        split(outcome.problem.logs, 1.5)
