"""The train command, up to an evaluation of what it trained."""

import json
from pathlib import Path

import pytest

from barkyard.cli.main import main
from barkyard.cli.opening import make_actor, open_environment
from barkyard.evaluation import EvalResult

SMALL = ["--override", "network.widths=[8,16]", "training.warmup_steps=1", "--batch-size", "8", "--quiet"]


def train(dataset: Path, out: Path, *words: str) -> int:
    return main(["train", str(dataset), "--out", str(out), *SMALL, *words])


@pytest.fixture(scope="module")
def policy(demonstrations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("policy") / "policy"
    assert train(demonstrations, out, "--steps", "3") == 0
    return out


def test_a_policy_is_trained_inspected_and_evaluated(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(policy), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["policy"], facts["trained steps"]) == ("checkpoint", "diffusion-unet", 3)
    assert facts["config"]["network"]["widths"] == [8, 16]
    out = tmp_path / "r.json"
    words = ["evaluate", "barkyard/Lift-v0", "--actor", str(policy), "--episodes", "1", "--out", str(out), "--quiet"]
    assert main(words) == 0
    result = EvalResult.load(out)
    assert result.fingerprints["checkpoint"] == facts["fingerprint"]
    assert result.fingerprints["dataset"] == facts["dataset fingerprint"]


def test_a_finished_run_is_resumed_without_work(
    policy: Path, demonstrations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (policy / "last" / "model.safetensors").read_bytes()
    assert train(demonstrations, policy, "--steps", "3", "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["step"] == 3
    assert (policy / "last" / "model.safetensors").read_bytes() == before


def test_several_datasets_are_learnt_from_together(
    policy: Path, demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a random actor ran into, with the expert's answers, beside demonstrations."""
    corrected, out = tmp_path / "corrected", tmp_path / "p"
    words = ["--actor", "random", "--teacher", "--no-states", "--keep-failures", "--episodes", "2", "--quiet"]
    assert main(["collect", "barkyard/Lift-v0", "--out", str(corrected), *words]) == 0
    arguments = ["train", str(demonstrations), str(corrected), "--out", str(out), *SMALL, "--steps", "2"]
    assert main(arguments) == 0
    capsys.readouterr()
    fingerprints = []
    for path in (out, policy):
        assert main(["inspect", str(path), "--json"]) == 0
        fingerprints.append(json.loads(capsys.readouterr().out)["dataset fingerprint"])
    assert fingerprints[0] != fingerprints[1]
    assert main([*arguments[:1], *arguments[2:], "--resume"]) == 2, "one of them is missing"
    assert "dataset" in capsys.readouterr().err


def test_a_run_is_not_overwritten(policy: Path, demonstrations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(demonstrations, policy, "--steps", "5") == 2
    assert "resume" in capsys.readouterr().err


def test_a_policy_that_does_not_fit_the_environment_is_refused(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.json"
    words = ["evaluate", "barkyard/Lift-v0", "--actor", str(policy), "--out", str(out), "--quiet"]
    assert main([*words, "--env-kwargs", "controller=JOINT_POSITION"]) == 1
    assert "controller" in capsys.readouterr().err
    assert not out.exists()


def test_a_policy_in_another_environment_is_allowed_and_said(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_environment("barkyard/PickPlaceCan-v0", 1, {}) as env:
        actor, _ = make_actor(str(policy), env)
    assert actor.name == "diffusion-unet"
    assert "learnt from barkyard/Lift-v0, and acts in barkyard/PickPlaceCan-v0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "difusion"], "diffusion-unet"),
        (["--override", "network.width=1"], "network.widths"),
        (["--override", "widths"], "name=value"),
        (["--observations", "no_such_part"], "joint_pos"),
    ],
)
def test_bad_words_are_refused(
    words: list[str], said: str, demonstrations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(demonstrations), "--out", str(tmp_path / "p"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path / "absent"), "--out", str(tmp_path / "p")]) == 1
    assert main(["train", "--out", str(tmp_path / "p")]) == 2
    assert "give one or more" in capsys.readouterr().err
