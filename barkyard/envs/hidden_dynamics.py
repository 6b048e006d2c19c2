"""A surrogate's hidden dynamics, in every simulation of a batch."""

import mujoco
import numpy as np
from mujoco.batch import Batch

from barkyard.assets.friction import DriveTorque, stribeck_friction
from barkyard.assets.robot import Robot
from barkyard.assets.surrogate import Surrogate
from barkyard.envs.draws import uniform
from barkyard.envs.simulation import Array, Ids

_JITTER, _POSITION, _VELOCITY = 1, 2, 3
_STREAMS = 4
_LOAD = 1.0
"""Torque that holds the gears to one flank [N m]: a choice."""
_CROSSING = 0.005
"""Time in which the motor crosses the play [s]: a choice."""
_HARD = 0.9999
"""Impedance of friction: what is left of one is the part of the load that makes a joint creep."""


class HiddenDynamics:
    """What a `Surrogate` does that no calibration describes. Final.

    Friction at a joint's speed v is the Coulomb friction times `1 + stiction exp(-(v / stribeck)^2)`, a Stribeck curve,
    by MuJoCo's constraint. That one is soft, and lets a loaded joint creep by some degrees a second; here it is as hard
    as the time step allows, so friction holds.

    The motor stands ahead of its joint by up to half the play, on the side that its torque pushes to, and crosses over
    with the time constant `_CROSSING` when the torque turns. Encoders are on the motors: a servo acts on the motor's
    angle as read, with steps and noise, and so is what is observed.

    What changes is in `memory`, `(N, 1 + J)`: a key that all chance follows from, and how far each motor is ahead.
    """

    def __init__(self, model: mujoco.MjModel, batch: Batch, robot: Robot, prefix: str, surrogate: Surrogate) -> None:
        self._surrogate, self._dt = surrogate, float(model.opt.timestep)
        joints = [model.joint(prefix + name).id for name in robot.joints]
        self._dofs, self._places = model.jnt_dofadr[joints], model.jnt_qposadr[joints]
        self._actuators = np.array([model.actuator(prefix + name).id for name in robot.actuators], np.intp)
        names = ([prefix + name for name in each] for each in (robot.joints, robot.actuators))
        self._torque = DriveTorque(model, batch, *names)
        self._stiction, self._stribeck = np.array(surrogate.stiction), np.array(surrogate.stribeck)
        self._half_play = 0.5 * np.array(surrogate.play)
        self._coulomb = model.dof_frictionloss[self._dofs].copy()
        batch.expand("dof_solref")[:, self._dofs] = (2.0 * self._dt, 1.0)
        batch.expand("dof_solimp")[:, self._dofs] = (_HARD, _HARD, 0.001, 0.5, 2.0)
        fields = ("dof_frictionloss", "actuator_delay", "actuator_biasprm")
        self._friction, self._delay, self._bias = (batch.expand(name) for name in fields)
        self._qpos, self._qvel, self._time = (batch.bind(name) for name in ("qpos", "qvel", "time"))

    def bind(self, memory: Array) -> None:
        """Take hold of `(N, memory_size)` numbers of the state."""
        self._keys, self._ahead = memory[:, 0], memory[:, 1:]

    @staticmethod
    def memory_size(robot: Robot) -> int:
        """Numbers of the state that it needs."""
        return 1 + len(robot.joints)

    def begin(self, ids: Ids, keys: Array) -> None:
        """Episodes of `ids` begin, with `(k,)` keys and the motors in the middle of their play."""
        self._keys[ids], self._ahead[ids] = keys, 0.0

    def receive(self) -> None:
        """A command arrives: draw how late. Call once a control period, before it."""
        surrogate = self._surrogate
        early = surrogate.jitter * uniform(self._keys, self._counter(_JITTER), 1)
        self._delay[:, self._actuators] = surrogate.delay - early

    def act(self) -> None:
        """Set friction and readings for the coming physics step. Call before every one."""
        speed = self._qvel[:, self._dofs]
        self._friction[:, self._dofs] = stribeck_friction(self._coulomb, self._stiction, self._stribeck, speed)
        aim = self._half_play * np.tanh(self._torque() / _LOAD)
        self._ahead += (aim - self._ahead) * min(self._dt / _CROSSING, 1.0)
        error = self.joint_pos() - self._qpos[:, self._places]
        self._bias[:, self._actuators, 0] = self._bias[:, self._actuators, 1] * error

    def joint_pos(self) -> Array:
        """`(N, J)` angles as the encoders give them [rad]."""
        surrogate = self._surrogate
        true = self._qpos[:, self._places] + self._ahead + surrogate.noise * self._normal(_POSITION)
        return np.round(true / surrogate.quantum) * surrogate.quantum

    def joint_vel(self, period: float) -> Array:
        """`(N, J)` speeds as differences of readings `period` [s] apart would give them [rad/s]."""
        surrogate = self._surrogate
        spread = np.hypot(surrogate.noise, surrogate.quantum / np.sqrt(12.0)) * np.sqrt(2.0) / period
        return self._qvel[:, self._dofs] + spread * self._normal(_VELOCITY)

    def _counter(self, stream: int) -> Array:
        return np.rint(self._time / self._dt) * _STREAMS + stream

    def _normal(self, stream: int) -> Array:
        """`(N, J)` standard normal numbers of this moment (Box and Muller, 1958)."""
        count = len(self._dofs)
        unit = uniform(self._keys, self._counter(stream), 2 * count)
        return np.sqrt(-2.0 * np.log1p(-unit[:, :count])) * np.cos(2.0 * np.pi * unit[:, count:])
