"""Collection and evaluation by a fleet: the same bits as without one."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gymnasium.vector import AutoresetMode

from barkyard.cli import main
from barkyard.datasets import Dataset
from barkyard.envs.registry import make_vec_env
from barkyard.evaluation import EvalResult, evaluation_seeds
from barkyard.fleet import Item, Plan, Work, evaluate, race
from barkyard.fleet.processes import LocalBackend
from barkyard.fleet.work import ItemsFailed, collect

ROOT = Path(__file__).parents[2]
LIFT = "barkyard/Lift-v0"
WORK = Work(LIFT, {}, "expert", 2)


def result(out: Path, *words: str) -> EvalResult:
    assert main(["evaluate", LIFT, "--actor", "expert", "--episodes", "5", "--out", str(out), "--quiet", *words]) == 0
    return EvalResult.load(out)


def dataset(out: Path, *words: str) -> Dataset:
    assert main(["collect", LIFT, "--episodes", "3", "--out", str(out), "--quiet", *words]) == 0
    return Dataset.open(out)


def test_all_evaluate_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = result(tmp_path / "here.json")
    for backend in ("local", "processes"):
        words = ["--backend", backend, "--num-envs", "2", "--workers", "2"]
        assert result(tmp_path / f"{backend}.json", *words).fingerprint == here.fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["here.json", "local.json", "processes.json"]


@pytest.mark.parametrize("backend", ["local", pytest.param("processes", marks=pytest.mark.slow)])
def test_all_collect_the_same(backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = dataset(tmp_path / "here")
    there = dataset(tmp_path / "there", "--backend", backend, "--num-envs", "2", "--workers", "2")
    assert there.fingerprint == here.fingerprint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["here", "there"]


def test_an_evaluation_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Half the items are there; only the others are run, and the result is that of a run in one go."""
    seeds = evaluation_seeds(4)
    whole = evaluate(WORK, seeds, LocalBackend(), tmp_path / "whole")
    evaluate(WORK, seeds[:2], LocalBackend(), tmp_path / "items")
    (kept,) = (tmp_path / "items").glob("[!.]*")
    before = kept.stat().st_mtime_ns
    again = evaluate(WORK, seeds, LocalBackend(), tmp_path / "items")
    assert again.fingerprint == whole.fingerprint
    assert kept.stat().st_mtime_ns == before


def raced(out: Path, *words: str) -> dict[str, Any]:
    asked = ["evaluate", LIFT, "--actor", "expert", "random", "--episodes", "40", "--num-envs", "4", "--out", str(out)]
    assert main([*asked, "--quiet", "--json", *words]) == 0
    return {file.stem: EvalResult.load(file) for file in out.glob("*.json")}


@pytest.mark.parametrize("backend", ["local", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_race_finds_the_same_wherever_it_is_run(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops after the same seeds; what was run ahead is in no result."""
    here = raced(tmp_path / "here")
    found = json.loads(capsys.readouterr().out)
    there = raced(tmp_path / "there", "--backend", backend, "--workers", "2")
    found_there = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "better" and found["episodes"] == 2 * here["expert"].num_episodes < 80
    assert {**found, "results": ""} == {**found_there, "results": ""}
    assert {name: each.fingerprint for name, each in here.items()} == {k: v.fingerprint for k, v in there.items()}
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["here", "there"]


def test_a_race_whose_items_are_there_may_be_typed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its results so far are no earlier results; without items they are, and are not written over."""
    first = raced(tmp_path / "race", "--backend", "local")
    (tmp_path / "race.items").mkdir()
    again = raced(tmp_path / "race", "--backend", "local")
    assert {name: each.fingerprint for name, each in first.items()} == {k: v.fingerprint for k, v in again.items()}
    words = ["evaluate", LIFT, "--actor", "expert", "random", "--out", str(tmp_path / "race"), "--backend", "local"]
    assert main(words) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_race_that_was_stopped_goes_on_from_its_items(tmp_path: Path) -> None:
    """Items that are there are not run again, and beaten actors are given no more of them."""
    works = {name: replace(WORK, actor=name) for name in ("expert", "random")}
    seeds = evaluation_seeds(30)
    ran = []

    class Counting(LocalBackend):
        def do(self, plan: Plan, items: Iterator[Item]) -> Iterator[tuple[Item, str]]:
            for item, reason in super().do(plan, items):
                ran.append(item.work.actor)
                yield item, reason

    with closing(make_vec_env(LIFT, 1, autoreset_mode=AutoresetMode.DISABLED)) as env:
        found = race(works, env, seeds, Counting(), tmp_path / "items")
        assert found.decided_after is not None and len(ran) == 2 * -(-found.decided_after // 2)
        ran.clear()
        assert race(works, env, seeds, Counting(), tmp_path / "items").words == found.words
        assert ran == []


def test_items_that_are_given_up_leave_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = evaluation_seeds(4)
    from barkyard import evaluation

    real = evaluation.evaluate

    def fails_at_the_third(env: object, actor: object, given: tuple[int, ...], **words: object) -> EvalResult:
        if seeds[2] in given:
            raise OSError("the disk is gone")
        return real(env, actor, given, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation, "evaluate", fails_at_the_third)
    with pytest.raises(ItemsFailed, match="seeds 1000000002 to 1000000003 .3 tries.: Traceback") as raised:
        evaluate(WORK, seeds, LocalBackend(), tmp_path)
    partial = raised.value.partial
    assert partial is not None and not partial.complete
    assert [record.seed for record in partial.episodes] == seeds[:2]


def test_collection_yields_the_rest_before_it_says_what_failed(tmp_path: Path) -> None:
    """Evaluation seeds are refused by the writer of a dataset."""
    taken = []
    with pytest.raises(ItemsFailed, match="kept for evaluation"):
        for episode in collect(WORK, [3, 4, 10**9], LocalBackend(), tmp_path / "items"):
            taken.append(episode.seed)
    assert taken == [3, 4]


def test_what_cannot_be_is_refused_before_anybody_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", LIFT, "--actor", "nobody", "--out", str(tmp_path / "r.json"), "--backend", "processes"]
    assert main(words) == 2
    assert "actor 'nobody' is neither" in capsys.readouterr().err
    assert main([*words[:3], "expert", *words[4:], "--videos", "1"]) == 2
    assert "leave out --backend" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_gives_the_same() -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'barkyard[fleet]'")
    words = [sys.executable, str(ROOT / "scripts/benchmarks/cluster.py"), "--episodes", "48", "--num-envs", "4"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "identical"
