"""The skills as actors."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.agility.obstacles import AgilityTask
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity
from barkyard.episode import Actor, Observations
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion import jumping
from barkyard.experts.locomotion.navigation import JUMP, LANDED, SLOPE, Navigator, plan
from barkyard.experts.locomotion.network import Floats, Network, shipped
from barkyard.experts.locomotion.trot import TrotExpert
from barkyard.experts.locomotion.walking import GAIT_FREQUENCY, Walk

TRAINED_ON = ("barkour_vb", "barkour_vb_menagerie")
"""Robots that the shipped networks know."""
JUMP_SPEED = 1.5
"""[m/s] asked of the jump."""


class WalkingExpert:
    """Follows the commands of a velocity task. Final."""

    name = "expert"

    def __init__(self, env: RobotVectorEnv, network: Network | None = None) -> None:
        task = env.task
        if not isinstance(task, QuadrupedVelocity):
            raise InvalidInput(f"the walking expert follows velocity commands; {env.env_id} gives none")
        self._env, self._task = env, task
        self._walk, self._network = Walk(task.quadruped), network or shipped("walk")

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Nothing is kept from episode to episode."""

    def act(self, observations: Observations) -> Floats:
        """Joint targets; the simulation's state is read, not the observations."""
        phase = (self._env.simulation.time * GAIT_FREQUENCY) % 1.0
        view, mirrored = self._walk.observe(self._task.command, phase)
        return self._walk.act(self._network(view), mirrored)


class CourseExpert:
    """Runs an agility course: a path, velocity commands along it, and a network for each skill. Final."""

    name = "expert"

    def __init__(self, env: RobotVectorEnv, networks: Mapping[str, Network] | None = None) -> None:
        task = env.task
        if not isinstance(task, AgilityTask):
            raise InvalidInput(f"the course's expert runs agility tasks; {env.env_id} is none")
        self._env, self._task, self._robot = env, task, task.quadruped
        self._walk, self._jump = Walk(task.quadruped), jumping.Jump(task.quadruped)
        self._networks = networks or {name: shipped(name) for name in ("walk", "slope", "jump")}
        self._navigator = Navigator(env.num_envs)
        self._clock, self._bound = np.zeros(env.num_envs), np.zeros(env.num_envs)
        self._jumping = np.zeros(env.num_envs, dtype=bool)

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Plan the way of each new episode."""
        heading = self._robot.heading()
        for i in slots:
            x, y = self._robot.base_pos[i, :2]
            way = plan(self._task.courses[i], (x, y, heading[i]), self._task.present)
            self._navigator.begin(int(i), way)
        self._clock[slots], self._jumping[slots] = 0.0, False

    def act(self, observations: Observations) -> Floats:
        """Joint targets; the simulation's state is read, not the observations."""
        robot, dt = self._robot, self._env.control_dt
        command, skill = self._navigator.follow(robot.base_pos[:, :2], robot.heading())
        self.command, self.skill = command, skill
        place = jumping.approach(robot, self._task.board())
        over = place.ahead < -LANDED
        begins = (skill == JUMP) & ~self._jumping & ~over
        self._bound[begins] = self._clock[begins]
        self._jumping = (self._jumping | begins) & ~over
        view, mirrored = self._walk.observe(command, self._clock)
        actions = np.zeros((len(view), robot.home.size), np.float32)
        for name, rows in (("walk", ~self._jumping & (skill != SLOPE)), ("slope", ~self._jumping & (skill == SLOPE))):
            chosen = np.flatnonzero(rows)
            if chosen.size:
                actions[chosen] = self._walk.act(self._networks[name](view[chosen]), mirrored[chosen])
        flying = np.flatnonzero(self._jumping)
        if flying.size:
            seen = self._jump.observe(place, np.full(len(view), JUMP_SPEED), self._bound)
            actions[flying] = self._jump.act(self._networks["jump"], seen[flying])
        forward = robot.linear_velocity()[:, 0]
        self._bound = jumping.advance_clock(self._bound, place.ahead, forward, dt)
        self._clock = np.where(self._jumping, self._bound, (self._clock + dt * GAIT_FREQUENCY) % 1.0)
        return actions


def walking_expert(env: RobotVectorEnv) -> Actor:
    """The expert of velocity tasks: the trained walk on the robot it was trained on, the trot on others."""
    trained = env.simulation.robot.robot.name in TRAINED_ON
    return WalkingExpert(env) if trained else TrotExpert(env)


def course_expert(env: RobotVectorEnv) -> CourseExpert:
    """The expert of agility tasks."""
    return CourseExpert(env)
