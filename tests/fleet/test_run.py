"""Plans: done once each, in order, whatever happens to the workers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from barkyard.errors import InvalidInput
from barkyard.fleet import Failure, Item, Plan, make_backend, run
from barkyard.fleet.plan import Backend, Perform
from barkyard.fleet.processes import LocalBackend, ProcessBackend
from tests.fleet import works
from tests.test_readme import ROOT


def plan(perform: Perform, folder: Path, seeds: int = 8, size: int = 2) -> Plan:
    return Plan.of(perform, 10, range(seeds), size, folder, "key")


def contents(ended: list[Item | Failure]) -> list[str]:
    return [item.target.read_text() if isinstance(item, Item) else "failed" for item in ended]


SQUARES = ["0 10", "40 90", "160 250", "360 490"]


@pytest.mark.parametrize("backend", [LocalBackend(), ProcessBackend(2, 60.0)], ids=["local", "processes"])
def test_every_backend_gives_the_same_in_the_plans_order(backend: Backend, tmp_path: Path) -> None:
    seen: list[int] = []
    ended = list(run(plan(works.square, tmp_path), backend, on_item=lambda item: seen.append(item.number)))
    assert contents(ended) == SQUARES
    assert sorted(seen) == [0, 1, 2, 3]
    assert [item.seeds for item in ended if isinstance(item, Item)] == [(0, 1), (2, 3), (4, 5), (6, 7)]


def test_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    first = plan(works.square, tmp_path)
    first.items[1].target.write_text("mine")
    seen: list[int] = []
    ended = list(run(first, LocalBackend(), on_item=lambda item: seen.append(item.number)))
    assert contents(ended) == [SQUARES[0], "mine", *SQUARES[2:]]
    assert seen == [1, 0, 2, 3]


@pytest.mark.parametrize("backend", [LocalBackend(), ProcessBackend(1, 60.0)], ids=["local", "processes"])
def test_what_is_not_wanted_any_more_is_left_out(backend: Backend, tmp_path: Path) -> None:
    """The last item is the first that nobody asks for; those before it are given in order."""
    ended = list(run(plan(works.square, tmp_path), backend, wanted=lambda item: item.number not in (1, 3)))
    assert contents(ended) == [SQUARES[0], SQUARES[2]]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stopped_plan_goes_on(tmp_path: Path) -> None:
    with closing(cast(Any, run(plan(works.square, tmp_path), LocalBackend()))) as ended:
        next(ended)
    assert len(list(tmp_path.iterdir())) == 1
    assert contents(list(run(plan(works.square, tmp_path), LocalBackend()))) == SQUARES


def test_names_tell_other_work_and_other_seeds_apart(tmp_path: Path) -> None:
    plans = [
        Plan.of(works.square, 10, [1, 2], 2, tmp_path, "key"),
        Plan.of(works.square, 10, [1, 2], 2, tmp_path, "other"),
        Plan.of(works.square, 10, [2, 1], 2, tmp_path, "key"),
    ]
    assert len({each.items[0].target for each in plans}) == 3


def test_workers_that_die_are_replaced(tmp_path: Path) -> None:
    assert contents(list(run(plan(works.dies_once, tmp_path), ProcessBackend(2, 60.0)))) == SQUARES
    assert len(list(tmp_path.glob("*.tried"))) == 2  # the items that begin with 0 and 6


def test_a_worker_that_hangs_is_killed(tmp_path: Path) -> None:
    assert contents(list(run(plan(works.hangs_once, tmp_path), ProcessBackend(2, 20.0)))) == SQUARES
    assert len(list(tmp_path.glob("*.tried"))) == 1


def test_workers_do_not_outlive_who_began_them(tmp_path: Path) -> None:
    """Also in the middle of an item, and where it is killed and can tell nobody."""
    script = (
        "from pathlib import Path\n"
        "from barkyard.fleet import Plan, run\n"
        "from barkyard.fleet.processes import ProcessBackend\n"
        "from tests.fleet import works\n"
        "if __name__ == '__main__':\n"
        f"    plan = Plan.of(works.says_who_and_stays, 10, range(2), 1, Path({str(tmp_path)!r}), 'key')\n"
        "    list(run(plan, ProcessBackend(2, 600.0)))\n"
    )
    (tmp_path / "script.py").write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(tmp_path / "script.py")], env=environment) as began:
        wait_until(lambda: len([*tmp_path.glob("*.worker")]) == 2)
        began.kill()
    workers = [int(path.read_text()) for path in tmp_path.glob("*.worker")]
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60.0
    while not holds():
        assert time.monotonic() < end, "it took more than a minute"
        time.sleep(0.1)


@pytest.mark.parametrize("backend", [LocalBackend(), ProcessBackend(2, 60.0)], ids=["local", "processes"])
def test_what_fails_three_times_is_told_and_the_rest_goes_on(backend: Backend, tmp_path: Path) -> None:
    ended = list(run(plan(works.fails_at_four, tmp_path), backend))
    assert contents(ended) == [*SQUARES[:2], "failed", SQUARES[3]]
    failure = ended[2]
    assert isinstance(failure, Failure) and (failure.tries, failure.item.seeds) == (3, (4, 5))
    assert "Traceback" in failure.reason and "ValueError: four is not for us" in failure.reason


def test_work_that_leaves_nothing_has_failed(tmp_path: Path) -> None:
    (ended,) = run(plan(works.forgets, tmp_path, seeds=1), LocalBackend(), tries=1)
    assert isinstance(ended, Failure) and "left no result" in ended.reason


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="backend 'slurm' is not one of local, processes, ray"):
        make_backend("slurm", workers=1)
    with pytest.raises(InvalidInput, match="workers 0"):
        make_backend("processes", workers=0)
    with pytest.raises(InvalidInput, match="an item of 0 episodes"):
        Plan.of(works.square, 10, [1], 0, tmp_path, "key")
