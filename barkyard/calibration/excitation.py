"""Commands that make a robot show its parameters, within its limits, and the file they are kept in."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots import load_robot
from barkyard.assets.servos import servo_spec
from barkyard.calibration import signals
from barkyard.errors import InvalidInput
from barkyard.files import write_whole
from barkyard.untrusted import read_npz

Array = NDArray[np.float64]

KINDS = ("chirp", "multisine", "prbs")
CLEARANCE = 0.005
"""Parts of the robot stay this far apart [m]: a choice."""
_SHRINK, _SHRINK_OTHERS, _ATTEMPTS = 0.8, 0.97, 40
"""Joints that move too much shrink fast, the others slowly, since they shake them."""
_CHECK_RATE = 50.0
"""Distances are looked at this often [Hz]."""


@dataclass(frozen=True)
class ExcitationLimits:
    """What a design stays within.

    Attributes:
        range: part of the way from home to the nearer joint limit.
        amplitude: farthest from home [rad].
        speed: of a command [rad/s].
        acceleration: of a command [rad/s^2].
        torque: largest part of an actuator's torque limit, in simulation.
    """

    range: float = 0.8
    amplitude: float = 0.6
    speed: float = 2.0
    acceleration: float = 100.0
    torque: float = 0.8


@dataclass(frozen=True)
class CommandFile:
    """Joint commands to be played on a robot. Angles in rad, times in s.

    Attributes:
        robot: name of the robot or model.
        joints: names, J.
        t: `(T,)` times, evenly spaced, from 0.
        q_cmd: `(T, J)` commands.
        kind: one of `KINDS`, or what else it is.
        seed: what it was drawn from.
    """

    robot: str
    joints: tuple[str, ...]
    t: Array
    q_cmd: Array
    kind: str
    seed: int

    def save(self, path: str | Path) -> None:
        """Write .npz or .csv, whole or not at all. Raises InvalidInput for another ending."""
        path = Path(path)
        if path.suffix == ".npz":
            content = io.BytesIO()
            np.savez_compressed(
                content, t=self.t, q_cmd=self.q_cmd, joints=np.array(self.joints), units=np.array("rad"),
                robot=np.array(self.robot), kind=np.array(self.kind), seed=np.array(self.seed),
            )  # fmt: skip
            write_whole(path, content.getvalue())
        elif path.suffix == ".csv":
            write_whole(path, self._csv().encode())
        else:
            raise InvalidInput(f"{path}: give a name that ends in .npz or .csv")

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([f"# robot={self.robot} kind={self.kind} seed={self.seed} units=s,rad"])
        writer.writerow(["t_cmd", *(f"{joint}.cmd" for joint in self.joints)])
        writer.writerows(
            [f"{value:.9g}" for value in (time, *row)] for time, row in zip(self.t, self.q_cmd, strict=True)
        )
        return text.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> "CommandFile":
        """Read what `save` wrote. Raises InvalidInput naming the file and what is wrong."""
        path = Path(path)
        try:
            return _from_npz(path) if path.suffix == ".npz" else _from_csv(path)
        except (OSError, KeyError, TypeError, ValueError, IndexError, OverflowError, csv.Error) as error:
            raise InvalidInput(f"{path} is not a command file: {error}") from error


def _from_npz(path: Path) -> CommandFile:
    content = read_npz(path, ("robot", "joints", "t", "q_cmd", "kind", "seed", "units"))
    if str(content["units"]) != "rad":
        raise InvalidInput(f"units are {content['units']}; they must be rad")
    return _checked(
        CommandFile(
            str(content["robot"]),
            tuple(map(str, content["joints"])),
            content["t"],
            content["q_cmd"],
            str(content["kind"]),
            int(content["seed"]),
        )
    )


def _from_csv(path: Path) -> CommandFile:
    first, head, *lines = list(csv.reader(path.read_text().splitlines()))
    facts = dict(word.split("=", 1) for word in first[0].removeprefix("#").split())
    if facts["units"] != "s,rad":
        raise InvalidInput(f"units are {facts['units']}; they must be s,rad")
    numbers = np.array([[float(cell) for cell in line] for line in lines])
    joints = tuple(name.removesuffix(".cmd") for name in head[1:])
    return _checked(
        CommandFile(facts["robot"], joints, numbers[:, 0], numbers[:, 1:], facts["kind"], int(facts["seed"]))
    )


def _checked(commands: CommandFile) -> CommandFile:
    expected = (len(commands.t), len(commands.joints))
    if commands.q_cmd.shape != expected:
        raise InvalidInput(f"q_cmd has shape {commands.q_cmd.shape}; it must be {expected}")
    if not (np.isfinite(commands.t).all() and np.isfinite(commands.q_cmd).all()):
        raise InvalidInput("times and commands must be finite")
    return commands


def design(
    robot: str | mujoco.MjModel,
    kind: str = "multisine",
    duration: float = 20.0,
    rate: float = 50.0,
    seed: int = 0,
    *,
    band: tuple[float, float] = (0.1, 3.0),
    limits: ExcitationLimits | None = None,
) -> CommandFile:
    """Commands that begin and end at the home pose and excite every joint at once.

    Amplitudes are as large as ranges, speeds and accelerations allow. The commands are then played in simulation on the
    robot as it is modelled. Amplitudes are made smaller, above all of joints that need too much torque, until no joint
    does and no parts of the robot come too near to one another.

    Args:
        robot: name of a registered robot, or a model with one position servo a joint. A model's home is its keyframe
            `home`, else the middle of its ranges.
        kind: one of `KINDS`.
        duration: [s].
        rate: commands per second.
        seed: of phases and orders.
        band: frequencies [Hz]; a binary sequence may change once in a period of the upper one.
        limits: what the design stays within.

    Raises:
        InvalidInput: an argument makes no sense, or no amplitude is small enough.
    """
    limits = limits or ExcitationLimits()
    _check(kind, duration, rate, band)
    name = robot if isinstance(robot, str) else "model"
    stand = _Stand.of_robot(robot) if isinstance(robot, str) else _Stand.of_model(robot)
    times = np.arange(round(duration * rate) + 1) / rate
    generator = np.random.default_rng(seed)
    count = len(stand.joints)
    if kind == "chirp":
        unit = signals.chirp(times, count, band, generator)
    elif kind == "multisine":
        unit = signals.multisine(times, count, band, generator)
    else:
        hold = 1.0 / band[1]
        unit = signals.prbs(times, count, hold, 0.8 * hold, generator)
    amplitude = _amplitudes(unit, rate, stand, limits)
    problem = ""
    for _ in range(_ATTEMPTS):
        commands = stand.home + amplitude * unit
        problem, guilty = stand.problem(times, commands, limits.torque)
        if not problem:
            return CommandFile(name, stand.joints, times, commands, kind, seed)
        amplitude = amplitude * np.where(guilty, _SHRINK, _SHRINK_OTHERS)
    raise InvalidInput(f"no amplitude is small enough for {name}: {problem}; begin from another home pose")


def _check(kind: str, duration: float, rate: float, band: tuple[float, float]) -> None:
    if kind not in KINDS:
        raise InvalidInput(f"kind is {kind!r}; valid: {', '.join(KINDS)}")
    if not duration >= 2.0 * signals.FADE or not rate > 0.0:
        raise InvalidInput(
            f"duration {duration} s and rate {rate} Hz: give at least {2 * signals.FADE:g} s, and a rate"
        )
    if not 0.0 < band[0] < band[1] <= 0.25 * rate:
        raise InvalidInput(f"band is {band} Hz; give 0 < low < high <= {0.25 * rate:g}, a quarter of the rate")


def _amplitudes(unit: Array, rate: float, stand: "_Stand", limits: ExcitationLimits) -> Array:
    """`(J,)` the largest that stay within ranges, speeds and accelerations [rad]."""
    speed = np.abs(np.diff(unit, axis=0)).max(axis=0) * rate
    acceleration = np.abs(np.diff(unit, n=2, axis=0)).max(axis=0) * rate**2
    room = limits.range * np.minimum(stand.home - stand.low, stand.high - stand.home)
    return np.min([room, np.full(len(room), limits.amplitude), limits.speed / speed,
                   limits.acceleration / acceleration], axis=0)  # fmt: skip


class _Stand:
    """A robot with position servos in simulation."""

    def __init__(self, model: mujoco.MjModel, joints: tuple[str, ...], actuators: list[int], home: Array) -> None:
        self._model, self.joints, self._actuators, self.home = model, joints, actuators, home
        ids = [model.joint(name).id for name in joints]
        self._places = model.jnt_qposadr[ids]
        self.low, self.high = model.jnt_range[ids].T
        for actuator, limited in zip(actuators, model.actuator_ctrllimited[actuators], strict=True):
            if limited:
                joint = actuators.index(actuator)
                low, high = model.actuator_ctrlrange[actuator]
                self.low[joint], self.high[joint] = max(self.low[joint], low), min(self.high[joint], high)
        self._pairs = self._near(_foreign_pairs(model), home)

    @classmethod
    def of_robot(cls, name: str) -> "_Stand":
        robot = load_robot(name)
        model = servo_spec(robot).compile()
        return cls(model, robot.joints, [model.actuator(a).id for a in robot.actuators], np.array(robot.home))

    @classmethod
    def of_model(cls, model: mujoco.MjModel) -> "_Stand":
        joint_drive = int(mujoco.mjtTrn.mjTRN_JOINT)
        servos = [i for i in range(model.nu) if int(model.actuator_trntype[i]) == joint_drive]
        servos = [i for i in servos if model.actuator_biasprm[i, 1] < 0.0]
        if not servos:
            raise InvalidInput("the model has no position servo on a joint; give it <position> actuators")
        ids = model.actuator_trnid[servos, 0]
        names = tuple(model.joint(int(i)).name for i in ids)
        keys = [model.key(i).name for i in range(model.nkey)]
        middle = model.jnt_range[ids].mean(axis=1)
        home = model.key("home").qpos[model.jnt_qposadr[ids]] if "home" in keys else middle
        if not model.jnt_limited[ids].all():
            raise InvalidInput(f"joint {names[int(np.argmin(model.jnt_limited[ids]))]!r} has no range; give it one")
        return cls(model, names, servos, np.array(home))

    def _near(self, pairs: list[tuple[int, int]], home: Array) -> list[tuple[int, int]]:
        """The pairs that are apart at home; the others overlap by design."""
        data = mujoco.MjData(self._model)
        data.qpos[self._places] = home
        mujoco.mj_forward(self._model, data)
        return [pair for pair in pairs if self._distance(data, pair) >= CLEARANCE]

    def _distance(self, data: mujoco.MjData, pair: tuple[int, int]) -> float:
        return float(mujoco.mj_geomDistance(self._model, data, *pair, CLEARANCE, None))

    def problem(self, times: Array, commands: Array, torque: float) -> tuple[str, NDArray[np.bool_]]:
        """What goes wrong when the commands are played, or nothing, and which joints `(J,)` are to move less."""
        model, data = self._model, mujoco.MjData(self._model)
        data.qpos[self._places] = commands[0]
        mujoco.mj_forward(model, data)
        limits = np.where(model.actuator_forcelimited, model.actuator_forcerange[:, 1], np.inf)[self._actuators]
        every = max(1, round(1.0 / (_CHECK_RATE * (times[1] - times[0]))))
        peak = np.zeros(len(self.joints))
        for row, (time, command) in enumerate(zip(times, commands, strict=True)):
            while data.time < time:
                mujoco.mj_step(model, data)
                np.maximum(peak, np.abs(data.actuator_force[self._actuators]), out=peak)
            if row % every == 0:
                for pair in self._pairs:
                    if self._distance(data, pair) < CLEARANCE:
                        bodies = [model.body(int(model.geom_bodyid[geom])).name for geom in pair]
                        words = f"{bodies[0]} and {bodies[1]} come within {CLEARANCE} m at {time:.2f} s"
                        return words, np.ones(len(self.joints), dtype=bool)
            data.ctrl[self._actuators] = command
        guilty = peak > torque * limits
        joint = int(np.argmax(peak / limits))
        words = f"{self.joints[joint]} needs {peak[joint]:.1f} N m of {limits[joint]:.1f}"
        return words if guilty.any() else "", guilty


def _foreign_pairs(model: mujoco.MjModel) -> list[tuple[int, int]]:
    """Pairs of colliding geoms of different bodies that are not neighbours, at least one of them movable."""
    geoms = [i for i in range(model.ngeom) if model.geom_contype[i] or model.geom_conaffinity[i]]
    weld, parent = model.body_weldid, model.body_parentid

    def neighbours(one: int, other: int) -> bool:
        above = [int(weld[parent[body]]) for body in (one, other)]
        return one == other or above[0] == other or above[1] == one

    bodies = {geom: int(weld[model.geom_bodyid[geom]]) for geom in geoms}
    return [(a, b) for a in geoms for b in geoms if a < b and not neighbours(bodies[a], bodies[b])]
