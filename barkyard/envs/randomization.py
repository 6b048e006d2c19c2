"""Domain randomisation of legged robots: what is drawn anew for every episode."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.envs.draws import between, uniform
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.errors import InvalidInput

_MODEL, _FAILURE, _PUSH = 1, 2, 1000
Range = tuple[float, float]


_LIMITS: Mapping[str, Range] = {
    "friction": (0.0, 10.0),
    "mass": (0.1, 10.0),
    "com": (-1.0, 1.0),
    "gain": (0.0, 10.0),
    "armature": (0.0, 10.0),
    "friction_loss": (0.0, 100.0),
    "delay": (0.0, 1.0),
    "push": (0.0, 10.0),
}
"""What each range must lie in."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class Randomization:
    """Ranges that are drawn from uniformly, once an episode. Equal ends switch a quantity off.

    With `posterior`, what the robot's calibration identified is drawn from its samples instead, all parameters of an
    episode from one sample.

    Attributes:
        friction: sliding friction of the feet on everything.
        mass: factor of every link's mass and inertia, each link its own.
        com: shift of the torso's centre of mass along x and y [m].
        gain: factor of the position gains; armature and friction_loss: factors of theirs.
        delay: of the actuator command [s]; rounded to physics steps, at most one control period.
        push: size of the change of the base's planar velocity [m/s].
        push_interval: pushes come once in every interval of this length [s]; 0 for none.
        posterior: whether to draw from the calibration's samples.
        failing: actuators of which one gives no force in an episode, each as likely as the others.
        failure: probability that one does.
    """

    friction: Range = (0.6, 1.0)
    mass: Range = (0.9, 1.1)
    com: Range = (-0.01, 0.01)
    gain: Range = (0.95, 1.05)
    armature: Range = (0.9, 1.1)
    friction_loss: Range = (0.8, 1.2)
    delay: Range = (0.0, 0.008)
    push: Range = (0.0, 0.3)
    push_interval: float = 4.0
    posterior: bool = False
    failing: tuple[str, ...] = ()
    failure: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "posterior":
                if not isinstance(value, bool):
                    raise InvalidInput(f"randomization.posterior is {value!r}; give true or false")
                continue
            if field.name == "push_interval":
                if not _is_number(value) or value < 0.0:
                    raise InvalidInput(f"randomization.push_interval is {value!r}; give seconds, or 0 for no pushes")
                continue
            if field.name == "failing":
                if not isinstance(value, tuple) or not all(isinstance(name, str) for name in value):
                    raise InvalidInput(f"randomization.failing is {value!r}; give the names of actuators")
                continue
            if field.name == "failure":
                if not _is_number(value) or not 0.0 <= value <= 1.0 or (value > 0.0 and not self.failing):
                    raise InvalidInput(
                        f"randomization.failure is {value!r} with failing {self.failing}; give a probability, and the "
                        "actuators that may fail"
                    )
                continue
            low, high = _LIMITS[field.name]
            pair = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_number, value))
            if not (pair and low <= value[0] <= value[1] <= high):
                raise InvalidInput(
                    f"randomization.{field.name} is {value!r}; give (low, high) with {low} <= low <= high <= {high}"
                )

    @classmethod
    def none(cls) -> "Randomization":
        """The nominal robot, undisturbed, on feet of friction 0.8."""
        one, zero = (1.0, 1.0), (0.0, 0.0)
        return cls((0.8, 0.8), one, zero, one, one, one, zero, zero, 0.0)

    @classmethod
    def from_posterior(cls) -> "Randomization":
        """The robot as identified, as surely as it is; ground and pushes as by default."""
        one, zero = (1.0, 1.0), (0.0, 0.0)
        return cls(mass=one, com=zero, gain=one, armature=one, friction_loss=one, delay=zero, posterior=True)


def as_randomization(value: "Randomization | Mapping[str, Any] | str") -> Randomization:
    """A `Randomization` from itself, its JSON, or one of the words in `_WORDS`. Raises InvalidInput."""
    if isinstance(value, Randomization):
        return value
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]()
    if not isinstance(value, Mapping):
        words = ", ".join(map(repr, _WORDS))
        raise InvalidInput(f"randomization is {value!r}; valid: {words}, or an object of ranges")
    names = [field.name for field in fields(Randomization)]
    for name in value:
        if name not in names:
            raise InvalidInput(f"randomization has no {name!r}; it has {', '.join(names)}")
    chosen: dict[str, Any] = {n: tuple(v) if isinstance(v, (list, tuple)) else v for n, v in value.items()}
    return Randomization(**chosen)


_WORDS: Mapping[str, Callable[[], Randomization]] = {
    "default": Randomization,
    "none": Randomization.none,
    "posterior": Randomization.from_posterior,
}


class Randomizer:
    """Draws and applies a `Randomization`, as a function of each episode's key. Final."""

    def __init__(self, simulation: Simulation, ranges: Randomization) -> None:
        self._simulation, self._ranges = simulation, ranges
        model, batch = simulation.model, simulation.batch
        robot = simulation.robot.robot
        bodies = [i for i in range(model.nbody) if model.body(i).name.startswith(PREFIX)]
        self._bodies = np.array(bodies, np.intp)
        self._torso = bodies[:1]
        self._feet = np.array([model.geom(PREFIX + foot).id for foot in robot.feet], np.intp)
        self._dofs = simulation.robot.velocity_span
        self._actuators = slice(0, len(robot.actuators))
        unknown = [name for name in ranges.failing if name not in robot.actuators]
        if unknown:
            raise InvalidInput(
                f"randomization.failing has {', '.join(map(repr, unknown))}; the actuators of {robot.name} are "
                f"{', '.join(robot.actuators)}"
            )
        self._failing = np.array([robot.actuators.index(name) for name in ranges.failing], np.intp)
        names = ["geom_friction", "body_mass", "body_inertia", "body_ipos", "actuator_gainprm", "actuator_biasprm"]
        names += ["dof_armature", "dof_frictionloss"]
        self._nominal = {name: np.array(getattr(model, name)) for name in names}
        self._fields: dict[str, Any] = {name: batch.expand(name) for name in names}

    def restore(self, ids: Ids, keys: Array) -> None:
        """Write the parameters of the episodes with `keys` (k,) into the models of `ids`."""
        ranges, nominal, into = self._ranges, self._nominal, self._fields
        links = len(self._bodies)
        unit = uniform(keys, _MODEL, 7 + links)
        into["geom_friction"][ids[:, None], self._feet, 0] = between(unit[:, :1], *ranges.friction)
        mass = between(unit[:, 7:], *ranges.mass)
        into["body_mass"][ids[:, None], self._bodies] = nominal["body_mass"][self._bodies] * mass
        into["body_inertia"][ids[:, None], self._bodies] = nominal["body_inertia"][self._bodies] * mass[:, :, None]
        shift = nominal["body_ipos"][self._torso[0], :2] + between(unit[:, 1:3], *ranges.com)
        into["body_ipos"][ids, self._torso[0], :2] = shift
        works = self._works(keys)
        gain = nominal["actuator_gainprm"][self._actuators, 0] * between(unit[:, 3:4], *ranges.gain) * works
        into["actuator_gainprm"][ids, self._actuators, 0] = gain
        into["actuator_biasprm"][ids, self._actuators, 1] = -gain
        into["actuator_biasprm"][ids, self._actuators, 2] = nominal["actuator_biasprm"][self._actuators, 2] * works
        for name, column, limits in (
            ("dof_armature", 4, ranges.armature),
            ("dof_frictionloss", 5, ranges.friction_loss),
        ):
            factor = between(unit[:, column : column + 1], *limits)
            into[name][ids, self._dofs] = nominal[name][self._dofs] * factor
        self._simulation.batch.set_const(ids)
        physics_dt = self._simulation.control_dt / self._simulation.substeps
        steps = np.rint(between(unit[:, 6], *ranges.delay) / physics_dt)
        self._simulation.delay_steps()[ids] = np.clip(steps, 0, self._simulation.substeps)

    def _works(self, keys: Array) -> NDArray[np.bool_]:
        """`(k, A)` which actuators give force in the episodes with `keys`."""
        works = np.ones((len(keys), self._actuators.stop), dtype=bool)
        if self._ranges.failure > 0.0:
            unit = uniform(keys, _FAILURE, 2)
            fails = np.flatnonzero(unit[:, 0] < self._ranges.failure)
            works[fails, self._failing[(unit[fails, 1] * len(self._failing)).astype(np.intp)]] = False
        return works

    def push(self, keys: Array) -> None:
        """Kick the bases of the simulations whose moment has come. Call once a control period.

        Each interval has one kick, at a moment and in a direction that follow from key and interval.
        """
        ranges, dt = self._ranges, self._simulation.control_dt
        if ranges.push_interval == 0.0 or ranges.push[1] == 0.0:
            return
        length, steps = max(1, round(ranges.push_interval / dt)), self._simulation.elapsed_steps()
        draw = _PUSH + steps // length
        moment = (uniform(keys, draw, 1)[:, 0] * length).astype(np.int64)
        now = np.flatnonzero((steps % length == moment) & (steps > 0))
        unit = uniform(keys[now], draw[now], 3)
        size, angle = between(unit[:, 1], *ranges.push), 2 * np.pi * unit[:, 2]
        self._simulation.qvel[now, :2] += size[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def torque_limited(scene: mujoco.MjSpec, limit: float | None) -> None:
    """Lower the force limits of the robot's actuators to `limit` [N m]; None leaves them. Raises InvalidInput."""
    if limit is None:
        return
    if not _is_number(limit) or limit <= 0.0:
        raise InvalidInput(f"torque_limit is {limit!r}; give a positive number of N m, or None for the robot's own")
    for actuator in scene.actuators:
        own = float(actuator.forcerange[1])
        actuator.forcerange = [-min(limit, own), min(limit, own)]
