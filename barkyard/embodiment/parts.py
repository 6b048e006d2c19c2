"""What an embodiment is made of. Positions in metres, angles in radians, quaternions w x y z."""

from dataclasses import dataclass

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True)
class Limb:
    """The root, or a body that an actuated joint moves, with everything that moves with it.

    Attributes:
        name: of its first body.
        parent: number of the limb it hangs from; -1 for the root.
        position: of its frame in the parent's frame, at the model's reference pose [m]; zero for the root.
        orientation: of its frame in the parent's frame; the identity for the root.
        tip: its far end in its own frame [m]: the mean of where its children hang, or, where it has none, the furthest
            face centre of its colliding geoms' bounding boxes.
        length: from its first joint (the frame's origin, for the root) to the tip [m].
        bodies: names of the bodies that make it up, its own first: those that no actuated joint moves against it.
        passive: names of the joints in it that no actuator drives.
    """

    name: str
    parent: int
    position: Vector
    orientation: Quaternion
    tip: Vector
    length: float
    bodies: tuple[str, ...]
    passive: tuple[str, ...]


@dataclass(frozen=True)
class Joint:
    """A joint that at least one actuator drives.

    Attributes:
        name: of the joint.
        kind: `hinge`, `slide` or `ball`.
        limb: number of the limb it moves.
        parent: number of the joint that carries it: the one before it in the same limb, else the last of the nearest
            limb above that has joints; -1 if there is none.
        position: in the frame of the limb's parent, or of the root's own for the root's joints [m].
        axis: unit vector in the same frame.
        limits: lowest and highest position [rad or m]; None where it has none.
    """

    name: str
    kind: str
    limb: int
    parent: int
    position: Vector
    axis: Vector
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Actuator:
    """One command.

    Attributes:
        name: of the actuator.
        transmission: `joint`, `tendon`, `slider_crank`, `site` or `body`.
        limb: number of the limb its command is read from: that of the first joint it drives, counted from the root,
            or, where it drives none, the limb it acts on.
        joints: numbers of the joints it drives; several for tendons, sliders and sites with a reference.
        coefficients: length of the actuator for a unit of each of these joints, the gear included; empty where that
            depends on the pose.
    """

    name: str
    transmission: str
    limb: int
    joints: tuple[int, ...]
    coefficients: tuple[float, ...]
