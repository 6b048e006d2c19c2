"""Progress and tables."""

import time

import pytest

from barkyard.cli.terminal import Progress, table


def test_columns_line_up() -> None:
    assert table(("a", "bb"), [("ccc", "d")]) == "a    bb\nccc  d"


def test_off_a_terminal_progress_is_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 105.0, 120.0, 120.0, 120.0, 140.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with Progress("collecting", 10, unit="episodes", done=2) as progress:
        progress.advance(3)  # 5 s after the start: too soon for a line
        progress.advance(6, "1 failed")  # 20 s: 4 episodes since the start, 0.2 a second, 4 more take 20 s
        progress_end = 10
        monkeypatch.setattr(time, "monotonic", lambda: 121.0)
        progress.advance(progress_end)
        monkeypatch.setattr(time, "monotonic", lambda: 140.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "collecting: 6/10 episodes, 0.2/s, 20 s left, 1 failed",
        "collecting: 10/10 episodes, 0.2/s",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("collecting", 2, unit="episodes", quiet=True) as progress:
        progress.advance(2)
    assert capsys.readouterr().err == ""


def test_an_error_ends_progress_without_a_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="boom"), Progress("collecting", 2, unit="episodes"):
        raise ValueError("boom")
    assert capsys.readouterr().err == ""
