import io
from dataclasses import replace
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from barkyard.agility import OBSTACLES, Course, Trajectory, score_trajectory
from barkyard.evaluation import path_plot
from barkyard.evaluation.path_plot import SPEED_WINDOW, path_png, speeds
from tests.agility.runs import loopholes, run_over

COURSE = Course.standard()


def drawn(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> tuple[bytes, Figure]:
    """The picture, and the figure that it is of."""
    figures: list[Figure] = []

    def remember(*args: Any, **kwargs: Any) -> Figure:
        figures.append(Figure(*args, **kwargs))
        return figures[-1]

    monkeypatch.setattr(path_plot, "Figure", remember)
    return path_png(*arguments), figures[0]


def texts(figure: Figure) -> list[str]:
    """Title and column in their order, then what is on the map."""
    return [text.get_text() for text in [*figure.texts, *figure.axes[0].texts]]


def pixels(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(iio.imread(io.BytesIO(png)))


def test_the_picture_says_what_the_score_says(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_over(COURSE, seconds=22.951)
    png, figure = drawn(monkeypatch, run, COURSE, score_trajectory(run, COURSE), "A $run^")
    written = texts(figure)
    assert written[:2] == ["A $run^", "score 0.877 (script rule, strict mode), 5 of 5 obstacles completed, 22.95 s"]
    assert written.count("completed") == 5 and "not completed" not in written
    score = score_trajectory(run, COURSE)
    for gate, time in enumerate(score.gate_times):
        assert written[written.index(f"gate {gate + 1}") + 1] == f"{time:.2f} s"
        assert str(gate + 1) in written
    assert pixels(png).shape == (814, 1144, 4)


def test_numbers_stand_where_the_path_crossed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_over(COURSE)
    score = score_trajectory(run, COURSE)
    _, figure = drawn(monkeypatch, run, COURSE, score, "")
    numbers = {text.get_text(): text.get_position() for text in figure.axes[0].texts if text.get_text().isdigit()}
    assert len(numbers) == 13
    for gate, ends in enumerate(COURSE.gates):
        there = np.array([np.interp(score.gate_times[gate] or 0.0, run.time, run.base_pos[:, i]) for i in range(2)])
        np.testing.assert_allclose(numbers[str(gate + 1)], there)
        (left, right), across = ends, COURSE.directions[gate]
        assert abs((there - left) @ across) < 0.031  # it is one sample, 0.03 m, behind the gate at most
        assert 0.0 < (there - left) @ (right - left) < (right - left) @ (right - left)


def test_the_path_has_the_colour_of_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    time = np.arange(0.0, 4.0, 0.02)
    metres = np.where(time < 2.0, 0.5 * time, 1.0 + 1.5 * (time - 2.0))
    run = Trajectory(time, np.column_stack([1.0 + metres, np.full((len(time), 2), [-0.4, 0.3])]))
    _, figure = drawn(monkeypatch, run, COURSE, score_trajectory(run, COURSE), "")
    [path] = [part for part in figure.axes[0].collections if part.get_array() is not None]
    colours = np.asarray(path.get_array())
    np.testing.assert_allclose(colours[:90], 0.5)
    np.testing.assert_allclose(colours[110:], 1.5)
    np.testing.assert_allclose(path.get_clim(), (0.0, 1.5))


def test_what_went_wrong_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = loopholes(COURSE)["a pole touched"]
    png, figure = drawn(monkeypatch, run, COURSE, score_trajectory(run, COURSE), "")
    written = texts(figure)
    assert written.count("not completed") == 1
    assert any("4 of 5 obstacles" in text for text in written)
    assert any(text.startswith("- a pole was touched, so the weave is lost") for text in written)
    touch = run.base_pos[len(run.time) // 3, :2]
    assert [line for line in figure.axes[0].lines if np.array_equal(np.ravel(line.get_xydata()), touch)] != []
    clean = run_over(COURSE)
    assert not np.array_equal(pixels(png), pixels(path_png(clean, COURSE, score_trajectory(clean, COURSE), "")))


def test_gates_that_were_not_crossed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_over(COURSE)
    run = Trajectory(whole.time[:100], whole.base_pos[:100])
    score = score_trajectory(run, COURSE)
    crossed = sum(time is not None for time in score.gate_times)
    assert 0 < crossed < 13
    _, figure = drawn(monkeypatch, run, COURSE, score, "")
    assert texts(figure).count("not crossed") == 13 - crossed


def test_only_the_obstacles_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_over(COURSE)
    _, figure = drawn(monkeypatch, run, COURSE, score_trajectory(run, COURSE), "", ("broad_jump",))
    written = texts(figure)
    assert "broad jump completed, 10.00 s" in written and not any(text.startswith("score") for text in written)
    assert [text for text in written if text.startswith("gate")] == ["gate 11", "gate 12"]
    assert {"start table", "A-frame", "weave poles", "end table"}.isdisjoint(written)
    assert len(figure.axes[0].patches) == 1
    _, figure = drawn(monkeypatch, run, COURSE, score_trajectory(run, COURSE), "", ("weave_poles",))
    assert len(figure.axes[0].patches) == 5


def test_all_that_is_shown_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    course = COURSE.varied(1.0, np.random.default_rng(1)).moved((10.0, -3.0), 2.0)
    run = run_over(course)
    strayed = replace(run, base_pos=run.base_pos + np.array([0.0, 7.0, 0.0]))
    for shown in (run, strayed):
        _, figure = drawn(monkeypatch, shown, course, score_trajectory(shown, course), "")
        (left, right), (low, high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
        for points in (shown.base_pos, course.gates.reshape(-1, 2)):
            assert left < points[:, 0].min() and points[:, 0].max() < right
            assert low < points[:, 1].min() and points[:, 1].max() < high


@pytest.mark.parametrize("rows", [1, 2])
def test_runs_that_hardly_began(rows: int) -> None:
    whole = run_over(COURSE)
    run = Trajectory(np.zeros(rows), whole.base_pos[:rows, :2])
    assert pixels(path_png(run, COURSE, score_trajectory(run, COURSE), "x")).ndim == 3


def test_a_long_list_of_faults_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_over(COURSE)
    score = replace(score_trajectory(run, COURSE), faults=tuple(f"fault {i}" for i in range(20)))
    _, figure = drawn(monkeypatch, run, COURSE, score, "")
    [listed] = [text for text in texts(figure) if text.startswith("- fault 0\n")]
    assert listed.splitlines()[-2:] == ["- fault 8", "- and more, which barkyard score lists"]


def test_the_same_run_is_the_same_file() -> None:
    run = run_over(COURSE)
    score = score_trajectory(run, COURSE)
    assert path_png(run, COURSE, score, "x") == path_png(run, COURSE, score, "x", OBSTACLES)


def test_speed_is_distance_over_time() -> None:
    time = np.linspace(0.0, 2.0, 101)
    circle = np.column_stack([np.cos(time), np.sin(time), time])
    chord = 2 * np.sin(SPEED_WINDOW / 2) / SPEED_WINDOW
    found = speeds(time, circle)
    np.testing.assert_allclose(found[5:-5], chord, rtol=1e-9)
    np.testing.assert_allclose(found, chord, rtol=2e-3)


def test_speed_of_repeated_samples() -> None:
    time = np.repeat(np.linspace(0.0, 1.0, 51), 3)
    np.testing.assert_allclose(speeds(time, np.column_stack([2.0 * time, 0.0 * time])), 2.0)
    assert speeds(np.zeros(3), np.ones((3, 3))).tolist() == [0.0, 0.0, 0.0]
