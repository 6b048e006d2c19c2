"""Scripted experts that pick an object with an arm, and may put it somewhere.

They look at the simulation, not at observations, act in closed loop, and begin again when the object was not grasped
or has been lost. Each episode draws its own heights, speeds and grasp from a generator seeded by the episode's seed,
so that demonstrations differ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.scenes import arenas
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.manipulation.grasping import Grasping
from barkyard.episode import Actor, Observations
from barkyard.rotation import quat_about_z, quat_conjugate, quat_multiply, quat_to_vector, wrap_angle

Array = NDArray[np.float64]

APPROACH, DESCEND, CLOSE, LIFT, CARRY, LOWER, OPEN, RETREAT = range(8)

_POINTING_DOWN = np.array([0.0, np.sqrt(0.5), np.sqrt(0.5), 0.0])
"""Orientation of the tool frame when the fingers point down and close along the world's y axis."""
_LOST = 0.06
"""The object is lost when the tool point is this far from it while it should be held [m]."""


@dataclass(frozen=True)
class PickingPlan:
    """How to handle one kind of object; heights are above the object's centre, ranges are drawn uniformly.

    Attributes:
        symmetry: a turn of the object about z that looks the same [rad]; 0 if any does.
        hover: height of the approach [m].
        grasp: height of the grasp [m].
        grasp_offset: the grasp is off the centre by up to this along x and y [m].
        speed: fraction of the distance to go that is asked for in one step.
        lift: height in the world to lift to [m].
        place: where to put the object, x and y in the world, or None to hold it up.
        place_height: height in the world at which the held object is let go [m].
        place_offset: the placement is off by up to this along x and y [m].
        slips: fraction of the episodes whose first grasp goes wrong, so that the data show what to do then.
        slip: such a grasp is off by up to this along x and y, and up to twice this too high [m].
    """

    symmetry: float
    hover: tuple[float, float]
    grasp: tuple[float, float]
    grasp_offset: float
    speed: tuple[float, float]
    lift: tuple[float, float]
    place: tuple[float, float] | None = None
    place_height: float = 0.0
    place_offset: float = 0.0
    slips: float = 0.3
    slip: float = 0.04


def lift_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/Lift-v0`."""
    plan = PickingPlan(
        symmetry=np.pi / 2,
        hover=(0.06, 0.10),
        grasp=(-0.004, 0.004),
        grasp_offset=0.004,
        speed=(0.3, 0.45),
        lift=(0.95, 1.0),
    )
    return PickingExpert(env, plan)


def pick_place_can_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/PickPlaceCan-v0`. It places in the near part of the quarter: the middle is out of reach."""
    plan = PickingPlan(
        symmetry=0.0,
        hover=(0.12, 0.16),
        grasp=(0.0, 0.015),
        grasp_offset=0.004,
        speed=(0.3, 0.45),
        lift=(1.08, 1.12),
        place=(0.15, 0.345),
        place_height=arenas.TARGET_BIN[2] + 0.095,
        place_offset=0.02,
    )
    return PickingExpert(env, plan)


class PickingExpert:
    """A state machine per simulation, advanced for all of them at once. Final."""

    name = "expert"

    def __init__(self, env: RobotVectorEnv, plan: PickingPlan) -> None:
        """The environment's task must pick one object (`tasks.manipulation.grasping`)."""
        self._simulation, self._robot, self._plan = env.simulation, env.simulation.robot, plan
        self._grasping = Grasping(env.simulation)
        n = env.num_envs
        self._phase = np.zeros(n, dtype=np.int64)
        self._waited = np.zeros(n, dtype=np.int64)
        self._hover, self._grasp, self._speed, self._lift = np.zeros(n), np.zeros(n), np.ones(n), np.zeros(n)
        self._offset, self._place_offset, self._tilt = np.zeros((n, 3)), np.zeros((n, 2)), np.zeros(n)
        self._slip = np.zeros((n, 3))

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Draw each episode's variation."""
        plan = self._plan
        for i, seed in zip(slots, seeds, strict=True):
            draw = np.random.default_rng([int(seed), 1])
            self._hover[i], self._grasp[i] = draw.uniform(*plan.hover), draw.uniform(*plan.grasp)
            self._speed[i], self._lift[i] = draw.uniform(*plan.speed), draw.uniform(*plan.lift)
            self._offset[i, :2] = draw.uniform(-plan.grasp_offset, plan.grasp_offset, 2)
            self._place_offset[i] = draw.uniform(-plan.place_offset, plan.place_offset, 2)
            self._tilt[i] = draw.uniform(-0.05, 0.05)
            slip = plan.slip * draw.uniform([-1.0, -1.0, 0.0], [1.0, 1.0, 2.0])
            self._slip[i] = slip if draw.uniform() < plan.slips else 0.0
        self._phase[slots], self._waited[slots] = APPROACH, 0

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """The next action of every simulation; `observations` are not looked at."""
        del observations
        target, turn = self._goal()
        tcp = self._robot.tcp_pos_world
        self._advance(np.linalg.norm(target - tcp, axis=1), np.linalg.norm(turn, axis=1))
        target, turn = self._goal()
        move = (target - tcp) * self._speed[:, None]
        closed = (self._phase >= CLOSE) & (self._phase <= LOWER)
        still = (self._phase == CLOSE) | (self._phase == OPEN)
        move[still] = 0.0
        return self._simulation.tool_action(move, turn * self._speed[:, None], np.where(closed, 1.0, -1.0))

    def _goal(self) -> tuple[Array, Array]:
        """Where the tool should go in the world frame, and the turn that is missing, (N, 3) each."""
        thing, tcp, phase = self._grasping.object_pos, self._robot.tcp_pos_world, self._phase
        target = thing + self._offset + self._slip
        target[:, 2] += np.where(phase == APPROACH, self._hover, self._grasp)
        held = phase >= CLOSE
        target[held] = tcp[held]
        target[phase == LIFT, 2] = self._lift[phase == LIFT] + 0.02
        if self._plan.place is not None:
            away = np.array(self._plan.place) + self._place_offset + (tcp - thing)[:, :2]
            carried = (phase == CARRY) | (phase == LOWER)
            target[carried, :2] = away[carried]
            target[phase == CARRY, 2] = self._lift[phase == CARRY]
            lowered = self._plan.place_height + (tcp - thing)[:, 2] - 0.01
            target[phase == LOWER, 2] = lowered[phase == LOWER]
        target[phase == RETREAT, 2] = tcp[phase == RETREAT, 2] + 0.1
        return target, self._missing_turn()

    def _missing_turn(self) -> Array:
        quat = self._simulation.xquat[:, self._grasping.body]
        yaw = np.zeros(len(quat))
        if self._plan.symmetry:
            yaw = 2.0 * np.arctan2(quat[:, 3], quat[:, 0])
            yaw = wrap_angle(yaw, self._plan.symmetry)
        yaw = np.where(self._phase >= CLOSE, self._held_yaw(), yaw + self._tilt)
        wanted = quat_multiply(quat_about_z(yaw), _POINTING_DOWN)
        return quat_to_vector(quat_multiply(wanted, quat_conjugate(self._robot.tcp_quat_world)))

    def _held_yaw(self) -> Array:
        """The tool's present turn about the vertical."""
        relative = quat_multiply(self._robot.tcp_quat_world, quat_conjugate(_POINTING_DOWN))
        return 2.0 * np.arctan2(relative[:, 3], relative[:, 0])

    def _advance(self, distance: Array, angle: Array) -> None:
        phase, thing = self._phase, self._grasping.object_pos
        tcp, driven = self._robot.tcp_pos_world, self._simulation.gripper_target()[:, 0]
        self._waited += 1
        sideways = np.linalg.norm((thing + self._offset + self._slip - tcp)[:, :2], axis=1)
        ready = (sideways < np.where(self._waited > 30, 0.02, 0.01)) & (angle < 0.15) & (driven < 0)
        done = {
            APPROACH: ready & (distance < 0.04),
            DESCEND: (distance < 0.008) | ((self._waited > 15) & (distance < 0.02)),
            CLOSE: driven >= 1.0,
            LIFT: tcp[:, 2] > self._lift,
            CARRY: distance < 0.03,
            LOWER: (thing[:, 2] < self._plan.place_height + 0.005) | (self._waited > 30),
            OPEN: driven <= -0.5,
            RETREAT: np.zeros(len(phase), dtype=bool),
        }
        if self._plan.place is None:
            done[LIFT] = np.zeros(len(phase), dtype=bool)
        following = phase.copy()
        for number, finished in done.items():
            following[(phase == number) & finished] += 1
        lost = (phase >= LIFT) & (phase <= LOWER) & (np.linalg.norm(thing - tcp, axis=1) > _LOST)
        stuck = (phase == DESCEND) & ((self._waited > 40) | (sideways > 0.03))
        following[lost | stuck] = APPROACH
        self._slip[lost] = 0.0
        following[(phase == RETREAT) & (self._waited > 20)] = APPROACH
        self._waited[following != phase] = 0
        self._phase = following
