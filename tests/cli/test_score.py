"""`barkyard score`, and the page about the course."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.agility import Course, Trajectory, save_course, score_trajectory
from barkyard.cli.main import main
from barkyard.evaluation.path_plot import path_png
from tests.agility.runs import loopholes, run_over
from tests.test_readme import ROOT, blocks, commands

COURSE = Course.standard()


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """The log of a clean run of 22.951 s."""
    run_over(COURSE, seconds=22.951).save(tmp_path / "slow.csv")
    return tmp_path / "slow.csv"


def scored(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["score", *words, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_the_score_in_words(slow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(slow)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines()[0] == "score 0.877 (script rule, strict mode), run time 22.95 s"
    assert [line.split()[:3] for line in captured.out.splitlines()[2:]] == [
        ["start_table", "yes", "1"],
        ["weave_poles", "yes", "6"],
        ["a_frame", "yes", "3"],
        ["broad_jump", "yes", "2"],
        ["end_table", "yes", "1"],
    ]


def test_faults_and_what_is_not_judged_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = loopholes(COURSE)["over the board on foot"]
    replace(run, pole_contact=None).save(tmp_path / "run.npz")
    assert main(["score", str(tmp_path / "run.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("fault: the board was passed with a foot on the ground") for line in lines)
    assert "not judged: whether a pole was touched (no pole_contact)" in lines


def test_rules_and_modes(slow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scored(capsys, str(slow))["score"] == pytest.approx(0.877, abs=1e-5)
    assert scored(capsys, str(slow), "--rule", "paper")["score"] == pytest.approx(0.88)
    run, _ = loopholes(COURSE)["wrong order"]
    run.save(tmp_path / "run.csv")
    strict, published = (scored(capsys, str(tmp_path / "run.csv"), "--mode", mode) for mode in ("strict", "published"))
    assert (strict["completed"]["a_frame"], published["completed"]["a_frame"]) == (False, True)
    assert (strict["mode"], strict["rule"], strict["log"]) == ("strict", "script", str(tmp_path / "run.csv"))


def test_another_course(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    course = COURSE.varied(1.0, np.random.default_rng(0)).moved((1.0, 2.0), 1.0)
    save_course(course, tmp_path / "course.json")
    run_over(course).save(tmp_path / "run.npz")
    words = [str(tmp_path / "run.npz"), "--course", str(tmp_path / "course.json")]
    assert scored(capsys, *words)["score"] == 1.0
    assert scored(capsys, words[0])["score"] < 0.5


def test_a_course_beside_the_log_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    course = COURSE.varied(1.0, np.random.default_rng(0))
    save_course(course, tmp_path / "run.course.json")
    run_over(course).save(tmp_path / "run.npz")
    assert main(["score", str(tmp_path / "run.npz")]) == 0
    assert f"{tmp_path / 'run.course.json'} is another, for --course" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "run.npz"), "--course", str(tmp_path / "run.course.json")]) == 0
    assert capsys.readouterr().err == ""


def test_the_plot_is_that_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    course = COURSE.varied(1.0, np.random.default_rng(0))
    save_course(course, tmp_path / "other.json")
    run = run_over(course)
    run.save(tmp_path / "run.npz")
    plot = tmp_path / "new" / "run.png"
    words = [str(tmp_path / "run.npz"), "--course", str(tmp_path / "other.json"), "--plot", str(plot)]
    assert scored(capsys, *words)["score"] == 1.0
    assert plot.read_bytes() == path_png(run, course, score_trajectory(run, course), "run.npz")


def test_a_plot_must_be_png(slow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(slow), "--plot", str(tmp_path / "run.jpg")]) == 2
    assert "ends in .png" in capsys.readouterr().err and not (tmp_path / "run.jpg").exists()


def test_json_is_what_the_function_gives(slow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = scored(capsys, str(slow))
    expected = json.loads(json.dumps(score_trajectory(Trajectory.load(slow)).to_json()))
    assert facts == {"log": str(slow), "course": None, **expected}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.csv"], "absent.csv is not a file"),
        (["bad.csv"], "bad.csv: base_y, row 1: nan"),
        (["run.txt"], "ends in .csv or .npz"),
        (["slow.csv", "--course", "bad.csv"], "bad.csv"),
    ],
)
def test_bad_logs_exit_with_2_and_one_line(
    words: list[str],
    message: str,
    slow: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("time,base_x,base_y,base_z\n0,0,nan,0\n")
    assert main(["score", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and message in captured.err and captured.err.count("\n") == 1


def test_the_page_about_the_course_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    ran = 0
    for language, content in blocks((ROOT / "docs/course.md").read_text()):
        if language == "python":
            exec(compile(content, "course.md", "exec"), names)
            ran += 1
        elif language == "console":
            for program, *words in commands(content):
                assert (program, main(words)) == ("barkyard", 0), shlex.join(words)
                ran += 1
            shown = [line for line in content.splitlines() if line and not line.startswith("$ ")]
            assert [line for line in capsys.readouterr().out.splitlines() if line] == shown
    assert ran >= 2
