"""The two rules, by hand and by law."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barkyard.agility import (
    ALLOTTED_TIMES,
    MODES,
    OBSTACLES,
    RULES,
    Course,
    Mode,
    Rule,
    Trajectory,
    new_state,
    score_trajectory,
    scores,
)
from barkyard.agility.kernels import STATE
from barkyard.errors import InvalidInput
from tests.agility.runs import STANDING, loopholes, run_over, waypoints

COURSE = Course.standard()
LAWS = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def touched(run: Trajectory) -> Trajectory:
    return replace(run, board_contact=np.ones(len(run.time), dtype=np.bool_))


def test_allotted_times() -> None:
    assert list(ALLOTTED_TIMES) == pytest.approx([0.592, 3.550, 3.550, 2.367, 0.592], abs=5e-4)
    assert sum(ALLOTTED_TIMES) == pytest.approx(10.65, abs=1e-3)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mode", MODES)
def test_a_perfect_run(rule: Rule, mode: Mode) -> None:
    assert score_trajectory(run_over(COURSE, seconds=9.0), COURSE, rule, mode).value == 1.0


@pytest.mark.parametrize("mode", MODES)
def test_the_touched_board_by_the_script(mode: Mode) -> None:
    """The script's example: 12.3 s over 10.651 s leave 0.877; without the jump's 2.367 s and its 0.1 it is 0.753."""
    run = run_over(COURSE, seconds=22.951)
    assert score_trajectory(run, mode=mode).value == pytest.approx(0.877, abs=1e-5)
    assert score_trajectory(touched(run), mode=mode).value == pytest.approx(0.877 - 0.1 - 0.04 / 1.69, abs=1e-5)
    assert f"{score_trajectory(touched(run), mode=mode).value:.3f}" == "0.753"


def test_the_touched_board_by_the_paper() -> None:
    """12 full seconds over: 0.88, and 0.1 for the jump."""
    run = run_over(COURSE, seconds=22.951)
    assert score_trajectory(run, rule="paper").value == pytest.approx(0.88)
    assert score_trajectory(touched(run), rule="paper").value == pytest.approx(0.78)


@pytest.mark.parametrize(
    ("seconds", "paper", "script"),
    [(10.6, 1.0, 1.0), (11.6, 1.0, 0.99050888), (11.66, 0.99, 0.98990888), (20.4, 0.91, 0.90250888)],
)
def test_time_over_by_both_rules(seconds: float, paper: float, script: float) -> None:
    run = run_over(COURSE, seconds=seconds)
    assert score_trajectory(run, rule="paper").value == pytest.approx(paper, abs=1e-9)
    assert score_trajectory(run, rule="script").value == pytest.approx(script, abs=1e-7)


def ending(run: Trajectory, samples: int) -> Trajectory:
    """The run's first samples."""
    return Trajectory(**{name: array[:samples] for name, array in run.arrays().items()})


def test_a_run_that_never_reaches_the_end_table() -> None:
    run = run_over(COURSE)
    short = ending(run, int(np.flatnonzero((run.base_pos[:, 0] < 3.9) & (run.base_pos[:, 1] < -4.3))[-1]))
    result = score_trajectory(short)
    assert list(result.completed.values()) == [True, True, True, True, False]
    assert result.value == pytest.approx(1.0 - 0.5 - 0.1)
    assert not result.reached_end and "the end table was not reached" in result.faults
    assert score_trajectory(short, rule="paper").value == 0.0


def test_a_stay_too_short() -> None:
    run = run_over(COURSE, stay=4.9)
    script, paper = (score_trajectory(run, rule=rule) for rule in ("script", "paper"))
    assert script.value == pytest.approx(1.0 - 0.5 - 0.1) and not script.completed["end_table"]
    assert paper.value == 1.0 and paper.completed["end_table"]
    assert script.reached_end and not script.stayed
    assert "no stay of 5 s on the end table" in script.faults


def test_a_robot_that_stands_still() -> None:
    run = Trajectory(np.arange(3.0), np.tile([0.5, -0.5, STANDING], (3, 1)))
    assert score_trajectory(run).value == pytest.approx(0.0)
    assert score_trajectory(run, rule="paper").value == 0.0
    assert score_trajectory(run).run_time == 2.0
    single = Trajectory(np.array([4.0]), np.array([[0.5, -0.5, STANDING]]))
    assert score_trajectory(single).value == pytest.approx(0.0)


@pytest.mark.parametrize("name", list(loopholes(COURSE)))
def test_a_loophole_costs_its_obstacle_strictly(name: str) -> None:
    run, obstacle = loopholes(COURSE)[name]
    allotted = ALLOTTED_TIMES[OBSTACLES.index(obstacle)]
    assert score_trajectory(run, mode="published").value == 1.0
    slower = max(10.0 - sum(ALLOTTED_TIMES) + allotted, 0.0)
    assert score_trajectory(run).value == pytest.approx(0.9 - 0.01 * slower, abs=1e-6)


def test_what_a_log_does_not_hold_is_said_and_not_held_against_it() -> None:
    run = run_over(COURSE, feet=True)
    bare = Trajectory(run.time, run.base_pos[:, :2])
    strict, published = (score_trajectory(bare, mode=mode) for mode in MODES)
    assert strict.value == published.value == 1.0
    assert [words.split("(")[1].rstrip(")") for words in strict.not_judged] == [
        "no board_contact",
        "no pole_contact",
        "no foot_contact",
        "no base height",
    ]
    assert len(published.not_judged) == 1
    assert score_trajectory(run).not_judged == ()


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(InvalidInput, match="rule is 'referee'; valid: paper, script"):
        scores(new_state(1), "referee")  # type: ignore[arg-type]


def test_scores_of_a_batch() -> None:
    state = new_state(3, "published")
    state[:, STATE.NOW] = 30.0
    state[1:, STATE.PROGRESS : STATE.CROSSED] = [1, 6, 3, 2, 1]
    state[1:, STATE.STARTED], state[1:, STATE.REACHED], state[1, STATE.STAYED] = 2.0, 24.0, 1.0
    over = 22.0 - 18 / 1.69
    assert scores(state, "script") == pytest.approx([0.0, 1 - 0.01 * over, 0.4])
    assert scores(state, "paper") == pytest.approx([0.0, 0.89, 0.89])


def test_json_is_plain() -> None:
    facts = score_trajectory(run_over(COURSE)).to_json()
    assert facts["score"] == 1.0 and facts["completed"]["a_frame"] is True and len(facts["gate_times"]) == 13
    assert {type(value) for value in facts.values()} <= {float, str, dict, bool, tuple}


def wild_run(seed: int, rough: float, skip: float) -> Trajectory:
    """Gates in turn, some left out, at random speed and heights, with drift and contacts."""
    generator = np.random.default_rng(seed)
    middle = waypoints(COURSE)[1:12]
    middle = middle[generator.random(11) >= skip] + generator.normal(0.0, 0.02 + 0.2 * rough, 3)
    run = run_over(COURSE, middle, float(generator.uniform(3.0, 200.0)), float(generator.uniform(0.0, 6.0)))
    positions = run.base_pos + np.cumsum(generator.normal(0.0, 0.01 * rough, run.base_pos.shape), axis=0)
    contacts = generator.random((6, len(run.time)))
    return replace(
        run,
        base_pos=positions,
        foot_contact=(contacts[:4] < 0.8).T,
        board_contact=contacts[4] < 1e-3 * rough,
        pole_contact=contacts[5] < 1e-3 * rough,
    )


WILD = {"seed": st.integers(0, 2**32 - 1), "rough": st.floats(0.0, 1.0), "skip": st.sampled_from([0.0, 0.1, 0.5])}


@LAWS
@given(**WILD)
def test_scores_are_numbers_of_at_most_one(seed: int, rough: float, skip: float) -> None:
    run = wild_run(seed, rough, skip)
    for mode in MODES:
        script, paper = (score_trajectory(run, COURSE, rule, mode).value for rule in ("script", "paper"))
        assert math.isfinite(script) and script <= 1.0
        assert 0.0 <= paper <= 1.0


@LAWS
@given(**WILD, contact=st.sampled_from(["board_contact", "pole_contact", "foot_contact"]), moment=st.floats(0.0, 1.0))
def test_more_contact_never_raises_a_score(seed: int, rough: float, skip: float, contact: str, moment: float) -> None:
    run = wild_run(seed, rough, skip)
    flags = getattr(run, contact).copy()
    flags[int(moment * (len(flags) - 1)) :] = True
    worse = replace(run, **{contact: flags})
    for rule in RULES:
        for mode in MODES:
            before, after = (score_trajectory(r, COURSE, rule, mode).value for r in (run, worse))
            assert after <= before + 1e-12


@LAWS
@given(**WILD, slower=st.floats(1.0, 3.0))
def test_more_time_never_raises_a_score(seed: int, rough: float, skip: float, slower: float) -> None:
    run = wild_run(seed, rough, skip)
    late = replace(run, time=run.time * slower)
    for mode in MODES:
        assert score_trajectory(late, COURSE, "paper", mode).value <= score_trajectory(run, COURSE, "paper", mode).value


@LAWS
@given(**WILD, angle=st.floats(-math.pi, math.pi), x=st.floats(-10, 10), y=st.floats(-10, 10))
def test_a_moved_frame_changes_nothing(seed: int, rough: float, skip: float, angle: float, x: float, y: float) -> None:
    run = wild_run(seed, rough, skip)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    there = run.base_pos.copy()
    there[:, :2] = run.base_pos[:, :2] @ turn.T + [x, y]
    moved = replace(run, base_pos=there)
    for mode in MODES:
        here = score_trajectory(run, COURSE, mode=mode)
        elsewhere = score_trajectory(moved, COURSE.moved((x, y), angle), mode=mode)
        assert here == elsewhere


@LAWS
@given(**WILD, offset=st.floats(-1e3, 1e3))
def test_a_clock_that_starts_elsewhere_changes_nothing(seed: int, rough: float, skip: float, offset: float) -> None:
    run = wild_run(seed, rough, skip)
    now, later = score_trajectory(run), score_trajectory(replace(run, time=run.time + offset))
    assert later.value == pytest.approx(now.value, abs=1e-9)
    assert [time or -1.0 for time in later.gate_times] == pytest.approx([time or -1.0 for time in now.gate_times])
