"""What a robot is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import mujoco

from barkyard.errors import InvalidInput

PREFIX = "robot/"
"""Names of the robot's elements begin with this in a scene."""


@dataclass(frozen=True)
class Gripper:
    """A gripper whose fingers move together on one command, +1 closing.

    Attributes:
        joints: finger joints.
        actuators: one position actuator a finger.
        closing: sign, per actuator, of the normalised position that closes it.
        speed: how far the normalised position moves in one control step at full command.
        home: finger positions at the start of an episode [m].
        pads: the collision geoms of each finger's pad; an object is grasped when it touches every one.
    """

    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    closing: tuple[float, ...]
    speed: float
    home: tuple[float, ...]
    pads: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Robot:
    """A robot as a factory of its model, with the facts that tasks and controllers need.

    Names are those of the robot's own spec, without `PREFIX`.

    Attributes:
        name: short name, the folder's.
        make_spec: returns a fresh spec whose root body stands at the origin.
        joints: actuated joints in order, without the gripper's.
        actuators: their actuators in the same order.
        home: joint positions at the start of an episode [rad].
        home_noise: standard deviation of the Gaussian added to `home` at each reset [rad].
        tcp: site of the tool centre point, or None.
        base: site whose frame arm commands are given in, or None.
        gripper: the gripper, or None.
        mounts: where the root body stands in each arena [m].
        feet: geoms of the feet, for robots that walk; their root body then has a free joint.
        home_height: height of a walking robot's root body above the ground at `home` [m].
        impedance: stiffness [N m/rad] and damping [N m s/rad] of each joint when a torque-driven robot plays joint
            commands.
    """

    name: str
    make_spec: Callable[[], mujoco.MjSpec]
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    home: tuple[float, ...]
    home_noise: float
    tcp: str | None = None
    base: str | None = None
    gripper: Gripper | None = None
    mounts: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    feet: tuple[str, ...] = ()
    home_height: float = 0.0
    impedance: tuple[tuple[float, float], ...] = ()

    def mount(self, arena: str) -> tuple[float, float, float]:
        """Where the root body stands in `arena` [m]. Raises InvalidInput if the robot has no place there."""
        if arena not in self.mounts:
            raise InvalidInput(f"robot {self.name!r} has no mount for arena {arena!r}; it has {sorted(self.mounts)}")
        return self.mounts[arena]
