"""One actor with many hands, and the table of it."""

import json
from pathlib import Path

import pytest

from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.cli.embodiments import embodiments_of, summarise, table_text
from barkyard.cli.main import main
from barkyard.errors import InvalidInput
from barkyard.evaluation import EpisodeRecord, EvalResult

HANDS = ("i34-t34", "m34-t1234")


def result_of(hand: str, rates: list[float]) -> EvalResult:
    episodes = tuple(
        EpisodeRecord(
            10**9 + i, rate > 12, 1.0, 500, "success" if rate > 12 else "time_limit", None, {"yaw_rate": rate}
        )
        for i, rate in enumerate(rates)
    )
    return EvalResult("barkyard/HandRotate-v0", {"embodiment": hand}, "expert", episodes, len(rates), 1.0)


def test_columns(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("i34-t34\n\nm34-t1234\n")
    found = embodiments_of(["test_both", "i34-t1234", str(tmp_path / "mine.txt"), "m34-t34"])
    assert found == {"test_both": load_split().test_both, "mine": HANDS, "named": ("i34-t1234", "m34-t34")}
    with pytest.raises(InvalidInput, match="comes twice"):
        embodiments_of(["train", "train"])
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InvalidInput, match="no name"):
        embodiments_of([str(tmp_path / "empty.txt")])


def test_the_table_by_hand() -> None:
    """Rates of 10 and 20 by hand: a mean of 15, and t(0.975, 1) = 12.706 times 5 to either side."""
    table = summarise({"pair": [result_of("a", [8.0, 12.0]), result_of("b", [20.0])], "one": [result_of("c", [13.0])]})
    rate = table["columns"]["pair"]["metrics"]["yaw_rate"]
    assert (rate["mean"], rate["embodiments"]) == (15.0, [10.0, 20.0])
    assert (rate["low"], rate["high"]) == pytest.approx((15 - 63.531, 15 + 63.531), abs=1e-3)
    assert table["columns"]["pair"]["metrics"]["success"]["mean"] == 0.5
    assert table["columns"]["one"]["metrics"]["yaw_rate"] == {
        "mean": 13.0,
        "low": None,
        "high": None,
        "embodiments": [13.0],
    }
    assert "15 [-48.53, 78.53]" in table_text(table)


def evaluate(out: Path, *words: str) -> int:
    return main(["evaluate", "barkyard/HandRotate-v0", "--actor", "random", "--out", str(out), "--quiet", *words])


def test_two_hands_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--embodiments", *HANDS, "--episodes", "1"]
    assert evaluate(tmp_path / "many", *words, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["columns"]["named"]["embodiments"] == list(HANDS)
    assert json.loads((tmp_path / "many/table.json").read_text())["columns"] == printed["columns"]
    assert evaluate(tmp_path / "one.json", "--env-kwargs", f"embodiment={HANDS[1]}", "--episodes", "1") == 0
    alone, there = EvalResult.load(tmp_path / "one.json"), EvalResult.load(tmp_path / f"many/named/{HANDS[1]}.json")
    assert alone.fingerprint == there.fingerprint
    made = (tmp_path / f"many/named/{HANDS[0]}.json").stat().st_mtime_ns
    assert evaluate(tmp_path / "many", *words) == 0
    assert (tmp_path / f"many/named/{HANDS[0]}.json").stat().st_mtime_ns == made
    assert evaluate(tmp_path / "many", *words[:-1], "2") == 2
    assert "other seeds" in capsys.readouterr().err


def test_words_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["--videos", "1"], "neither --against nor --videos"),
        (["--env-kwargs", "embodiment=i34-t34"], "given twice"),
    ):
        assert evaluate(tmp_path / "out", "--embodiments", *HANDS, *words) == 2
        assert message in capsys.readouterr().err
    assert evaluate(tmp_path / "out.json", "--embodiments", *HANDS) == 2
    assert "give a folder" in capsys.readouterr().err
