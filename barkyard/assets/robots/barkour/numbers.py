"""The numbers of Google's Barkour quadrupeds: lengths [m], masses [kg], inertias [kg m^2], angles [rad], SI throughout.

From the models of MuJoCo Menagerie (`google_barkour_v0`, `google_barkour_vb`) and their forward kinematics; what is
not found there says so.
"""

import math
from dataclasses import dataclass

LEGS = ("FL", "HL", "FR", "HR")
"""Order of the legs everywhere: front left, hind left, front right, hind right."""
LEG_JOINTS = ("abduction", "hip", "knee")


@dataclass(frozen=True)
class Link:
    """A rigid part: mass, centre of mass and principal moments about it, both in the link's own frame."""

    mass: float
    com: tuple[float, float, float]
    inertia: tuple[float, float, float]


@dataclass(frozen=True)
class QuadrupedNumbers:
    """What a quadruped is made of. Lateral values are for the left side and the front; they are mirrored.

    Attributes:
        torso, abduction, thigh, shank: the links. The thigh's frame has its x axis against the thigh, from knee to hip;
            the shank's from knee to foot, before `shank_angle`.
        torso_box: half sizes of the torso's collision box.
        abduction_axis: front x, hind x, lateral, height of the abduction axes in the torso.
        hip_offset: from the abduction axis to the hip axis, along x (outward) and lateral.
        knee_offset: lateral distance from the hip axis' origin to the leg's plane.
        thigh_length, shank_length: hip to knee, knee to the foot's centre.
        shank_angle: the shank's angle below the thigh's line when the knee is at zero.
        foot_radius: radius of the foot's sphere.
        abduction_range, front_hip_range, hind_hip_range, knee_range: joint limits.
        control_margin: how far inside the joint limits targets stay.
        position_gain [N m/rad], velocity_gain [N m s/rad], torque_limit [N m], armature, damping [N m s/rad],
        friction_loss [N m]: of every joint.
        max_speed: joint speed at which drag takes the whole torque limit [rad/s].
        home: joint angles of a leg, abduction, hip, knee.
        home_height: of the torso above the ground at the start, at `home`.
        imu: place of the inertial measurement unit in the torso.
    """

    torso: Link
    abduction: Link
    thigh: Link
    shank: Link
    torso_box: tuple[float, float, float]
    abduction_axis: tuple[float, float, float, float]
    hip_offset: tuple[float, float]
    knee_offset: float
    thigh_length: float
    shank_length: float
    shank_angle: float
    foot_radius: float
    abduction_range: tuple[float, float]
    front_hip_range: tuple[float, float]
    hind_hip_range: tuple[float, float]
    knee_range: tuple[float, float]
    control_margin: float
    position_gain: float
    velocity_gain: float
    torque_limit: float
    armature: float
    damping: float
    friction_loss: float
    max_speed: float
    home: tuple[float, float, float]
    home_height: float
    imu: tuple[float, float, float]


VB = QuadrupedNumbers(
    torso=Link(6.0435, (0.0055, -0.0004, 0.0084), (0.0512, 0.1203, 0.1446)),
    abduction=Link(0.787, (0.0602, 0.0055, 0.0), (0.0010, 0.00144, 0.00117)),
    thigh=Link(1.155, (-0.0245, 0.0453, 0.0), (0.00126, 0.0052, 0.0056)),
    shank=Link(0.1712, (0.0945, 0.0, 0.0), (0.000031, 0.00136, 0.00137)),
    torso_box=(0.23, 0.10, 0.065),
    abduction_axis=(0.1717, -0.1718, 0.090, 0.0),
    hip_offset=(0.065, 0.0309),
    knee_offset=0.0696,
    thigh_length=0.190,
    shank_length=0.228,
    shank_angle=math.radians(20.0),
    foot_radius=0.0175,
    abduction_range=(-1.0472, 1.0472),
    front_hip_range=(-1.54706, 3.02902),
    hind_hip_range=(-1.54706, 3.02902),
    knee_range=(0.0, 2.44346),
    control_margin=0.1,
    position_gain=50.0,
    velocity_gain=0.5,
    torque_limit=18.0,
    armature=0.011,
    damping=0.024,
    friction_loss=0.13,
    max_speed=25.0,
    home=(0.0, 0.5, 1.0),
    home_height=0.28,
    imu=(0.0107, 0.0, -0.06),
)
"""Barkour vB. The collision box is a choice, inside the inertia-equivalent box 0.46 x 0.27 x 0.16 m and clear of the
legs. `max_speed` is the "at least 25 rad/s" of the robot's documentation taken as the most."""

V0 = QuadrupedNumbers(
    torso=Link(4.489, (0.0196, 0.0, 0.0612), (0.0194, 0.0620, 0.0709)),
    abduction=Link(0.639, (0.055, 0.0035, 0.0), (0.00048, 0.00087, 0.00057)),
    thigh=Link(0.9405, (-0.0311, 0.0465, 0.0), (0.0008, 0.0052, 0.0054)),
    shank=Link(0.1696, (0.0584, 0.0, 0.0), (0.000035, 0.00081, 0.00083)),
    torso_box=(0.195, 0.065, 0.05),
    abduction_axis=(0.1305, -0.1347, 0.056, 0.0508),
    hip_offset=(0.057, 0.0217),
    knee_offset=0.0792,
    thigh_length=0.220,
    shank_length=0.192,
    shank_angle=math.radians(13.0),
    foot_radius=0.014,
    abduction_range=(-1.0472, 1.0472),
    front_hip_range=(-1.2217, 3.2463),
    hind_hip_range=(-1.9897, 2.4609),
    knee_range=(0.0, 2.5132),
    control_margin=0.1,
    position_gain=35.0,
    velocity_gain=0.65,
    torque_limit=18.0,
    armature=0.0109,
    damping=0.0239,
    friction_loss=0.1334,
    max_speed=25.0,
    home=(0.0, 0.5, 1.0),
    home_height=0.21,
    imu=(0.0196, 0.0, 0.0612),
)
"""Barkour v0, the robot of the paper. Thigh masses of the two sides (0.942, 0.939) are averaged. The torque limit is
that of Menagerie's MJX model; the paper gives 12 N m as the hardware's peak. At `home_height`, Menagerie's, the feet
are 14 mm above the ground. The leg is plane here, as vB's; Menagerie's foot is 11 mm nearer to the body and 3 mm lower
at home. The place of the IMU is a choice, the torso's centre of mass: it is not found."""
