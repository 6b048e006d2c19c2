"""Replaying, and that a difference is seen."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from barkyard.cli.main import main
from barkyard.datasets import Dataset, DatasetWriter
from barkyard.episode import Episode


def altered(demonstrations: Path, out: Path, change: str) -> Path:
    """A copy of the dataset whose second episode was tampered with at step 5."""
    episodes = list(Dataset.open(demonstrations))
    with DatasetWriter.create(out, episodes[0]) as writer:
        for number, episode in enumerate(episodes):
            writer.write(_tampered(episode, change) if number == 1 else episode)
    return out


def _tampered(episode: Episode, change: str) -> Episode:
    if change == "observation":
        part = episode.observations["object_pos_world"].copy()
        part[5, 2] = np.nextafter(part[5, 2], np.float32(9))
        return replace(episode, observations={**episode.observations, "object_pos_world": part})
    actions = episode.actions.copy()
    actions[5, 0] += np.float32(0.5 if actions[5, 0] < 0 else -0.5)
    return replace(episode, actions=actions)


def test_states_and_actions_give_the_observations_again(
    demonstrations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(demonstrations), "--verify", "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("states agree, actions agree") == 3
    assert "3 of 3 episodes agree bit for bit" in printed


def test_one_bit_of_an_observation_is_seen(
    demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = altered(demonstrations, tmp_path / "d", "observation")
    assert main(["replay", str(path), "--quiet", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [entry["states_differ_at"] for entry in report["episodes"]] == ["", "object_pos_world[5]", ""]
    assert [entry["actions_differ_at"] for entry in report["episodes"]] == [None] * 3


def test_another_action_is_seen_only_when_carried_out(
    demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = altered(demonstrations, tmp_path / "d", "action")
    assert main(["replay", str(path), "--quiet"]) == 0
    assert main(["replay", str(path), "--quiet", "--verify"]) == 1
    printed = capsys.readouterr().out
    assert "states agree, actions differ at " in printed
    assert "2 of 3 episodes agree" in printed


def test_real_episodes_have_nothing_to_set(
    demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = replace(Dataset.open(demonstrations).episode(0), states=None, source="real")
    with DatasetWriter.create(tmp_path / "d", episode) as writer:
        writer.write(episode)
    assert main(["replay", str(tmp_path / "d"), "--quiet"]) == 1
    assert "holds no simulator states (source: real)" in capsys.readouterr().err


def test_videos(demonstrations: Path, tmp_path: Path) -> None:
    words = ["replay", str(demonstrations), "--quiet", "--videos", "1", "--video-dir", str(tmp_path / "films")]
    assert main(words) == 0
    assert [film.name for film in (tmp_path / "films").iterdir()] == ["episode_0.mp4"]


def test_an_empty_dataset(demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DatasetWriter.create(tmp_path / "d", Dataset.open(demonstrations).episode(0)).close()
    assert main(["replay", str(tmp_path / "d")]) == 1
    assert "holds no episodes yet" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "d")]) == 0


def test_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 1
    assert "is no dataset" in capsys.readouterr().err
