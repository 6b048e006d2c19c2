"""From commands to actions."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Observations
from barkyard.teleop.command import Command

_PROBE = 1e-3
"""A displacement [m] or turn [rad] in a control period that is below every controller's limit."""


class Operator(Protocol):
    """Carries out commands with a robot.

    Attributes:
        full: `(6,)` the twist that a device asks for at full deflection [m/s, rad/s]; zero where the robot cannot.
    """

    full: NDArray[np.float64]

    def begin(self, seed: int) -> None:
        """An episode begins."""

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        """`(1, A)` the action in [-1, 1] that does what `command` asks for, from observations `(1, ...)`."""

    def gripper(self, action: NDArray[np.float32]) -> float:
        """What action `(1, A)` asks of the gripper, in [0, 1]."""


class ToolSimulation(Protocol):
    """A simulation of one arm; `barkyard.envs.simulation.Simulation` is one."""

    control_dt: float

    def tool_action(
        self, move: NDArray[np.float64], turn: NDArray[np.float64], gripper: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """The action that, held, moves the tool by `move` [m] and `turn` [rad], `(1, 3)`, in a control period."""


class ToolOperator:
    """Moves the tool of an arm with the twist that is asked for. Final.

    Full deflection is the fastest that the controller moves the tool along x, and turns it about z, where it is now.

    Args:
        simulation: of one arm.
        view: `(3, 3)` columns are forward, left and up of the person in the world frame.
    """

    def __init__(self, simulation: ToolSimulation, view: NDArray[np.float64]) -> None:
        self._simulation, self._view, self._dt = simulation, view, simulation.control_dt
        probe, nothing = np.array([[_PROBE, 0.0, 0.0]]), np.zeros((1, 3))
        moved = simulation.tool_action(probe, nothing, np.zeros(1))[0, :-1]
        turned = simulation.tool_action(nothing, probe[:, ::-1], np.zeros(1))[0, :-1]
        speeds = [_PROBE / self._dt / float(np.abs(action).max()) for action in (moved, turned)]
        self.full = np.repeat(speeds, 3)

    def begin(self, seed: int) -> None:
        """Nothing is kept from episode to episode."""

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        """See `Operator`; a twist beyond the controller's limit keeps its direction."""
        del observations
        twist = np.array(command.twist).reshape(2, 3) @ self._view.T * self._dt
        return self._simulation.tool_action(twist[:1], twist[1:], np.array([2.0 * command.gripper - 1.0]))

    def gripper(self, action: NDArray[np.float32]) -> float:
        """See `Operator`; the last element of an action, +1 closing."""
        return float(np.clip(0.5 * action[0, -1] + 0.5, 0.0, 1.0))


def view_axes(camera_matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Forward, left and up of who looks through a camera, to the nearest quarter turn about the vertical.

    Args:
        camera_matrix: `(3, 3)` rotation of the camera in the world; it looks along its -z, with y up in the picture.

    Returns:
        `(3, 3)` with these directions in the world as columns.
    """
    level = -camera_matrix[:2, 2]
    if np.linalg.norm(level) < 0.5:  # it looks down, so the picture's upper edge is ahead
        level = camera_matrix[:2, 1]
    quarter = int(np.rint(np.arctan2(level[1], level[0]) / (np.pi / 2)))
    cos, sin = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][quarter % 4]
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
