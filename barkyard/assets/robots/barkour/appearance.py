"""What a quadruped of primitive shapes looks like. Nothing here collides or weighs anything; all of it is a choice."""

import mujoco
import numpy as np

from barkyard.assets.robots.barkour.model import VISUAL_GROUP
from barkyard.assets.robots.barkour.numbers import LEGS, QuadrupedNumbers

_BOX, _CAPSULE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE
_CYLINDER, _SPHERE = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_SPHERE
_SHELL, _MOTOR, _ROD, _RUBBER = (
    (0.90, 0.90, 0.92, 1),
    (0.20, 0.21, 0.24, 1),
    (0.55, 0.58, 0.63, 1),
    (0.08, 0.08, 0.09, 1),
)
_ACCENT = (0.96, 0.58, 0.10, 1)


def add_primitives(spec: mujoco.MjSpec, numbers: QuadrupedNumbers) -> None:
    """Dress the bodies of `quadruped_spec`: a rounded torso with handle and head, motors, legs."""
    _dress_torso(spec.body("torso"), numbers)
    for leg in LEGS:
        _dress_leg(spec, leg, numbers)


def _dress_torso(torso: mujoco.MjsBody, numbers: QuadrupedNumbers) -> None:
    front, hind, lateral, axis_z = numbers.abduction_axis
    height = numbers.torso_box[2]
    middle, half = 0.5 * (front + hind), 0.5 * (front - hind) - 0.01
    side, top = lateral + 0.055, axis_z + height
    for edge in (side - height, height - side):
        ends = [middle + half - height, edge, axis_z, middle - half + height, edge, axis_z]
        _add(torso, _CAPSULE, _SHELL, size=[height], fromto=ends)
    _add(torso, _BOX, _SHELL, size=[half - 0.012, side - height, height], pos=[middle, 0, axis_z])
    _add(torso, _BOX, _MOTOR, size=[0.72 * half, 0.7 * (side - height) + 0.02, 0.006], pos=[middle, 0, top])
    grip = [(middle + sign * 0.6 * half, 0, top + 0.045) for sign in (1, -1)]
    _add(torso, _CAPSULE, _ACCENT, size=[0.010], fromto=[*grip[0], *grip[1]])
    for x, y, z in grip:
        _add(torso, _CAPSULE, _ACCENT, size=[0.010], fromto=[x, y, z, x + np.sign(x) * 0.02, y, top])
    nose = front + 0.12
    _add(torso, _CAPSULE, _SHELL, size=[0.022], fromto=[0.8 * front, 0, top - 0.03, nose - 0.02, 0, top - 0.005])
    _add(torso, _BOX, _MOTOR, size=[0.015, 0.048, 0.019], pos=[nose, 0, top - 0.005])


def _dress_leg(spec: mujoco.MjSpec, leg: str, numbers: QuadrupedNumbers) -> None:
    front, left = (1.0 if leg[0] == "F" else -1.0), (1.0 if leg[1] == "L" else -1.0)
    hip_x, hip_y = numbers.hip_offset
    motor = 0.9 * hip_x
    abduction, thigh, shank = (spec.body(f"{leg}_{link}") for link in ("abduction", "thigh", "shank"))
    _add(abduction, _CYLINDER, _MOTOR, size=[0.8 * motor], fromto=[-front * 0.02, 0, 0, front * hip_x, 0, 0])
    _add(
        abduction,
        _CYLINDER,
        _ACCENT,
        size=[motor],
        fromto=[front * hip_x, left * (hip_y - 0.045), 0, front * hip_x, left * hip_y, 0],
    )
    knee_y, knee_x = left * numbers.knee_offset, -numbers.thigh_length
    plane = knee_y - left * 0.025, knee_y + left * 0.027
    _add(thigh, _CYLINDER, _MOTOR, size=[0.95 * motor], fromto=[0, 0, 0, 0, plane[0], 0])
    _add(thigh, _CYLINDER, _SHELL, size=[0.85 * motor], fromto=[0, plane[0], 0, 0, plane[1], 0])
    _add(thigh, _CAPSULE, _SHELL, size=[0.026], fromto=[0, knee_y, 0, knee_x, knee_y, 0])
    foot = spec.geom(f"{leg}_foot")
    _add(shank, _CAPSULE, _ROD, size=[0.013], fromto=[0, 0, 0, *foot.pos])
    _add(shank, _SPHERE, _RUBBER, size=[numbers.foot_radius], pos=foot.pos)


def _add(body: mujoco.MjsBody, kind: mujoco.mjtGeom, rgba: tuple[float, ...], **fields: object) -> None:
    body.add_geom(type=kind, rgba=rgba, group=VISUAL_GROUP, contype=0, conaffinity=0, mass=0, **fields)
