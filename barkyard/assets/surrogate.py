"""Stand-ins for real robots: a robot with hidden dynamics that its model lacks, drawn from a seed.

What is hidden has the form of what real drives do: friction that falls with speed at first (Stribeck), play in the
gears, commands that arrive late and not evenly, encoders with steps and noise, and torque, friction, inertia and
payload that differ from the model's. The ranges are choices, not measurements of any robot; all that is made with a
surrogate says `surrogate`, never `real`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration, Parameter
from barkyard.assets.robots import load_robot, robot_fingerprint, robot_model
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]
Range = tuple[float, float]


@dataclass(frozen=True)
class SurrogateRanges:
    """What a robot's hidden numbers are drawn from, uniformly.

    Attributes:
        torque_gain: factor of an actuator's force, each its own.
        friction: Coulomb friction as a part of the actuator's largest torque.
        damping: viscous friction as a part of the largest torque, per rad/s.
        armature: factor of the model's.
        delay: longest delay of a command [s]; jitter: by how much it may be shorter [s].
        payload: [kg] on the body `carrier`.
        stiction: how much higher friction is at rest than when sliding, as a part of it.
        stribeck: speed over which it falls by a factor of e [rad/s].
        play: width of the gears' play [rad].
        noise: standard deviation of a reading [rad]; quantum: step of the encoder [rad].
    """

    carrier: str
    torque_gain: Range
    friction: Range
    damping: Range
    armature: Range
    delay: Range
    jitter: Range
    payload: Range
    stiction: Range
    stribeck: Range
    play: Range
    noise: float
    quantum: float


_PANDA = SurrogateRanges(
    carrier="right_hand", torque_gain=(0.92, 1.03), friction=(0.006, 0.018), damping=(0.006, 0.02),
    armature=(0.6, 1.3), delay=(0.003, 0.006), jitter=(0.0, 0.002), payload=(0.1, 0.4), stiction=(0.2, 0.6),
    stribeck=(0.03, 0.1), play=(0.0002, 0.0006), noise=0.0001, quantum=2 * np.pi / 2**14,
)  # fmt: skip
_BARKOUR = SurrogateRanges(
    carrier="torso", torque_gain=(0.85, 1.05), friction=(0.01, 0.03), damping=(0.003, 0.01),
    armature=(0.8, 1.4), delay=(0.006, 0.012), jitter=(0.0, 0.004), payload=(0.2, 1.2), stiction=(0.2, 0.6),
    stribeck=(0.1, 0.4), play=(0.004, 0.012), noise=0.0003, quantum=2 * np.pi / 2**12,
)  # fmt: skip
RANGES: Mapping[str, SurrogateRanges] = {
    "panda": _PANDA, "barkour_vb": _BARKOUR, "barkour_v0": _BARKOUR, "barkour_vb_menagerie": _BARKOUR,
}  # fmt: skip
"""Of every robot that has a surrogate. Choices: an arm with fine drives, and legs with geared motors."""


@dataclass(frozen=True)
class Surrogate:
    """One hidden robot.

    Attributes:
        robot: name of the robot that it stands in for.
        seed: what it was drawn from.
        truth: what a calibration could tell of it: torque gain, friction, damping, armature, delay, payload.
        stiction, stribeck, play: of every joint; see `SurrogateRanges`.
        jitter: by how much a command's delay may be shorter [s]; it changes from command to command.
        noise: standard deviation of a joint reading [rad]; quantum: step of the encoders [rad].
    """

    robot: str
    seed: int
    truth: Calibration
    stiction: tuple[float, ...]
    stribeck: tuple[float, ...]
    play: tuple[float, ...]
    jitter: float
    noise: float
    quantum: float

    @property
    def delay(self) -> float:
        """Longest delay of a command [s]."""
        return next(parameter.value for parameter in self.truth.parameters if parameter.quantity == "delay")


def draw_surrogate(robot: str, seed: int) -> Surrogate:
    """The hidden robot of `seed`. Raises InvalidInput if the robot has none, or for a seed that is no seed."""
    if robot not in RANGES:
        raise InvalidInput(f"robot {robot!r} has no surrogate; those that have: {', '.join(sorted(RANGES))}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise InvalidInput(f"surrogate is {seed!r}; give a whole number of 0 or more: the seed of its hidden dynamics")
    ranges, known = RANGES[robot], load_robot(robot)
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0x5EA1]))
    count = len(known.joints)

    def each(limits: Range) -> Array:
        return generator.uniform(*limits, size=count)

    model = robot_model(robot)
    strength = np.array([_largest_torque(model, name) for name in known.actuators])
    armature = np.array([float(model.joint(name).armature[0]) for name in known.joints])
    per_joint = {
        "damping": strength * each(ranges.damping),
        "armature": armature * each(ranges.armature),
        "frictionloss": strength * each(ranges.friction),
    }
    gain, delay = each(ranges.torque_gain), float(generator.uniform(*ranges.delay))
    parameters = [
        Parameter(joint, quantity, float(value))
        for quantity, values in per_joint.items()
        for joint, value in zip(known.joints, values, strict=True)
    ]
    parameters += [
        Parameter(name, "torque_gain", float(value)) for name, value in zip(known.actuators, gain, strict=True)
    ]
    parameters += [Parameter(name, "delay", delay) for name in known.actuators]
    parameters.append(Parameter(ranges.carrier, "payload", float(generator.uniform(*ranges.payload))))
    stiction, stribeck, play = (
        tuple(map(float, each(limits))) for limits in (ranges.stiction, ranges.stribeck, ranges.play)
    )
    truth = Calibration(robot, robot_fingerprint(robot), tuple(parameters), "surrogate")
    jitter = float(generator.uniform(*ranges.jitter))
    return Surrogate(robot, seed, truth, stiction, stribeck, play, jitter, ranges.noise, ranges.quantum)


def _largest_torque(model: mujoco.MjModel, actuator: str) -> float:
    """From the force limit, or from the control range of a torque motor [N m]."""
    found = model.actuator(actuator)
    return float(found.forcerange[1] or found.ctrlrange[1])
