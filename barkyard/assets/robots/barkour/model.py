"""A quadruped as an `MjSpec`, from numbers."""

import math

import mujoco
import numpy as np

from barkyard.assets.robots.barkour.numbers import LEG_JOINTS, LEGS, Link, QuadrupedNumbers

GROUND, OBSTACLE = 1, 2
"""Collision bits of the scene: torso, thighs and feet meet both; shanks meet obstacles alone.

A shank lies above its foot, so on a floor it touches only what its foot and knee touch first."""
FOOT_FRICTION = (0.8, 0.02, 0.01)
"""Menagerie's. Its foot softness (solimp 0.015 1 0.031) is not taken: a standing foot would sink in by 14 mm."""
FOOT_SOLREF = (0.008, 1.0)
"""Twice the physics step, the stiffest that is stable: with MuJoCo's default a stamping foot sinks in by 5 cm."""
FOOT_SOLIMP = (0.8, 0.95, 0.005, 0.5, 2.0)
"""A choice: hard rubber, 2 mm under a quarter of the weight."""
VISUAL_GROUP, COLLISION_GROUP = 1, 0
EYE_TILT = 0.45
"""By how much the camera on the torso looks down [rad]."""


def quadruped_spec(numbers: QuadrupedNumbers, name: str) -> mujoco.MjSpec:
    """The robot alone, its torso at the origin with a free joint: bodies, joints, actuators and collision shapes.

    Joints and actuators are `<leg>_<joint>` in the order of `LEGS` and `LEG_JOINTS`, feet are the geoms `<leg>_foot`.
    Positive abduction moves a foot inward, a positive hip angle swings the thigh down, a positive knee angle extends.
    Parts of the robot do not collide with one another.
    """
    spec = mujoco.MjSpec()
    spec.modelname = name
    spec.compiler.degree = False
    torso = spec.worldbody.add_body(name="torso")
    torso.add_freejoint(name="base")
    _set_inertia(torso, numbers.torso, 1.0, 1.0)
    _add_collision(
        torso, "torso", mujoco.mjtGeom.mjGEOM_BOX, GROUND | OBSTACLE, size=numbers.torso_box, pos=_box_centre(numbers)
    )
    torso.add_site(name="base", pos=[0, 0, 0])
    torso.add_site(name="imu", pos=numbers.imu)
    _add_eye(torso, numbers)
    for leg in LEGS:
        _add_leg(spec, torso, leg, numbers)
    return spec


def _box_centre(numbers: QuadrupedNumbers) -> tuple[float, float, float]:
    """The torso's box is centred on its mass along z, because v0's origin is at its belly."""
    return (0.0, 0.0, numbers.torso.com[2])


def _add_eye(torso: mujoco.MjsBody, numbers: QuadrupedNumbers) -> None:
    """The camera `onboard`: in front of the torso, looking ahead and `EYE_TILT` down. Place and angles are a choice."""
    ahead = [numbers.torso_box[0] + 0.07, 0.0, numbers.torso.com[2] + 0.03]
    axes = [0.0, -1.0, 0.0, math.sin(EYE_TILT), 0.0, math.cos(EYE_TILT)]
    torso.add_camera(name="onboard", pos=ahead, xyaxes=axes, fovy=75.0)


def _add_leg(spec: mujoco.MjSpec, torso: mujoco.MjsBody, leg: str, numbers: QuadrupedNumbers) -> None:
    front, left = (1.0 if leg[0] == "F" else -1.0), (1.0 if leg[1] == "L" else -1.0)
    front_x, hind_x, lateral, height = numbers.abduction_axis
    abduction = torso.add_body(name=f"{leg}_abduction", pos=[front_x if front > 0 else hind_x, left * lateral, height])
    hip_x, hip_y = numbers.hip_offset
    thigh = abduction.add_body(name=f"{leg}_thigh", pos=[front * hip_x, left * hip_y, 0.0])
    shank = thigh.add_body(name=f"{leg}_shank", pos=[-numbers.thigh_length, left * numbers.knee_offset, 0.0])
    _set_inertia(abduction, numbers.abduction, front, left)
    _set_inertia(thigh, numbers.thigh, 1.0, left)
    hip_range = numbers.front_hip_range if front > 0 else numbers.hind_hip_range
    ranges = (numbers.abduction_range, hip_range, numbers.knee_range)
    axes = ([-left, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 1.0, 0.0])
    for body, joint, limits, axis in zip((abduction, thigh, shank), LEG_JOINTS, ranges, axes, strict=True):
        _add_joint(spec, body, f"{leg}_{joint}", limits, axis, numbers)
    knee_y = left * numbers.knee_offset
    _add_collision(
        thigh,
        f"{leg}_thigh",
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        GROUND | OBSTACLE,
        size=[0.02],
        fromto=[0, knee_y, 0, -numbers.thigh_length, knee_y, 0],
    )
    _add_shank(shank, leg, numbers)


def _add_shank(shank: mujoco.MjsBody, leg: str, numbers: QuadrupedNumbers) -> None:
    """The shank points `shank_angle` below the thigh's line; its inertia is along that direction."""
    direction = np.array([math.cos(numbers.shank_angle), 0.0, -math.sin(numbers.shank_angle)])
    shank.mass = numbers.shank.mass
    shank.ipos = numbers.shank.com[0] * direction
    shank.iquat = [math.cos(numbers.shank_angle / 2), 0.0, math.sin(numbers.shank_angle / 2), 0.0]
    shank.inertia = numbers.shank.inertia
    shank.explicitinertial = True
    foot = numbers.shank_length * direction
    end = foot * (1.0 - numbers.foot_radius / numbers.shank_length)
    _add_collision(shank, f"{leg}_shank", mujoco.mjtGeom.mjGEOM_CAPSULE, OBSTACLE, size=[0.011], fromto=[0, 0, 0, *end])
    _add_collision(
        shank,
        f"{leg}_foot",
        mujoco.mjtGeom.mjGEOM_SPHERE,
        GROUND | OBSTACLE,
        size=[numbers.foot_radius],
        pos=foot,
        friction=FOOT_FRICTION,
        solimp=FOOT_SOLIMP,
        solref=FOOT_SOLREF,
        priority=1,
    )
    shank.add_site(name=f"{leg}_foot", pos=foot)


def _set_inertia(body: mujoco.MjsBody, link: Link, front: float, left: float) -> None:
    body.mass = link.mass
    body.ipos = [front * link.com[0], left * link.com[1], link.com[2]]
    body.inertia = link.inertia
    body.explicitinertial = True


def _add_joint(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    name: str,
    limits: tuple[float, float],
    axis: list[float],
    numbers: QuadrupedNumbers,
) -> None:
    """A hinge with drag, and its position actuator.

    The drag grows with the cube of the speed and takes the whole torque limit at `max_speed`: a stand-in for the
    torque that a motor loses with speed, whose curve is not published.
    """
    joint = body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=axis, range=limits)
    joint.armature = numbers.armature
    joint.damping = [numbers.damping, 0.0, numbers.torque_limit / numbers.max_speed**3]
    joint.frictionloss = numbers.friction_loss
    actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.set_to_position(kp=numbers.position_gain, kv=numbers.velocity_gain)
    actuator.forcelimited = True
    actuator.forcerange = [-numbers.torque_limit, numbers.torque_limit]
    actuator.ctrllimited = True
    margin = numbers.control_margin
    actuator.ctrlrange = [limits[0] + margin, limits[1] - margin]


def _add_collision(body: mujoco.MjsBody, name: str, kind: mujoco.mjtGeom, bits: int, **fields: object) -> None:
    body.add_geom(
        name=name,
        type=kind,
        contype=0,
        conaffinity=bits,
        group=COLLISION_GROUP,
        rgba=[0.5, 0.5, 0.5, 0.4],
        mass=0,
        **fields,
    )
