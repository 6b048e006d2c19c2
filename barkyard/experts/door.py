"""The scripted expert that opens a door: it takes the handle, turns it, and pulls.

It looks at the simulation, not at observations, and begins again when the handle has slipped out. Each episode draws
its own grasp, speed and turn from a generator seeded by the episode's seed.
"""

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.manipulation.door import DoorView
from barkyard.episode import Actor, Observations
from barkyard.rotation import quat_conjugate, quat_multiply, quat_rotate, quat_to_vector

Array = NDArray[np.float64]

APPROACH, DESCEND, CLOSE, TURN, PULL = range(5)

_HOLD = np.array([0.5, -0.5, 0.5, 0.5])
"""Orientation of the tool in the handle's frame: pointing at the door, fingers closing along the handle's z axis."""
_UNLATCHED = 1.15
"""The latch is clear of the frame when the handle has turned this far [rad]. It is turned up: a tool that points
at the door cannot follow it down."""
_LOST = 0.06
"""The handle is lost when the tool point is this far from where it took it [m]."""
_STEP = 0.35
"""The handle, and then the door, is asked to turn by this much at a time [rad]."""


def door_expert(env: RobotVectorEnv) -> Actor:
    """Expert of `barkyard/Door-v0`."""
    return DoorExpert(env)


class DoorExpert:
    """A state machine per simulation, advanced for all of them at once. Final."""

    name = "expert"

    def __init__(self, env: RobotVectorEnv) -> None:
        """The environment's task must be `Door`."""
        self._simulation, self._robot = env.simulation, env.simulation.robot
        self._door = DoorView(env.simulation)
        n = env.num_envs
        self._phase, self._waited = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._hover, self._speed, self._turn = np.zeros(n), np.ones(n), np.zeros(n)
        self._offset = np.zeros((n, 3))

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Draw each episode's variation."""
        for i, seed in zip(slots, seeds, strict=True):
            draw = np.random.default_rng([int(seed), 1])
            self._hover[i], self._speed[i] = draw.uniform(0.07, 0.11), draw.uniform(0.3, 0.45)
            self._turn[i] = draw.uniform(_UNLATCHED + 0.2, _UNLATCHED + 0.3)
            self._offset[i] = draw.uniform([-0.02, -0.005, -0.005], [0.0, 0.005, 0.005])
        self._phase[slots], self._waited[slots] = APPROACH, 0

    def act(self, observations: Observations) -> NDArray[np.float32]:
        """The next action of every simulation; `observations` are not looked at."""
        del observations
        move, turn = self._missing()
        self._advance(np.linalg.norm(move, axis=1), np.linalg.norm(turn, axis=1))
        move, turn = self._missing()
        still = self._phase == CLOSE
        move[still], turn[still] = 0.0, 0.0
        speed, closed = self._speed[:, None], self._phase >= CLOSE
        return self._simulation.tool_action(move * speed, turn * speed, np.where(closed, 1.0, -1.0))

    def _grasp_pos(self) -> Array:
        """Where on the handle the tool point belongs, in the world frame, (N, 3)."""
        return self._door.handle_pos + quat_rotate(self._door.handle_quat, self._offset)

    def _missing(self) -> tuple[Array, Array]:
        """How far and by which rotation vector the tool is from its goal, in the world frame, (N, 3) each."""
        phase, quat, pos = self._phase, self._door.handle_quat, self._grasp_pos()
        outwards = np.array([[0.0, -1.0, 0.0]]) * np.where(phase == APPROACH, self._hover, 0.0)[:, None]
        pos = pos + quat_rotate(quat, outwards)
        about_latch = np.where(phase >= TURN, np.clip(-self._turn - self._door.latch[:, 0], -_STEP, _STEP), 0.0)
        about_hinge = np.where(phase == PULL, _STEP, 0.0)
        for angle, (anchor, axis) in ((about_latch, self._door.latch_line), (about_hinge, self._door.hinge_line)):
            turned = np.concatenate([np.cos(angle / 2)[:, None], np.sin(angle / 2)[:, None] * axis], axis=1)
            pos = anchor + quat_rotate(turned, pos - anchor)
            quat = quat_multiply(turned, quat)
        missing = quat_multiply(quat_multiply(quat, _HOLD), quat_conjugate(self._robot.tcp_quat_world))
        return pos - self._robot.tcp_pos_world, quat_to_vector(missing)

    def _advance(self, distance: Array, angle: Array) -> None:
        phase, driven = self._phase, self._simulation.gripper_target()[:, 0]
        self._waited += 1
        done = {
            APPROACH: (distance < 0.02) & (angle < 0.15) & (driven < 0),
            DESCEND: (distance < 0.01) | ((self._waited > 20) & (distance < 0.02)),
            CLOSE: driven >= 1.0,
            TURN: self._door.latch[:, 0] < -_UNLATCHED,
        }
        following = phase.copy()
        for number, finished in done.items():
            following[(phase == number) & finished] += 1
        lost = (phase >= TURN) & (np.linalg.norm(self._grasp_pos() - self._robot.tcp_pos_world, axis=1) > _LOST)
        stuck = (phase == DESCEND) & (self._waited > 40)
        following[lost | stuck] = APPROACH
        self._waited[following != phase] = 0
        self._phase = following
