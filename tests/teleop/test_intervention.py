"""A person in the place of a learner's actions."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import barkyard  # noqa: F401  registers the environments
from barkyard.experts.driving import make_operator
from barkyard.teleop import Command, InterventionWrapper
from tests.teleop.test_session import GO, STAY, Pusher, Scripted


class Point(gym.Env):
    """Adds up the first element of the actions."""

    observation_space = gym.spaces.Dict({"place": gym.spaces.Box(-10.0, 10.0, (1,))})
    action_space = gym.spaces.Box(-1.0, 1.0, (2,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = np.zeros(1, dtype=np.float32)
        return {"place": self.place.copy()}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place += action[0]
        return {"place": self.place.copy()}, 0.0, False, False, {"success": False}


def test_the_persons_actions_are_executed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 10.0, 0.05))
    monkeypatch.setattr("barkyard.teleop.intervention.time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("barkyard.teleop.intervention.TAKEN_OVER", 0.08)
    device = Scripted([Command(STAY), Command(GO), Command(STAY), Command(STAY), Command(STAY)])
    env = InterventionWrapper(Point(), device, Pusher())
    env.reset(seed=3)
    own = np.array([0.25, 0.5], dtype=np.float32)
    infos = [env.step(own)[-1] for _ in range(5)]
    told = [info.get("intervene_action") for info in infos]
    assert [action is not None for action in told] == [False, True, True, False, False]
    assert told[1] is not None and told[1].tolist() == [1.0, 0.5]  # the gripper stays where the learner had it
    assert told[2] is not None and told[2].tolist() == [0.0, 0.0]
    assert env.unwrapped.place[0] == pytest.approx(3 * 0.25 + 1.0)  # type: ignore[attr-defined]
    assert all(info["success"] is False for info in infos)


def test_a_new_episode_is_the_learners_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barkyard.teleop.intervention.time.monotonic", lambda: 5.0)
    env = InterventionWrapper(Point(), Scripted([Command(GO), Command(STAY)]), Pusher())
    env.reset(seed=0)
    own = np.zeros(2, dtype=np.float32)
    assert "intervene_action" in env.step(own)[-1]
    env.reset(seed=1)
    assert "intervene_action" not in env.step(own)[-1]


def test_an_arm_is_taken_over_in_gymnasiums_environment() -> None:
    env = gym.make("barkyard/Lift-v0")
    env.reset(seed=0)
    batch: Any = env.unwrapped.batch  # type: ignore[attr-defined]
    operator = make_operator(batch)
    right = Command((0.0, -float(operator.full[1]), 0.0, 0.0, 0.0, 0.0))
    taken = InterventionWrapper(env, Scripted([right] * 5), operator)
    taken.reset(seed=0)
    began = batch.simulation.robot.tcp_pos_world[0].copy()
    for _ in range(5):
        info = taken.step(np.zeros(7, dtype=np.float32))[-1]
        np.testing.assert_allclose(info["intervene_action"][:6], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-6)
    moved = batch.simulation.robot.tcp_pos_world[0] - began
    assert moved[1] > 0.02 and np.abs(moved[[0, 2]]).max() < 0.005
    env.close()
