"""A trot without training: gait generator, Raibert foot placement, leg kinematics.

Feet in stance move against the commanded velocity; feet in swing go to where half a stance ahead of the hip plus a
correction for the velocity error is (Raibert 1986, Legged Robots That Balance). An integrator takes out the droop of
the joint servos.
"""

import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots.barkour import NUMBERS
from barkyard.assets.robots.barkour.kinematics import hip_positions, leg_angles
from barkyard.control.joint_target import ACTION_SCALE
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.simulation import Array
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity
from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.experts.locomotion.network import Floats

FREQUENCY, DUTY = 2.2, 0.55
"""Of the gait [Hz], and the part of it that a foot is on the ground."""
SWING_HEIGHT, HIP_HEIGHT = 0.07, 0.24
"""[m]."""
CAPTURE_GAIN = 0.04
"""Step for a velocity error [s]."""
INTEGRAL_GAIN, INTEGRAL_LIMIT = 0.8, 0.4
"""Of the velocity error [1/s], and the most it adds [m/s, m/s, rad/s]."""
_OFFSETS = np.array([0.0, 0.5, 0.5, 0.0])
_SIDE = np.array([1.0, 1.0, -1.0, -1.0])


class TrotExpert:
    """Follows velocity commands on flat ground by a trot. Final."""

    name = "trot"

    def __init__(self, env: RobotVectorEnv) -> None:
        task = env.task
        if not isinstance(task, QuadrupedVelocity):
            raise InvalidInput(f"the trot follows velocity commands; {env.env_id} gives none")
        self._env, self._task, self._robot = env, task, task.quadruped
        self._numbers = NUMBERS[env.simulation.robot.robot.name]
        hips = hip_positions(self._numbers)
        self._hips = np.stack([hips[:, 0], hips[:, 1] * _SIDE], axis=1)
        self._outward = self._numbers.hip_offset[1] + self._numbers.knee_offset
        self._integral, self._clock = np.zeros((env.num_envs, 3)), np.zeros(env.num_envs)
        self._lift = np.zeros((env.num_envs, 4, 2))

    def reset(self, slots: NDArray[np.intp], seeds: NDArray[np.int64]) -> None:
        """Begin with the first pair of feet about to lift."""
        self._integral[slots], self._clock[slots], self._lift[slots] = 0.0, 0.0, 0.0

    def act(self, observations: Observations) -> Floats:
        """Joint targets; the simulation's state is read, not the observations."""
        dt = self._env.control_dt
        command, velocity = self._task.command, self._robot.heading_velocity()
        error = command - velocity
        self._integral = np.clip(self._integral + INTEGRAL_GAIN * dt * error, -INTEGRAL_LIMIT, INTEGRAL_LIMIT)
        wanted = command + self._integral
        moving = np.linalg.norm(command, axis=1) > 0.05
        phase = (self._clock[:, None] + _OFFSETS) % 1.0
        feet = self._feet(phase, wanted[:, :2], wanted[:, 2], error[:, :2], dt)
        feet[~moving] = 0.0
        height = np.where(moving[:, None], self._height(phase), 0.0) - HIP_HEIGHT
        self._clock = (self._clock + dt * FREQUENCY) % 1.0
        place = np.stack([feet[:, :, 0], self._outward + feet[:, :, 1] * _SIDE, height], axis=2)
        angles = leg_angles(self._numbers, place).reshape(len(place), 12)
        return np.clip((angles - self._robot.home) / ACTION_SCALE, -1.0, 1.0).astype(np.float32)

    def _feet(self, phase: Array, wanted: Array, turn: Array, error: Array, dt: float) -> Array:
        """`(N, 4, 2)` feet from below their hips [m]: swept back in stance, carried to the next foothold in swing."""
        around = turn[:, None, None] * np.stack([-self._hips[:, 1], self._hips[:, 0]], axis=1)
        speed = wanted[:, None] + around
        stance = phase < DUTY
        swept = self._lift - dt * speed
        part = np.clip((phase - DUTY) / (1 - DUTY), 0.0, 1.0)[:, :, None]
        target = 0.5 * DUTY / FREQUENCY * speed - CAPTURE_GAIN * error[:, None]
        step = dt * FREQUENCY / (1 - DUTY)
        carried = self._lift + (target - self._lift) * np.minimum(1.0, step / np.maximum(1.0 - part, step))
        self._lift = np.clip(np.where(stance[:, :, None], swept, carried), -0.25, 0.25)
        return self._lift.copy()

    def _height(self, phase: Array) -> Array:
        part = np.clip((phase - DUTY) / (1 - DUTY), 0.0, 1.0)
        return SWING_HEIGHT * np.sin(np.pi * part)


def trot_expert(env: RobotVectorEnv) -> TrotExpert:
    """The untrained expert of flat ground."""
    return TrotExpert(env)
