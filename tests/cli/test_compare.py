"""`barkyard compare`. All results are made up."""

import json
import re
from pathlib import Path

import pytest

from barkyard.cli.main import main
from tests.evaluation.fakes import make_result


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations with 95, 60, 58 and 5 successes in 100."""
    monkeypatch.chdir(tmp_path)
    for name, successes in (("best", 95), ("fair", 60), ("close", 58), ("bad", 5)):
        make_result(successes, 100, actor=name).save(tmp_path / f"{name}.json")


@pytest.mark.parametrize(
    ("words", "code", "verdict"),
    [
        (["best.json", "bad.json"], 0, "best: better than bad"),
        (["bad.json", "best.json"], 3, "bad: worse than best"),
        (["x=fair.json", "y=fair.json"], 4, "x: no practical difference against y"),
        (["fair.json", "close.json"], 5, "fair: not enough evidence against close"),
        (["fair.json", "best.json", "bad.json"], 0, "shown to be the best: best"),
        (["fair.json", "close.json", "bad.json"], 5, "one of these is the best: fair, close"),
    ],
)
def test_verdicts_and_exit_codes(words: list[str], code: int, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *words, "--margin", "0.045"]) == code
    out = capsys.readouterr().out
    assert verdict in out
    for rate in re.findall(r"\d %(.{0,2})", out.split("\n\n")[0].split("\n", 1)[1]):
        assert rate == " [", "no rate without its interval"


def test_what_it_would_take_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", "fair.json", "close.json", "--margin", "0.01"])
    assert re.search(r"if what was seen were the truth, \d+ episodes", capsys.readouterr().out)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "best.json", "bad.json", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["exit_code"] == 0
    [pair] = facts["comparisons"]
    assert (pair["verdict"], pair["discordant"]) == ("better", [90, 0])


def test_scores(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "x=best.json", "y=bad.json", "--measure", "score"]) == 5
    assert "sign flips on common seeds" in capsys.readouterr().out


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--plan", "0.9", "0.7", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["discordant"] == pytest.approx(0.34)
    assert main(["compare", "--plan", "0.9", "0.7"]) == 0
    out = capsys.readouterr().out
    assert str(plan["paired"]) in out and str(plan["unpaired"]) in out
    assert main(["compare", "--plan", "0.9", "0.7", "--discordant", "0.2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paired"] < plan["paired"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "needs at least 2"),
        (["best.json"], 2, "needs at least 2"),
        (["best.json", "best.json"], 2, "NAME=FILE"),
        (["best.json", "absent.json"], 1, "absent.json: cannot be read"),
        (["best.json", "--plan", "0.1", "0.2"], 2, "--plan needs no results"),
        (["--plan", "0.5", "0.5"], 2, "no number of trials"),
    ],
)
def test_wrong_words(words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and message in captured.err and captured.err.count("\n") == 1
