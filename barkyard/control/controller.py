"""What a controller is: from normalised actions to actuator commands, for a whole batch."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Watch:
    """Sensors that are looked at after every physics step.

    Attributes:
        sensors: names of sensors that follow one another in the model.
        absent: whether it is met when all of their values are zero; else when any is positive.
    """

    sensors: tuple[str, ...]
    absent: bool = False


class Controller(abc.ABC):
    """Turns actions in [-1, 1] into actuator commands: once a control period, or at every physics step in `native`.

    A controller keeps everything that changes in `memory`, the part of MuJoCo's `userdata` that belongs to it, so it is
    part of the simulation state.

    Attributes:
        action_dim: length of an action.
        memory_size: numbers of `userdata` it needs.
    """

    action_dim: int
    memory_size: int

    @abc.abstractmethod
    def prepare(self, spec: mujoco.MjSpec) -> None:
        """Add what the controller needs to the scene, before it is compiled."""

    @abc.abstractmethod
    def configure(self, model: mujoco.MjModel, substeps: int, watched: Sequence[Watch] = ()) -> None:
        """Write the controller's constants into the compiled model.

        Args:
            model: the scene.
            substeps: physics steps in a control period.
            watched: sensors to look at in every one of them.

        Raises:
            InvalidInput: the controller cannot drive this model, or cannot watch.
        """

    @abc.abstractmethod
    def reset(
        self,
        memory: NDArray[np.float64],
        ctrl: NDArray[np.float64],
        ids: NDArray[np.intp],
        joint_pos: NDArray[np.float64],
    ) -> None:
        """Begin episodes.

        Args:
            memory: `(N, memory_size)` live view.
            ctrl: `(N, nu)` live view of the actuator commands.
            ids: `(k,)` simulations that begin.
            joint_pos: `(k, J)` joint positions at the start [rad].
        """

    @abc.abstractmethod
    def command(self, memory: NDArray[np.float64], ctrl: NDArray[np.float64], actions: NDArray[np.float32]) -> None:
        """Hand over one action per simulation, `(N, action_dim)`, for the coming control period.

        A controller without a part in `native` writes `ctrl`, `(N, nu)`, here.
        """


class ToolController(Controller):
    """A controller of an arm that holds a tool."""

    @abc.abstractmethod
    def gripper_target(self, memory: NDArray[np.float64]) -> NDArray[np.float64]:
        """Normalised position that the gripper is driven to, (N, 1); (N, 0) where there is none."""

    @abc.abstractmethod
    def tool_action(
        self,
        move: NDArray[np.float64],
        turn: NDArray[np.float64],
        gripper: NDArray[np.float64],
        control_dt: float,
        jacobian: Callable[[], NDArray[np.float64]],
    ) -> NDArray[np.float32]:
        """The action that, held, moves the tool by `move` and `turn` in every control period, as far as it can.

        Args:
            move: `(N, 3)` displacement of the tool point in the base frame [m].
            turn: `(N, 3)` rotation vector in the base frame [rad].
            gripper: `(N,)` gripper command in [-1, 1], +1 closing.
            control_dt: control period [s].
            jacobian: gives the tool's Jacobian (N, 6, J) in the base frame, for controllers that need it.

        Returns:
            `(N, action_dim)` actions in [-1, 1]; a step that is too long keeps its direction.
        """
