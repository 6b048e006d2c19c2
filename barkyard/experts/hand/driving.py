"""How a person's commands move a hand: all fingertips together, and the cube by finger gaits."""

from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.assets.robots.leap_hand.numbers import FINGERS
from barkyard.control.joint_step import LONGEST_STEP, JointStepController
from barkyard.envs.env import RobotVectorEnv
from barkyard.envs.tasks.dexterity.hand_rotate import CYCLE, HandRotate
from barkyard.episode import Observations
from barkyard.errors import InvalidInput
from barkyard.experts.hand.gait import GAITS_FILE, RIGHT_FILE, Gait, find_gait
from barkyard.teleop.command import Command

Array = NDArray[np.float64]

TIP_SPEED: Final = 0.03
"""Of the fingertips at full deflection [m/s]; a choice, as are the numbers below."""
REACH: Final = 0.015
"""How far the fingertips are moved from where home and gait have them, along each axis [m]."""
SQUEEZE: Final = 0.010
"""How far they are drawn towards the cube when the person closes the hand [m]."""
_SETTLING: Final = 4
"""Cycles after which the targets' path is the same in each."""
_MOVED: Final = 1e-3
"""Targets that are further from where the person left them were moved by somebody else [rad]."""
_DAMPING: Final = 0.02
"""Of the least squares that give joints for tips [m/rad]."""


class HandOperator:
    """Turns the cube in a hand, and moves the fingertips. Final.

    A turn about the vertical carries the fingers on along the closed path of a gait, in proportion to what is asked;
    left and right have a gait each. It begins at the point of the path that is nearest to where the fingers are, and so
    it does again after somebody else moved them. A movement shifts all fingertips alike, and closing draws them towards
    the cube, by joint synergies: the least joint displacements that move the tips so from the home pose. When nothing
    is asked, the hand stays as it is.

    Args:
        env: one environment of `HandRotate`, which has been reset.
        view: `(3, 3)` columns are forward, left and up of the person in the world frame.

    Raises:
        InvalidInput: there are no gaits, or actions of `env` do not step joint targets.
    """

    def __init__(self, env: RobotVectorEnv, view: Array) -> None:
        assert isinstance(env.task, HandRotate)
        if not isinstance(env.simulation.controller, JointStepController):
            raise InvalidInput(f"{env.env_id}: a hand is driven with the controller JOINT_STEP; leave out controller")
        hand = env.task.choices.embodiment
        self._home, self._dt = np.array(env.simulation.robot.robot.home), env.control_dt
        self._limits, steps = env.simulation.robot.joint_range.T, round(CYCLE / env.control_dt)
        self._paths: dict[float, Array] = {}
        self._rates: dict[float, float] = {}
        for side, file in ((1.0, GAITS_FILE), (-1.0, RIGHT_FILE)):
            entry = find_gait(hand, file)
            self._paths[side] = _path(entry.gait, steps, self._home, *self._limits)
            self._rates[side] = float(np.radians(entry.measured["yaw_rate"]))
        self.full = np.array([TIP_SPEED] * 3 + [0.0, 0.0, min(self._rates.values())])
        tips, jacobian = _tips(env)
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + _DAMPING**2 * np.eye(len(jacobian)))
        towards = env.task.start_pos_world - tips
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        self._shifting = inverse @ np.tile(view, (len(tips), 1))
        self._closing = SQUEEZE * inverse @ towards.ravel()
        self.begin(0)

    def begin(self, seed: int) -> None:
        """See `Operator`."""
        self._path: Array | None = None
        self._left_at = self._home
        self._phase, self._shift = 0.0, np.zeros(3)

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        """See `Operator`; targets move as fast as the environment lets them."""
        twist, targets = np.array(command.twist), observations["joint_target"][0].astype(np.float64)
        self._shift = np.clip(self._shift + twist[:3] * self._dt, -REACH, REACH)
        wanted = self._home + self._shifting @ self._shift + command.gripper * self._closing
        if side := float(np.sign(twist[5])):
            path = self._paths[side]
            if path is not self._path or np.abs(targets - self._left_at).max() > _MOVED:
                self._path, self._phase = path, np.linalg.norm(wanted + path - targets, axis=1).argmin() / len(path)
            self._phase += self._dt / CYCLE * abs(twist[5]) / self._rates[side]
        if self._path is not None:
            wanted += _at(self._path, self._phase)
        steps = np.clip((wanted - targets) / LONGEST_STEP, -1.0, 1.0).astype(np.float32)
        self._left_at = np.clip(targets + LONGEST_STEP * steps, *self._limits)
        return steps[None]

    def gripper(self, action: NDArray[np.float32]) -> float:
        """See `Operator`; an action does not say how far the hand is closed."""
        return 0.0


def _path(gait: Gait, steps: int, home: Array, low: Array, high: Array) -> Array:
    """`(steps, J)` offsets from home that the targets take in a cycle of a gait at its own speed [rad].

    A gait asks for more than targets can follow, and is good for what they do. Slower, they have to go the same way.
    """
    targets = home.copy()
    path = np.zeros((steps, len(home)))
    for step in range(_SETTLING * steps):
        angle = 2 * np.pi * (step + 1) / steps
        wanted = home + gait.targets(np.sin([angle]), np.cos([angle]))[0]
        targets = np.clip(targets + np.clip(wanted - targets, -LONGEST_STEP, LONGEST_STEP), low, high)
        path[(step + 1) % steps] = targets - home
    return path


def _at(path: Array, phase: float) -> Array:
    """`(J,)` the point of a closed path at a phase, of which 1 is the whole; straight between its points."""
    place = phase * len(path)
    first, part = int(np.floor(place)), place % 1.0
    return np.asarray((1 - part) * path[first % len(path)] + part * path[(first + 1) % len(path)])


def _tips(env: RobotVectorEnv) -> tuple[Array, Array]:
    """Places `(T, 3)` of the fingertips in the home pose [m], and their Jacobian `(3 T, J)`, in the world frame."""
    model, robot = env.simulation.model, env.simulation.robot
    data = mujoco.MjData(model)
    for joint, angle in zip(robot.robot.joints, robot.robot.home, strict=True):
        data.joint(PREFIX + joint).qpos = angle
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    names = [PREFIX + f"{finger}_tip" for finger in FINGERS]
    sites = [site for name in names if (site := mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name)) >= 0]
    jacobian = np.zeros((len(sites), 3, model.nv))
    for i, site in enumerate(sites):
        mujoco.mj_jacSite(model, data, jacobian[i], None, site)
    return data.site_xpos[sites].copy(), jacobian[:, :, robot.velocity_span].reshape(3 * len(sites), -1)
