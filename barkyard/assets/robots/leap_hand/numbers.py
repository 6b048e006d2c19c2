"""The numbers of the LEAP hand: lengths [m], masses [kg], angles [rad], SI throughout.

From `leap_hand/right_hand.xml` of MuJoCo Menagerie by forward kinematics at zero joint angles; what is not from there
says so. The palm's frame has its x axis along the straight fingers and its z axis out of the palm. At zero joint angles
every link's frame is parallel to it.
"""

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Link:
    """A link that one joint moves.

    Attributes:
        joint: what its joint is called, after the finger.
        axis: of the joint.
        limits: of the joint.
        reach: from the joint to the next link's joint, or to the tip.
        mass: of the link.
        home: angle at the start of an episode: MuJoCo Playground's.
        extensible: whether GET-Zero (Patel and Song, arXiv 2407.15002) lengthens it; the others turn in place.
    """

    joint: str
    axis: Vector
    limits: tuple[float, float]
    reach: Vector
    mass: float
    home: float
    extensible: bool = True


FINGERS = ("index", "middle", "ring", "thumb")
"""Order of the fingers everywhere."""
BASES = {
    "index": (-0.0070, -0.0080, 0.0187),
    "middle": (-0.0071, 0.0374, 0.0187),
    "ring": (-0.0071, 0.0828, 0.0187),
    "thumb": (-0.0823, 0.0012, 0.0216),
}
"""Where fingers begin in the palm. Along its axis a joint may be placed anywhere: these are in the finger's plane."""

_FLEXION, _ABDUCTION = (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)
FINGER = (
    Link("mcp", _FLEXION, (-0.314, 2.23), (0.0381, 0.0, 0.0), 0.044, 0.8),
    Link("rot", _ABDUCTION, (-1.047, 1.047), (0.0150, 0.0, 0.0008), 0.032, 0.0, extensible=False),
    Link("pip", _FLEXION, (-0.506, 1.885), (0.0361, 0.0, 0.0), 0.037, 0.8),
    Link("dip", _FLEXION, (-0.366, 2.042), (0.0513, 0.0, 0.0), 0.016, 0.8),
)
THUMB = (
    Link("cmc", (-1.0, 0.0, 0.0), (-0.349, 2.094), (0.0, -0.0143, 0.0), 0.032, 0.8, extensible=False),
    Link("axl", (0.0, -1.0, 0.0), (-0.349, 2.094), (0.0, -0.0170, -0.0005), 0.003, 0.8, extensible=False),
    Link("mcp", (0.0, 0.0, 1.0), (-0.470, 2.443), (0.0, -0.0466, 0.0), 0.038, 0.8),
    Link("ipl", (0.0, 0.0, 1.0), (-1.340, 1.880), (0.0, -0.0635, 0.0), 0.049, 0.0),
)
LINKS = {"index": FINGER, "middle": FINGER, "ring": FINGER, "thumb": THUMB}
"""The links of each finger, from the palm on."""

EXTENSION_MM = 15
"""By how much GET-Zero lengthens a link [mm]."""
PALM_MASS = 0.237
PALM_CENTRE, PALM_HALF_SIZE = (-0.049, 0.034, 0.0115), (0.051, 0.060, 0.023)
"""The palm as one box around Menagerie's ten; its top is where theirs are."""
LINK_RADIUS, TIP_RADIUS = 0.010, 0.012
"""Of the capsules that links are: a choice, the real links being 20 to 26 mm wide."""

POSITION_GAIN, VELOCITY_GAIN, TORQUE_LIMIT = 3.0, 0.1, 0.5
"""GET-Zero's, of every joint [N m/rad, N m s/rad, N m]."""
ARMATURE = 0.0015
"""Rotor inertia times the square of the gear ratio, as in MuJoCo Playground's model [kg m^2]."""
SKIN_FRICTION = (0.8, 0.01, 0.0002)
"""Sliding, torsional and rolling friction of the hand where nothing it touches says otherwise: a choice."""
