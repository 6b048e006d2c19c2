"""The parameters of a robot that can be identified: names, units, and how each is written into a model.

One table serves both ways of writing: into a spec before it is compiled, and into the arrays of a batch, where every
simulation has values of its own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.provenance import fingerprint

Array = NDArray[np.float64]
Ids = NDArray[np.intp]
Name = tuple[str, str]
"""Element and quantity of a parameter."""

FRICTION_LAW = ("stiction", "stribeck", "load_friction")
"""What `friction.FrictionLaw` knows of a joint beyond MuJoCo's friction. No model holds it: the law acts every step."""
CENTRE_OF_MASS = ("com_x", "com_y", "com_z")
"""Of a body, in its own frame."""
MEASURED = "measured_"
"""Sensors that read a joint late are `measured_pos_<joint>` and `measured_vel_<joint>`."""
_LISTS = {"joint": "joints", "actuator": "actuators", "body": "bodies"}
_FIELD_PREFIX = {"dof": "dof_", "actuator": "actuator_", "body": "body_", "sensor": "sensor_"}


class _Row(Protocol):
    """The numbers of one element, in a spec or in N simulations at once.

    `torque_driven`: the robot has torque motors, so its controller computes and compensates its weight.
    """

    torque_driven: bool

    def get(self, attribute: str, column: int) -> Any: ...

    def set(self, attribute: str, column: int, value: Any) -> None: ...

    def scale(self, attribute: str, factor: Any) -> None: ...


@dataclass(frozen=True)
class Quantity:
    """A kind of parameter.

    Attributes:
        kind: what its elements are: `joint`, `actuator` or `body`.
        unit: of its values.
        row: where in the model it is written: `dof`, `actuator`, `body` or `sensor`.
        attributes: what is written there.
        write: writes a value; it may read what quantities before it in `QUANTITIES` have written.
        signed: whether it may be negative.
        servo: whether its actuator must be a position servo.
    """

    kind: str
    unit: str
    row: str
    attributes: tuple[str, ...]
    write: Callable[[_Row, Any], None]
    signed: bool = False
    servo: bool = False


def _put(attribute: str, column: int = 0) -> Callable[[_Row, Any], None]:
    def write(row: _Row, value: Any) -> None:
        row.set(attribute, column, value)

    return write


def _write_nothing(row: _Row, value: Any) -> None:
    pass


def _write_position_gain(row: _Row, value: Any) -> None:
    row.set("gainprm", 0, value)
    row.set("biasprm", 1, -value)


def _write_velocity_gain(row: _Row, value: Any) -> None:
    row.set("biasprm", 2, -value)


def _write_torque_limit(row: _Row, value: Any) -> None:
    row.set("forcerange", 0, -value)
    row.set("forcerange", 1, value)


def _write_torque_gain(row: _Row, value: Any) -> None:
    for attribute, column in (("gainprm", 0), ("biasprm", 1), ("biasprm", 2)):
        row.set(attribute, column, row.get(attribute, column) * value)


def _write_encoder_bias(row: _Row, value: Any) -> None:
    """The servo acts on the measured angle, so it holds the joint `value` short of its target."""
    row.set("biasprm", 0, row.get("biasprm", 1) * value)


def _write_mass(row: _Row, value: Any) -> None:
    row.scale("inertia", value / row.get("mass", 0))
    row.set("mass", 0, value)


def _write_payload(row: _Row, value: Any) -> None:
    """Add a mass and leave its weight uncompensated.

    A controller that computes the weight from the model would hold the payload too; what it adds is taken away again.
    """
    mass = row.get("mass", 0)
    total = mass + value
    row.set("gravcomp", 0, (row.get("gravcomp", 0) * mass - row.torque_driven * value) / total)
    row.set("mass", 0, total)


QUANTITIES: Mapping[str, Quantity] = {
    "damping": Quantity("joint", "N m s/rad", "dof", ("damping",), _put("damping")),
    "armature": Quantity("joint", "kg m^2", "dof", ("armature",), _put("armature")),
    "frictionloss": Quantity("joint", "N m", "dof", ("frictionloss",), _put("frictionloss")),
    "stiction": Quantity("joint", "1", "dof", (), _write_nothing),
    "stribeck": Quantity("joint", "rad/s", "dof", (), _write_nothing),
    "load_friction": Quantity("joint", "1", "dof", (), _write_nothing),
    "position_gain": Quantity(
        "actuator", "N m/rad", "actuator", ("gainprm", "biasprm"), _write_position_gain, servo=True
    ),
    "velocity_gain": Quantity("actuator", "N m s/rad", "actuator", ("biasprm",), _write_velocity_gain, servo=True),
    "torque_gain": Quantity("actuator", "1", "actuator", ("gainprm", "biasprm"), _write_torque_gain),
    "encoder_bias": Quantity("joint", "rad", "actuator", ("biasprm",), _write_encoder_bias, signed=True),
    "torque_limit": Quantity("actuator", "N m", "actuator", ("forcerange",), _write_torque_limit),
    "delay": Quantity("actuator", "s", "actuator", ("delay",), _put("delay")),
    "measurement_delay": Quantity("joint", "s", "sensor", ("delay",), _put("delay")),
    "mass": Quantity("body", "kg", "body", ("mass", "inertia"), _write_mass),
    **{
        name: Quantity("body", "m", "body", ("ipos",), _put("ipos", axis), signed=True)
        for axis, name in enumerate(CENTRE_OF_MASS)
    },
    "payload": Quantity("body", "kg", "body", ("mass", "gravcomp"), _write_payload),
}
"""What can be identified, in the order in which it is written.

`torque_gain` is a factor of the whole force of an actuator: a torque scale that is off, and all there is to say of a
torque motor's gain. Friction is `frictionloss` when sliding, `1 + stiction` times that at rest, changes between the two
over the speed `stribeck`, and is more by `load_friction` times the actuator's torque. `encoder_bias` is measured less
true angle. `delay` is of the command and continuous (MuJoCo's own, interpolated linearly); up to one physics step it
makes no difference. `measurement_delay` is the age of a reading. `mass` scales the body's inertia with it. `com_*` is
the centre of mass in the body's frame. `payload` is a point mass at the centre of mass whose weight nothing in the
robot compensates.
"""


_FINGERPRINTED = (
    "body_parentid", "body_pos", "body_quat", "body_mass", "body_ipos", "body_iquat", "body_inertia",
    "body_gravcomp", "jnt_type", "jnt_pos", "jnt_axis", "jnt_range", "dof_damping", "dof_armature",
    "dof_frictionloss", "actuator_trnid", "actuator_gear", "actuator_gainprm", "actuator_biasprm",
    "actuator_forcerange", "actuator_ctrlrange", "actuator_delay",
)  # fmt: skip


def model_fingerprint(model: mujoco.MjModel) -> str:
    """Hash of a robot's kinematics and dynamics: names, joints, masses, actuators. Looks and collisions do not count.

    Numbers count with nine significant digits. Take the robot's own model, without a calibration or a scene.
    """
    names = [
        [model.joint(i).name for i in range(model.njnt)],
        [model.actuator(i).name for i in range(model.nu)],
        [model.body(i).name for i in range(model.nbody)],
    ]
    numbers = {
        field: [f"{value:.9g}" for value in np.asarray(getattr(model, field)).ravel() + 0.0] for field in _FINGERPRINTED
    }
    return fingerprint(names, numbers)


def check_value(element: str, quantity: str, value: float) -> None:
    """Raises InvalidInput if there is no such quantity, or if it cannot have that value."""
    if quantity not in QUANTITIES:
        raise InvalidInput(f"unknown quantity {quantity!r} of {element!r}; valid: {sorted(QUANTITIES)}")
    signed = QUANTITIES[quantity].signed
    if not math.isfinite(value) or (value < 0 and not signed):
        must = "be finite" if signed else "be finite and not negative"
        raise InvalidInput(f"{element}.{quantity} is {value}; it must {must}")


def prepare(spec: mujoco.MjSpec, names: Sequence[Name], largest: Sequence[float]) -> None:
    """Give a robot's spec what its parameters need before it is compiled: force limits, histories, late sensors.

    Args:
        spec: the robot's own, with the time step that it will be simulated with.
        names: element and quantity of every parameter.
        largest: the largest value that each will be given.

    Raises:
        InvalidInput: the robot has no such element, or the quantity makes no sense for it.
    """
    for (element, quantity), value in zip(names, largest, strict=True):
        kind = QUANTITIES[quantity].kind
        found = getattr(spec, kind)(element)
        if found is None:
            known = [each.name for each in getattr(spec, _LISTS[kind])]
            raise InvalidInput(f"the robot {spec.modelname!r} has no {kind} {element!r}; it has {known}")
        if QUANTITIES[quantity].servo and found.biasprm[1] == 0.0:
            raise InvalidInput(f"{element} is a torque motor and has no {quantity}; its quantity is torque_gain")
        if kind == "body" and not found.explicitinertial:
            raise InvalidInput(f"body {element!r} takes its mass from its geoms; give it an <inertial> to change it")
        if quantity == "encoder_bias":
            actuator_of(spec, element)
        elif quantity == "torque_limit":
            found.forcelimited = True
        elif quantity == "frictionloss" or quantity in FRICTION_LAW:
            found.solimp_friction = _HOLDS
        elif quantity == "delay":
            found.nsample, found.interp = _samples(spec, value), _LINEAR
        elif quantity == "measurement_delay":
            _add_late_sensors(spec, element, _samples(spec, value))
        elif quantity == "payload":
            for body in spec.bodies[1:]:
                body.gravcomp = max(body.gravcomp, _NEARLY_ZERO)


_HOLDS = (0.9999, 0.9999, 0.001, 0.5, 2.0)
"""Impedance of friction that holds. MuJoCo's default of 0.9 lets a loaded joint creep through its friction by degrees a
second, where a real gear stays put."""
_LINEAR = 1
"""MuJoCo's linear interpolation of histories."""
_NEARLY_ZERO = 1e-12
"""MuJoCo looks at the bodies' gravity compensation only if some of it was positive when the model was compiled."""


def _samples(spec: mujoco.MjSpec, delay: float) -> int:
    return math.ceil(delay / spec.option.timestep) + 2


def _add_late_sensors(spec: mujoco.MjSpec, joint: str, samples: int) -> None:
    for prefix, kind in (("pos_", mujoco.mjtSensor.mjSENS_JOINTPOS), ("vel_", mujoco.mjtSensor.mjSENS_JOINTVEL)):
        spec.add_sensor(
            name=MEASURED + prefix + joint,
            type=kind,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            objname=joint,
            nsample=samples,
            interp=_LINEAR,
        )


def actuator_of(spec: mujoco.MjSpec, joint: str) -> mujoco.MjsActuator:
    """The actuator that drives `joint`. Raises InvalidInput if there is none."""
    for actuator in spec.actuators:
        if actuator.trntype == mujoco.mjtTrn.mjTRN_JOINT and actuator.target == joint:
            return actuator
    raise InvalidInput(f"no actuator drives joint {joint!r}")


class _SpecRow:
    def __init__(self, element: Any, torque_driven: bool) -> None:
        self._element, self.torque_driven = element, torque_driven

    def get(self, attribute: str, column: int) -> float:
        return float(np.atleast_1d(getattr(self._element, attribute))[column])

    def set(self, attribute: str, column: int, value: float) -> None:
        if np.ndim(getattr(self._element, attribute)):
            getattr(self._element, attribute)[column] = value
        else:
            setattr(self._element, attribute, value)

    def scale(self, attribute: str, factor: float) -> None:
        for name in (attribute, f"full{attribute}"):
            setattr(self._element, name, np.array(getattr(self._element, name)) * factor)


def write_spec(spec: mujoco.MjSpec, names: Sequence[Name], values: Sequence[float]) -> None:
    """Write parameters into a robot's own spec that `prepare` has seen."""
    driven = any(actuator.biastype == mujoco.mjtBias.mjBIAS_NONE for actuator in spec.actuators)
    for (element, quantity), value in _in_order(names, values):
        for found in _spec_elements(spec, element, QUANTITIES[quantity]):
            QUANTITIES[quantity].write(_SpecRow(found, driven), float(value))


def _in_order(names: Sequence[Name], values: Sequence[Any]) -> list[tuple[Name, Any]]:
    order = list(QUANTITIES)
    return sorted(zip(names, values, strict=True), key=lambda pair: order.index(pair[0][1]))


def _spec_elements(spec: mujoco.MjSpec, element: str, quantity: Quantity) -> list[Any]:
    if quantity.row == "sensor":
        return [spec.sensor(MEASURED + prefix + element) for prefix in ("pos_", "vel_")]
    if quantity.row == "actuator" and quantity.kind == "joint":
        return [actuator_of(spec, element)]
    return [getattr(spec, quantity.kind)(element)]


class _BatchRow:
    def __init__(self, fields: Mapping[str, Array], row: str, ids: Ids, index: int, torque_driven: bool) -> None:
        self._fields, self._prefix, self._ids, self._index = fields, _FIELD_PREFIX[row], ids, index
        self.torque_driven = torque_driven

    def get(self, attribute: str, column: int) -> Array:
        values = self._fields[self._prefix + attribute]
        return values[self._ids, self._index] if values.ndim == 2 else values[self._ids, self._index, column]

    def set(self, attribute: str, column: int, value: Array) -> None:
        values = self._fields[self._prefix + attribute]
        if values.ndim == 2:
            values[self._ids, self._index] = value
        else:
            values[self._ids, self._index, column] = value

    def scale(self, attribute: str, factor: Array) -> None:
        self._fields[self._prefix + attribute][self._ids, self._index] *= factor[:, None]


class ParameterWriter:
    """Writes parameters into the arrays of a batch, for each simulation its own. Final.

    Attributes:
        names: element and quantity of every parameter.
        fields: names of the model's fields to expand, `{name: batch.expand(name) for name in writer.fields}`.
    """

    def __init__(
        self, model: mujoco.MjModel, names: Sequence[Name], prefix: str = "", nominal: mujoco.MjModel | None = None
    ) -> None:
        """Find the elements.

        Args:
            model: what the batch simulates, compiled from a spec that `prepare` has seen.
            names: element and quantity of every parameter.
            prefix: what the scene has put before the robot's names.
            nominal: the robot's own model, without a calibration; `model` itself where None. Factors count from it.
        """
        self.names, nominal = tuple(names), nominal or model
        self._driven = bool((nominal.actuator_biastype == int(mujoco.mjtBias.mjBIAS_NONE)).any())
        self._rows: list[tuple[int, Quantity, int]] = []
        self._reset: list[tuple[str, int, Array]] = []
        for (element, quantity), column in _in_order(names, range(len(names))):
            kind = QUANTITIES[quantity]
            own = kind.row == "sensor"  # late sensors are in the scene alone
            origin, place = (model, prefix) if own else (nominal, "" if nominal is not model else prefix)
            rows = _model_rows(model, prefix, element, kind), _model_rows(origin, place, element, kind)
            for row, origin_row in zip(*rows, strict=True):
                self._rows.append((column, kind, row))
                for attribute in kind.attributes:
                    field = _FIELD_PREFIX[kind.row] + attribute
                    self._reset.append((field, row, np.array(getattr(origin, field)[origin_row], dtype=np.float64)))
        self.fields = tuple(dict.fromkeys(field for field, _, _ in self._reset))

    def write(self, fields: Mapping[str, Array], ids: Ids, values: Array) -> None:
        """Give the simulations `ids` (k,) the values `(k, P)`. Then call the batch's `set_const(ids)`."""
        for field, row, nominal in self._reset:
            fields[field][ids, row] = nominal
        for column, quantity, row in self._rows:
            quantity.write(_BatchRow(fields, quantity.row, ids, row, self._driven), values[:, column])


def _model_rows(model: mujoco.MjModel, prefix: str, element: str, quantity: Quantity) -> list[int]:
    """Where a parameter is in the model's arrays."""
    if quantity.row == "sensor":
        return [model.sensor(prefix + MEASURED + part + element).id for part in ("pos_", "vel_")]
    found = getattr(model, quantity.kind)(prefix + element).id
    if quantity.kind != "joint":
        return [found]
    if quantity.row == "dof":
        return [int(model.jnt_dofadr[found])]
    joints = (model.actuator_trntype == int(mujoco.mjtTrn.mjTRN_JOINT)) & (model.actuator_trnid[:, 0] == found)
    return [int(np.flatnonzero(joints)[0])]
