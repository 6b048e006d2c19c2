"""The simulated robot as it plays a recording's commands, for many values of its parameters at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from barkyard.assets.friction import FrictionLaw, has_law
from barkyard.assets.parameters import CENTRE_OF_MASS, Name, ParameterWriter, model_fingerprint, prepare
from barkyard.calibration.logs import RobotLog
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

FLOOR_FRICTION = 0.1
"""Of a floor against the robot: a smooth table. A choice."""
NUMBERS_AT_ONCE = 2_000_000
"""How many numbers a batch may record before it is split, to bound the memory (16 MB)."""


@dataclass(frozen=True)
class PlantModel:
    """A robot alone, with a position servo a joint.

    Attributes:
        name: the robot's.
        spec: compiled anew for every plant; its base is held.
        joints: joints that have a servo, in the order of the servos.
        actuators: the servos.
        fingerprint: of the model as shipped.
        floor: height of a surface that the robot may touch [m], in the frame of the model's world; None for none.
    """

    name: str
    spec: mujoco.MjSpec
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    fingerprint: str
    floor: float | None = None

    @classmethod
    def from_mjcf(cls, path: Path, servo_gains: tuple[float, float] | None = None) -> "PlantModel":
        """Any MJCF file with an actuator a joint.

        Args:
            path: the file.
            servo_gains: stiffness [N m/rad] and damping [N m s/rad] of the controller that drives torque motors.

        Raises:
            InvalidInput: the file cannot be read or compiled, or has no servos.
        """
        try:
            spec = mujoco.MjSpec.from_file(str(path))
            shipped = model_fingerprint(spec.compile())
        except (ValueError, OSError) as problem:
            raise InvalidInput(f"{path}: MuJoCo cannot read this model: {problem}") from None
        for joint in list(spec.joints):
            if joint.type == mujoco.mjtJoint.mjJNT_FREE:
                spec.delete(joint)
        for key in list(spec.keys):
            spec.delete(key)
        _close_the_loop(spec, path.name, servo_gains)
        return cls.from_spec(path.stem, spec, shipped)

    @classmethod
    def from_spec(cls, name: str, spec: mujoco.MjSpec, shipped: str) -> "PlantModel":
        """A robot of position servos; `shipped` is the fingerprint of its model. Raises InvalidInput without them."""
        servos = [actuator for actuator in spec.actuators if actuator.trntype == mujoco.mjtTrn.mjTRN_JOINT]
        if not servos:
            raise InvalidInput(f"{name} has no actuator that drives a joint; calibration fits servos of joints")
        return cls(name, spec, tuple(each.target for each in servos), tuple(each.name for each in servos), shipped)

    @cached_property
    def shipped(self) -> mujoco.MjModel:
        """The compiled model, with its parameters as they were found."""
        return self.spec.copy().compile()


def _close_the_loop(spec: mujoco.MjSpec, name: str, gains: tuple[float, float] | None) -> None:
    """Give torque motors the position controller that the log's commands were meant for."""
    for motor in spec.actuators:
        if motor.biastype != mujoco.mjtBias.mjBIAS_NONE:
            continue
        if gains is None:
            raise InvalidInput(
                f"{name}: {motor.name} is a torque motor, and the log has positions; give the gains of the robot's "
                "position controller, --servo-gains KP KD"
            )
        limit = [float(value) for value in (motor.ctrlrange if motor.ctrllimited else motor.forcerange)]
        motor.set_to_position(kp=gains[0], kv=gains[1])
        motor.ctrllimited = False
        if limit[1] > limit[0]:
            motor.forcelimited, motor.forcerange = True, limit


def _add_floor(spec: mujoco.MjSpec, height: float) -> None:
    """A plane that every part of the robot meets, and no part another."""
    for geom in spec.geoms:
        geom.contype, geom.conaffinity = 0, 1
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0.0, 0.0, height],
        size=[0.0, 0.0, 1.0],
        friction=[FLOOR_FRICTION, 0.0, 0.0],
        priority=1,
        contype=1,
        conaffinity=0,
    )


class Plant:
    """Plays recordings on N copies of a robot that differ in P parameters. Final.

    Contacts other than with the model's floor, joint limits and limits of the commands are off: a recording is of free
    motion inside them, and an encoder bias would move them.

    Attributes:
        names: element and quantity of every parameter, in the order of the values.
        timestep: of the physics [s].
    """

    def __init__(
        self,
        model: PlantModel,
        names: Sequence[Name],
        largest: Sequence[float],
        timestep: float | None = None,
        threads: int = 0,
    ) -> None:
        """Compile.

        Args:
            model: the robot.
            names: element and quantity of every parameter.
            largest: the largest value that each will be given.
            timestep: of the physics [s]; the model's own where None.
            threads: of the simulation; 0 for one a processor.

        Raises:
            InvalidInput: the robot has no such element, or the quantity makes no sense for it.
        """
        spec = model.spec.copy()
        spec.discard_visual()
        spec.option.timestep = timestep or spec.option.timestep
        flags = mujoco.mjtDisableBit
        if model.floor is not None:
            _add_floor(spec, model.floor)
        untouched = (flags.mjDSBL_CONTACT,) if model.floor is None else ()
        for flag in (*untouched, flags.mjDSBL_LIMIT, flags.mjDSBL_CLAMPCTRL):
            spec.option.disableflags |= int(flag)
        prepare(spec, names, largest)
        self.names, self.timestep = tuple(names), float(spec.option.timestep)
        self._model, self._threads = spec.compile(), threads
        self._writer = ParameterWriter(self._model, names)
        self._actuators = model.actuators
        self._joints = {joint: place for place, joint in enumerate(model.joints)}
        self._addresses = np.array([self._model.joint(joint).qposadr[0] for joint in model.joints], np.intp)
        self._controls: dict[tuple[str, float, int], Array] = {}

    def simulate(self, values: Array, log: RobotLog) -> Array:
        """What the encoders would have measured, at the log's own stamps.

        Each copy starts where the log does, at the speed it says. Commands are held until the next and
        averaged over each physics step, so that neither their stamps nor the delays are rounded to steps.

        Args:
            values: `(N, P)` parameters.
            log: with the model's names for its joints; joints that it lacks are held at their reference position.

        Returns:
            `(N, T, J)` angles [rad], in the order of the log's joints; not finite where a simulation diverged.
        """
        steps = math.ceil(log.duration / self.timestep) + 1
        size = max(1, NUMBERS_AT_ONCE // (steps * self._model.nq))
        parts = [self._play(values[first : first + size], log, steps) for first in range(0, len(values), size)]
        return np.concatenate(parts)

    def _play(self, values: Array, log: RobotLog, steps: int) -> Array:
        count = len(values)
        batch = Batch(self._model, count, self._threads)
        fields = {name: batch.expand(name) for name in self._writer.fields}
        self._writer.write(fields, np.arange(count), values)
        batch.set_const()
        places = np.array([self._joints[joint] for joint in log.joints], np.intp)
        bias = self._biases(values)[:, places]
        control = self._control(log, places, steps)
        batch.bind("history")[:] = self._history(log, places)
        addresses = self._addresses[places]
        batch.qpos[:, addresses] = log.position[0] - bias
        batch.qvel[:, self._model.jnt_dofadr[self._joint_ids(addresses)]] = 0.0 if log.speed is None else log.speed
        start = np.array(batch.qpos)
        run = np.empty((count, steps, self._model.nq))
        try:
            self._roll_out(batch, values, control, run)
        except SimulationError as failure:
            run[failure.ids] = np.nan
        path = np.concatenate([start[:, None], run], axis=1)[:, :, addresses]
        place = (log.time - log.time[0]) / self.timestep
        before = np.minimum(place.astype(np.intp), steps - 1)
        weight = (place - before)[:, None]
        return path[:, before] * (1.0 - weight) + path[:, before + 1] * weight + bias[:, None]

    def _roll_out(self, batch: Batch, values: Array, control: Array, run: Array) -> None:
        """Fill `run` `(N, steps, nq)` with the angles after every step. Raises SimulationError."""
        if not has_law(self.names):
            every = np.broadcast_to(control, (len(values), *control.shape))
            batch.rollout(len(control), every, record=("qpos",), out={"qpos": run})
            return
        law = FrictionLaw(self._model, batch, tuple(self._joints), self._actuators)
        law.set(np.arange(len(values)), self.names, values)
        for step, command in enumerate(control):
            law.act()
            batch.ctrl[:] = command
            batch.step()
            run[:, step] = batch.qpos

    def _joint_ids(self, addresses: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.array([np.flatnonzero(self._model.jnt_qposadr == address)[0] for address in addresses], np.intp)

    def _biases(self, values: Array) -> Array:
        """`(N, joints)` encoder biases, 0 where they are no parameter."""
        biases = np.zeros((len(values), len(self._joints)))
        for column, (element, quantity) in enumerate(self.names):
            if quantity == "encoder_bias":
                biases[:, self._joints[element]] = values[:, column]
        return biases

    def _control(self, log: RobotLog, places: NDArray[np.intp], steps: int) -> Array:
        """`(steps, nu)` mean command over each physics step."""
        key = (log.name, float(log.time[0]), steps)
        if key not in self._controls:
            control = np.zeros((steps, self._model.nu))
            control[:, places] = mean_commands(log, log.time[0] + self.timestep * np.arange(steps + 1))
            self._controls[key] = control
        return self._controls[key]

    def _history(self, log: RobotLog, places: NDArray[np.intp]) -> Array:
        """Commands before the start, without which a delayed servo would first be sent to zero."""
        data = mujoco.MjData(self._model)
        for column, place in enumerate(places):
            samples = int(self._model.actuator_history[place, 0])
            if samples:
                edges = log.time[0] + self.timestep * np.arange(-samples, 1)
                past = mean_commands(log, edges)[:, column : column + 1]
                mujoco.mj_initCtrlHistory(self._model, data, int(place), None, np.ascontiguousarray(past))
        return np.array(data.history)


def mean_commands(log: RobotLog, edges: Array) -> Array:
    """`(len(edges) - 1, J)` means of the held command between neighbouring edges [s].

    Before the first command it is taken to have stood there already.
    """
    start, stop = min(edges[0], log.command_time[0]) - 1.0, max(edges[-1], log.command_time[-1]) + 1.0
    times = np.concatenate([[start], log.command_time[1:], [stop]])
    area = np.concatenate(
        [np.zeros((1, log.command.shape[1])), np.cumsum(np.diff(times)[:, None] * log.command, axis=0)]
    )
    at = np.stack([np.interp(edges, times, column) for column in area.T], axis=1)
    result: Array = np.diff(at, axis=0) / np.diff(edges)[:, None]
    return result


def default_values(model: mujoco.MjModel, names: Sequence[Name]) -> Array:
    """`(P,)` what the compiled model has for each parameter; biases, delays and payloads are 0."""
    return np.array([_default(model, element, quantity) for element, quantity in names])


def _default(model: mujoco.MjModel, element: str, quantity: str) -> float:
    dof: Mapping[str, Array] = {
        "damping": model.dof_damping,
        "armature": model.dof_armature,
        "frictionloss": model.dof_frictionloss,
    }
    if quantity in dof:
        return float(dof[quantity][model.joint(element).dofadr[0]])
    if quantity in ("position_gain", "velocity_gain", "torque_limit"):
        servo = model.actuator(element)
        column = {"position_gain": servo.gainprm[0], "velocity_gain": -servo.biasprm[2]}
        limited = float(servo.forcerange[1]) if servo.forcelimited[0] else math.inf
        return float(column.get(quantity, limited))
    if quantity == "mass":
        return float(model.body(element).mass[0])
    if quantity in CENTRE_OF_MASS:
        return float(model.body(element).ipos[CENTRE_OF_MASS.index(quantity)])
    return 1.0 if quantity == "torque_gain" else 0.0
