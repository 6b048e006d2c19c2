"""The obstacles of an agility course as movable things in a scene."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.agility.layout import NUM_POLES, Course
from barkyard.assets.scenes.ground import add_contact_sensor, add_movable

BOXES = ("start_table", "end_table", "panel_up", "panel_down", "board")
POLES = tuple(f"pole_{i}" for i in range(NUM_POLES))
PANEL_THICKNESS = 0.04
"""A choice [m]."""
PARKED = -10.0
"""Height of what is not in play [m]."""
_MATERIALS = {
    "start_table": "table",
    "end_table": "table",
    "panel_up": "frame",
    "panel_down": "frame",
    "board": "board",
}

Array = NDArray[np.float64]


def add_course(scene: mujoco.MjSpec) -> None:
    """Add all obstacles below the floor, sensors of contact with board and poles, and a camera over the course.

    The A-frame's panels have a non-slip coat, as agility contests demand of it.
    """
    box, cylinder = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    sizes = box_half_sizes(Course.standard())
    for name, size in zip(BOXES, sizes, strict=True):
        add_movable(scene, name, box, tuple(size), _MATERIALS[name], coated=name.startswith("panel"))
    poles = Course.standard().weave_poles
    for name in POLES:
        add_movable(scene, name, cylinder, (poles.radius, poles.height / 2), "pole")
    for name in ("board", *POLES):
        add_contact_sensor(scene, f"touch_{name}", mujoco.mjtObj.mjOBJ_GEOM, name)
    scene.worldbody.add_camera(name="overview", pos=[2.5, -7.9, 5.2], xyaxes=[1.0, 0.0, 0.0, 0.0, 0.82, 0.57], fovy=45)


def box_half_sizes(course: Course) -> Array:
    """`(5, 3)` half sizes of `BOXES` [m]."""
    start, end, frame, board = course.start_table, course.end_table, course.a_frame, course.broad_jump
    panel = (frame.panel_length / 2, frame.width / 2, PANEL_THICKNESS / 2)
    tables = [(table.length / 2, table.width / 2, table.height / 2) for table in (start, end)]
    return np.array([*tables, panel, panel, (board.length / 2, board.width / 2, board.thickness / 2)])


def box_poses(course: Course) -> tuple[Array, Array]:
    """Centres `(5, 3)` [m] and orientations `(5, 4)` of `BOXES`; the panels' upper faces meet at the ridge."""
    start, end, frame, board = course.start_table, course.end_table, course.a_frame, course.broad_jump
    pos = [(*start.centre, start.height / 2), (*end.centre, end.height / 2)]
    quat = [_turn(start.heading), _turn(end.heading)]
    along = np.array([np.cos(frame.heading), np.sin(frame.heading)])
    for side in (-1.0, 1.0):
        sunk = PANEL_THICKNESS / 2
        offset = side * (frame.half_base / 2 - sunk * np.sin(frame.angle)) * along
        height = frame.apex_height / 2 - sunk * np.cos(frame.angle)
        pos.append((frame.centre[0] + offset[0], frame.centre[1] + offset[1], height))
        quat.append(_turn(frame.heading, side * frame.angle))
    pos.append((*board.centre, board.thickness / 2))
    quat.append(_turn(board.heading))
    return np.array(pos), np.array(quat)


def pole_positions(course: Course) -> Array:
    """`(5, 3)` centres of `POLES` [m]."""
    return np.array([(*centre, course.weave_poles.height / 2) for centre in course.weave_poles.centres])


def _turn(heading: float, pitch: float = 0.0) -> tuple[float, float, float, float]:
    """The rotation about y by `pitch`, then about z by `heading` [rad]."""
    cz, sz, cy, sy = np.cos(heading / 2), np.sin(heading / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    return float(cz * cy), float(-sz * sy), float(cz * sy), float(sz * cy)
