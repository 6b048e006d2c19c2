"""robosuite 1.5.2's own environments, made to run on this MuJoCo, as the reference for parity tests and benchmarks."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robosuite_models import quiet_robosuite
from barkyard.envs.env import RobotVectorEnv

_FREE_OBJECTS = {
    "Lift": {"object/": "cube"},
    "PickPlaceCan": {"object/": "Can"},
    "Stack": {"object/": "cubeA", "target/": "cubeB"},
    "NutAssemblySquare": {"object/": "SquareNut"},
    "Door": {},
}
"""Our prefix and robosuite's name of every free object of a task."""
_BODIES = {
    task: {f"{prefix}main": f"{name}_main" for prefix, name in free.items()} for task, free in _FREE_OBJECTS.items()
} | {"Door": {"door/door": "Door_door", "door/latch": "Door_latch"}}
"""Our name and robosuite's of every body whose pose is compared."""
_CLEARED = {"PickPlaceCan": ("Milk", "Bread", "Cereal"), "NutAssemblySquare": ("RoundNut",)}
"""What robosuite keeps far away in a task."""


def patch_robosuite() -> None:
    """Make robosuite 1.5.2 run on MuJoCo >= 3.10; safe to call again.

    Its joint address look-ups compare enumerations with NumPy integers, which newer MuJoCo finds unequal, and it
    calls `mj_fullM` with the old argument order and the old field `qM`.
    """
    with quiet_robosuite():
        from robosuite.utils import binding_utils
    if getattr(binding_utils.MjModel, "_runs_on_new_mujoco", False):
        return

    def widths(model: Any, name: str) -> tuple[int, int, int]:
        joint = model.joint_name2id(name)
        kind = int(model.jnt_type[joint])
        free, ball = int(mujoco.mjtJoint.mjJNT_FREE), int(mujoco.mjtJoint.mjJNT_BALL)
        return joint, 7 if kind == free else 4 if kind == ball else 1, 6 if kind == free else 3 if kind == ball else 1

    def qpos_address(model: Any, name: str) -> int | tuple[int, int]:
        joint, width, _ = widths(model, name)
        start = int(model.jnt_qposadr[joint])
        return start if width == 1 else (start, start + width)

    def qvel_address(model: Any, name: str) -> int | tuple[int, int]:
        joint, _, width = widths(model, name)
        start = int(model.jnt_dofadr[joint])
        return start if width == 1 else (start, start + width)

    binding_utils.MjModel.get_joint_qpos_addr = qpos_address
    binding_utils.MjModel.get_joint_qvel_addr = qvel_address
    binding_utils.MjData.qM = property(lambda data: data)
    binding_utils.MjModel._runs_on_new_mujoco = True
    _patch_full_inertia()


def _patch_full_inertia() -> None:
    from robosuite.controllers.parts import controller

    class Facade:
        """The `mujoco` module as robosuite's controllers expect it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(mujoco, name)

        @staticmethod
        def mj_fullM(model: Any, out: NDArray[np.float64], data: Any) -> None:  # noqa: N802
            mujoco.mj_fullM(model, data._data, out)

    controller.mujoco = Facade()


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """robosuite rounds its orientation goals to single precision (`quat2mat`); inside this block it does not."""
    from robosuite.utils import transform_utils

    single = transform_utils.quat2mat

    def quat2mat(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z, w = np.asarray(quaternion, dtype=np.float64)
        out = np.zeros(9)
        mujoco.mju_quat2Mat(out, np.array([w, x, y, z]) / np.sqrt(w * w + x * x + y * y + z * z))
        return out.reshape(3, 3)

    transform_utils.quat2mat = quat2mat
    try:
        yield
    finally:
        transform_utils.quat2mat = single


def make_reference(task: str, controller: str, *, dense: bool = True, hard_reset: bool = False) -> Any:
    """robosuite's environment `task` with one Panda and low-dimensional observations.

    With `hard_reset`, its default, it compiles the model anew at every reset.
    """
    patch_robosuite()
    import robosuite
    from robosuite.controllers import load_composite_controller_config, load_part_controller_config

    config = load_composite_controller_config(robot="Panda")
    if controller != "OSC_POSE":
        part = load_part_controller_config(default_controller=controller)
        part["gripper"] = {"type": "GRIP"}
        config["body_parts"]["right"] = part
    return robosuite.make(
        task,
        robots="Panda",
        controller_configs=config,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        reward_shaping=dense,
        hard_reset=hard_reset,
        ignore_done=True,
        horizon=10_000,
        seed=0,
    )


def copy_state(env: RobotVectorEnv, slot: int, reference: Any) -> None:
    """Put `reference` into the state at which copy `slot` of `env` has just been reset, its model included."""
    task = type(env.task).__name__
    reference.reset()
    view, sim = env.simulation.robot, reference.sim
    model, source = sim.model._model, env.simulation.batch.get_model(slot)
    if task == "Lift":
        _copy_cube(source, model)
    mujoco.mj_setConst(model, sim.data._data)
    mujoco.mj_resetData(model, sim.data._data)
    robot = reference.robots[0]
    sim.data.qpos[robot._ref_joint_pos_indexes] = view.joint_pos[slot]
    sim.data.qpos[robot._ref_gripper_joint_pos_indexes["right"]] = view.gripper_pos[slot]
    for prefix, name in _FREE_OBJECTS[task].items():
        mine = int(source.jnt_qposadr[source.joint(f"{prefix}joint0").id])
        theirs = int(model.jnt_qposadr[model.joint(f"{name}_joint0").id])
        sim.data.qpos[theirs : theirs + 7] = env.simulation.qpos[slot, mine : mine + 7]
    if task == "Door":
        mine, theirs = source.body("door/main").id, model.body("Door_main").id
        model.body_pos[theirs], model.body_quat[theirs] = source.body_pos[mine], source.body_quat[mine]
    _land_cleared_objects(reference, _CLEARED.get(task, ()))
    sim.forward()
    robot.part_controllers["right"].update_initial_joints(view.joint_pos[slot])
    robot.gripper["right"].current_action = np.zeros(1)


def _copy_cube(source: mujoco.MjModel, model: mujoco.MjModel) -> None:
    """Give robosuite's cube the size, mass and inertia of ours."""
    mine, theirs = source.body("object/main").id, model.body("cube_main").id
    model.body_mass[theirs], model.body_inertia[theirs] = source.body_mass[mine], source.body_inertia[mine]
    for geom in ("g0", "g0_vis"):
        for field in ("geom_size", "geom_rbound", "geom_aabb"):
            getattr(model, field)[model.geom(f"cube_{geom}").id] = getattr(source, field)[
                source.geom(f"object/{geom}").id
            ]
    model.bvh_aabb[model.body_bvhadr[theirs]] = source.bvh_aabb[source.body_bvhadr[mine]]


def _land_cleared_objects(reference: Any, names: tuple[str, ...]) -> None:
    """Put the objects that robosuite drops from 10 m far away on the ground instead, and hold them there."""
    model, data = reference.sim.model._model, reference.sim.data
    for i, thing in enumerate(names):
        joint = model.joint(f"{thing}_joint0").id
        model.body_gravcomp[model.body(f"{thing}_main").id] = 1.0
        address = int(model.jnt_qposadr[joint])
        data.qpos[address : address + 7] = [10.0 + i, 10.0, 0.5, 1.0, 0.0, 0.0, 0.0]


def measure_ours(env: RobotVectorEnv) -> dict[str, NDArray[np.float64]]:
    """`(N, ...)` joint positions and the poses of what moves, of the present state."""
    simulation = env.simulation
    found = {"joint_pos": simulation.robot.joint_pos.copy()}
    for name in _BODIES[type(env.task).__name__]:
        body = simulation.model.body(name).id
        found |= {f"{name} pos": simulation.xpos[:, body].copy(), f"{name} quat": simulation.xquat[:, body].copy()}
    return found


def measure(reference: Any, task: str) -> Mapping[str, Any]:
    """The same of `reference`, with reward and success.

    robosuite's own step leaves derived quantities one physics step behind; `forward` brings them up to date, as
    ours are.
    """
    sim = reference.sim
    sim.forward()
    found = {"joint_pos": np.array(sim.data.qpos[reference.robots[0]._ref_joint_pos_indexes])}
    for ours, theirs in _BODIES[task].items():
        body = sim.model.body_name2id(theirs)
        found |= {f"{ours} pos": sim.data.body_xpos[body].copy(), f"{ours} quat": sim.data.body_xquat[body].copy()}
    return found | {"reward": float(reference.reward(None)), "success": bool(reference._check_success())}
