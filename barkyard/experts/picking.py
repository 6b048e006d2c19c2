"""Scripted experts that pick an object with an arm, and may put it somewhere.

They look at the simulation, not at observations, act in closed loop, and begin again when the object was not grasped
or has been lost. Each episode draws its own heights, speeds and grasp from a generator seeded by the episode's seed,
so that demonstrations differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.scenes import arenas
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.manipulation.grasping import FreeObject, Grasping
from barkyard.envs.tasks.manipulation.nut_assembly_square import HANDLE
from barkyard.envs.tasks.manipulation.stack import HALF_SIZE, TARGET, TARGET_HALF_SIZE
from barkyard.episode import Actor, Observations
from barkyard.rotation import quat_about_z, quat_conjugate, quat_multiply, quat_to_vector, wrap_angle

Array = NDArray[np.float64]

APPROACH, DESCEND, CLOSE, LIFT, CARRY, LOWER, OPEN, RETREAT = range(8)

_POINTING_DOWN = np.array([0.0, np.sqrt(0.5), np.sqrt(0.5), 0.0])
"""Orientation of the tool frame when the fingers point down and close along the world's y axis."""
_LOST = 0.06
"""The object is lost when the tool point is this far from it while it should be held [m]."""


Turns = Callable[[Array], tuple[Array, Array]]
"""From the object's turn about z (N,) to the tool's turn that grasps it, and the turn that it misses at its place."""


def _any_turn(yaw: Array) -> tuple[Array, Array]:
    """A round thing: grasped as the tool stands."""
    return np.zeros(len(yaw)), np.zeros(len(yaw))


def _quarter_turns(yaw: Array) -> tuple[Array, Array]:
    """A cube: grasped by the nearest pair of faces, and put down as it is."""
    return wrap_angle(yaw, np.pi / 2), np.zeros(len(yaw))


def _nut_turns(yaw: Array) -> tuple[Array, Array]:
    """The square nut: its handle must point at the robot, since elsewhere the peg is out of reach.

    The fingers fit the handle in two ways. The wrist allows tool turns from about -2 to 2 rad over the nut, and up to
    half a turn over the peg: the way is taken that stays within them from the grasp to the place.
    """
    astray = (yaw + np.pi - 2.0) % (2 * np.pi) + 2.0 - 2 * np.pi
    return np.where(astray > -1.9, astray, astray + np.pi), -astray


@dataclass(frozen=True)
class PickingPlan:
    """How to handle one kind of object; heights are above the object's centre, ranges are drawn uniformly.

    Attributes:
        turns: how the tool is turned to grasp the object, and turns it.
        hover: height of the approach [m].
        grasp: height of the grasp [m].
        grasp_offset: the grasp is off the centre by up to this along x and y [m].
        speed: fraction of the distance to go that is asked for in one step.
        lift: height in the world to lift to [m].
        place_offset: the placement is off by up to this along x and y [m].
        place_tolerance: the object is lowered when it is this close to being above its place [m].
        lowering: the object is lowered by this much at a time [m], and only while it is within `place_tolerance`
            sideways; at once if infinite.
        slips: fraction of the episodes whose first grasp goes wrong, so that the data show what to do then.
        slip: such a grasp is off by up to this along x and y, and up to twice this too high [m].
    """

    turns: Turns
    hover: tuple[float, float]
    grasp: tuple[float, float]
    grasp_offset: float
    speed: tuple[float, float]
    lift: tuple[float, float]
    place_offset: float = 0.0
    place_tolerance: float = 0.03
    lowering: float = np.inf
    slips: float = 0.3
    slip: float = 0.04


def lift_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/Lift-v0`."""
    plan = PickingPlan(
        turns=_quarter_turns,
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
        turns=_any_turn,
        hover=(0.12, 0.16),
        grasp=(0.0, 0.015),
        grasp_offset=0.004,
        speed=(0.3, 0.45),
        lift=(1.08, 1.12),
        place_offset=0.02,
    )
    place = np.array([0.15, 0.345, arenas.TARGET_BIN[2] + 0.095])
    return PickingExpert(env, plan, lambda: np.tile(place, (env.num_envs, 1)))


def stack_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/Stack-v0`."""
    plan = PickingPlan(
        turns=_quarter_turns,
        hover=(0.06, 0.10),
        grasp=(-0.004, 0.004),
        grasp_offset=0.004,
        speed=(0.3, 0.45),
        lift=(0.93, 0.97),
        place_offset=0.004,
        place_tolerance=0.01,
        slip=0.03,
    )
    target = FreeObject(env.simulation, TARGET)
    height = np.array([0.0, 0.0, HALF_SIZE + TARGET_HALF_SIZE])
    return PickingExpert(env, plan, lambda: target.pos + height)


def nut_assembly_square_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/NutAssemblySquare-v0`."""
    plan = PickingPlan(
        turns=_nut_turns,
        hover=(0.06, 0.10),
        grasp=(-0.002, 0.004),
        grasp_offset=0.003,
        speed=(0.3, 0.45),
        lift=(1.02, 1.05),
        place_tolerance=0.005,
        lowering=0.03,
        slip=0.03,
    )
    place = np.array([*arenas.SQUARE_PEG, arenas.PEGS_TOP + 0.03])
    return PickingExpert(env, plan, lambda: np.tile(place, (env.num_envs, 1)), HANDLE)


class PickingExpert:
    """A state machine per simulation, advanced for all of them at once. Final."""

    name = "expert"

    def __init__(
        self,
        env: RobotVectorEnv,
        plan: PickingPlan,
        place: Callable[[], Array] | None = None,
        handle: str | None = None,
    ) -> None:
        """The environment's task must pick one object (`tasks.manipulation.grasping`).

        Args:
            env: the environments it acts in.
            plan: how the object is handled.
            place: tells where the object's centre should be when it is let go, `(N, 3)` in the world frame; without it
                the object is held up.
            handle: site of the object to hold it by; its centre without one.
        """
        self._simulation, self._robot, self._plan = env.simulation, env.simulation.robot, plan
        self._grasping, self._place = Grasping(env.simulation, handle), place
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
        tcp, phase = self._robot.tcp_pos_world, self._phase
        target = self._grasping.handle_pos + self._offset + self._slip
        target[:, 2] += np.where(phase == APPROACH, self._hover, self._grasp)
        held = phase >= CLOSE
        target[held] = tcp[held]
        target[phase == LIFT, 2] = self._lift[phase == LIFT] + 0.02
        if self._place is not None:
            away = self._place() + tcp - self._grasping.object.pos
            away[:, :2] += self._place_offset
            near = np.linalg.norm((away - tcp)[:, :2], axis=1) < self._plan.place_tolerance
            lowest = tcp[:, 2] - np.where(near | np.isinf(self._plan.lowering), self._plan.lowering, 0.0)
            away[:, 2] = np.where(phase == CARRY, self._lift, np.maximum(away[:, 2] - 0.01, lowest))
            carried = (phase == CARRY) | (phase == LOWER)
            target[carried] = away[carried]
        target[phase == RETREAT, 2] = tcp[phase == RETREAT, 2] + 0.1
        return target, self._missing_turn()

    def _missing_turn(self) -> Array:
        yaw, missing = self._turns()
        carried = (self._phase == CARRY) | (self._phase == LOWER)
        held = self._held_yaw() + np.where(carried, np.clip(missing, -1.0, 1.0), 0.0)
        yaw = np.where(self._phase >= CLOSE, held, yaw + self._tilt)
        wanted = quat_multiply(quat_about_z(yaw), _POINTING_DOWN)
        return quat_to_vector(quat_multiply(wanted, quat_conjugate(self._robot.tcp_quat_world)))

    def _turns(self) -> tuple[Array, Array]:
        quat = self._grasping.object.quat
        return self._plan.turns(2.0 * np.arctan2(quat[:, 3], quat[:, 0]))

    def _held_yaw(self) -> Array:
        """The tool's present turn about the vertical."""
        relative = quat_multiply(self._robot.tcp_quat_world, quat_conjugate(_POINTING_DOWN))
        return 2.0 * np.arctan2(relative[:, 3], relative[:, 0])

    def _advance(self, distance: Array, angle: Array) -> None:
        phase, thing, handle = self._phase, self._grasping.object.pos, self._grasping.handle_pos
        place_height = np.zeros(len(phase)) if self._place is None else self._place()[:, 2]
        tcp, driven = self._robot.tcp_pos_world, self._simulation.gripper_target()[:, 0]
        self._waited += 1
        sideways = np.linalg.norm((handle + self._offset + self._slip - tcp)[:, :2], axis=1)
        ready = (sideways < np.where(self._waited > 30, 0.02, 0.01)) & (angle < 0.15) & (driven < 0)
        done = {
            APPROACH: ready & (distance < 0.04),
            DESCEND: (distance < 0.008) | ((self._waited > 15) & (distance < 0.02)),
            CLOSE: driven >= 1.0,
            LIFT: tcp[:, 2] > self._lift,
            CARRY: (distance < self._plan.place_tolerance) & (np.abs(self._turns()[1]) < 0.05),
            LOWER: (thing[:, 2] < place_height + 0.005) | (self._waited > 40),
            OPEN: driven <= -0.5,
            RETREAT: np.zeros(len(phase), dtype=bool),
        }
        if self._place is None:
            done[LIFT] = np.zeros(len(phase), dtype=bool)
        following = phase.copy()
        for number, finished in done.items():
            following[(phase == number) & finished] += 1
        lost = (phase >= LIFT) & (phase <= LOWER) & (np.linalg.norm(handle - tcp, axis=1) > _LOST)
        stuck = (phase == DESCEND) & ((self._waited > 40) | (sideways > 0.03))
        following[lost | stuck] = APPROACH
        self._slip[lost] = 0.0
        following[(phase == RETREAT) & (self._waited > 20)] = APPROACH
        self._waited[following != phase] = 0
        self._phase = following
