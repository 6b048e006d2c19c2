"""The evaluate and report commands."""

import json
from pathlib import Path

import pytest

from barkyard.cli.evaluate import summary
from barkyard.cli.main import main
from barkyard.evaluation import EpisodeRecord, EvalResult

LIFT = "barkyard/Lift-v0"


def evaluate(out: Path, *words: str) -> int:
    return main(["evaluate", LIFT, "--out", str(out), "--quiet", *words])


def test_the_line_has_counts_and_the_exact_interval() -> None:
    records = tuple(EpisodeRecord(10**9 + i, i > 0, 1.0, 30, "success" if i else "time_limit") for i in range(100))
    result = EvalResult(LIFT, {}, "expert", records, 100, 1.0)
    assert summary(result) == "barkyard/Lift-v0 expert 99/100 = 99.0 % [94.6, 100.0]"


def test_the_result_does_not_depend_on_the_number_of_environments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(tmp_path / "one.json", "--actor", "expert", "--episodes", "3", "--num-envs", "1") == 0
    assert "barkyard/Lift-v0 expert 3/3 = 100.0 %" in capsys.readouterr().out
    assert evaluate(tmp_path / "three.json", "--actor", "expert", "--episodes", "3", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    one, three = EvalResult.load(tmp_path / "one.json"), EvalResult.load(tmp_path / "three.json")
    assert one.fingerprint == three.fingerprint
    assert printed["episodes"][0]["seed"] == 1_000_000_000
    assert printed["path"] == str(tmp_path / "three.json")


def test_an_earlier_result_is_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "r.json"
    out.write_text("mine")
    assert evaluate(out, "--actor", "random") == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert evaluate(out, "--actor", "expert", "--episodes", "1", "--force") == 0
    assert EvalResult.load(out).num_episodes == 1


def test_videos_and_the_report_lie_in_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--actor", "expert", "--episodes", "2", "--videos", "1"]
    assert evaluate(tmp_path / "run/results/expert.json", *words) == 0
    assert [film.name for film in (tmp_path / "run/videos/expert").iterdir()] == ["episode_1000000000_success.mp4"]
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "Lift-v0" in capsys.readouterr().out
    assert "data:video/mp4;base64," in (tmp_path / "run/report.html").read_text()


def test_a_filmed_run_over_the_course_has_a_log_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run" / "results" / "random.json"
    words = ["--actor", "random", "--episodes", "1", "--videos", "1", "--env-kwargs", "difficulty=0.5"]
    assert main(["evaluate", "barkyard/AgilityCourse-v0", "--out", str(out), "--quiet", *words]) == 0
    [record] = EvalResult.load(out).episodes
    stem = tmp_path / "run" / "videos" / "random" / f"episode_{record.seed}_{record.end}"
    assert {path.name for path in stem.parent.iterdir()} == {
        f"{stem.name}{ending}" for ending in (".mp4", ".npz", ".png", ".course.json")
    }
    capsys.readouterr()
    assert main(["score", f"{stem}.npz", "--course", f"{stem}.course.json", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["score"], facts["not_judged"]) == (record.score, [])
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "data:image/png;base64," in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["--actor", "random", "--episodes", "0"],
        ["--actor", "random", "--seed-start", "-1"],
        ["--actor", "no such folder"],
        ["--actor", "random", "--env-kwargs", "controller=PID"],
    ],
)
def test_bad_words_leave_nothing_behind(words: list[str], tmp_path: Path) -> None:
    assert evaluate(tmp_path / "r.json", *words) == 2
    assert list(tmp_path.iterdir()) == []


def test_without_opengl_there_is_no_video_and_the_line_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "disabled")
    words = ["--actor", "expert", "--episodes", "1"]
    assert evaluate(tmp_path / "r.json", *words, "--videos", "1") == 1
    assert "MUJOCO_GL=disabled turns rendering off; unset it" in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()
    assert evaluate(tmp_path / "r.json", *words) == 0


def test_out_must_be_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(tmp_path / "r.txt", "--actor", "random") == 2
    assert ".json" in capsys.readouterr().err


def test_a_report_needs_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "absent")]) == 2
    assert main(["report", str(tmp_path)]) == 1
    assert "barkyard evaluate" in capsys.readouterr().err
