"""Calibration of an arm from its tool's poses alone: task-space commands are played open loop, as SIMPLER does it.

SIMPLER (arXiv 2405.05941, its system identification) replays recorded task-space actions in the simulator, and compares
translation and rotation of the tool with what was recorded. Here a pose has six columns: position [m], and the rotation
since the first measurement as a rotation vector [rad]; a metre and a radian count alike, as they do there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.calibration.log_files import read_tool_arrays
from barkyard.calibration.logs import RobotLog
from barkyard.calibration.plant import Plant, PlantModel
from barkyard.errors import InvalidInput

Array = NDArray[np.float64]

COLUMNS: Final = ("x", "y", "z", "rx", "ry", "rz")
_SOLVED: Final = 1e-10
_ITERATIONS: Final = 200
_REACHED: Final = 5e-3
"""A command further than this from what the joints reach [m and rad] is out of the model's reach. A choice."""


@dataclass(frozen=True)
class ToolRecording:
    """What an arm's tool was told and what was measured of it.

    Attributes:
        log: poses `(T, 6)` and commands `(C, 6)` in the columns of this module.
        joint_log: the same commands as joint angles; its measurements are the joints' angles at the start, repeated.
        first: orientation at the first measurement, w x y z.
    """

    log: RobotLog
    joint_log: RobotLog
    first: Array


class ToolPlant:
    """A plant that shows its tool instead of its joints. Final."""

    def __init__(self, plant: Plant, model: PlantModel, site: str, recordings: Mapping[str, ToolRecording]) -> None:
        self._plant, self._recordings = plant, recordings
        self._kinematics = _Kinematics(model.shipped, site)

    def simulate(self, values: Array, log: RobotLog) -> Array:
        """`(N, T, 6)` poses at the log's stamps, from `(N, P)` parameters."""
        recording = self._recordings[log.name]
        angles = self._plant.simulate(values, recording.joint_log)
        flat = angles.reshape(-1, angles.shape[2])
        poses = np.array([self._kinematics.pose(row, recording.joint_log.joints) for row in flat])
        return columns(poses, recording.first).reshape(*angles.shape[:2], len(COLUMNS))


def read_tool_recording(path: Path, model: PlantModel, site: str) -> ToolRecording:
    """Read an `.npz` of `tool_cmd (C, 7)` and `tool_meas (T, 7)`.

    Poses are position [m] and quaternion w x y z, in the model's world. The file also has `q_start (J,)` [rad], the
    `joints (J,)` that these are of, and `t`, or `t_cmd` and `t_meas` [s]. Commands are absolute; where actions are
    steps, add them up to what the controller was aiming at.

    Raises:
        InvalidInput: the file is damaged, a pose is none, or the arm cannot reach a command.
    """
    try:
        found = read_tool_arrays(path)
        kinematics = _Kinematics(model.shipped, site)
        joints = tuple(str(name) for name in found["joints"])
        foreign = [joint for joint in joints if joint not in model.joints]
        if foreign:
            raise InvalidInput(f"{', '.join(foreign)} is no joint of the model: {', '.join(model.joints)}")
        clock = found.get("t")
        sent, read = (found[name] if clock is None else clock for name in ("t_cmd", "t_meas"))
        source, start = str(found.get("source", "real")), np.asarray(found["q_start"], np.float64)
        first = found["tool_meas"][0, 3:]
        command, measured = (columns(found[name], first) for name in ("tool_cmd", "tool_meas"))
        angles = kinematics.follow(found["tool_cmd"], start, joints)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        log = RobotLog(path.stem, COLUMNS, sent, command, read, measured, sha256=digest, source=source)
        still = np.repeat(start[None], len(read), axis=0)
        joint_log = RobotLog(path.stem, joints, sent, angles, read, still, source=source)
    except InvalidInput as problem:
        raise InvalidInput(f"{path}: {problem}") from None
    return ToolRecording(log, joint_log, first)


def columns(poses: Array, first: Array) -> Array:
    """`(N, 6)` position and rotation vector since the orientation `first`, from `(N, 7)` poses."""
    inverse, turn, vector = np.empty(4), np.empty(4), np.empty(3)
    mujoco.mju_negQuat(inverse, first / np.linalg.norm(first))
    found = np.empty((len(poses), 6))
    found[:, :3] = poses[:, :3]
    for row, pose in enumerate(poses):
        mujoco.mju_mulQuat(turn, inverse, pose[3:] / np.linalg.norm(pose[3:]))
        mujoco.mju_quat2Vel(vector, turn, 1.0)
        found[row, 3:] = vector
    return found


class _Kinematics:
    """Forward and inverse kinematics of a site."""

    def __init__(self, model: mujoco.MjModel, site: str) -> None:
        names = [model.site(i).name for i in range(model.nsite)]
        if site not in names:
            raise InvalidInput(f"the model has no site {site!r}; it has {', '.join(names) or 'none'}")
        self._model, self._data, self._site = model, mujoco.MjData(model), model.site(site).id

    def pose(self, angles: Array, joints: tuple[str, ...]) -> Array:
        """`(7,)` position [m] and quaternion w x y z."""
        for joint, angle in zip(joints, angles, strict=True):
            self._data.qpos[self._model.joint(joint).qposadr[0]] = angle
        mujoco.mj_kinematics(self._model, self._data)
        quaternion = np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self._data.site_xmat[self._site])
        return np.concatenate([self._data.site_xpos[self._site], quaternion])

    def follow(self, targets: Array, start: Array, joints: tuple[str, ...]) -> Array:
        """`(C, J)` angles that put the tool at `(C, 7)` targets, each found from the one before.

        Gauss and Newton's method with Levenberg's damping; of a redundant arm's solutions, it is the nearest.
        """
        angles, found = start.copy(), np.empty((len(targets), len(joints)))
        for row, target in enumerate(targets):
            angles, missed = self._solve(target, angles, joints)
            if missed > _REACHED:
                raise InvalidInput(
                    f"tool_cmd, row {row + 1}: the model's tool comes no nearer than {missed:.4f} (m, rad); are they "
                    "poses of this site, in the frame of the model's world?"
                )
            found[row] = angles
        return found

    def _solve(self, target: Array, angles: Array, joints: tuple[str, ...]) -> tuple[Array, float]:
        model, data = self._model, self._data
        dofs = [int(model.joint(joint).dofadr[0]) for joint in joints]
        jacobian = np.zeros((6, model.nv))
        damping, best, missed = 1e-4, angles, self._error(target, angles, joints)
        for _ in range(_ITERATIONS):
            if missed @ missed < _SOLVED**2 or damping > 1e6:
                break
            self.pose(best, joints)
            mujoco.mj_comPos(model, data)
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], self._site)
            part = jacobian[:, dofs]
            step = np.linalg.solve(part.T @ part + damping * np.eye(len(dofs)), part.T @ missed)
            tried = self._error(target, best + step, joints)
            if tried @ tried < missed @ missed:
                best, missed, damping = best + step, tried, damping * 0.1
            else:
                damping *= 10.0
        return best, float(np.abs(missed).max())

    def _error(self, target: Array, angles: Array, joints: tuple[str, ...]) -> Array:
        """`(6,)` from the tool to its target: translation, and rotation in the world's axes."""
        pose, turn = self.pose(angles, joints), np.empty(3)
        mujoco.mju_subQuat(turn, target[3:] / np.linalg.norm(target[3:]), pose[3:])
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, pose[3:])
        return np.concatenate([target[:3] - pose[:3], rotation.reshape(3, 3) @ turn])
