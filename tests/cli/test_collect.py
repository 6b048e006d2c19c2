"""Collecting, going on, and giving up."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.cli import collect as collect_module
from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.episode import Episode

LIFT = "barkyard/Lift-v0"


def collect(out: Path, *words: str) -> int:
    return main(["collect", LIFT, "--out", str(out), "--quiet", *words])


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def every_third_fails(demonstrations: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the simulation: seeds divisible by 3 fail. Returns the list of seeds that were run."""
    like = Dataset.open(demonstrations).episode(0)
    ran: list[int] = []

    def rollout(env: object, actor: object, seeds: Sequence[int], **choices: object) -> Iterator[Episode]:
        for seed in seeds:
            ran.append(seed)
            success = seed % 3 != 0
            yield replace(like, seed=seed, success=success, end="success" if success else "time_limit")

    monkeypatch.setattr(collect_module, "rollout", rollout)
    return ran


def test_successes_are_kept_until_there_are_enough(
    every_third_fails: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect(tmp_path / "d", "--episodes", "4", "--json") == 0
    assert Dataset.open(tmp_path / "d").seeds.tolist() == [1, 2, 4, 5]
    assert every_third_fails == [0, 1, 2, 3, 4, 5]
    report = summary(capsys)
    assert (report["episodes"], report["recorded"], report["failed"]) == (4, 4, 2)


def test_the_same_command_goes_on_after_the_last_seed(
    every_third_fails: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect(tmp_path / "d", "--episodes", "2", "--seed", "7") == 0
    every_third_fails.clear()
    assert collect(tmp_path / "d", "--episodes", "3", "--seed", "7") == 0
    assert Dataset.open(tmp_path / "d").seeds.tolist() == [7, 8, 10]
    assert every_third_fails == [9, 10]
    capsys.readouterr()
    assert collect(tmp_path / "d", "--episodes", "3", "--seed", "7", "--json") == 0
    assert summary(capsys)["recorded"] == 0


def test_stopping_and_the_number_of_environments_change_nothing(demonstrations: Path, tmp_path: Path) -> None:
    assert collect(tmp_path / "d", "--episodes", "1", "--num-envs", "1") == 0
    assert collect(tmp_path / "d", "--episodes", "3", "--num-envs", "2") == 0
    assert Dataset.open(tmp_path / "d").fingerprint == Dataset.open(demonstrations).fingerprint


def test_failures_are_kept_when_asked_for(every_third_fails: list[int], tmp_path: Path) -> None:
    assert collect(tmp_path / "d", "--episodes", "4", "--keep-failures") == 0
    assert Dataset.open(tmp_path / "d").successes.tolist() == [False, True, True, False]


def test_it_gives_up_where_nothing_succeeds(
    demonstrations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    like = Dataset.open(demonstrations).episode(0)

    def rollout(env: object, actor: object, seeds: Sequence[int], **choices: object) -> Iterator[Episode]:
        return (replace(like, seed=seed, success=False, end="time_limit") for seed in seeds)

    monkeypatch.setattr(collect_module, "rollout", rollout)
    assert collect(tmp_path / "d", "--episodes", "2") == 1
    assert "only 0 of 100 episodes succeeded" in capsys.readouterr().err


def test_the_experts_answers_are_recorded_and_states_left_out(tmp_path: Path) -> None:
    """Where the expert itself acts, its answers are what it does."""
    words = ["--teacher", "--no-states", "--episodes", "1"]
    assert collect(tmp_path / "own", *words) == 0
    dataset = Dataset.open(tmp_path / "own")
    episode = dataset.episode(0)
    assert dataset.observation_shapes["expert_action"] == (7,) and episode.states is None
    np.testing.assert_array_equal(episode.observations["expert_action"][:-1], episode.actions)
    assert collect(tmp_path / "others", *words, "--actor", "random", "--keep-failures") == 0
    corrected = Dataset.open(tmp_path / "others").episode(0)
    assert set(corrected.acted_by) == {"random"}
    assert np.abs(corrected.observations["expert_action"][:-1] - corrected.actions).mean() > 0.2


@pytest.mark.parametrize(("words", "said"), [("--teacher", "expert_action"), ("--no-states", "state_size")])
def test_a_dataset_is_filled_in_one_way(
    words: str, said: str, demonstrations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Dataset.open(demonstrations).fingerprint
    assert collect(demonstrations, "--episodes", "4", words) == 2
    assert said in capsys.readouterr().err
    assert Dataset.open(demonstrations).fingerprint == before


def test_the_dataset_rebuilds_its_environment(demonstrations: Path) -> None:
    dataset = Dataset.open(demonstrations)
    assert (dataset.env_id, dataset.successes.tolist()) == (LIFT, [True] * 3)
    assert dataset.env_kwargs["controller"] == "OSC_POSE"
    assert dataset.episode(0).states is not None


def test_a_dataset_of_another_environment_is_refused(
    demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Dataset.open(demonstrations).fingerprint
    words = ["collect", "barkyard/PickPlaceCan-v0", "--out", str(demonstrations), "--episodes", "9"]
    assert main(words) == 2
    assert "holds episodes of barkyard/Lift-v0" in capsys.readouterr().err
    assert collect(demonstrations, "--episodes", "9", "--env-kwargs", "reward=sparse") == 2
    assert "env_kwargs" in capsys.readouterr().err
    assert Dataset.open(demonstrations).fingerprint == before


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    assert collect(tmp_path, "--episodes", "1") == 1
    assert "is no dataset" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("words", [["--episodes", "0"], ["--num-envs", "0"], ["--seed", "-1"], ["--actor", "me"]])
def test_bad_words_are_refused(words: list[str], tmp_path: Path) -> None:
    assert collect(tmp_path / "d", *words) == 2
    assert not (tmp_path / "d").exists()


def test_evaluation_seeds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert collect(tmp_path / "d", "--episodes", "1", "--seed", "1000000000") == 2
    assert "kept for evaluation" in capsys.readouterr().err
