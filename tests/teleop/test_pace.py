"""Wall-clock time."""

import time

import pytest

from barkyard.teleop.pace import Pace


class Clock:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


def test_the_period_is_kept_whatever_the_work_takes(clock: Clock) -> None:
    pace = Pace(0.05)
    for work in (0.01, 0.03, 0.0, 0.049):
        pace.wait()
        clock.sleep(work)
    pace.wait()
    assert clock.now == pytest.approx(0.2) and pace.late == 0
    assert pace.intervals == pytest.approx([0.05] * 4)


def test_a_little_late_is_caught_up_and_much_is_not(clock: Clock) -> None:
    pace = Pace(0.05)
    pace.wait()
    clock.sleep(0.07)
    pace.wait()
    pace.wait()
    assert clock.now == pytest.approx(0.1) and pace.late == 1
    clock.sleep(1.0)
    pace.wait()
    pace.wait()
    assert clock.now == pytest.approx(1.15)


def test_what_a_session_reports(clock: Clock) -> None:
    pace = Pace(0.05)
    for work in [0.0] * 19 + [0.07, 0.0]:
        pace.wait()
        clock.sleep(work)
    report = pace.report()
    assert report["late"] == pytest.approx(1 / 20) and report["jitter_s"] < 0.02
    assert Pace(0.05).report() == {}
