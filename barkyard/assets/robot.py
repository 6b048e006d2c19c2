"""What a robot is (`Robot`) and how far it is known to be like the real one (`Calibration`)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.provenance import fingerprint

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

    def mount(self, arena: str) -> tuple[float, float, float]:
        """Where the root body stands in `arena` [m]. Raises InvalidInput if the robot has no place there."""
        if arena not in self.mounts:
            raise InvalidInput(f"robot {self.name!r} has no mount for arena {arena!r}; it has {sorted(self.mounts)}")
        return self.mounts[arena]


def _set_damping(spec: mujoco.MjSpec, name: str, value: float) -> None:
    spec.joint(name).damping[0] = value


def _set_armature(spec: mujoco.MjSpec, name: str, value: float) -> None:
    spec.joint(name).armature = value


def _set_frictionloss(spec: mujoco.MjSpec, name: str, value: float) -> None:
    spec.joint(name).frictionloss = value


def _set_position_gain(spec: mujoco.MjSpec, name: str, value: float) -> None:
    actuator = spec.actuator(name)
    actuator.gainprm[0], actuator.biasprm[1] = value, -value


def _set_velocity_gain(spec: mujoco.MjSpec, name: str, value: float) -> None:
    spec.actuator(name).biasprm[2] = -value


def _set_torque_limit(spec: mujoco.MjSpec, name: str, value: float) -> None:
    actuator = spec.actuator(name)
    actuator.forcelimited = True
    actuator.forcerange = [-value, value]


def _set_mass(spec: mujoco.MjSpec, name: str, value: float) -> None:
    spec.body(name).mass = value


_SETTERS: Mapping[str, tuple[str, Callable[[mujoco.MjSpec, str, float], None]]] = {
    "damping": ("joint", _set_damping),
    "armature": ("joint", _set_armature),
    "frictionloss": ("joint", _set_frictionloss),
    "position_gain": ("actuator", _set_position_gain),
    "velocity_gain": ("actuator", _set_velocity_gain),
    "torque_limit": ("actuator", _set_torque_limit),
    "mass": ("body", _set_mass),
}

VERDICTS = ("identified", "on_a_bound", "not_excited")


@dataclass(frozen=True)
class Parameter:
    """One identified number.

    Attributes:
        element: joint, actuator or body of the robot's own spec.
        quantity: `damping` [N m s/rad], `armature` [kg m^2], `frictionloss` [N m] of a joint; `position_gain`
            [N m/rad], `velocity_gain` [N m s/rad], `torque_limit` [N m] of an actuator; `mass` [kg] of a body.
        value: the estimate, in the quantity's unit.
        interval: 95 % interval (low, high), or None.
        verdict: `identified`, `on_a_bound` or `not_excited`. A parameter that was not excited is not applied.
    """

    element: str
    quantity: str
    value: float
    interval: tuple[float, float] | None = None
    verdict: str = "identified"

    def __post_init__(self) -> None:
        if self.quantity not in _SETTERS:
            raise InvalidInput(f"unknown quantity {self.quantity!r} of {self.element!r}; valid: {sorted(_SETTERS)}")
        if self.verdict not in VERDICTS:
            raise InvalidInput(f"unknown verdict {self.verdict!r} of {self.element!r}; valid: {VERDICTS}")
        if not np.isfinite(self.value) or self.value < 0:
            raise InvalidInput(f"{self.element}.{self.quantity} is {self.value}; it must be finite and not negative")


@dataclass(frozen=True)
class Calibration:
    """Parameters of a robot identified from logs of the real one.

    Attributes:
        robot: name of the robot.
        parameters: what was identified.
        sources: fingerprints of the logs it came from.
        held_out_error: root mean square joint error on logs that were not used [rad], or None.
        samples: `(K, P)` draws from the joint distribution of the parameters, in their order; may be empty.
    """

    robot: str
    parameters: tuple[Parameter, ...]
    sources: tuple[str, ...] = ()
    held_out_error: float | None = None
    samples: tuple[tuple[float, ...], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of the content."""
        return fingerprint(self.as_json())

    def apply(self, spec: mujoco.MjSpec) -> None:
        """Write the parameters into the robot's own spec, before it is attached to a scene.

        Raises:
            InvalidInput: the spec has no element of that name.
        """
        for parameter in self.parameters:
            kind, setter = _SETTERS[parameter.quantity]
            if getattr(spec, kind)(parameter.element) is None:
                names = [e.name for e in getattr(spec, {"body": "bodies"}.get(kind, kind + "s"))]
                raise InvalidInput(f"robot {self.robot!r} has no {kind} {parameter.element!r}; it has {names}")
            if parameter.verdict != "not_excited":
                setter(spec, parameter.element, parameter.value)

    def sample_array(self) -> NDArray[np.float64]:
        """`samples` as an array (K, P)."""
        return np.array(self.samples, dtype=np.float64).reshape(len(self.samples), len(self.parameters))

    def save(self, path: str | Path) -> None:
        """Write JSON."""
        Path(path).write_text(json.dumps(self.as_json(), indent=2) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "Calibration":
        """Read JSON. Raises InvalidInput naming the file and what is wrong in it."""
        try:
            return cls.from_json(json.loads(Path(path).read_text()))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path} is not a calibration: {error}") from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibration":
        """Build from what `as_json` returns. Raises InvalidInput naming what is wrong."""
        try:
            if content["schema"] != 1:
                raise InvalidInput(f"schema is {content['schema']}; this version reads 1: make the calibration anew")
            parameters = tuple(
                Parameter(**{**p, "interval": tuple(p["interval"]) if p.get("interval") else None})
                for p in content["parameters"]
            )
            rest = {key: value for key, value in content.items() if key not in ("schema", "parameters")}
            rest["samples"] = tuple(tuple(row) for row in rest.get("samples", ()))
            rest["sources"] = tuple(rest.get("sources", ()))
            return cls(parameters=parameters, **rest)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"not a calibration: {type(error).__name__} {error}") from error

    def as_json(self) -> dict[str, Any]:
        """The content as JSON holds it."""
        content: dict[str, Any] = json.loads(json.dumps({"schema": 1, **asdict(self)}))
        return content
