import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from barkyard.errors import InvalidInput, ResultError
from barkyard.evaluation import EvalResult, clopper_pearson

from .fakes import make_result


def damaged(path: Path, change: dict[str, Any]) -> Path:
    """A saved result in which the values at dotted places are others; `...` removes one."""
    make_result(4, 5).save(path)
    data = json.loads(path.read_text())
    for place, value in change.items():
        *parents, last = [int(key) if key.isdigit() else key for key in place.split(".")]
        target = data
        for key in parents:
            target = target[key]
        if value is ...:
            del target[last]
        else:
            target[last] = value
    path.write_text(json.dumps(data))
    return path


def test_round_trip(tmp_path: Path) -> None:
    result = make_result(source="surrogate", num_envs=64, command="barkyard evaluate 'ünï'")
    result.save(tmp_path / "new" / "result.json")
    loaded = EvalResult.load(tmp_path / "new" / "result.json")
    assert loaded == result
    assert loaded.fingerprint == result.fingerprint
    assert os.listdir(tmp_path / "new") == ["result.json"]


def test_round_trip_without_score(tmp_path: Path) -> None:
    result = make_result(1, 2)
    result = replace(result, episodes=tuple(replace(record, score=None) for record in result.episodes))
    result.save(tmp_path / "result.json")
    assert EvalResult.load(tmp_path / "result.json") == result


def test_statistics_are_those_of_the_episodes() -> None:
    result = make_result(95, 100)
    assert (result.num_successes, result.num_episodes, result.success_rate) == (95, 100, 0.95)
    assert result.interval == clopper_pearson(95, 100)
    assert result.complete
    with pytest.raises(FrozenInstanceError):
        result.actor = "x"  # type: ignore[misc]


def test_file_follows_the_schema(tmp_path: Path) -> None:
    make_result(1, 2).save(tmp_path / "result.json")
    data = json.loads((tmp_path / "result.json").read_text())
    assert data["schema"] == "barkyard/result-v1"
    assert data["env"] == {"id": "barkyard/Lift-v0", "kwargs": {"controller": "OSC_POSE"}}
    assert data["success_rate"] == 0.5
    assert data["interval"]["low"] == pytest.approx(1 - 0.975**0.5)  # 1 - (1 - p)^2 = 0.025
    assert data["interval"]["high"] == pytest.approx(0.975**0.5)
    assert data["episodes"][1] == {
        "seed": 1_000_000_001,
        "success": False,
        "score": 0.5,
        "return": 0.25,
        "length": 11,
        "end": "time_limit",
    }


def test_fingerprint_ignores_how_it_was_run_and_nothing_else() -> None:
    result = make_result()
    same = replace(result, seconds=1.0, num_envs=64, versions={"mujoco": "3.17.1"}, command="other")
    assert same.fingerprint == result.fingerprint
    one_step_more = (*result.episodes[:-1], replace(result.episodes[-1], length=999))
    others = [
        replace(result, actor="expert"),
        replace(result, env_id="barkyard/Can-v0"),
        replace(result, env_kwargs={}),
        replace(result, fingerprints={"env": "other"}),
        replace(result, source="real"),
        replace(result, episodes_asked=101),
        replace(result, episodes=one_step_more),
    ]
    assert len({result.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"schema": "barkyard/result-v2"}, r"schema is 'barkyard/result-v2'.*'barkyard/result-v1'"),
        ({"schema": ...}, "schema is None"),
        ({"actor": ...}, "actor is missing"),
        ({"notes": "x"}, "notes is not a field"),
        ({"actor": 3}, "actor is 3; it must be a string"),
        ({"source": "dream"}, "source is 'dream'.*sim, surrogate, real"),
        ({"episodes": {}}, "episodes is {}; it must be a list"),
        ({"episodes": []}, "episodes is empty"),
        ({"episodes.2": 7}, r"episodes\[2\] is 7; it must be an object"),
        ({"episodes.2.success": 1}, r"episodes\[2\].success is 1; it must be true or false"),
        ({"episodes.2.seed": True}, r"episodes\[2\].seed is True"),
        ({"episodes.2.seed": 1.0}, r"episodes\[2\].seed is 1.0"),
        ({"episodes.2.seed": -4}, "seed -4"),
        ({"episodes.2.seed": 1_000_000_001}, "seed 1000000001 more than once"),
        ({"episodes.2.return": float("nan")}, r"episodes\[2\].return is nan"),
        ({"episodes.2.return": 10**400}, r"episodes\[2\].return is inf"),
        ({"episodes.2.score": float("inf")}, r"episodes\[2\].score is inf"),
        ({"episodes.2.length": ...}, r"episodes\[2\].length is missing"),
        ({"episodes.2.length": -1}, "length is -1"),
        ({"episodes.2.end": "bored"}, "end is 'bored'.*time_limit"),
        ({"episodes.2.success": False}, "end is 'success', but success is false"),
        ({"episodes.4.success": True, "episodes.4.end": "failure"}, "end is 'failure', but success is true"),
        ({"success_rate": 0.9}, "success_rate is 0.9, but 4 successes in 5 episodes give 0.8"),
        ({"episodes.4.success": True}, "success_rate is 0.8, but 5 successes in 5 episodes give 1.0"),
        ({"success_rate": float("nan")}, "success_rate is nan"),
        ({"interval.low": 0.7}, "interval.low is 0.7"),
        ({"interval.method": "wilson"}, "interval.method is 'wilson'"),
        ({"episodes_asked": 3}, "episodes_asked is 3, but 5"),
        ({"seconds": -1}, "seconds is -1"),
        ({"num_envs": 0}, "num_envs is 0"),
        ({"env": "Lift"}, "env is 'Lift'; it must be an object"),
        ({"env.id": ...}, "env.id is missing"),
        ({"env.kwargs": {"x": float("nan")}}, "env kwargs"),
        ({"fingerprints.env": 5}, "fingerprints.env is 5"),
        ({"versions": None}, "versions is None"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(ResultError, match=named) as error:
        EvalResult.load(damaged(tmp_path / "result.json", change))
    assert str(tmp_path / "result.json") in str(error.value)


def test_no_change_is_no_damage(tmp_path: Path) -> None:
    assert EvalResult.load(damaged(tmp_path / "result.json", {})) == make_result(4, 5)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_result(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ResultError, match=r"x\.json"):
        EvalResult.load(tmp_path / "x.json")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    make_result(2, 3).save(path)
    content = path.read_bytes()
    for cut in range(0, len(content) - 2, 7):
        path.write_bytes(content[:cut])
        with pytest.raises(ResultError, match=r"result\.json"):
            EvalResult.load(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ResultError, match="cannot be read"):
            EvalResult.load(path)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Within, the system refuses to write files beyond `size` bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_half_way_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    make_result(1, 2).save(path)
    with largest_file(4096), pytest.raises(ResultError, match=r"could not write .*result\.json.*unchanged"):
        make_result(95, 100).save(path)
    assert EvalResult.load(path) == make_result(1, 2)
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_full_disk_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultError, match="No space left"):
        make_result().save(tmp_path / "result.json")
    assert os.listdir(tmp_path) == []


def test_saving_onto_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(ResultError, match=r"taken\.json"):
        make_result().save(tmp_path / "taken.json")
    assert os.listdir(tmp_path) == ["taken.json"]


def test_refuses_values_that_json_cannot_hold() -> None:
    with pytest.raises(InvalidInput, match="env kwargs"):
        make_result(env_kwargs={"x": object()})
