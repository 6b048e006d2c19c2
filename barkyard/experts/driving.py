"""How a person's commands move the robot of an environment: an arm's tool directly, quadrupeds and hands by experts."""

import numpy as np
from numpy.typing import NDArray

from barkyard.control.controller import ToolController
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.rendering import camera_id
from barkyard.envs.tasks.agility.obstacles import AgilityTask
from barkyard.envs.tasks.dexterity.hand_rotate import HandRotate
from barkyard.envs.tasks.locomotion.velocity import COMMAND_LIMITS, QuadrupedVelocity
from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.experts.hand.driving import HandOperator
from barkyard.experts.locomotion.actors import CourseExpert, WalkingExpert
from barkyard.teleop.command import Command
from barkyard.teleop.operator import Operator, ToolOperator, view_axes

_PLANAR = [0, 1, 5]
"""Forward, left and turn to the left in a twist."""


class WalkingOperator:
    """Drives a quadruped by its walking experts. Final.

    On an agility course the expert's skill is the one for the place on the course, and the jump, once the robot stands
    where it begins, is the expert's own; the velocity is the person's everywhere else.

    Args:
        env: one environment of a velocity or agility task.
    """

    def __init__(self, env: RobotVectorEnv) -> None:
        self.full = np.zeros(6)
        self.full[_PLANAR] = COMMAND_LIMITS
        self._velocity = np.zeros((1, 3))
        lead = self._velocity.copy
        agile = isinstance(env.task, AgilityTask)
        self._expert = CourseExpert(env, lead=lead) if agile else WalkingExpert(env, lead=lead)

    def begin(self, seed: int) -> None:
        """See `Operator`."""
        self._velocity[:] = 0.0
        self._expert.reset(np.array([0]), np.array([seed]))

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        """See `Operator`."""
        self._velocity[0] = np.array(command.twist)[_PLANAR]
        return self._expert.act(observations)

    def gripper(self, action: NDArray[np.float32]) -> float:
        """See `Operator`; there is none."""
        return 0.0


def make_operator(env: RobotVectorEnv, camera: str | None = None) -> Operator:
    """What carries out commands in `env`, which has one copy and has been reset.

    Args:
        env: the environment.
        camera: what the person looks through; for arms and hands, away from the person is into its picture. None is
            the task's.

    Raises:
        InvalidInput: the task's robot cannot be driven, or there is no such camera.
    """
    if isinstance(env.task, (AgilityTask, QuadrupedVelocity)):
        return WalkingOperator(env)
    simulation = env.simulation
    number = camera_id(simulation.model, camera or env.task.camera)
    view = view_axes(simulation.model.cam_mat0[number].reshape(3, 3))
    if isinstance(env.task, HandRotate):
        return HandOperator(env, view)
    if not isinstance(simulation.controller, ToolController):
        raise InvalidInput(
            f"{env.env_id} has no arm with a tool, no quadruped that walks and no hand with a cube; nothing to drive"
        )
    return ToolOperator(simulation, view)
