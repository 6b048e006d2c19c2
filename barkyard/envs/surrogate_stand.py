"""A surrogate on a stand: it plays joint commands, and what its encoders read is recorded."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import mujoco
import numpy as np
from mujoco.batch import Batch

from barkyard.assets.robots import load_robot
from barkyard.assets.servos import servo_spec
from barkyard.assets.surrogate import draw_surrogate
from barkyard.envs.draws import draw_keys
from barkyard.envs.hidden_dynamics import HiddenDynamics
from barkyard.envs.simulation import Array
from barkyard.errors import InvalidInput
from barkyard.files import write_whole

PHYSICS_DT = 0.001
"""Finer than the environments' [s], so that the model that is fitted is not the one that made the log."""
_SETTLE = 1.0
"""The first command is held this long before the recording begins [s]."""


@dataclass(frozen=True)
class Recording:
    """What a robot was told and what it measured.

    Attributes:
        robot: name of the robot.
        surrogate: seed of the surrogate that was recorded.
        joints: names, J.
        t_cmd: `(T,)` when the commands were sent [s].
        t_meas: `(T,)` when the joints were read [s]; each just before the command of the same row.
        q_cmd: `(T, J)` commands [rad].
        q_meas: `(T, J)` readings [rad].
    """

    source: ClassVar[str] = "surrogate"
    robot: str
    surrogate: int
    joints: tuple[str, ...]
    t_cmd: Array
    t_meas: Array
    q_cmd: Array
    q_meas: Array

    def save(self, path: Path) -> None:
        """Write .npz, whole or not at all, with `source` "surrogate". Raises InvalidInput for another ending."""
        if path.suffix != ".npz":
            raise InvalidInput(f"{path}: a recording is written as .npz; give a name that ends so")
        content = io.BytesIO()
        np.savez_compressed(
            content, t_cmd=self.t_cmd, t_meas=self.t_meas, q_cmd=self.q_cmd, q_meas=self.q_meas,
            joints=np.array(self.joints), units=np.array("rad"), source=np.array(self.source),
            robot=np.array(self.robot), surrogate=np.array(self.surrogate),
        )  # fmt: skip
        write_whole(path, content.getvalue())


class RealSurrogate:
    """A robot whose hidden dynamics stand in for a real one, on a stand: base held, gripper still. Final.

    Attributes:
        robot: the robot that it stands in for.
        hidden: what nobody who calibrates it should look at.
    """

    def __init__(self, robot: str, seed: int) -> None:
        """Raises InvalidInput if the robot has no surrogate."""
        self.robot, self.hidden = load_robot(robot), draw_surrogate(robot, seed)
        spec = servo_spec(self.robot)
        spec.option.timestep, spec.option.integrator = PHYSICS_DT, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        self.hidden.truth.apply(spec)
        self._model = spec.compile()

    def play(self, t_cmd: Array, q_cmd: Array, repeat: int = 0) -> Recording:
        """Play commands and record.

        Args:
            t_cmd: `(T,)` increasing times [s].
            q_cmd: `(T, J)` commands [rad], in the order of the robot's joints; the robot starts at rest at the first.
            repeat: number of the run; chance differs between runs, and nothing else.

        Raises:
            InvalidInput: times or commands make no sense.
        """
        times, commands = self._checked(t_cmd, q_cmd)
        batch = Batch(self._model, 1, 1)
        memory = np.zeros((1, HiddenDynamics.memory_size(self.robot)))
        dynamics = HiddenDynamics(self._model, batch, self.robot, "", self.hidden)
        dynamics.bind(memory)
        dynamics.begin(np.array([0]), draw_keys([np.random.default_rng([self.hidden.seed, repeat])]))
        ctrl, qpos, history = batch.bind("ctrl"), batch.bind("qpos"), batch.bind("history")
        qpos[:, :], ctrl[:, :] = commands[0], commands[0]
        _fill(self._model, history, commands[0])
        ends = np.rint((times - times[0] + _SETTLE) / PHYSICS_DT).astype(int)
        measured, now = np.zeros_like(commands), 0
        for row, end in enumerate(ends):
            for _ in range(now, end):
                dynamics.act()
                batch.step()
            now = int(end)
            measured[row] = dynamics.joint_pos()[0]
            ctrl[0] = commands[row]
            dynamics.receive()
        joints = self.robot.joints
        return Recording(
            self.robot.name, self.hidden.seed, joints, times.copy(), times.copy(), commands.copy(), measured
        )

    def _checked(self, t_cmd: Array, q_cmd: Array) -> tuple[Array, Array]:
        times, commands = np.asarray(t_cmd, dtype=np.float64), np.asarray(q_cmd, dtype=np.float64)
        shape = (len(times), len(self.robot.joints))
        if times.ndim != 1 or len(times) < 2 or commands.shape != shape:
            raise InvalidInput(
                f"t_cmd {times.shape} and q_cmd {commands.shape} must be (T,) and (T, {shape[1]}), T > 1"
            )
        if not (np.isfinite(times).all() and np.isfinite(commands).all()):
            raise InvalidInput("times and commands must be finite")
        if (np.diff(times) < PHYSICS_DT).any():
            row = int(np.argmax(np.diff(times) < PHYSICS_DT)) + 1
            raise InvalidInput(
                f"t_cmd[{row}] is {times[row]} after {times[row - 1]}; times must rise by {PHYSICS_DT} s"
            )
        low, high = self._model.actuator_ctrlrange.T
        if ((commands < low) | (commands > high)).any():
            row, joint = (int(i) for i in np.argwhere((commands < low) | (commands > high))[0])
            raise InvalidInput(
                f"q_cmd[{row}] of {self.robot.joints[joint]} is {commands[row, joint]:.4f} rad; "
                f"it must lie in [{low[joint]:.4f}, {high[joint]:.4f}]"
            )
        return times, commands


def _fill(model: mujoco.MjModel, history: Array, command: Array) -> None:
    """Let the actuators' histories hold the first command."""
    for i, value in enumerate(command):
        size, address = int(model.actuator_history[i, 0]), int(model.actuator_historyadr[i])
        history[:, address + 2 + size : address + 2 + 2 * size] = value
