"""A small arm whose parameters are known, and recordings of it with noise that is correlated in time."""

from collections.abc import Mapping, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.parameters import model_fingerprint, prepare, write_spec
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel
from barkyard.calibration.unknowns import Unknown, default_unknowns, spread, targets

Array = NDArray[np.float64]

ARM = """
<mujoco model="arm">
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <body name="upper">
      <joint name="shoulder" axis="0 1 0" damping="0.5" armature="0.02" frictionloss="0.1"/>
      <inertial pos="0.1 0 0" mass="0.3" diaginertia="1e-3 1e-3 1e-3"/>
      <body name="lower" pos="0.2 0 0">
        <joint name="elbow" axis="0 1 0" damping="0.5" armature="0.02" frictionloss="0.1"/>
        <inertial pos="0.1 0 0" mass="0.2" diaginertia="1e-3 1e-3 1e-3"/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="shoulder" joint="shoulder" kp="15"/>
    <position name="elbow" joint="elbow" kp="15"/>
  </actuator>
</mujoco>
"""
LEVEL = ARM.replace("<option", '<option gravity="0 0 0"')
"""The same arm without weight, so that nothing but its links' inertia tells the unit of torque."""
PERIOD = 0.02
TRUTH: Mapping[str, Sequence[float]] = {
    "position_gain": (18.0, 12.0),
    "damping": (0.9, 0.6),
    "armature": (0.03, 0.02),
    "frictionloss": (0.15, 0.08),
    "delay": (0.012, 0.018),
}


def arm(xml: str = ARM) -> PlantModel:
    spec = mujoco.MjSpec.from_string(xml)
    return PlantModel.from_spec("arm", spec, model_fingerprint(spec.compile()))


def unknowns(model: PlantModel, quantities: Sequence[str] = tuple(TRUTH)) -> tuple[Unknown, ...]:
    return default_unknowns(model, model.joints, 0.005, quantities)


def chirp(seed: int, seconds: float, joints: int = 2) -> tuple[Array, Array]:
    """Times `(T,)` and commands `(T, joints)`: steps and a sweep from 0.2 to 4 Hz, other for every seed and joint."""
    rng = np.random.default_rng(seed)
    time = PERIOD * np.arange(round(seconds / PERIOD))
    columns = []
    for _ in range(joints):
        phase = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * (0.2 * time + 1.9 * time**2 / seconds)
        steps = np.repeat(rng.uniform(-0.3, 0.3, int(seconds) + 1), round(1.0 / PERIOD))[: len(time)]
        columns.append(0.15 * np.sin(phase) + steps)
    return time, np.stack(columns, axis=1)


def record(
    model: PlantModel,
    sought: Sequence[Unknown],
    truth: Mapping[str, Sequence[float]],
    seed: int,
    *,
    seconds: float = 8.0,
    noise: float = 0.0,
    memory: float = 0.0,
    name: str = "",
    moving: int = 2,
) -> RobotLog:
    """What an arm with the parameters `truth` measures, with Gaussian noise that is correlated in time.

    Args:
        model: the arm.
        sought: the unknowns; their order within a quantity is that of the joints.
        truth: values by quantity.
        seed: of command and noise.
        seconds: length [s].
        noise: its standard deviation [rad].
        memory: the AR(1) coefficient.
        name: of the log.
        moving: how many joints are moved; the others are held.
    """
    time, command = chirp(seed, seconds)
    command[:, moving:] = 0.0
    start = np.zeros_like(command)
    log = RobotLog(name or f"run{seed}", model.joints, time, command, time, start)
    plant = Plant(model, targets(sought), [unknown.high for unknown in sought for _ in unknown.targets])
    clean = plant.simulate(spread(sought, places(sought, truth)[None]), log)[0]
    rng = np.random.default_rng(seed + 10_000)
    drawn = rng.standard_normal(command.shape) * noise
    for row in range(1, len(drawn)):
        drawn[row] = memory * drawn[row - 1] + np.sqrt(1.0 - memory**2) * drawn[row]
    return RobotLog(log.name, model.joints, time, command, time, clean + drawn)


def places(sought: Sequence[Unknown], truth: Mapping[str, Sequence[float]]) -> Array:
    """Where the truth is in the unknowns' ranges."""
    used: dict[str, int] = {}
    found = []
    for unknown in sought:
        at = used.get(unknown.quantity, 0)
        used[unknown.quantity] = at + 1
        found.append(unknown.place(truth[unknown.quantity][at]))
    return np.array(found)


def record_gripping(model: PlantModel, seed: int, seconds: float = 8.0, noise: float = 2e-4) -> RobotLog:
    """What the arm of `TRUTH` measures, without delay, if its friction is more at rest and grows with the load.

    The model has one number for friction. Friction at speed v is the Coulomb friction times `1 + 2 exp(-(v / 0.2)^2)`
    and a fifth of the servo's torque.
    """
    time, command = chirp(seed, seconds)
    spec = model.spec.copy()
    names = [(joint, quantity) for quantity in TRUTH for joint in model.joints if quantity != "delay"]
    prepare(spec, names, [1.0] * len(names))
    write_spec(spec, names, [value for quantity in TRUTH if quantity != "delay" for value in TRUTH[quantity]])
    compiled = spec.compile()
    data, coulomb = mujoco.MjData(compiled), compiled.dof_frictionloss.copy()
    position = np.zeros_like(command)
    for row in range(len(time)):
        position[row] = data.qpos
        data.ctrl[:] = command[row]
        for _ in range(round(PERIOD / compiled.opt.timestep)):
            slow = np.exp(-((data.qvel / 0.2) ** 2))
            compiled.dof_frictionloss[:] = coulomb * (1.0 + 2.0 * slow) + 0.2 * np.abs(data.actuator_force)
            mujoco.mj_step(compiled, data)
    position += noise * np.random.default_rng(seed + 10_000).standard_normal(position.shape)
    return RobotLog(f"gripping{seed}", model.joints, time, command, time, position)
