"""The compiled controllers against the textbook formulas in plain NumPy."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.control.kernels import MEMORY
from barkyard.control.native import installed
from barkyard.envs.registry import make_vec_env

Array = NDArray[np.float64]


def _state(controller: str, seed: int) -> tuple[mujoco.MjModel, mujoco.MjData, Array]:
    """A Lift scene with moving joints and a fresh action in the controller's memory."""
    env = make_vec_env("barkyard/Lift-v0", 1, controller=controller)
    env.reset(seed=seed)
    model, data = env.simulation.batch.get_model(0), env.simulation.batch.get_data(0)
    draw = np.random.default_rng(seed)
    data.qvel[:7] = draw.normal(size=7)
    action = draw.uniform(-1, 1, env.single_action_space.shape)
    size = env.simulation.controller.memory_size
    env.simulation.controller.command(data.userdata[None, :size], data.ctrl[None], action[None].astype(np.float32))
    return model, data, action.astype(np.float32).astype(np.float64)


def _quantities(model: mujoco.MjModel, data: mujoco.MjData) -> dict[str, Array]:
    site, base = model.site(PREFIX + "gripper_grip_site").id, model.site(PREFIX + "right_center").id
    jacp, jacr, inertia = np.zeros((3, model.nv)), np.zeros((3, model.nv)), np.zeros((model.nv, model.nv))
    mujoco.mj_jacSite(model, data, jacp, jacr, site)
    mujoco.mj_fullM(model, data, inertia)
    return {
        "jacobian": np.vstack([jacp, jacr])[:, :7],
        "inertia": inertia[:7, :7],
        "bias": data.qfrc_bias[:7].copy(),
        "pos": data.site_xpos[site].copy(),
        "mat": data.site_xmat[site].reshape(3, 3).copy(),
        "base_mat": data.site_xmat[base].reshape(3, 3).copy(),
    }


def _osc(q: dict[str, Array], data: mujoco.MjData, rest: Array, action: Array) -> Array:
    jacobian, inertia, base = q["jacobian"], q["inertia"], q["base_mat"]
    velocity = data.qvel[:7]
    goal_pos = q["pos"] + base @ (0.05 * action[:3])
    turn = np.zeros(9)
    quat = np.zeros(4)
    vector = 0.5 * action[3:6]
    angle = float(np.linalg.norm(vector))
    mujoco.mju_axisAngle2Quat(quat, vector / max(angle, 1e-12), angle)
    mujoco.mju_quat2Mat(turn, quat)
    goal_mat = base @ turn.reshape(3, 3) @ base.T @ q["mat"]
    ori_error = 0.5 * sum(np.cross(q["mat"][:, i], goal_mat[:, i]) for i in range(3))
    kp, kd = 150.0, 2 * np.sqrt(150.0)
    force = kp * (goal_pos - q["pos"]) - kd * jacobian[:3] @ velocity
    torque = kp * ori_error - kd * jacobian[3:] @ velocity
    inverse = np.linalg.inv(inertia)

    def task_inertia(rows: Array) -> Array:
        return np.linalg.inv(rows @ inverse @ rows.T)

    wrench = np.concatenate([task_inertia(jacobian[:3]) @ force, task_inertia(jacobian[3:]) @ torque])
    null = np.eye(7) - inverse @ jacobian.T @ task_inertia(jacobian) @ jacobian
    posture = inertia @ (10.0 * (rest - data.qpos[:7]) - 2 * np.sqrt(10.0) * velocity)
    out: Array = jacobian.T @ wrench + q["bias"] + null.T @ posture
    return out


def _joint(q: dict[str, Array], data: mujoco.MjData, rest: Array, action: Array) -> Array:
    del rest
    out: Array = q["inertia"] @ (50.0 * 0.05 * action[:7] - 2 * np.sqrt(50.0) * data.qvel[:7]) + q["bias"]
    return out


def _osc_position(q: dict[str, Array], data: mujoco.MjData, rest: Array, action: Array) -> Array:
    return _osc(q, data, rest, np.array([*action[:3], 0.0, 0.0, 0.0]))


def _inverse_kinematics(q: dict[str, Array], data: mujoco.MjData, rest: Array, action: Array) -> Array:
    jacobian, posture = q["jacobian"], 0.1 * (rest - data.qpos[:7])
    twist = np.concatenate([q["base_mat"] @ (0.05 * action[:3]), q["base_mat"] @ (0.2 * action[3:6])])
    inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + 0.05**2 * np.eye(6))
    step = inverse @ twist + (np.eye(7) - inverse @ jacobian) @ posture
    out: Array = q["inertia"] @ (150.0 * step - 2 * np.sqrt(150.0) * data.qvel[:7]) + q["bias"]
    return out


def _velocity(q: dict[str, Array], data: mujoco.MjData, rest: Array, action: Array) -> Array:
    del rest
    out: Array = q["inertia"] @ (2 * np.sqrt(150.0) * (0.5 * action[:7] - data.qvel[:7])) + q["bias"]
    return out


@pytest.mark.parametrize(
    ("controller", "law"),
    [
        ("OSC_POSE", _osc),
        ("OSC_POSITION", _osc_position),
        ("IK_POSE", _inverse_kinematics),
        ("JOINT_POSITION", _joint),
        ("JOINT_VELOCITY", _velocity),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_torques_follow_the_law(controller: str, law: Callable[..., Any], seed: int) -> None:
    model, data, action = _state(controller, seed)
    rest = data.userdata[MEMORY.REST : MEMORY.REST + 7].copy()
    with installed():
        mujoco.mj_forward(model, data)
    expected = law(_quantities(model, data), data, rest, action)
    limits = model.actuator_ctrlrange[:7]
    np.testing.assert_allclose(data.ctrl[:7], np.clip(expected, *limits.T), rtol=1e-9, atol=1e-9)


def test_the_goal_stays_until_the_next_action() -> None:
    model, data, _ = _state("OSC_POSE", 0)
    with installed():
        mujoco.mj_forward(model, data)
        goal = data.userdata[MEMORY.GOAL : MEMORY.GOAL + 12].copy()
        for _ in range(10):
            mujoco.mj_step(model, data)
    assert data.userdata[MEMORY.NEW_ACTION] == 0.0
    np.testing.assert_array_equal(data.userdata[MEMORY.GOAL : MEMORY.GOAL + 12], goal)


@pytest.mark.parametrize(("commands", "expected"), [([1.0], 0.2), ([1.0] * 7, 1.0), ([-0.3, -1.0], -0.4), ([0.0], 0.0)])
def test_the_gripper_moves_a_fifth_of_its_range_a_step(commands: list[float], expected: float) -> None:
    env = make_vec_env("barkyard/Lift-v0", 1)
    env.reset(seed=0)
    for command in commands:
        env.step(np.array([[0, 0, 0, 0, 0, 0, command]], dtype=np.float32))
    assert env.simulation.gripper_target()[0, 0] == pytest.approx(expected)
    ctrl = env.simulation.batch.bind("ctrl")[0, 7:]
    np.testing.assert_allclose(ctrl, [0.02 - 0.02 * expected, -0.02 + 0.02 * expected], atol=1e-12)
