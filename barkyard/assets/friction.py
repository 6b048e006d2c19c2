"""Friction of geared drives, for which MuJoCo has one number a joint: higher at rest, and growing with the load."""

from collections.abc import Sequence
from typing import Final

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from barkyard.assets.parameters import FRICTION_LAW, Name

Array = NDArray[np.float64]
Ids = NDArray[np.intp]

_STRIBECK: Final = 0.1
"""Speed over which friction falls where none is given [rad/s]: a choice."""


class DriveTorque:
    """The torque that the actuators of J joints are asked for, from state and commands alone. Final."""

    def __init__(self, model: mujoco.MjModel, batch: Batch, joints: Sequence[str], actuators: Sequence[str]) -> None:
        ids = [model.joint(name).id for name in joints]
        self._dofs, self._places = model.jnt_dofadr[ids], model.jnt_qposadr[ids]
        self._actuators = np.array([model.actuator(name).id for name in actuators], np.intp)
        limits = model.actuator_forcerange[self._actuators, 1]
        self._limits = np.where(limits > 0.0, limits, np.inf)
        self._gain, self._bias = (batch.expand(name) for name in ("actuator_gainprm", "actuator_biasprm"))
        self._qpos, self._qvel, self._ctrl = (batch.bind(name) for name in ("qpos", "qvel", "ctrl"))

    def __call__(self) -> Array:
        """`(N, J)` now, as if commands were not late [N m]."""
        bias = self._bias[:, self._actuators]
        torque = self._gain[:, self._actuators, 0] * self._ctrl[:, self._actuators]
        torque += bias[:, :, 1] * self._qpos[:, self._places] + bias[:, :, 2] * self._qvel[:, self._dofs]
        return np.clip(torque, -self._limits, self._limits)


def stribeck_friction(coulomb: Array, stiction: Array, stribeck: Array, speed: Array) -> Array:
    """Friction [N m] at `speed` [rad/s]: `coulomb` when sliding, `1 + stiction` times that at rest."""
    rest = np.exp(-((speed / stribeck) ** 2))
    return coulomb * (1.0 + stiction * rest)


class FrictionLaw:
    """Sets the friction of J joints in N simulations before every physics step. Final.

    At speed v and actuator torque t it is `frictionloss (1 + stiction exp(-(v / stribeck)^2)) + load_friction |t|`: the
    model M4 of Duclusaud and others (Extended Friction Models for the Physics Simulation of Servo Actuators, arXiv
    2410.08650), without the part of its load friction that changes with speed.
    """

    def __init__(self, model: mujoco.MjModel, batch: Batch, joints: Sequence[str], actuators: Sequence[str]) -> None:
        """Begin with the model's own Coulomb friction at all speeds and loads; actuators are those of the joints."""
        self._joints = {name: column for column, name in enumerate(joints)}
        self._dofs = model.jnt_dofadr[[model.joint(name).id for name in joints]]
        self._friction, self._qvel = batch.expand("dof_frictionloss"), batch.bind("qvel")
        self._torque = DriveTorque(model, batch, joints, actuators)
        count = len(self._friction)
        none = np.zeros((count, len(joints)))
        coulomb = np.repeat(model.dof_frictionloss[None, self._dofs], count, axis=0)
        self._numbers = {
            "frictionloss": coulomb, "stiction": none, "stribeck": none + _STRIBECK, "load_friction": none.copy(),
        }  # fmt: skip

    def set(self, ids: Ids, names: Sequence[Name], values: Array, prefix: str = "") -> None:
        """Give the simulations `ids` (k,) those of `(k, P)` parameters `names` that are friction's."""
        for column, (joint, quantity) in enumerate(names):
            if quantity in self._numbers:
                self._numbers[quantity][ids, self._joints[prefix + joint]] = values[:, column]

    def act(self) -> None:
        """Call before every physics step."""
        known = self._numbers
        sliding = stribeck_friction(
            known["frictionloss"], known["stiction"], known["stribeck"], self._qvel[:, self._dofs]
        )
        self._friction[:, self._dofs] = sliding + known["load_friction"] * np.abs(self._torque())


def has_law(names: Sequence[Name]) -> bool:
    """Whether some of the parameters are of a `FrictionLaw`, beyond MuJoCo's own number."""
    return any(quantity in FRICTION_LAW for _, quantity in names)
