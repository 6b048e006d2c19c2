"""Our humanoid against `dm_control.suite`'s: the same state and actions give the same observations and rewards."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from barkyard.envs.registry import make_vec_env
from tests.embodiment.models import without_display

EPISODES, STEPS = 20, 100
ROUNDING = 1e-6
"""Our observations are float32; the states behind them agree to the last bits of a double."""


@pytest.fixture(params=["Stand", "Walk", "Run"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    pytest.importorskip("dm_control", reason="the extra `humanoid` is not installed")
    with without_display():
        from dm_control import suite

        reference = suite.load("humanoid", request.param.lower(), task_kwargs={"random": 0})
    env = make_vec_env(f"barkyard/Humanoid{request.param}-v0", EPISODES, autoreset_mode="Disabled", num_threads=1)
    yield env, reference
    env.close()


def test_observations_and_rewards_agree(pair: tuple[Any, Any]) -> None:
    env, reference = pair
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (STEPS, EPISODES, 21)).astype(np.float32)
    actions[:, ::2] *= 0.2
    env.reset(seed=0)
    starts = env.simulation.qpos.copy()
    ours = [env.step(actions[t])[:2] for t in range(STEPS)]
    physics = reference.physics
    joints = env.simulation.robot.robot.joints
    order = [joints.index(physics.model.actuator(i).name) for i in range(21)]
    touched = 0
    for episode in range(EPISODES):
        reference.reset()
        with physics.reset_context():
            physics.data.qpos[:] = starts[episode]
        for t in range(STEPS):
            step = reference.step(actions[t, episode][order].astype(np.float64))
            observations, rewards = ours[t]
            found = {name: values[episode] for name, values in observations.items()}
            velocity = np.concatenate([found.pop("base_velocity"), found.pop("joint_vel")])
            theirs = dict(step.observation)
            scale = np.maximum(np.abs(theirs["velocity"]), 1.0)
            np.testing.assert_allclose(
                velocity / scale, theirs["velocity"] / scale, atol=ROUNDING, err_msg=f"{episode} {t}"
            )
            np.testing.assert_allclose(found["joint_pos"], theirs["joint_angles"], atol=ROUNDING)
            for name in ("head_height", "extremities", "torso_vertical", "com_velocity"):
                np.testing.assert_allclose(found[name].squeeze(), theirs[name], atol=10 * ROUNDING, err_msg=name)
            assert rewards[episode] == pytest.approx(step.reward, abs=1e-9)
            touched += physics.data.ncon > 0
    assert touched > EPISODES * STEPS / 4, "most episodes must be on the ground"


def test_starts_touch_nothing() -> None:
    pytest.importorskip("dm_control", reason="the extra `humanoid` is not installed")
    env = make_vec_env("barkyard/HumanoidStand-v0", 8, autoreset_mode="Disabled", num_threads=1)
    env.reset(seed=3)
    assert (env.simulation.batch.bind("ncon") == 0).all()
    assert np.allclose(np.linalg.norm(env.simulation.qpos[:, 3:7], axis=1), 1.0)
    model = env.simulation.model
    low, high = model.jnt_range[[model.joint(f"robot/{name}").id for name in env.simulation.robot.robot.joints]].T
    joints = env.simulation.robot.joint_pos
    assert (joints >= low).all() and (joints <= high).all() and joints.std() > 0.3


def test_a_score_is_the_mean_reward() -> None:
    pytest.importorskip("dm_control", reason="the extra `humanoid` is not installed")
    env = make_vec_env("barkyard/HumanoidWalk-v0", 2, autoreset_mode="Disabled", num_threads=1)
    env.reset(seed=0)
    steps = [env.step(np.zeros((2, 21), np.float32)) for _ in range(5)]
    mean = np.mean([step[1] for step in steps], axis=0)
    np.testing.assert_allclose(steps[-1][4]["metrics"]["score"], mean, rtol=1e-12)
