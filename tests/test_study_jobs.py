"""What the studies share, and what the study of reinforcement reports. All outcomes are made up."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.fleet import make_backend
from tests.test_readme import ROOT

LOCAL = make_backend("local", workers=1)


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The studies' modules, which lie beside one another."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts/studies"))
    return {name: importlib.import_module(name) for name in ("jobs", "networks", "reinforcement")}


def test_a_job_is_done_once_and_the_results_are_in_order(study: dict[str, Any], tmp_path: Path) -> None:
    done: list[int] = []

    def square(number: int) -> int:
        done.append(number)
        return number**2

    jobs = {tmp_path / f"{number}.json": number for number in (3, 1, 2)}
    assert list(study["jobs"].do_all(square, jobs, LOCAL)) == [9, 1, 4]
    (tmp_path / "1.json").unlink()
    assert list(study["jobs"].do_all(square, jobs, LOCAL)) == [9, 1, 4]
    assert done == [3, 1, 2, 1]


def test_the_others_are_done_where_a_job_fails(
    study: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[int] = []

    def fail_at_one(number: int) -> int:
        tried.append(number)
        if number == 1:
            raise ValueError("one is refused")
        return number

    jobs = {tmp_path / f"{number}.json": number for number in (0, 1, 2)}
    results = study["jobs"].do_all(fail_at_one, jobs, LOCAL)
    assert [next(results), next(results)] == [0, 2]
    with pytest.raises(SystemExit, match="1 of 3 jobs failed"):
        next(results)
    assert tried.count(1) == 3 and "one is refused" in capsys.readouterr().err


def test_a_command_that_fails_is_an_error(study: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="nowhere.* ended with"):
        study["jobs"].run("inspect", "nowhere")


def test_interval_by_hand(study: dict[str, Any]) -> None:
    """Mean 2, standard error 1 / sqrt(3), and Student's t of 4.303 at two degrees of freedom."""
    mean, half = study["networks"].interval([1.0, 2.0, 3.0])
    assert (mean, half) == pytest.approx((2.0, 4.3027 / 3**0.5), rel=1e-4)


def made_up(network: str, training: str, seed: int, level: float, dead: tuple[str, ...]) -> dict[str, Any]:
    points = [{"steps": 100.0 * (i + 1), "return": level * (i + 1), "length": 5.0, "episodes": 2} for i in range(10)]
    returns = {actuator: {"return": level + i, "length": 1.0, "success": 0.0} for i, actuator in enumerate(dead)}
    return {
        "network": network, "training": training, "seed": seed, "curve": points, "parameters": 7, "dead": returns,
    }  # fmt: skip


def test_the_report_tells_means_and_gains(study: dict[str, Any], tmp_path: Path) -> None:
    reinforcement = study["reinforcement"]
    levels = {"mlp": 1.0, "transformer": 2.0, "mix": 5.0}
    lines = [
        made_up(network, training, seed, level + seed, reinforcement.DEAD)
        for training in reinforcement.TRAININGS
        for seed in range(3)
        for network, level in levels.items()
    ]
    text = reinforcement.report(lines)
    assert "| mix | 7 | 12 ± 5 | 30 ± 12 | 42 ± 17 | 60 ± 25 |" in text  # (5 + seed) times 2, 5, 7 and 10
    assert text.count("| nothing | 2 ± 2.5 | 3 ± 2.5 | 6 ± 2.5 | 3 ± 0 | 4 ± 0 |") == 2
    unseen = np.mean(
        [i for i, name in enumerate(reinforcement.DEAD) if name not in ("", reinforcement.DEAD_IN_TRAINING)]
    )
    assert f"| all that no training had | {2 + unseen:.3g} ± 2.5 |" in text
    reinforcement.draw(lines, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
