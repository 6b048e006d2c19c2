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

_FRICTION = (1.0, 5e-3, 1e-4)


def table() -> mujoco.MjSpec:
    """A 0.8 m square table whose top is at `TABLE_TOP`."""
    with quiet_robosuite():
        from robosuite.models.arenas import TableArena

    arena = TableArena(table_full_size=TABLE_SIZE, table_friction=_FRICTION, table_offset=np.array((0, 0, TABLE_TOP)))
    arena.set_origin([0, 0, 0])
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
    """Attach a free object; its names get `prefix`."""
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
