"""What sets an episode's robot apart from its model: drawn parameters, late commands and readings, hidden dynamics."""

from collections.abc import Callable, Mapping

import mujoco
import numpy as np

from barkyard.assets.calibration import Calibration
from barkyard.assets.friction import FrictionLaw, has_law
from barkyard.assets.parameters import MEASURED, ParameterWriter
from barkyard.assets.robot import PREFIX, Robot
from barkyard.assets.robots import robot_model
from barkyard.assets.surrogate import Surrogate
from barkyard.envs.draws import draw_keys
from barkyard.envs.hidden_dynamics import HiddenDynamics
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.errors import InvalidInput


def check_posterior(calibration: Calibration | None) -> None:
    """Raises InvalidInput unless there is a calibration with samples to draw from."""
    if calibration is None:
        raise InvalidInput("randomization='posterior' draws from a calibration's samples; give calibration=PATH too")
    calibration.applied_samples()


def memory_size(robot: Robot, posterior: bool, surrogate: Surrogate | None) -> int:
    """Numbers of the state that a `Hardware` needs."""
    return int(posterior) + (HiddenDynamics.memory_size(robot) if surrogate else 0)


def late_readings(calibration: Calibration | None) -> bool:
    """Whether joints are read late, which needs sensors of the very state a step ends in."""
    return calibration is not None and any(quantity == "measurement_delay" for _, quantity in calibration.names)


class Hardware:
    """The robot as a calibration or a surrogate has it, beyond what the compiled model says. Final.

    Its part of the state is the end of the task's memory: the number of the sample drawn, and what `HiddenDynamics`
    keeps.

    Attributes:
        each_substep: to be called before every physics step, or None.
        sample: `(N,)` live: number of the posterior's sample that each robot is, or None.
    """

    def __init__(
        self, simulation: Simulation, calibration: Calibration | None, posterior: bool, surrogate: Surrogate | None
    ) -> None:
        self._simulation, robot = simulation, simulation.robot.robot
        memory = simulation.memory[:, simulation.memory.shape[1] - memory_size(robot, posterior, surrogate) :]
        self.sample, self._posterior = memory[:, 0] if posterior else None, None
        if posterior and calibration is not None:
            self._posterior = _Posterior(simulation, calibration)
        self._hidden: HiddenDynamics | None = None
        self.each_substep: Callable[[], None] | None = None
        if surrogate is not None:
            self._hidden = HiddenDynamics(simulation.model, simulation.batch, robot, PREFIX, surrogate)
            self._hidden.bind(memory)
            self.each_substep = self._hidden.act
        self._law = _friction_law(simulation, calibration)
        if self._law is not None:
            self.each_substep = self._law.act
        self._bias = _encoder_bias(simulation, calibration)
        self._histories = _Histories(simulation)

    def begin(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the robots of the episodes that begin in `ids`, one generator each."""
        if self._posterior is not None and self.sample is not None:
            self.sample[ids] = [float(generator.integers(self._posterior.count)) for generator in generators]
        if self._hidden is not None:
            self._hidden.begin(ids, draw_keys(generators))
        self.restore(ids)

    def restore(self, ids: Ids) -> None:
        """Write the parameters of the samples in the memory of `ids` into the models."""
        if self._posterior is not None and self.sample is not None:
            samples = self.sample[ids].astype(np.intp)
            self._posterior.write(ids, samples)
            if self._law is not None:
                self._law.set(ids, self._posterior.names, self._posterior.values[samples], PREFIX)

    def settle(self, ids: Ids) -> None:
        """Fill the histories of `ids` with the initial state, as if it had always been so."""
        if self._histories.fill(ids):
            self._simulation.forward(ids)

    def before_step(self) -> None:
        """A command arrives."""
        if self._hidden is not None:
            self._hidden.receive()

    def measure(self, parts: Mapping[str, Array]) -> Mapping[str, Array]:
        """The parts of an observation, with joint positions and velocities as the robot measures them."""
        measured = dict(parts)
        if self._hidden is not None:
            measured["joint_pos"] = self._hidden.joint_pos()
            measured["joint_vel"] = self._hidden.joint_vel(self._simulation.control_dt)
        self._histories.read(measured)
        if self._bias is not None:
            measured["joint_pos"] = measured["joint_pos"] + self._bias_now(self._bias)
        return measured

    def _bias_now(self, nominal: Array) -> Array:
        if self._posterior is None or self.sample is None:
            return nominal
        return self._posterior.encoder_bias(self.sample.astype(np.intp), nominal)


class _Posterior:
    """The samples of a calibration, and how they are written into the models."""

    def __init__(self, simulation: Simulation, calibration: Calibration) -> None:
        robot, self._batch = simulation.robot.robot, simulation.batch
        keep = [i for i, name in enumerate(calibration.names) if not _limited(simulation.model, calibration, name)]
        self.names = [calibration.names[i] for i in keep]
        self.values = calibration.applied_samples()[:, keep]
        self._writer = ParameterWriter(simulation.model, self.names, PREFIX, robot_model(robot.name))
        self._fields = {name: simulation.batch.expand(name) for name in self._writer.fields}
        self._biased = [(robot.joints.index(e), i) for i, (e, q) in enumerate(self.names) if q == "encoder_bias"]
        self.count = len(self.values)

    def write(self, ids: Ids, samples: Ids) -> None:
        self._writer.write(self._fields, ids, self.values[samples])
        self._batch.set_const(ids)

    def encoder_bias(self, samples: Ids, nominal: Array) -> Array:
        bias = np.repeat(nominal[None], len(samples), axis=0)
        for joint, column in self._biased:
            bias[:, joint] = self.values[samples, column]
        return bias


def _limited(model: mujoco.MjModel, calibration: Calibration, name: tuple[str, str]) -> bool:
    """Whether the task asked for a torque limit below the calibrated one, which then stays."""
    if name[1] != "torque_limit":
        return False
    value = next(p.value for p in calibration.parameters if (p.element, p.quantity) == name)
    return float(model.actuator(PREFIX + name[0]).forcerange[1]) < value


def _friction_law(simulation: Simulation, calibration: Calibration | None) -> FrictionLaw | None:
    if calibration is None or not has_law(calibration.names):
        return None
    robot = simulation.robot.robot
    names = ([PREFIX + name for name in each] for each in (robot.joints, robot.actuators))
    law = FrictionLaw(simulation.model, simulation.batch, *names)
    everyone = np.arange(len(simulation.memory))
    values = np.array([calibration.parameters[i].value for i in calibration.applied])
    law.set(everyone, calibration.names, np.repeat(values[None], len(everyone), axis=0), PREFIX)
    return law


def _encoder_bias(simulation: Simulation, calibration: Calibration | None) -> Array | None:
    joints = simulation.robot.robot.joints
    bias = np.zeros(len(joints))
    for i in calibration.applied if calibration else ():
        assert calibration is not None
        parameter = calibration.parameters[i]
        if parameter.quantity == "encoder_bias":
            bias[joints.index(parameter.element)] = parameter.value
    return bias if bias.any() else None


class _Histories:
    """MuJoCo's histories of late commands and late readings: one number each, oldest first.

    A history lies in the state as a slot for the user, a cursor, n times and n values.
    """

    def __init__(self, simulation: Simulation) -> None:
        model, self._simulation = simulation.model, simulation
        self._batch, robot = simulation.batch, simulation.robot.robot
        self._actuators = [i for i in range(model.nu) if model.actuator_history[i, 0] > 0]
        self._late = {
            part: [model.sensor(PREFIX + MEASURED + prefix + name).id for name in _late_joints(model, robot)]
            for part, prefix in (("joint_pos", "pos_"), ("joint_vel", "vel_"))
        }
        self._columns = [robot.joints.index(name) for name in _late_joints(model, robot)]
        if self._actuators or self._columns:
            self._history = self._batch.bind("history")

    def fill(self, ids: Ids) -> bool:
        """Whether there are any."""
        model, simulation = self._simulation.model, self._simulation
        torque = self._batch.bind("qfrc_bias") if self._actuators else None
        for i in self._actuators:
            values = simulation.ctrl[ids, int(model.actuator_ctrladr[i])]
            if int(model.actuator_biastype[i]) == int(mujoco.mjtBias.mjBIAS_NONE) and torque is not None:
                values = torque[ids, int(model.jnt_dofadr[model.actuator_trnid[i, 0]])]
            self._put(ids, int(model.actuator_historyadr[i]), int(model.actuator_history[i, 0]), values)
        live = {"joint_pos": simulation.robot.joint_pos, "joint_vel": simulation.robot.joint_vel}
        for part, sensors in self._late.items():
            for column, i in zip(self._columns, sensors, strict=True):
                address, size = int(model.sensor_historyadr[i]), int(model.sensor_history[i, 0])
                self._put(ids, address, size, live[part][ids, column])
        return bool(self._actuators or self._columns)

    def _put(self, ids: Ids, address: int, size: int, values: Array) -> None:
        self._history[ids, address + 2 + size : address + 2 + 2 * size] = values[:, None]

    def read(self, parts: dict[str, Array]) -> None:
        """Put late readings in the place of the live ones."""
        for part, sensors in self._late.items() if self._columns else ():
            addresses = self._simulation.model.sensor_adr[sensors]
            parts[part] = parts[part].copy()
            parts[part][:, self._columns] = self._simulation.sensordata[:, addresses]


def _late_joints(model: mujoco.MjModel, robot: Robot) -> list[str]:
    known = {model.sensor(i).name for i in range(model.nsensor)}
    return [name for name in robot.joints if PREFIX + MEASURED + "pos_" + name in known]
