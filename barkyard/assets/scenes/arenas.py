"""Tables and bins to work on, from `robosuite.models.arenas`."""

import mujoco
import numpy as np

from barkyard.assets.calibration import Calibration
from barkyard.assets.robosuite_models import quiet_robosuite, to_spec
from barkyard.assets.robot import PREFIX, Robot

TABLE_SIZE = (0.8, 0.8, 0.05)
TABLE_TOP = 0.8
"""Height of the table's surface [m]."""

BIN_SIZE = (0.39, 0.49, 0.82)
SOURCE_BIN = (0.1, -0.25, 0.8)
TARGET_BIN = (0.1, 0.28, 0.8)
"""Centres of the two bins' floors in the world frame [m]; robosuite 1.5.2, `PickPlace`."""

PEGS_TOP = 0.82
"""Height of the table with pegs [m]; robosuite 1.5.2, `NutAssembly`."""
SQUARE_PEG = (0.23, 0.1)
"""The square peg's axis, x and y in the world frame [m]; robosuite 1.5.2, `arenas/pegs_arena.xml`."""

DOOR_TABLE_SIZE = (0.8, 0.3, 0.05)
DOOR_TABLE = (-0.2, -0.35, 0.8)
"""Size of the table with the door and the centre of its surface in the world frame [m]; robosuite 1.5.2, `Door`."""
_DOOR_VIEW = {
    "pos": [0.5986131746834771, -4.392035683362857e-09, 1.5903500240372423],
    "quat": [0.6380177736282349, 0.3048497438430786, 0.30484986305236816, 0.6380177736282349],
}

_FRICTION = (1.0, 5e-3, 1e-4)


def table() -> mujoco.MjSpec:
    """A 0.8 m square table whose top is at `TABLE_TOP`."""
    with quiet_robosuite():
        from robosuite.models.arenas import TableArena

    arena = TableArena(table_full_size=TABLE_SIZE, table_friction=_FRICTION, table_offset=np.array((0, 0, TABLE_TOP)))
    arena.set_origin([0, 0, 0])
    return _with_robosuite_options(to_spec(arena))


def pegs() -> mujoco.MjSpec:
    """A 0.8 m square table whose top is at `PEGS_TOP`, with a square peg and a round one."""
    with quiet_robosuite():
        from robosuite.models.arenas import PegsArena

    arena = PegsArena(table_full_size=TABLE_SIZE, table_friction=_FRICTION, table_offset=np.array((0, 0, PEGS_TOP)))
    arena.set_origin([0, 0, 0])
    return _with_robosuite_options(to_spec(arena))


def door_table() -> mujoco.MjSpec:
    """The small table that robosuite's door stands behind."""
    with quiet_robosuite():
        from robosuite.models.arenas import TableArena

    arena = TableArena(table_full_size=DOOR_TABLE_SIZE, table_offset=np.array(DOOR_TABLE))
    arena.set_origin([0, 0, 0])
    arena.set_camera(camera_name="agentview", **_DOOR_VIEW)
    return _with_robosuite_options(to_spec(arena))


def bins() -> mujoco.MjSpec:
    """Two bins side by side, the target bin divided in four."""
    with quiet_robosuite():
        from robosuite.models.arenas import BinsArena

    arena = BinsArena(bin1_pos=np.array(SOURCE_BIN), table_full_size=BIN_SIZE, table_friction=_FRICTION)
    arena.set_origin([0, 0, 0])
    spec = _with_robosuite_options(to_spec(arena))
    spec.body("bin1").pos = SOURCE_BIN
    spec.body("bin2").pos = TARGET_BIN
    return spec


def place_robot(scene: mujoco.MjSpec, robot: Robot, arena: str, calibration: Calibration | None) -> None:
    """Attach the robot, with its calibration, at its mount for `arena`."""
    spec = robot.make_spec()
    spec.option = scene.option
    if calibration is not None:
        calibration.apply(spec)
    scene.attach(spec, prefix=PREFIX, frame=scene.worldbody.add_frame(pos=robot.mount(arena)))


def place_object(scene: mujoco.MjSpec, spec: mujoco.MjSpec, prefix: str = "object/") -> None:
    """Attach an object; its names get `prefix`."""
    spec.option = scene.option
    scene.attach(spec, prefix=prefix, frame=scene.worldbody.add_frame())


def _with_robosuite_options(spec: mujoco.MjSpec) -> mujoco.MjSpec:
    """Options of `robosuite/models/assets/base.xml`, and its simulation time step."""
    spec.option.timestep = 0.002
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 20.0
    spec.option.density = 1.2
    spec.option.viscosity = 0.00002
    spec.compiler.inertiagrouprange = [0, 0]
    spec.visual.map.znear = 0.001
    return spec
