"""The control callback acts on our models alone, whatever else the process does."""

import threading

import mujoco
import numpy as np
import pytest

from barkyard.control.kernels import MEMORY
from barkyard.control.native import _callback_slot, installed
from barkyard.envs.registry import make_vec_env

PENDULUM = """
<mujoco><size nuserdata="{nuserdata}"/>{custom}<worldbody><body pos="0 0 1"><joint name="j" axis="0 1 0"/>
<geom size=".1" pos=".3 0 0"/></body></worldbody><actuator><motor joint="j"/></actuator></mujoco>
"""


def _pendulum(nuserdata: int = 0, custom: str = "") -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(PENDULUM.format(nuserdata=nuserdata, custom=custom))


def _swing(model: mujoco.MjModel, steps: int = 200) -> np.ndarray:
    data = mujoco.MjData(model)
    for _ in range(steps):
        mujoco.mj_step(model, data)
    return np.concatenate([data.qpos, data.qvel, data.ctrl])


@pytest.mark.parametrize(
    "model",
    [
        _pendulum(),
        _pendulum(nuserdata=MEMORY.SIZE + 10),
        _pendulum(nuserdata=MEMORY.SIZE, custom="<custom><numeric name='n' size='200' data='1 2 3'/></custom>"),
    ],
    ids=["plain", "userdata", "userdata and numerics"],
)
def test_other_models_step_alike_inside_and_outside(model: mujoco.MjModel) -> None:
    outside = _swing(model)
    with installed():
        inside = _swing(model)
    np.testing.assert_array_equal(inside, outside)


def test_our_model_is_controlled_only_inside() -> None:
    env = make_vec_env("barkyard/Lift-v0", 1)
    env.reset(seed=0)
    model, data = env.simulation.batch.get_model(0), env.simulation.batch.get_data(0)
    data.ctrl[:] = 0
    mujoco.mj_step(model, data)
    assert not data.ctrl.any()
    with installed():
        mujoco.mj_step(model, data)
    assert np.abs(data.ctrl[:7]).max() > 1.0, "gravity compensation needs torque"


def test_the_previous_callback_is_put_back_and_still_called() -> None:
    model, seen = _pendulum(), []

    def push(_: mujoco.MjModel, data: mujoco.MjData) -> None:
        seen.append(data.time)
        data.ctrl[:] = 0.3

    mujoco.set_mjcb_control(push)
    try:
        expected, calls = _swing(model), len(seen)
        with installed():
            inside = _swing(model)
        assert len(seen) == 2 * calls
        np.testing.assert_array_equal(inside, expected)
        np.testing.assert_array_equal(_swing(model), expected)
    finally:
        mujoco.set_mjcb_control(None)
    assert not _callback_slot().value


def test_another_thread_notices_nothing_while_we_step() -> None:
    model = _pendulum()
    expected = _swing(model, 3000)
    env = make_vec_env("barkyard/Lift-v0", 4, num_threads=1)
    env.reset(seed=0)
    stop, results = threading.Event(), []

    def neighbour() -> None:
        while not stop.is_set():
            results.append(_swing(model, 3000))

    thread = threading.Thread(target=neighbour)
    thread.start()
    actions = np.zeros((4, 7), dtype=np.float32)
    for _ in range(40):
        env.step(actions)
    stop.set()
    thread.join()
    assert results
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_nesting_and_threads_share_one_installation() -> None:
    with installed():
        address = _callback_slot().value
        with installed():
            assert _callback_slot().value == address
        assert _callback_slot().value == address
    assert not _callback_slot().value
