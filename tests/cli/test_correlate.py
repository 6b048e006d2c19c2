"""`barkyard correlate`. All trials are made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from barkyard.cli.main import main
from barkyard.evaluation import EvalResult
from tests.evaluation.fakes import make_result


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three policies, simulated and real."""
    monkeypatch.chdir(tmp_path)
    lines = ["policy,task,trial,success,log"]
    for name, sim, real in (("a", 90, 9), ("b", 60, 5), ("c", 20, 3)):
        calibration = {"logs": [{"name": "a.npz", "sha256": "f00"}]}
        result = make_result(sim, 100, actor=name, env_kwargs={"calibration": calibration})
        result.save(tmp_path / f"{name}.json")
        lines += [f"{name},Lift-v0,{i},{int(i < real)},f{name}{i}" for i in range(10)]
    (tmp_path / "real.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["correlate", *words, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


SIM = ("a.json", "b.json", "c.json")


def test_a_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["correlate", *SIM, "--real", "real.csv", "--out", "report"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].split()[:3] == ["Lift-v0", "3", "0.963"]
    assert "warning: 3 policies are few" in captured.out
    assert captured.err == "the report is report/correlation.html\n"
    assert (study / "report/correlation.html").read_text().startswith("<!DOCTYPE html>")
    data = json.loads((study / "report/correlation.json").read_text())
    assert data["tasks"][0]["measures"]["mmrv"]["value"] == 0.0


def test_json_is_the_report(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = told(capsys, *SIM, "--real", "real.csv")
    assert facts["schema"] == "barkyard/correlation-v1"
    assert [outcome["real"] for outcome in facts["tasks"][0]["outcomes"]] == [[9, 10], [5, 10], [3, 10]]


def test_names_are_given_where_actors_are_called_alike(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        result = EvalResult.load(study / f"{name}.json")
        EvalResult(**{**vars(result), "actor": "diffusion"}).save(study / f"{name}.json")
    assert main(["correlate", *SIM, "--real", "real.csv"]) == 2
    assert "NAME=FILE" in capsys.readouterr().err
    facts = told(capsys, *(f"{name}={name}.json" for name in "abc"), "--real", "real.csv")
    assert [outcome["policy"] for outcome in facts["tasks"][0]["outcomes"]] == ["a", "b", "c"]


def test_a_surrogate_may_stand_for_reality(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = []
    for name, successes in (("a", 40), ("b", 30), ("c", 1)):
        make_result(successes, 50, actor=name, source="surrogate").save(study / f"{name}_surrogate.json")
        words.append(f"{name}={name}_surrogate.json")
    assert main(["correlate", *SIM, "--real", *words]) == 0
    assert "the real side is a surrogate, not a robot" in capsys.readouterr().out


def test_trials_used_to_calibrate_are_refused(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / "real.csv").write_text((study / "real.csv").read_text().replace("fa3", "f00"))
    assert main(["correlate", *SIM, "--real", "real.csv"]) == 2
    assert "were used to calibrate this simulation (log f00" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "give results of barkyard evaluate and --real FILE"),
        (["a.json"], 2, "--real FILE"),
        (["a.json", "--real", "absent.csv"], 1, "absent.csv: cannot be read"),
        (["absent.json", "--real", "real.csv"], 1, "absent.json: cannot be read"),
        (["a.json", "--real", "real.csv"], 2, "no task has 2 policies"),
        (["a.json", "--published", "simpler"], 2, "leave the files out"),
        (["=a.json", "--real", "real.csv"], 2, "gives no name"),
        (["--plan-width", "3"], 2, "width is 3"),
    ],
)
def test_wrong_words(
    words: list[str], code: int, message: str, study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["correlate", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and message in captured.err and captured.err.count("\n") == 1


def test_plans(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = told(capsys, "--plan-width", "0.2")
    assert plan["trials"]["0.5"] == 103
    assert main(["correlate", "--plan-width", "0.2"]) == 0
    assert "50 %          103" in capsys.readouterr().out
    [task] = told(capsys, *SIM, "--real", "real.csv", "--plan-width", "0.5")["tasks"]
    widths = [line["pearson"] for line in task["widths"]]
    assert widths == sorted(widths, reverse=True) and task["enough"] in (10, 20, 50, 100)
    assert main(["correlate", *SIM, "--real", "real.csv", "--plan-width", "0.0001"]) == 0
    assert "takes more than 1000 real trials" in capsys.readouterr().out


@pytest.mark.slow
def test_published_rates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = told(capsys, "--published", "simpler", "--out", str(tmp_path))
    assert len(facts["tasks"]) == 26
    assert (tmp_path / "correlation.html").exists()
