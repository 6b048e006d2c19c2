"""The skills as actors."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.agility.obstacles import AgilityTask
from barkyard.envs.tasks.agility.way import JUMP, LAND, SLOPE, WALK, WEAVE
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity
from barkyard.episode import Actor, Observations
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion import jumping
from barkyard.experts.locomotion.network import Floats, Network, shipped
from barkyard.experts.locomotion.trot import TrotExpert
from barkyard.experts.locomotion.walking import Walk

TRAINED_ON = ("barkour_vb", "barkour_vb_menagerie")
"""Robots that the shipped networks know."""
JUMP_SPEED = 1.5
"""[m/s] asked of the jump."""
WALKERS = {WALK: "walk", WEAVE: "weave", SLOPE: "slope", LAND: "land"}
"""Which walking network does what; where the robot is to be ready to jump, it stands at home."""

Lead = Callable[[], NDArray[np.float64]]
"""Gives `(N, 3)` velocities in the heading frame [m/s, m/s, rad/s]."""


class WalkingExpert:
    """Follows the commands of a velocity task, or those of `lead`. Final."""

    name = "expert"

    def __init__(self, env: RobotVectorEnv, network: Network | None = None, lead: Lead | None = None) -> None:
        task = env.task
        if not isinstance(task, QuadrupedVelocity):
            raise InvalidInput(f"the walking expert follows velocity commands; {env.env_id} gives none")
        self._lead: Lead = lead or (lambda: task.command)
        self._walk, self._network = Walk(task.quadruped), network or shipped("walk")

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Nothing is kept from episode to episode."""

    def act(self, observations: Observations) -> Floats:
        """Joint targets; the simulation's state is read, not the observations."""
        view, mirrored = self._walk.observe(self._lead())
        return self._walk.act(self._network(view), mirrored)


class CourseExpert:
    """Runs an agility course: the guide's commands, or those of `lead`, and a network for each skill. Final."""

    name = "expert"

    def __init__(
        self, env: RobotVectorEnv, networks: Mapping[str, Network] | None = None, lead: Lead | None = None
    ) -> None:
        task = env.task
        if not isinstance(task, AgilityTask):
            raise InvalidInput(f"the course's expert runs agility tasks; {env.env_id} is none")
        self._env, self._task, self._robot = env, task, task.quadruped
        self._lead: Lead = lead or task.guide.command
        self._walk, self._jump = Walk(task.quadruped), jumping.Jump(task.quadruped)
        self._networks = networks or {name: shipped(name) for name in (*WALKERS.values(), "jump")}
        self._bound = np.zeros(env.num_envs)
        self._jumping = np.zeros(env.num_envs, dtype=bool)

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Nobody jumps."""
        self._jumping[slots] = False

    def act(self, observations: Observations) -> Floats:
        """Joint targets; the simulation's state is read, not the observations."""
        guide, robot = self._task.guide, self._robot
        skill = guide.skill()
        view, mirrored = self._walk.observe(self._lead())
        actions = np.zeros((len(view), robot.home.size), np.float32)
        self._take_off(skill == JUMP)
        for one, name in WALKERS.items():
            rows = np.flatnonzero((skill == one) & ~self._jumping)
            if rows.size:
                actions[rows] = self._walk.act(self._networks[name](view[rows]), mirrored[rows])
        flying = np.flatnonzero(self._jumping)
        if flying.size:
            place = jumping.approach(robot, self._task.board())
            seen = self._jump.observe(place, np.full(len(view), JUMP_SPEED), self._bound)
            outputs = np.zeros_like(actions)
            outputs[flying] = jumping.symmetric(self._networks["jump"], seen[flying])
            actions[flying] = self._jump.act(outputs, self._bound)[flying]
            forward = robot.linear_velocity()[:, 0]
            self._bound = jumping.advance_clock(self._bound, place.ahead, forward, self._env.control_dt)
        return actions

    def _take_off(self, wanted: NDArray[np.bool_]) -> None:
        """Begin the jumps that are wanted now, from rest, and end those that are not wanted any more."""
        begins = wanted & ~self._jumping
        if begins.any():
            place = jumping.approach(self._robot, self._task.board())
            self._bound = np.where(begins, jumping.start_phase(place.ahead), self._bound)
        self._jumping = wanted


def walking_expert(env: RobotVectorEnv) -> Actor:
    """The expert of velocity tasks: the trained walk on the robot it was trained on, the trot on others."""
    trained = env.simulation.robot.robot.name in TRAINED_ON
    return WalkingExpert(env) if trained else TrotExpert(env)


def course_expert(env: RobotVectorEnv) -> CourseExpert:
    """The expert of agility tasks."""
    return CourseExpert(env)
