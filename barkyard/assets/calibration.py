"""How far a robot is known to be like the real one: what was identified from its logs, and how surely."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.parameters import QUANTITIES, Name, check_value, prepare, write_spec
from barkyard.errors import InvalidInput
from barkyard.files import write_whole
from barkyard.provenance import fingerprint
from barkyard.untrusted import parse_json

SCHEMA = 2
VERDICTS = ("identified", "within_model", "weakly_identified", "on_bound", "not_excited")
"""`within_model` is precise, but of a model that does not explain the recordings."""
SOURCES = ("real", "surrogate")


@dataclass(frozen=True)
class Parameter:
    """One identified number.

    Attributes:
        element: joint, actuator or body of the robot's own spec.
        quantity: one of `parameters.QUANTITIES`, which have the units.
        value: the estimate, in the quantity's unit.
        interval: 95 % interval (low, high), or None.
        verdict: one of `VERDICTS`. A parameter that was not excited is not applied.
    """

    element: str
    quantity: str
    value: float
    interval: tuple[float, float] | None = None
    verdict: str = "identified"

    def __post_init__(self) -> None:
        check_value(self.element, self.quantity, self.value)
        if self.verdict not in VERDICTS:
            raise InvalidInput(f"unknown verdict {self.verdict!r} of {self.element!r}; valid: {VERDICTS}")
        if self.interval is not None and not self.interval[0] <= self.interval[1]:
            raise InvalidInput(f"the interval of {self.element}.{self.quantity} is {self.interval}; give low <= high")

    @property
    def unit(self) -> str:
        """Unit of value and interval."""
        return QUANTITIES[self.quantity].unit


@dataclass(frozen=True)
class SourceLog:
    """A log that a calibration was made from: its file's name and the SHA-256 of its content."""

    name: str
    sha256: str


@dataclass(frozen=True)
class HeldOut:
    """Root mean square joint error on recordings that were not used [rad].

    Attributes:
        overall: over all joints.
        joints: name and error of every joint.
        recordings: names of the recordings.
    """

    overall: float
    joints: tuple[tuple[str, float], ...]
    recordings: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """Parameters of a robot identified from logs.

    Attributes:
        robot: name of the robot.
        model: fingerprint of the model that was fitted, `parameters.model_fingerprint` of it before the fit.
        parameters: what was identified.
        source: what was recorded: `real`, or `surrogate` for a simulation that stands in for the robot.
        logs: what it was made from.
        held_out: error on recordings that were not used, or None.
        samples: `(K, P)` draws from the joint distribution of the parameters, in their order; may be empty.
    """

    robot: str
    model: str
    parameters: tuple[Parameter, ...]
    source: str
    logs: tuple[SourceLog, ...] = ()
    held_out: HeldOut | None = None
    samples: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InvalidInput(f"source is {self.source!r}; valid: {', '.join(SOURCES)}")
        names = [(parameter.element, parameter.quantity) for parameter in self.parameters]
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(f"{name[0]}.{name[1]} is there {names.count(name)} times; give it once")
        for k, row in enumerate(self.samples):
            if len(row) != len(names):
                raise InvalidInput(f"sample {k} has {len(row)} values for {len(names)} parameters; give one each")
            for name, value in zip(names, row, strict=True):
                check_value(*name, value)

    @property
    def fingerprint(self) -> str:
        """Hash of the content."""
        return fingerprint(self.as_json())

    @property
    def applied(self) -> tuple[int, ...]:
        """Indices of the parameters that are applied: all that were excited."""
        return tuple(i for i, parameter in enumerate(self.parameters) if parameter.verdict != "not_excited")

    @property
    def names(self) -> tuple[Name, ...]:
        """Element and quantity of the parameters that are applied."""
        return tuple((self.parameters[i].element, self.parameters[i].quantity) for i in self.applied)

    def applied_samples(self) -> NDArray[np.float64]:
        """`(K, A)` samples of the parameters that are applied. Raises InvalidInput if there are none."""
        if not self.samples:
            raise InvalidInput(
                f"the calibration of {self.robot!r} has no posterior samples; calibrate with a bootstrap"
            )
        return np.array(self.samples, dtype=np.float64)[:, self.applied]

    def apply(self, spec: mujoco.MjSpec) -> None:
        """Write the parameters into the robot's own spec, before it is attached to a scene.

        Histories of delays are long enough for every sample, at the spec's time step.

        Raises:
            InvalidInput: the robot has no such element, or the quantity makes no sense for it.
        """
        values = [self.parameters[i].value for i in self.applied]
        largest = np.max([values, *self.applied_samples()] if self.samples else [values], axis=0, initial=0.0)
        prepare(spec, self.names, [float(value) for value in largest])
        write_spec(spec, self.names, values)

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        write_whole(Path(path), (json.dumps(self.as_json(), indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> "Calibration":
        """Read JSON. Raises InvalidInput naming the file and what is wrong in it."""
        try:
            return cls.from_json(parse_json(Path(path).read_text()))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path} is not a calibration: {error}") from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Calibration":
        """Build from what `as_json` returns. Raises InvalidInput naming what is wrong."""
        try:
            if content["schema"] != SCHEMA:
                raise InvalidInput(
                    f"schema is {content['schema']}; this version reads {SCHEMA}: make the calibration anew"
                )
            rest = {key: value for key, value in content.items() if key != "schema"}
            rest["parameters"] = tuple(_parameter(entry) for entry in rest["parameters"])
            rest["logs"] = tuple(SourceLog(**entry) for entry in rest.get("logs", ()))
            rest["held_out"] = _held_out(rest.get("held_out"))
            rest["samples"] = tuple(tuple(map(float, row)) for row in rest.get("samples", ()))
            return cls(**rest)
        except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidInput(f"not a calibration: {type(error).__name__} {error}") from error

    def as_json(self) -> dict[str, Any]:
        """The content as JSON holds it; every parameter says its unit."""
        content: dict[str, Any] = json.loads(json.dumps({"schema": SCHEMA, **asdict(self)}))
        for entry, parameter in zip(content["parameters"], self.parameters, strict=True):
            entry["unit"] = parameter.unit
        if self.held_out is not None:
            content["held_out"]["joints"] = dict(self.held_out.joints)
        return content


def _parameter(entry: Mapping[str, Any]) -> Parameter:
    rest = {key: value for key, value in entry.items() if key != "unit"}
    rest["interval"] = tuple(map(float, rest["interval"])) if rest.get("interval") else None
    parameter = Parameter(**rest)
    if entry["unit"] != parameter.unit:
        name = f"{parameter.element}.{parameter.quantity}"
        raise InvalidInput(f"{name} is in {entry['unit']!r}; it must be in {parameter.unit!r}")
    return parameter


def _held_out(content: Mapping[str, Any] | None) -> HeldOut | None:
    if content is None:
        return None
    rest = dict(content)
    return HeldOut(joints=tuple(rest.pop("joints").items()), recordings=tuple(rest.pop("recordings")), **rest)
