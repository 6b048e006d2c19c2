"""`barkyard predict`. All results are made up."""

import json
from pathlib import Path

import pytest

from barkyard.cli.main import main
from tests.evaluation.fakes import make_result


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two simulated policies, and a table of real trials on the first three seeds."""
    monkeypatch.chdir(tmp_path)
    for name, successes in (("best", 90), ("bad", 30)):
        make_result(successes, 100, actor=name).save(tmp_path / f"{name}.json")
    rows = [f"{name},Lift-v0,{10**9 + i},{int(name == 'best')}" for name in ("best", "bad") for i in range(3)]
    (tmp_path / "real.csv").write_text("\n".join(["policy,task,trial,success", *rows]))


def test_words_and_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "best.json", "bad.json", "--real", "real.csv", "--out", "page"]) == 0
    out = capsys.readouterr().out
    assert "best is better than bad on the robot with probability 1.00" in out
    assert "best succeeds in " in out and "probability to be the best" in out
    assert Path("page/prediction.html").exists()
    assert main(["predict", "best.json", "bad.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rates"] == {}


def test_the_plan_is_always_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "best.json", "--plan", "5"]) == 0
    five = capsys.readouterr().out.split()
    assert main(["predict", "bad.json", "--plan", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][:5] == five


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give results"),
        (["best.json", "--plan", "0"], "give 1 to 100"),
        (["best.json", "other=best.json", "--real", "real.csv"], ""),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", *words]) == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_hand_picked_seeds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("picked.csv").write_text(
        f"policy,task,trial,success\nbest,Lift-v0,{10**9 + 7},1\nbest,Lift-v0,{10**9 + 9},1\n"
    )
    assert main(["predict", "best.json", "--real", "picked.csv"]) == 2
    assert "picked by hand" in capsys.readouterr().err
