"""The real meshes of the LEAP hand, from a copy of MuJoCo Menagerie that is already on this machine."""

from pathlib import Path

import mujoco
import numpy as np

from barkyard.assets.robots.leap_hand.model import COLLISION_GROUP, VISUAL_GROUP
from barkyard.assets.robots.leap_hand.numbers import FINGERS, LINKS

_FINGERS = {"index": "if", "middle": "mf", "ring": "rf", "thumb": "th"}
_BODIES = {"index": ("bs", "px", "md", "ds"), "thumb": ("mp", "bs", "px", "ds")}


def menagerie_bodies() -> dict[str, str]:
    """Name of our body, by that of the same body in Menagerie's `right_hand.xml`."""
    bodies = {"palm": "palm"}
    for finger in FINGERS:
        for theirs, link in zip(_BODIES.get(finger, _BODIES["index"]), LINKS[finger], strict=True):
            bodies[f"{_FINGERS[finger]}_{theirs}"] = f"{finger}_{link.joint}"
    return bodies


def add_meshes(spec: mujoco.MjSpec, folder: Path) -> None:
    """Hang Menagerie's visual meshes on the bodies of the whole hand, and hide our primitive shapes.

    At zero joint angles the two hands are one above the other, so a mesh keeps its place in the world.

    Args:
        spec: of the whole hand.
        folder: Menagerie's `leap_hand`.
    """
    source = mujoco.MjSpec.from_file(str(folder / "right_hand.xml"))
    theirs, ours = source.compile(), spec.compile()
    their_data, our_data = mujoco.MjData(theirs), mujoco.MjData(ours)
    mujoco.mj_kinematics(theirs, their_data)
    mujoco.mj_kinematics(ours, our_data)
    for geom in spec.geoms:
        geom.group = COLLISION_GROUP
    for mesh in source.meshes:
        spec.add_mesh(
            name=mesh.name, file=str(folder / "assets" / mesh.file), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        )
    palm = their_data.body("palm").xpos
    for name, body in menagerie_bodies().items():
        origin = our_data.body(body).xpos
        for geom in source.body(name).geoms:
            if not geom.meshname:
                continue
            turn, pos, quat = their_data.body(name).xquat, np.empty(3), np.empty(4)
            mujoco.mju_rotVecQuat(pos, geom.pos, turn)
            mujoco.mju_mulQuat(quat, turn, geom.quat / np.linalg.norm(geom.quat))
            spec.body(body).add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=geom.meshname,
                pos=their_data.body(name).xpos - palm + pos - origin,
                quat=quat,
                rgba=_WHITE if "tip" in geom.meshname else _BLACK,
                mass=0,
                contype=0,
                conaffinity=0,
                group=VISUAL_GROUP,
            )


_BLACK, _WHITE = (0.25, 0.26, 0.29, 1.0), (0.95, 0.95, 0.95, 1.0)
