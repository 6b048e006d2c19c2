"""The real meshes of Barkour vB, from a copy of MuJoCo Menagerie that is already on this machine."""

from pathlib import Path

import mujoco
import numpy as np

from barkyard.assets.robots.barkour.model import VISUAL_GROUP
from barkyard.assets.robots.barkour.numbers import LEGS

_SIDES = {"F": "front", "H": "hind", "L": "left", "R": "right"}


def menagerie_bodies() -> dict[str, str]:
    """Name of our body, by the joint that moves the same body in Menagerie's `barkour_vb.xml`."""
    links = {"abduction": "abduction", "hip": "thigh", "knee": "shank"}
    bodies = {
        f"{joint}_{_SIDES[leg[0]]}_{_SIDES[leg[1]]}": f"{leg}_{link}" for leg in LEGS for joint, link in links.items()
    }
    return {"torso": "torso", **bodies}


def add_meshes(spec: mujoco.MjSpec, folder: Path) -> None:
    """Hang the visual meshes of Menagerie's vB on the bodies of ours, with its colours.

    Frames of two bodies that belong together have their origin on the same joint and differ by a rotation alone.
    Menagerie's own sides differ by up to 1 mm, ours are mirrored, so a mesh sits within 1 mm of its place there.

    Args:
        spec: of a quadruped with the numbers of vB.
        folder: Menagerie's `google_barkour_vb`.
    """
    source = mujoco.MjSpec.from_file(str(folder / "barkour_vb.xml"))
    model = source.compile()
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    for mesh in source.meshes:
        spec.add_mesh(name=mesh.name, file=str(folder / mesh.file))
    for joint, name in menagerie_bodies().items():
        body = source.joint(joint).parent
        rotation = data.body(body.id).xquat
        for geom in body.geoms:
            pos, quat = np.empty(3), np.empty(4)
            mujoco.mju_rotVecQuat(pos, geom.pos, rotation)
            mujoco.mju_mulQuat(quat, rotation, geom.quat / np.linalg.norm(geom.quat))
            spec.body(name).add_geom(
                type=mujoco.mjtGeom.mjGEOM_MESH,
                meshname=geom.meshname,
                pos=pos,
                quat=quat,
                rgba=geom.rgba,
                mass=0,
                contype=0,
                conaffinity=0,
                group=VISUAL_GROUP,
            )
