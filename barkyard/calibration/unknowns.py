"""What is to be identified: unknown numbers, the elements they stand for, and the range they are sought in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.parameters import CENTRE_OF_MASS, FRICTION_LAW, QUANTITIES, Name
from barkyard.calibration.plant import PlantModel, default_values
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

DEFAULT_QUANTITIES: Final = (
    "position_gain",
    "damping",
    "armature",
    "frictionloss",
    "delay",
    "encoder_bias",
)
"""What free motion shows of a servo. A torque limit shows only where the servo saturates, so it has to be asked for."""
PER_GAIN: Final[Mapping[str, tuple[float, float]]] = {
    "damping": (1e-3, 1.0),  # lag behind a moving command [s]
    "velocity_gain": (1e-3, 1.0),
    "armature": (1e-5, 1e-1),  # 1 / (natural frequency)^2 [s^2]
    "frictionloss": (1e-4, 0.3),  # half the dead band [rad]
    "torque_limit": (0.02, 2.0),  # deviation at which it saturates [rad]
}
"""Ranges of what a position log shows of a servo, for each unit of its gain. A choice, wider than any servo we know."""
TORQUES: Final = ("position_gain", "velocity_gain", "damping", "armature", "frictionloss", "torque_limit")
"""What scales with the unit of torque: positions alone determine the ratios of these, and what they are to gravity."""
_GAIN_RANGE: Final = 20.0
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "encoder_bias": (-0.2, 0.2),
    "delay": (0.0, 0.15),
    "measurement_delay": (0.0, 0.15),
    "torque_gain": (0.05, 20.0),
    "payload": (1e-3, 1.0),
    "stiction": (0.02, 10.0),
    "stribeck": (0.01, 2.0),
    "load_friction": (1e-3, 0.6),
}
_STARTS_INSIDE: Final = ("payload", *FRICTION_LAW)
"""No model has these, so the search begins in the middle of their ranges."""
_CENTRE_REACH: Final = 0.1
"""How far from the model's a centre of mass is sought, along each axis [m]. A choice."""
_LINEAR: Final = ("encoder_bias", "delay", "measurement_delay", *CENTRE_OF_MASS)


@dataclass(frozen=True)
class Unknown:
    """A number that is sought.

    In the search it is its place between `low` and `high`, from 0 to 1; on a logarithmic scale where it must be
    positive.

    Attributes:
        targets: elements and quantities that all have this value.
        joint: the joint that it is of, or "" where it is of several.
        low, high: where it is sought, in the quantity's unit.
        start: where the search begins.
    """

    targets: tuple[Name, ...]
    joint: str
    low: float
    high: float
    start: float

    def __post_init__(self) -> None:
        """Raises InvalidInput when the range is none."""
        if not self.low < self.high or (self.logarithmic and self.low <= 0.0):
            raise InvalidInput(f"{self.name} is sought from {self.low} to {self.high}; give 0 < low < high")

    @property
    def quantity(self) -> str:
        """One of `QUANTITIES`."""
        return self.targets[0][1]

    @property
    def name(self) -> str:
        """Such as `elbow.damping`, or `shared.delay`."""
        owner = self.targets[0][0] if len(self.targets) == 1 else "shared"
        return f"{owner}.{self.quantity}"

    @property
    def logarithmic(self) -> bool:
        """Whether ratios count, and not differences."""
        return self.quantity not in _LINEAR

    @property
    def local(self) -> bool:
        """Whether it hardly moves other joints: a servo's own numbers, but not what shifts the weight of the links."""
        return self.joint != "" and self.quantity != "encoder_bias"

    @property
    def span(self) -> float:
        """Length of the range, in natural logarithms where `logarithmic`."""
        return math.log(self.high / self.low) if self.logarithmic else self.high - self.low

    def value(self, place: Array) -> Array:
        """Values at places from 0 to 1."""
        if self.logarithmic:
            result: Array = self.low * np.exp(place * self.span)
            return result
        return self.low + place * self.span

    def place(self, value: float) -> float:
        """Where `value` is in the range, from 0 to 1; the nearer end if it is outside."""
        inside = min(max(value, self.low), self.high)
        return math.log(inside / self.low) / self.span if self.logarithmic else (inside - self.low) / self.span


def default_unknowns(
    model: PlantModel,
    joints: Sequence[str],
    timestep: float,
    quantities: Sequence[str] = DEFAULT_QUANTITIES,
    *,
    shared: Sequence[str] = (),
    payloads: Sequence[str] = (),
    centres: Sequence[str] = (),
) -> tuple[Unknown, ...]:
    """The unknowns of a robot's servos, one a joint and quantity.

    Args:
        model: the robot.
        joints: those to identify.
        timestep: of the physics [s]. A delay up to one step makes no difference, so it is sought from there.
        quantities: what to identify of each joint.
        shared: those of them that have one value for all joints.
        payloads: bodies that carry a point mass of unknown size.
        centres: bodies whose centre of mass is unknown.

    Raises:
        InvalidInput: there is no such quantity, joint or body.
    """
    valid = [name for name, quantity in QUANTITIES.items() if quantity.kind != "body"]
    for name in (*quantities, *shared):
        if name not in valid:
            raise InvalidInput(f"quantity {name!r} is unknown; valid: {', '.join(valid)}")
    found: list[Unknown] = []
    for quantity in quantities:
        each = [_unknown(model, joint, quantity, timestep) for joint in joints]
        found += [_merged(each)] if quantity in shared else each
    found += [_of_body(model, body, "payload") for body in payloads]
    found += [_of_body(model, body, quantity) for body in centres for quantity in CENTRE_OF_MASS]
    return tuple(found)


def _of_body(model: PlantModel, body: str, quantity: str) -> Unknown:
    names = [model.shipped.body(i).name for i in range(1, model.shipped.nbody)]
    if body not in names:
        raise InvalidInput(f"{model.name} has no body {body!r}; it has {', '.join(names)}")
    if quantity in _STARTS_INSIDE:
        low, high = _RANGES[quantity]
        return Unknown(((body, quantity),), "", low, high, math.sqrt(low * high))
    own = float(default_values(model.shipped, [(body, quantity)])[0])
    return Unknown(((body, quantity),), "", own - _CENTRE_REACH, own + _CENTRE_REACH, own)


def _unknown(model: PlantModel, joint: str, quantity: str, timestep: float) -> Unknown:
    if joint not in model.joints:
        raise InvalidInput(f"{model.name} has no servo at joint {joint!r}; it has them at {', '.join(model.joints)}")
    actuator = model.actuators[model.joints.index(joint)]
    element = joint if QUANTITIES[quantity].kind == "joint" else actuator
    own, gain = (float(v) for v in default_values(model.shipped, [(element, quantity), (actuator, "position_gain")]))
    if quantity == "position_gain":
        low, high = own / _GAIN_RANGE, own * _GAIN_RANGE
    elif quantity in PER_GAIN:
        low, high = (gain * factor for factor in PER_GAIN[quantity])
        if 0.0 < own < math.inf:
            low, high = min(low, own / 2.0), max(high, own * 2.0)
    else:
        low, high = _RANGES[quantity]
    if quantity in ("delay", "measurement_delay"):
        low = timestep
    start = math.sqrt(low * high) if quantity in _STARTS_INSIDE else min(max(own, low), high)
    return Unknown(((element, quantity),), joint, low, high, start)


def _merged(each: Sequence[Unknown]) -> Unknown:
    targets = tuple(target for unknown in each for target in unknown.targets)
    low, high = min(unknown.low for unknown in each), max(unknown.high for unknown in each)
    return Unknown(targets, "", low, high, float(np.median([unknown.start for unknown in each])))


def spread(unknowns: Sequence[Unknown], places: Array) -> Array:
    """`(N, targets)` values of all targets, in order, from `(N, P)` places."""
    columns = [unknown.value(places[:, i]) for i, unknown in enumerate(unknowns) for _ in unknown.targets]
    return np.stack(columns, axis=1)


def targets(unknowns: Sequence[Unknown]) -> tuple[Name, ...]:
    """Element and quantity of every target, in the order of `spread`."""
    return tuple(target for unknown in unknowns for target in unknown.targets)
