"""Our tasks against robosuite 1.5.2's own, stepped with the same actions from the same state on the same MuJoCo.

With both solvers run to convergence (tolerance 0) and robosuite's orientation goals kept in double precision, only
rounding is left: 1e-15 a step, growing to about 1e-11 over an episode. With the can, a mesh, rounding at times decides
which points of two surfaces touch, and an episode parts by up to a few 1e-3. So most episodes must stay within
`ROUNDING` and all within `CONTACT`.

As shipped, robosuite rounds orientation goals to single precision and both stop solving at 1e-8: `AS_SHIPPED`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.registry import make_vec_env
from barkyard.experts import make_expert
from tests.robosuite_reference import copy_state, double_precision, make_reference, measure, measure_ours

ROUNDING = 1e-8
CONTACT = 1e-2
AS_SHIPPED = {"Lift": 2e-2, "Stack": 2e-2, "NutAssemblySquare": 5e-2, "Door": 2e-2, "PickPlaceCan": 2e-2}
AS_SHIPPED_STEPS = 60
EPISODES = 20
RANDOM_STEPS = 20
SUCCEEDED = {"NutAssemblySquare": 0.8}
"""Part of the scripted episodes that must succeed in these steps, where it is not 0.9."""
SCRIPTED_STEPS = {
    ("Lift", "OSC_POSE"): 85,
    ("Lift", "JOINT_POSITION"): 190,
    ("Stack", "OSC_POSE"): 130,
    ("NutAssemblySquare", "OSC_POSE"): 300,
    ("Door", "OSC_POSE"): 160,
    ("PickPlaceCan", "OSC_POSE"): 190,
    ("PickPlaceCan", "JOINT_POSITION"): 250,
}
Recording = tuple[NDArray[np.float32], list[dict[str, Any]]]


def _make(task: str, controller: str, tolerance: float | None) -> RobotVectorEnv:
    env = make_vec_env(
        f"barkyard/{task}-v0",
        EPISODES,
        controller=controller,
        terminate_on_success=False,
        autoreset_mode="Disabled",
    )
    if tolerance is not None:
        env.simulation.batch.expand("opt.tolerance")[:] = tolerance
    return env


def _record(env: RobotVectorEnv, scripted: bool, steps: int) -> Recording:
    observations, _ = env.reset(seed=100)
    expert, draw = make_expert(env), np.random.default_rng(3)
    expert.reset(np.arange(EPISODES), np.arange(EPISODES))
    actions, measured = [], []
    for _ in range(steps):
        action = expert.act(observations)
        if not scripted:
            action = draw.uniform(-1, 1, action.shape).astype(np.float32)
        observations, reward, _, _, info = env.step(action)
        actions.append(action)
        measured.append({**measure_ours(env), "reward": reward, "success": info["success"]})
    return np.array(actions), measured


def _differences(
    task: str, env: RobotVectorEnv, recording: Recording, reference: Any, slots: range, tolerance: float | None
) -> Iterator[tuple[float, int]]:
    """Largest difference and number of steps whose success differs, for each episode."""
    actions, measured = recording
    env.reset(seed=100)
    for slot in slots:
        copy_state(env, slot, reference)
        if tolerance is not None:
            reference.sim.model._model.opt.tolerance = tolerance
        worst, disagreements = 0.0, 0
        for action, ours in zip(actions, measured, strict=True):
            reference.step(action[slot].astype(np.float64))
            theirs = measure(reference, task)
            disagreements += bool(ours["success"][slot]) != theirs["success"]
            for name in ours.keys() - {"success"}:
                worst = max(worst, float(np.abs(ours[name][slot] - theirs[name]).max()))
        yield worst, disagreements


@pytest.mark.parametrize(("task", "controller"), [*SCRIPTED_STEPS, ("Lift", "OSC_POSITION")])
def test_random_actions(task: str, controller: str) -> None:
    env = _make(task, controller, tolerance=0.0)
    _check(task, controller, env, _record(env, False, RANDOM_STEPS), EPISODES)


@pytest.mark.parametrize(
    ("task", "controller", "episodes"),
    [
        ("Lift", "OSC_POSE", 6),
        ("Lift", "JOINT_POSITION", 2),
        ("Stack", "OSC_POSE", 2),
        ("NutAssemblySquare", "OSC_POSE", 1),
        ("Door", "OSC_POSE", 2),
        ("PickPlaceCan", "OSC_POSE", 2),
        pytest.param("Lift", "OSC_POSE", EPISODES, marks=pytest.mark.slow),
        pytest.param("Lift", "JOINT_POSITION", EPISODES, marks=pytest.mark.slow),
        pytest.param("Stack", "OSC_POSE", EPISODES, marks=pytest.mark.slow),
        pytest.param("NutAssemblySquare", "OSC_POSE", EPISODES, marks=pytest.mark.slow),
        pytest.param("Door", "OSC_POSE", EPISODES, marks=pytest.mark.slow),
        pytest.param("PickPlaceCan", "OSC_POSE", EPISODES, marks=pytest.mark.slow),
        pytest.param("PickPlaceCan", "JOINT_POSITION", EPISODES, marks=pytest.mark.slow),
    ],
)
def test_scripted_episodes(task: str, controller: str, episodes: int) -> None:
    env = _make(task, controller, tolerance=0.0)
    recording = _record(env, True, SCRIPTED_STEPS[task, controller])
    if (task, controller) != ("PickPlaceCan", "JOINT_POSITION"):
        succeeded = np.any([moment["success"] for moment in recording[1]], axis=0)
        assert succeeded.mean() >= SUCCEEDED.get(task, 0.9), "the scripted episodes must reach success to be a test"
    _check(task, controller, env, recording, episodes)


def _check(task: str, controller: str, env: RobotVectorEnv, recording: Recording, episodes: int) -> None:
    with double_precision():
        reference = make_reference(task, controller)
        differences = list(_differences(task, env, recording, reference, range(episodes), 0.0))
    worst = np.array([d for d, _ in differences])
    assert (worst <= ROUNDING).mean() >= (1.0 if task == "Lift" else 0.6), np.sort(worst)
    assert worst.max() <= CONTACT, np.sort(worst)
    assert sum(n for _, n in differences) <= (0 if task == "Lift" else 1)


@pytest.mark.parametrize("task", AS_SHIPPED)
def test_as_shipped(task: str) -> None:
    env = _make(task, "OSC_POSE", tolerance=None)
    recording = _record(env, True, AS_SHIPPED_STEPS)
    reference = make_reference(task, "OSC_POSE")
    differences = list(_differences(task, env, recording, reference, range(2), None))
    assert max(d for d, _ in differences) <= AS_SHIPPED[task]
    assert sum(n for _, n in differences) <= 2


def test_a_changed_gain_is_noticed() -> None:
    """The test above can fail: one percent less stiffness parts the two within a second."""
    reference, env = make_reference("Lift", "OSC_POSE"), _make("Lift", "OSC_POSE", tolerance=0.0)
    recording = _record(env, False, RANDOM_STEPS)
    env.reset(seed=100)
    copy_state(env, 0, reference)
    reference.robots[0].part_controllers["right"].kp *= 0.99
    for action in recording[0]:
        reference.step(action[0].astype(np.float64))
    theirs = measure(reference, "Lift")
    assert np.abs(recording[1][-1]["joint_pos"][0] - theirs["joint_pos"]).max() > 1e-4
