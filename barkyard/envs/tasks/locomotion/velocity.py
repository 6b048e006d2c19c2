"""Follow velocity commands on flat ground."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.assets.scenes.ground import add_walker, open_ground
from barkyard.envs.draws import between, draw_keys, uniform
from barkyard.envs.memory import Layout
from barkyard.envs.randomization import Randomization, Randomizer, as_randomization, torque_limited
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Options, Part, Task
from barkyard.envs.tasks.locomotion.history import WIDTH, History
from barkyard.envs.tasks.locomotion.quadruped import Quadruped
from barkyard.errors import InvalidInput

COMMAND_LIMITS = (1.5, 0.8, 1.5)
"""Largest forward and lateral velocity [m/s] and yaw rate [rad/s] that are asked for."""
HOLD = 5.0
"""A command is held this long [s]."""
STANDING = 0.1
"""Part of the commands that ask to stand."""
TOLERANCE = 0.25
"""Width of the tracking terms [m/s] and [rad/s], squared in the exponent's denominator: Playground's joystick tasks."""
SUCCESS_ERROR = 0.3
"""An episode succeeds if the mean error of the planar velocity is below this [m/s]."""
LONGEST_HISTORY = 100
_COMMAND = 2


@dataclass(frozen=True)
class WalkingOptions(Options):
    """Choices of walking tasks.

    Attributes:
        randomization: `default`, `none`, `posterior`, or an object of ranges; see `envs.randomization.Randomization`.
        torque_limit: of every actuator [N m]; None is the robot's own.
        history: so many past control periods are observed as part `history`.
    """

    randomization: Randomization | str = "default"
    torque_limit: float | None = None
    history: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "randomization", as_randomization(self.randomization))
        if type(self.history) is not int or not 0 <= self.history <= LONGEST_HISTORY:
            raise InvalidInput(f"history is {self.history!r}; give whole control periods, 0 to {LONGEST_HISTORY}")

    @property
    def posterior(self) -> bool:
        """Whether every episode draws the robot's parameters from its calibration's samples."""
        return isinstance(self.randomization, Randomization) and self.randomization.posterior


class QuadrupedVelocity(Task):
    """Track a commanded planar velocity and yaw rate, given in the heading frame, while being pushed."""

    robot = "barkour_vb"
    control_dt = 0.02
    time_limit = 20.0
    camera = "track"
    controller = "JOINT_TARGET"
    refresh = False
    options_type = WalkingOptions
    boxes: tuple[str, ...] = ()

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        assert isinstance(self.options, WalkingOptions)
        self.layout = Layout(key=1, command=3, error=2, history=WIDTH * self.options.history, **self._more_memory())
        self.memory_size = self.layout.size
        assert isinstance(self.options.randomization, Randomization)
        self._ranges, self._torque_limit = self.options.randomization, self.options.torque_limit

    def _more_memory(self) -> dict[str, int]:
        return {}

    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """Floor and robot."""
        scene = open_ground()
        self._add_obstacles(scene)
        add_walker(scene, robot, calibration)
        torque_limited(scene, self._torque_limit)
        return scene

    def _add_obstacles(self, scene: mujoco.MjSpec) -> None:
        del scene

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        self.simulation = simulation
        self.quadruped = Quadruped(simulation, self.boxes)
        self.randomizer = Randomizer(simulation, self._ranges)
        self.key = self.layout.view(simulation.memory, "key")[:, 0]
        self.command = self.layout.view(simulation.memory, "command")
        self._error = self.layout.view(simulation.memory, "error")
        self._history = History(self.quadruped, self.layout.view(simulation.memory, "history"))

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the robot's parameters, its pose and the first command."""
        self.key[ids] = draw_keys(generators)
        self.restore(ids)
        heading = between(uniform(self.key[ids], 0, 1)[:, 0], -np.pi, np.pi)
        self.quadruped.stand(ids, generators, np.column_stack([np.zeros((len(ids), 3)), heading]))
        self._start(ids)

    def _start(self, ids: Ids) -> None:
        self.command[ids] = self._draw_commands(ids, np.zeros(len(ids)))
        self._error[ids] = 0.0
        self._history.begin(ids)

    def restore(self, ids: Ids) -> None:
        """Write the drawn parameters into the models."""
        self.randomizer.restore(ids, self.key[ids])

    def _draw_commands(self, ids: Ids, count: Array) -> Array:
        """`(k, 3)` the `count`-th (k,) commands of the episodes in `ids`."""
        unit = uniform(self.key[ids], _COMMAND + 16 * count, 4)
        command = between(unit[:, :3], -1.0, 1.0) * np.array(COMMAND_LIMITS)
        return np.where(unit[:, 3:] < STANDING, 0.0, command)

    def before_step(self) -> None:
        """Change commands whose time is over, and push."""
        hold = round(HOLD / self.control_dt)
        steps = self.simulation.elapsed_steps()
        change = np.flatnonzero((steps % hold == 0) & (steps > 0))
        if change.size:
            self.command[change] = self._draw_commands(change, steps[change] / hold)
        self._history.advance()
        self.randomizer.push(self.key)

    def after_step(self) -> None:
        """Add up the tracking errors."""
        error = self.tracking_error()
        self._error += np.stack([np.linalg.norm(error[:, :2], axis=1), np.abs(error[:, 2])], axis=1)

    def tracking_error(self) -> Array:
        """`(N, 3)` command less the velocity in the heading frame [m/s, m/s, rad/s]."""
        return self.command - self.quadruped.heading_velocity()

    def parts(self) -> Mapping[str, Part]:
        """The robot's senses, the command in the heading frame [m/s, m/s, rad/s], and `history` if it is asked for."""
        return {**self.quadruped.parts(), **command_part(), **self._history.parts()}

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`."""
        return {**self.quadruped.observe(), "command": self.command, **self._history.observe()}

    def terms(self) -> Mapping[str, Array]:
        """`linear` and `angular` tracking, `steady` (no vertical speed, roll or pitch rate), `upright`."""
        error, quadruped = self.tracking_error(), self.quadruped
        shake = self.simulation.qvel[:, 2] ** 2 + 0.05 * (quadruped.angular_velocity()[:, :2] ** 2).sum(axis=1)
        return {
            "linear": np.exp(-(error[:, :2] ** 2).sum(axis=1) / TOLERANCE),
            "angular": np.exp(-(error[:, 2] ** 2) / TOLERANCE),
            "steady": np.exp(-shake),
            "upright": np.clip(quadruped.up()[:, 2], 0.0, 1.0),
        }

    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """(linear + angular / 2) / 1.5, times steadiness and uprightness."""
        return (terms["linear"] + 0.5 * terms["angular"]) / 1.5 * terms["steady"] * terms["upright"]

    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The time is over, the robot has not fallen, and its mean velocity error is small."""
        steps = self.simulation.elapsed_steps()
        over = steps >= round(self.time_limit / self.control_dt)
        return over & (self._error[:, 0] < SUCCESS_ERROR * steps) & ~self.failure(terms)

    def failure(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """The robot has fallen."""
        return self.quadruped.fallen()

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """The terms, and the mean errors so far of the planar velocity [m/s] and of the rate of turn [rad/s]."""
        velocity, turn = self._error.T / np.maximum(self.simulation.elapsed_steps(), 1)
        return {**terms, "mean_velocity_error": velocity, "mean_turn_error": turn}


def command_part() -> Mapping[str, Part]:
    """The commanded velocity as a part of the observation, `command`."""
    return {"command": Part(3, tuple(-value for value in COMMAND_LIMITS), COMMAND_LIMITS)}
