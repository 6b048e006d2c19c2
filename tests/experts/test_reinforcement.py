"""PPO for registered policies: what it writes, that it acts as it was trained, and that it learns."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barkyard.cli.main import main
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.errors import InvalidInput
from barkyard.experts.reinforcement import LAST, LOG, reinforce
from barkyard.policies import PolicyActor, load_policy
from tests.policies.conftest import one_thread

__all__ = ["one_thread"]

SMALL = {"layers": 2, "width": 16, "heads": 2, "feed_forward": 16, "ppo.steps": 8, "ppo.epochs": 2}
ENV = "barkyard/QuadrupedVelocity-v0"


@pytest.fixture
def env() -> Iterator[RobotVectorEnv]:
    env = make_vec_env(ENV, 8, autoreset_mode="Disabled", num_threads=1)
    yield env
    env.close()


def test_what_is_written(env: RobotVectorEnv, tmp_path: Path) -> None:
    """A log of every iteration, and a checkpoint that acts."""
    seen: list[dict[str, Any]] = []
    found = reinforce(env, "body-transformer-mix", tmp_path / "run", iterations=3, overrides=SMALL, report=seen.append)
    lines = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert lines == seen and [line["steps"] for line in lines] == [64, 128, 192]
    policy = load_policy(found)
    assert found == tmp_path / "run" / LAST and policy.origin.step == 3
    assert policy.features.embodiment is not None and policy.features.env_id == ENV
    observations, _ = env.reset(seed=0)
    actor = PolicyActor(policy, num_slots=8)
    actor.reset(np.arange(8), np.arange(8))
    actions = actor.act(observations)
    assert actions.shape == (8, 12) and np.abs(actions).max() <= 1 and actions.std() > 0
    with pytest.raises(InvalidInput, match="exists already"):
        reinforce(env, "body-transformer-mix", tmp_path / "run", iterations=1)


@pytest.mark.parametrize("name", ["body-transformer-hard", "locomotion-mlp"])
def test_a_checkpoint_acts_as_the_actor_did(
    name: str, env: RobotVectorEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy's own scaling is what the actor normalised by."""
    from rsl_rl.runners import OnPolicyRunner

    runners: list[Any] = []
    monkeypatch.setattr(OnPolicyRunner, "learn", _remembering(OnPolicyRunner.learn, runners))
    small = SMALL if name.startswith("body") else {"network.widths": [16, 16], "ppo.steps": 8}
    policy = load_policy(reinforce(env, name, tmp_path / "run", iterations=2, overrides=small))
    (runner,) = runners
    seen = runner.env.get_observations()
    observations = {key: torch.from_numpy(values)[:, None] for key, values in runner.env._seen.items()}
    with torch.inference_mode():
        expected = runner.alg.actor.eval()(seen).clamp(-1, 1)
        found = policy.act({key: observations[key] for key in policy.features.observations}, torch.empty(0))[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def _remembering(learn: Any, runners: list[Any]) -> Any:
    def remember(runner: Any, *args: Any) -> None:
        runners.append(runner)
        learn(runner, *args)

    return remember


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        env = make_vec_env(ENV, 4, autoreset_mode="Disabled", num_threads=1)
        policy = load_policy(reinforce(env, "limb-transformer", tmp_path / name, iterations=2, overrides=SMALL))
        found.append(torch.cat([weights.flatten() for weights in policy.parameters()]))
        env.close()
    assert torch.equal(*found)


def test_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rl", ENV, "--policy", "body-transformer-hard", "--num-envs", "4", "--steps", "1", "--quiet", "--json"]
    small = ["--override", *(f"{name}={value}" for name, value in SMALL.items())]
    assert main(["train", "--out", str(tmp_path / "run"), *words, *small]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["iteration"] == 1 and Path(summary["checkpoint"]).is_dir()
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "other"), *words]) == 2
    assert "leave out datasets" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "other")]) == 2
    assert "give one or more datasets to learn from, or an environment with --rl" in capsys.readouterr().err
