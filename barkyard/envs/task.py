"""What a task is: a scene, how episodes begin, what is measured, and how that is judged."""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import Robot
from barkyard.control.controller import Watch
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.visual.painting import Area

if TYPE_CHECKING:
    from barkyard.agility.layout import Course


@dataclass(frozen=True)
class Part:
    """One named part of the observation: its width and the bounds of every element."""

    size: int
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]


@dataclass(frozen=True)
class Options:
    """What a user may choose about a task, on top of what every environment offers. Hashable; JSON values only."""

    @property
    def posterior(self) -> bool:
        """Whether every episode draws the robot's parameters from its calibration's samples."""
        return False

    def as_json(self) -> dict[str, Any]:
        """The values by name; tuples become lists."""
        return {name: _json(value) for name, value in asdict(self).items()}


class Task(abc.ABC):
    """A task over arrays with a leading batch axis.

    `bind` gives it the simulation; everything else reads and writes the simulation's arrays. All that a task changes
    from episode to episode, model parameters included, is in the state: what is not physics is kept in the task's
    `memory`, and `restore` writes it back into the model.

    Attributes:
        robot: name of the robot it is made for unless the user asks for another.
        control_dt: control period [s].
        time_limit: length of an episode that neither succeeds nor fails [s].
        camera: the camera of the scene that shows the task best.
        memory_size: numbers of `userdata` it needs.
        controller: name of the controller unless the user asks for another.
        refresh: whether it needs derived arrays (poses, sensors) of the very state a step ends in.
        clear_areas: where things that the task is not about may lie; see `envs.visual`.
        options_type: what may be chosen.
    """

    robot: str
    control_dt: float
    time_limit: float
    camera: str
    memory_size: int = 0
    controller: str = "OSC_POSE"
    refresh: bool = True
    clear_areas: tuple[Area, ...] = ()
    options_type: ClassVar[type[Options]] = Options

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.options_type()

    @abc.abstractmethod
    def make_scene(self, robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
        """A fresh scene with the robot in it."""

    def watched(self, robot: Robot) -> Sequence[Watch]:
        """Sensors to look at in every physics step; `Simulation.seen` tells what was seen."""
        del robot
        return ()

    @abc.abstractmethod
    def bind(self, simulation: Simulation) -> None:
        """Take hold of the simulation's arrays."""

    @abc.abstractmethod
    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Write initial states into `ids`, drawing from one generator each."""

    def restore(self, ids: Ids) -> None:
        """Bring model parameters in line with the memory of `ids`."""
        del ids

    def before_step(self) -> None:  # noqa: B027
        """Change the simulation before the next control period."""

    def after_step(self) -> None:  # noqa: B027
        """Take note of what the control period brought."""

    @abc.abstractmethod
    def parts(self) -> Mapping[str, Part]:
        """The parts of the observation, in order."""

    @abc.abstractmethod
    def observe(self) -> Mapping[str, Array]:
        """`(N, size)` values of every part."""

    @abc.abstractmethod
    def terms(self) -> Mapping[str, Array]:
        """`(N,)` named reward terms, each in [0, 1]."""

    @abc.abstractmethod
    def dense_reward(self, terms: Mapping[str, Array]) -> Array:
        """`(N,)` shaped reward in [0, 1]."""

    @abc.abstractmethod
    def success(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """`(N,)` whether the task is done; also the sparse reward."""

    def failure(self, terms: Mapping[str, Array]) -> NDArray[np.bool_]:
        """`(N,)` whether the task can no longer be done."""
        return np.zeros(len(next(iter(terms.values()))), dtype=bool)

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """`(N,)` named numbers for `info`; the terms unless the task has more to tell. `score` is the task's score."""
        return terms

    def trace(self) -> Mapping[str, NDArray[Any]] | None:
        """`(N, ...)` arrays of this moment for a log of the run, such as `base_pos`; None where there is none."""
        return None

    def run_course(self, slot: int) -> "tuple[Course, tuple[str, ...]] | None":
        """The agility course of the simulation in `slot` and the obstacles of it that are there; None elsewhere."""
        del slot
        return None


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(inner) for name, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, (tuple, list)) else value
