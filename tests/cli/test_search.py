"""Races, searching, bisecting and replaying results, on a real environment."""

import json
from pathlib import Path

import pytest

from barkyard.cli.main import main
from barkyard.evaluation import EvalResult

LIFT = "barkyard/Lift-v0"


def test_two_actors_race_and_leave_a_result_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", LIFT, "--actor", "expert", "noisy=random", "--episodes", "4", "--num-envs", "4", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "race")]) == 0
    out = capsys.readouterr().out
    assert "expert: not enough evidence against noisy" in out and "8 of 8 episodes were run; 0 (0 %) saved" in out
    assert {file.name for file in (tmp_path / "race").iterdir()} == {"expert.json", "noisy.json"}
    result = EvalResult.load(tmp_path / "race" / "expert.json")
    assert result.sampling == "sequential"
    assert main([*words, "--out", str(tmp_path / "race")]) == 2
    assert main([*words, "--out", str(tmp_path / "race.json")]) == 2
    assert "give a folder" in capsys.readouterr().err
    race = str(tmp_path / "race" / "expert.json")
    assert main(["compare", race, race.replace("expert.json", "noisy.json")]) == 2
    assert "ended when an answer was known" in capsys.readouterr().err


def test_a_failure_is_found_replayed_and_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", LIFT, "--actor", "random", "--episodes", "2", "--num-envs", "2", "--out", str(tmp_path / "s")]
    assert main([*words, "--quiet", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fair_sample"] is False
    [seed, _] = facts["variants"]["plain"]["failures"]
    result = tmp_path / "s" / "plain.json"
    replay = ["replay", str(result), "--seeds", str(seed), "--actor", "random"]
    assert main([*replay, "--video-dir", str(tmp_path / "films")]) == 0
    assert "time limit after" in capsys.readouterr().out
    assert [film.name for film in (tmp_path / "films").iterdir()] == [f"episode_{seed}_time_limit.mp4"]
    assert main(["replay", str(result), "--seeds", "5", "--actor", "random"]) == 2
    assert main(["replay", str(result), "--seeds", str(seed), "--actor", "expert", "--videos", "0"]) == 1
    assert "otherwise than before (time limit)" in capsys.readouterr().out


def test_bisect_needs_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", LIFT, str(tmp_path / "absent"), "x", "--seed", "1000000000"]) == 2
    assert "no folder of a checkpoint" in capsys.readouterr().err


@pytest.mark.slow
def test_the_checkpoint_that_changed_an_outcome_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that learns to lift the cube: of two neighbours that are found the one fails and the other succeeds."""
    data, run = tmp_path / "data", tmp_path / "run"
    assert main(["collect", LIFT, "--episodes", "40", "--no-states", "--out", str(data), "--quiet"]) == 0
    settings = ["observation_steps=1", "action_dropout=0.0", "network.widths=[256,256,256]", "training.warmup_steps=5"]
    words = ["--policy", "locomotion-mlp", "--steps", "60", "--batch-size", "256", "--keep-every", "10"]
    assert main(["train", str(data), "--out", str(run), *words, "--override", *settings, "--quiet"]) == 0
    steps = [str(run / f"step_{step:06d}") for step in range(10, 61, 10)]
    assert [Path(step).is_dir() for step in steps] == [True] * 6
    for name, step in (("early", steps[0]), ("late", steps[-1])):
        evaluate = ["evaluate", LIFT, "--actor", step, "--episodes", "20", "--num-envs", "20", "--quiet"]
        assert main([*evaluate, "--out", str(tmp_path / f"{name}.json")]) == 0
    early, late = (EvalResult.load(tmp_path / f"{name}.json").episodes for name in ("early", "late"))
    seed = next(b.seed for a, b in zip(early, late, strict=True) if b.success and not a.success)
    capsys.readouterr()
    assert main(["bisect", str(tmp_path / "late.json"), *steps, "--seed", str(seed), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    tried = found["tried"]
    assert (tried[steps[0]], tried[steps[-1]], tried[found["before"]], tried[found["after"]]) == (0, 1, 0, 1)
    assert steps.index(found["after"]) == steps.index(found["before"]) + 1 and len(tried) <= 5
    for checkpoint in (found["before"], found["after"]):
        out = tmp_path / f"{Path(checkpoint).name}.json"
        one = ["--episodes", "1", "--seed-start", str(seed - early[0].seed), "--out", str(out), "--quiet"]
        assert main(["evaluate", LIFT, "--actor", checkpoint, *one]) == 0
        assert EvalResult.load(out).episodes[0].success == tried[checkpoint]
