"""Training and acting with a policy that is built on a body."""

import json
from pathlib import Path

import pytest

from barkyard.assets.robots.bodies import robot_body
from barkyard.cli.main import main
from barkyard.policies import load_policy

SMALL = ["--override", "layers=1", "width=8", "heads=1", "feed_forward=8", "training.warmup_steps=1"]
COUNTS = ["--steps", "2", "--batch-size", "8", "--quiet"]


def test_the_body_comes_from_the_environment(demonstrations: Path, tmp_path: Path) -> None:
    """A step of the tool is the root's, the gripper's command a finger's; it acts, but not with another controller."""
    out = tmp_path / "run"
    words = ["train", str(demonstrations), "--out", str(out), "--policy", "body-transformer-hard"]
    assert main([*words, *COUNTS, *SMALL]) == 0
    body = load_policy(out).features.embodiment
    assert body is not None and body.limbs == robot_body("panda").limbs
    assert body.signals["action"] == (0,) * 6 + (body.signals["gripper_target"][0],)
    evaluate = ["evaluate", "barkyard/Lift-v0", "--actor", str(out), "--episodes", "1", "--quiet"]
    assert main([*evaluate, "--out", str(tmp_path / "r.json")]) == 0


def test_the_body_comes_from_a_file(demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = robot_body("panda").with_signals({"action": [0] * 7})
    (tmp_path / "body.json").write_text(json.dumps(body.to_json()))
    words = ["train", str(demonstrations), "--policy", "body-transformer-hard", *COUNTS, *SMALL]
    assert main([*words, "--out", str(tmp_path / "run"), "--body", str(tmp_path / "body.json")]) == 0
    assert load_policy(tmp_path / "run").features.embodiment == body
    capsys.readouterr()
    words = ["evaluate", "barkyard/Lift-v0", "--actor", str(tmp_path / "run"), "--episodes", "1", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "r.json")]) == 1
    assert "the policy was built for a body with 10 limbs" in capsys.readouterr().err
    (tmp_path / "body.json").write_text("{}")
    words = ["train", str(demonstrations), "--policy", "body-transformer-hard", *COUNTS]
    assert main([*words, "--out", str(tmp_path / "bad"), "--body", str(tmp_path / "body.json")]) == 2
    assert "body.json: not an embodiment: KeyError 'schema'" in capsys.readouterr().err
