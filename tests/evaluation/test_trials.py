"""Tables of real trials and results, good and bad, and who may be judged by whom. All trials are made up."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from barkyard.errors import InvalidInput, ResultError
from barkyard.evaluation.shifts import compare_shifts
from barkyard.evaluation.trials import (
    REAL_TRIALS_SCHEMA,
    Trial,
    TrialSet,
    check_fair,
    is_result,
    join,
    read_real_trials,
    trials_of_results,
)

from .fakes import make_result

CSV = (
    "policy,task,trial,success,light,log\n"
    "a,barkyard/Lift-v0,1,1,base,f00\na,Lift-v0,2,no,dark,f01\nb, Lift-v0 ,1,TRUE,,\n"
)


def written(tmp_path: Path, content: str, name: str = "real.csv") -> Path:
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    return tmp_path / name


def table(*trials: Trial, source: str = "real", **values: Any) -> TrialSet:
    return TrialSet(source, trials, (("made up", "0"),), **values)


def test_csv(tmp_path: Path) -> None:
    trials = read_real_trials(written(tmp_path, CSV))
    assert trials.source == "real"
    assert trials.trials == (
        Trial("a", "Lift-v0", "1", True, {"light": "base"}, "f00"),
        Trial("a", "Lift-v0", "2", False, {"light": "dark"}, "f01"),
        Trial("b", "Lift-v0", "1", True, {"light": ""}),
    )
    assert (trials.policies, trials.tasks, trials.count("a", "Lift-v0")) == (["a", "b"], ["Lift-v0"], (1, 2))
    assert trials.files[0][0] == "real.csv"


def test_json_holds_the_same(tmp_path: Path) -> None:
    rows = [{"policy": "a", "task": "T", "trial": 3, "success": True, "light": "dark", "checkpoint": "c1"}]
    content = {"schema": REAL_TRIALS_SCHEMA, "source": "surrogate", "trials": rows}
    trials = read_real_trials(written(tmp_path, json.dumps(content), "real.json"))
    assert trials.source == "surrogate"
    assert trials.trials == (Trial("a", "T", "3", True, {"light": "dark"}, checkpoint="c1"),)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("real.csv", "", "column 'policy' is missing"),
        ("real.csv", "policy,task,trial\na,b,1\n", "column 'success' is missing; the columns are policy, task, trial"),
        ("real.csv", "policy,task,trial,success\n", "there are no trials"),
        ("real.csv", "policy,task,trial,success\na,b,1,maybe\n", "line 2: success is 'maybe'"),
        ("real.csv", "policy,task,trial,success\na,b,1,0.5\n", "line 2: success is '0.5'"),
        ("real.csv", "policy,task,trial,success\na,b,1\n", "line 2 does not have 4 values"),
        ("real.csv", "policy,task,trial,success\na,b,1,1,9\n", "line 2 does not have 4 values"),
        ("real.csv", "policy,task,trial,success\n,b,1,1\n", "line 2: policy is empty"),
        ("real.csv", "policy,task,trial,success\na,b,1,1\na,b,1,0\n", "trial '1' is there 2 times"),
        ("real.csv", "policy,task,trial,success,light,light\na,b,1,1,x,y\n", "each needs a name of its own"),
        ("real.csv", 'policy,task,trial,success\na,b,1,"1\n', "unexpected end"),
        ("real.txt", CSV, "ends in .csv or .json"),
        ("real.json", "[", "not a JSON file"),
        ("real.json", "[]", "its \"schema\" must be"),
        ("real.json", '{"schema": "barkyard/real-trials-v1", "trials": 5}', "must be a list"),
        ("real.json", '{"schema": "barkyard/real-trials-v1", "trials": [{"policy": "a"}]}', r"trials\[0\]: task"),
        ("real.json", '{"schema": "barkyard/real-trials-v1", "source": "dream", "trials": []}', "source is 'dream'"),
    ],
)  # fmt: skip
def test_bad_tables_are_named(tmp_path: Path, name: str, content: str, named: str) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(ResultError, match=named) as error:
        read_real_trials(path)
    assert str(path) in str(error.value)
    assert path.read_text(encoding="utf-8-sig") == content


def test_a_missing_table_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read"):
        read_real_trials(tmp_path / "absent.csv")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultError, match="not UTF-8"):
        read_real_trials(tmp_path / "bad.csv")


def test_results_become_trials() -> None:
    one = make_result(3, 5, fingerprints={"checkpoint": "c1"}, env_kwargs={"light": "base", "n": 1})
    two = make_result(1, 5, fingerprints={"checkpoint": "c1"}, env_kwargs={"light": "dark", "n": 1})
    trials = trials_of_results([("a", one), ("a", two)])
    assert trials.count("a", "Lift-v0") == (4, 10)
    assert {trial.factors["light"] for trial in trials.trials} == {"base", "dark"}
    assert {trial.checkpoint for trial in trials.trials} == {"c1"}
    assert "n" not in trials.trials[0].factors


def test_results_that_do_not_go_together() -> None:
    result = make_result(3, 5, fingerprints={"checkpoint": "c1"})
    other = replace(result, fingerprints={"checkpoint": "c2"}, env_kwargs={"light": "dark"})
    for results, named in (
        ([result, result], "is there 2 times"),
        ([result, other], "two sets of weights"),
        ([result, replace(result, source="real")], "sources real, sim"),
        ([replace(result, episodes_asked=9)], "5 of 9 episodes"),
        ([result, replace(result, env_kwargs={"controller": "OSC_POSE", "calibration": {"logs": []}})], "different"),
    ):
        with pytest.raises(InvalidInput, match=named):
            trials_of_results([("a", each) for each in results])


def test_versions_that_differ_are_told() -> None:
    results = [("a", make_result(1, 2)), ("b", make_result(1, 2, versions={"mujoco": "9"}))]
    assert trials_of_results(results).notes == ("the results were made with different versions of mujoco: 3.17.0, 9",)


def test_trials_that_calibrated_the_simulation_are_refused() -> None:
    sim = table(Trial("a", "T", "1", True), source="sim", calibration_logs=frozenset({"f00"}))
    real = table(Trial("a", "T", "1", True, log="f00"), Trial("a", "T", "2", True, log="f01"))
    with pytest.raises(InvalidInput, match="1 real trials were used to calibrate .*log f00"):
        check_fair(real=real, sim=sim)
    notes = check_fair(real=table(Trial("a", "T", "2", True)), sim=sim)
    assert any("name no log" in note for note in notes)
    assert not any("name no log" in note for note in check_fair(real=table(*real.trials[1:]), sim=sim))


def test_the_calibration_in_a_result_is_found() -> None:
    logs = [{"name": "a.npz", "sha256": "f00"}, {"name": "b.npz", "sha256": "f01"}]
    result = make_result(1, 2, env_kwargs={"calibration": {"logs": logs}})
    assert trials_of_results([("a", result)]).calibration_logs == {"f00", "f01"}


def test_other_weights_and_swapped_sides_are_refused() -> None:
    sim = table(Trial("a", "T", "1", True, checkpoint="c1"), source="sim")
    with pytest.raises(InvalidInput, match="two sets of weights on T, c2 and c1"):
        check_fair(real=table(Trial("a", "T", "1", True, checkpoint="c2")), sim=sim)
    assert check_fair(real=table(Trial("a", "T", "1", True, checkpoint="c1")), sim=sim) == []
    assert "cannot be checked for a" in check_fair(real=table(Trial("a", "T", "1", True)), sim=sim)[0]
    with pytest.raises(InvalidInput, match="is it swapped"):
        check_fair(real=sim, sim=table(Trial("a", "T", "1", True)))


def test_join() -> None:
    one, two = table(Trial("a", "T", "1", True)), table(Trial("a", "T", "2", False))
    assert join([one, two]).count("a", "T") == (1, 2)
    with pytest.raises(InvalidInput, match="there 2 times"):
        join([one, one])
    with pytest.raises(InvalidInput, match="sources real, surrogate"):
        join([one, replace(two, source="surrogate")])


def test_is_result(tmp_path: Path) -> None:
    make_result().save(tmp_path / "result.json")
    assert is_result(tmp_path / "result.json")
    assert not is_result(written(tmp_path, CSV))
    assert not is_result(written(tmp_path, "[", "broken.json"))


def trials_at(light: str, successes: int, count: int, policy: str = "a", **factors: str) -> list[Trial]:
    return [
        Trial(policy, "T", f"{light}{factors}{i}", i < successes, {"light": light, **factors}) for i in range(count)
    ]


def test_shifts_side_by_side() -> None:
    real = table(*trials_at("base", 45, 50), *trials_at("dark", 10, 50), *trials_at("red", 44, 50))
    sim = table(*trials_at("base", 80, 100), *trials_at("dark", 20, 100), *trials_at("blue", 79, 100), source="sim")
    shifts = {shift.level: shift for shift in compare_shifts(real=real, sim=sim)}
    dark = shifts["dark"]
    assert dark.real is not None and dark.sim is not None
    assert dark.real.change == pytest.approx(-0.7) and dark.sim.change == pytest.approx(-0.6)
    assert dark.real.interval.low < -0.7 < dark.real.interval.high < 0
    assert (dark.real.base, dark.real.shifted) == ((45, 50), (10, 50))
    assert {level: shift.verdict for level, shift in shifts.items()} == {
        "dark": "hurts in both", "red": "tried only in reality", "blue": "tried only in simulation",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("real", "sim", "verdict"),
    [
        (10, 50, "shown only in reality"),
        (50, 10, "shown only in simulation"),
        (52, 51, "not shown in either"),
        (90, 90, "helps in both"),
        (90, 10, "opposite signs"),
    ],
)
def test_verdicts_of_shifts(real: int, sim: int, verdict: str) -> None:
    sides = [
        table(*trials_at("base", 50, 100), *trials_at("dark", n, 100), source=s)
        for n, s in ((real, "real"), (sim, "sim"))
    ]
    [shift] = compare_shifts(real=sides[0], sim=sides[1])
    assert shift.verdict == verdict


def test_a_shift_changes_one_thing_and_counts_policies_that_saw_both() -> None:
    real = table(
        *trials_at("base", 10, 10, floor="base"),
        *trials_at("dark", 5, 10, floor="base"),
        *trials_at("dark", 0, 10, floor="wet"),
        *trials_at("base", 8, 10, floor="wet"),
        *trials_at("base", 0, 10, policy="never in the dark", floor="base"),
    )
    found = {(shift.factor, shift.level): shift.real for shift in compare_shifts(real=real, sim=real)}
    dark, wet = found["light", "dark"], found["floor", "wet"]
    assert dark is not None and wet is not None
    assert (dark.base, dark.shifted) == ((10, 10), (5, 10))
    assert (wet.base, wet.shifted) == ((10, 10), (8, 10))


def test_no_factors_no_shifts() -> None:
    trials = table(*trials_at("base", 5, 10))
    assert compare_shifts(real=trials, sim=trials) == ()
