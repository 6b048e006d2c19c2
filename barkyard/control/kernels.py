"""Compiled arm controllers, evaluated at the physics rate inside MuJoCo's control callback.

Everything a controller needs is in two arrays: `config`, constant for a model (its layout is `CONFIG`), and
`userdata`, part of the simulation state (its layout is `MEMORY`). So a stored state replays exactly, and one compiled
function serves every arm.

The laws are those of robosuite 1.5.2: `controllers/parts/arm/osc.py` (operational space control after Khatib 1987,
position and orientation decoupled, null-space posture term) and `controllers/parts/generic/joint_pos.py`. The inverse
kinematics are damped least squares (Nakamura and Hanafusa 1986), as `controllers/parts/arm/ik.py` has them; the joint
velocity law is our own.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

MAGIC = 8.2026112201e-7
"""First number of `config`: marks a model whose control callback is ours."""

MAX_DOF = 8
MAX_GRIPPER = 2

OSC_POSE = 1
JOINT_POSITION = 2
JOINT_TARGET = 3
IK_POSE = 4
JOINT_VELOCITY = 5

IK_DAMPING = 0.05
"""Damping of the inverse kinematics; robosuite 1.5.2, `compute_joint_positions`."""
IK_POSTURE = 0.1
"""Share of the way back to the joint positions at reset that one action of `IK_POSE` goes, where the tool allows it."""


class ConfigLayout(NamedTuple):
    """Offsets into `config`."""

    MAGIC: int = 0
    KIND: int = 1
    DOF: int = 2
    TCP_SITE: int = 3
    BASE_SITE: int = 4
    GRIPPER_DOF: int = 5
    GRIPPER_SPEED: int = 6
    NULLSPACE_KP: int = 7
    JOINT: int = 8
    QPOS: int = 8 + MAX_DOF
    QVEL: int = 8 + 2 * MAX_DOF
    ACTUATOR: int = 8 + 3 * MAX_DOF
    IS_SLIDE: int = 8 + 4 * MAX_DOF
    KP: int = 8 + 5 * MAX_DOF
    KD: int = 8 + 6 * MAX_DOF
    ACTION_SCALE: int = 8 + 7 * MAX_DOF
    GRIPPER_ACTUATOR: int = 8 + 8 * MAX_DOF
    GRIPPER_SIGN: int = 8 + 8 * MAX_DOF + MAX_GRIPPER
    SIZE: int = 8 + 8 * MAX_DOF + 2 * MAX_GRIPPER


class MemoryLayout(NamedTuple):
    """Offsets into `userdata`. The goal is a position and a rotation matrix in the base frame, or joints' goals."""

    NEW_ACTION: int = 0
    ACTION: int = 1
    GOAL: int = 2 + MAX_DOF
    REST: int = 14 + MAX_DOF
    GRIPPER: int = 14 + 2 * MAX_DOF
    SIZE: int = 14 + 2 * MAX_DOF + MAX_GRIPPER


CONFIG = ConfigLayout()
MEMORY = MemoryLayout()


@njit(cache=True, error_model="numpy")
def control(
    config,
    memory,
    qpos,
    qvel,
    xanchor,
    xaxis,
    site_xpos,
    site_xmat,
    bias,
    mass,
    row_nnz,
    row_adr,
    col_ind,
    limits,
    ctrl,
):  # type: ignore[no-untyped-def]
    """Write `ctrl` for one simulation from its kinematics, `qfrc_bias` and sparse inertia (`mass` in CSR form)."""
    fresh = memory[MEMORY.NEW_ACTION] == 1.0
    if fresh:
        memory[MEMORY.NEW_ACTION] = 0.0
        _move_gripper(config, memory)
    dof = int(config[CONFIG.DOF])
    inertia = _arm_inertia(config, dof, mass, row_nnz, row_adr, col_ind)
    torque = np.empty(dof)
    if config[CONFIG.KIND] == OSC_POSE:
        if fresh:
            _set_pose_goal(config, memory, site_xpos, site_xmat)
        _pose_torque(config, memory, dof, qpos, qvel, xanchor, xaxis, site_xpos, site_xmat, inertia, torque)
    elif config[CONFIG.KIND] == IK_POSE:
        if fresh:
            _set_inverse_kinematics_goal(config, memory, dof, qpos, xanchor, xaxis, site_xpos, site_xmat)
        _joint_torque(config, memory, dof, qpos, qvel, inertia, torque)
    elif config[CONFIG.KIND] == JOINT_VELOCITY:
        if fresh:
            for i in range(dof):
                memory[MEMORY.GOAL + i] = config[CONFIG.ACTION_SCALE + i] * memory[MEMORY.ACTION + i]
        _velocity_torque(config, memory, dof, qvel, inertia, torque)
    else:
        if fresh:
            for i in range(dof):
                step = config[CONFIG.ACTION_SCALE + i] * memory[MEMORY.ACTION + i]
                memory[MEMORY.GOAL + i] = qpos[int(config[CONFIG.QPOS + i])] + step
        _joint_torque(config, memory, dof, qpos, qvel, inertia, torque)
    for i in range(dof):
        actuator = int(config[CONFIG.ACTUATOR + i])
        total = torque[i] + bias[int(config[CONFIG.QVEL + i])]
        ctrl[actuator] = min(max(total, limits[2 * actuator]), limits[2 * actuator + 1])
    for i in range(int(config[CONFIG.GRIPPER_DOF])):
        actuator = int(config[CONFIG.GRIPPER_ACTUATOR + i])
        low, high = limits[2 * actuator], limits[2 * actuator + 1]
        ctrl[actuator] = 0.5 * (high + low) + 0.5 * (high - low) * memory[MEMORY.GRIPPER + i]


@njit(cache=True, error_model="numpy")
def _move_gripper(config, memory):  # type: ignore[no-untyped-def]
    command = memory[MEMORY.ACTION + int(config[CONFIG.DOF])]
    if config[CONFIG.KIND] == OSC_POSE or config[CONFIG.KIND] == IK_POSE:
        command = memory[MEMORY.ACTION + 6]
    for i in range(int(config[CONFIG.GRIPPER_DOF])):
        step = config[CONFIG.GRIPPER_SIGN + i] * config[CONFIG.GRIPPER_SPEED] * np.sign(command)
        memory[MEMORY.GRIPPER + i] = min(max(memory[MEMORY.GRIPPER + i] + step, -1.0), 1.0)


@njit(cache=True, error_model="numpy")
def _arm_inertia(config, dof, mass, row_nnz, row_adr, col_ind):  # type: ignore[no-untyped-def]
    inertia = np.zeros((dof, dof))
    first = int(config[CONFIG.QVEL])
    for i in range(dof):
        row = first + i
        for k in range(row_adr[row], row_adr[row] + row_nnz[row]):
            j = col_ind[k] - first
            if 0 <= j < dof:
                inertia[i, j] = mass[k]
                inertia[j, i] = mass[k]
    return inertia


@njit(cache=True, error_model="numpy")
def _set_pose_goal(config, memory, site_xpos, site_xmat):  # type: ignore[no-untyped-def]
    """Goal in the base frame: the present pose moved by the scaled action (robosuite's mode "achieved")."""
    tcp, base = int(config[CONFIG.TCP_SITE]), int(config[CONFIG.BASE_SITE])
    turn = _rotation_from_vector(
        config[CONFIG.ACTION_SCALE + 3] * memory[MEMORY.ACTION + 3],
        config[CONFIG.ACTION_SCALE + 4] * memory[MEMORY.ACTION + 4],
        config[CONFIG.ACTION_SCALE + 5] * memory[MEMORY.ACTION + 5],
    )
    relative = np.zeros((3, 3))
    for i in range(3):
        offset = 0.0
        for k in range(3):
            offset += site_xmat[9 * base + 3 * k + i] * (site_xpos[3 * tcp + k] - site_xpos[3 * base + k])
            for j in range(3):
                relative[i, j] += site_xmat[9 * base + 3 * k + i] * site_xmat[9 * tcp + 3 * k + j]
        memory[MEMORY.GOAL + i] = offset + config[CONFIG.ACTION_SCALE + i] * memory[MEMORY.ACTION + i]
    for i in range(3):
        for j in range(3):
            total = 0.0
            for k in range(3):
                total += turn[i, k] * relative[k, j]
            memory[MEMORY.GOAL + 3 + 3 * i + j] = total


@njit(cache=True, error_model="numpy")
def _rotation_from_vector(x, y, z):  # type: ignore[no-untyped-def]
    angle = np.sqrt(x * x + y * y + z * z)
    w = np.cos(0.5 * angle)
    s = np.sin(0.5 * angle) / angle if angle > 0.0 else 0.0
    x, y, z = s * x, s * y, s * z
    matrix = np.empty((3, 3))
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = 2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)
    matrix[2, 0], matrix[2, 1], matrix[2, 2] = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    return matrix


@njit(cache=True, error_model="numpy")
def _jacobian(config, dof, tcp, xanchor, xaxis, site_xpos):  # type: ignore[no-untyped-def]
    """(6, dof) Jacobian of the tool point in the world frame: position rows, then rotation rows."""
    jacobian = np.zeros((6, dof))
    for i in range(dof):
        joint = int(config[CONFIG.JOINT + i])
        ax, ay, az = xaxis[3 * joint], xaxis[3 * joint + 1], xaxis[3 * joint + 2]
        if config[CONFIG.IS_SLIDE + i] == 1.0:
            jacobian[0, i], jacobian[1, i], jacobian[2, i] = ax, ay, az
            continue
        rx = site_xpos[3 * tcp] - xanchor[3 * joint]
        ry = site_xpos[3 * tcp + 1] - xanchor[3 * joint + 1]
        rz = site_xpos[3 * tcp + 2] - xanchor[3 * joint + 2]
        jacobian[0, i], jacobian[1, i], jacobian[2, i] = ay * rz - az * ry, az * rx - ax * rz, ax * ry - ay * rx
        jacobian[3, i], jacobian[4, i], jacobian[5, i] = ax, ay, az
    return jacobian


@njit(cache=True, error_model="numpy")
def _pose_wrench(config, memory, dof, tcp, qvel, site_xpos, site_xmat, jacobian):  # type: ignore[no-untyped-def]
    """Desired linear and angular accelerations (6,): kp * error - kd * velocity, in the world frame."""
    base = int(config[CONFIG.BASE_SITE])
    error = np.zeros(6)
    for i in range(3):
        goal = site_xpos[3 * base + i]
        for k in range(3):
            goal += site_xmat[9 * base + 3 * i + k] * memory[MEMORY.GOAL + k]
        error[i] = goal - site_xpos[3 * tcp + i]
    current, desired = np.empty(3), np.empty(3)
    for column in range(3):
        for i in range(3):
            current[i], desired[i] = site_xmat[9 * tcp + 3 * i + column], 0.0
            for k in range(3):
                desired[i] += site_xmat[9 * base + 3 * i + k] * memory[MEMORY.GOAL + 3 + 3 * k + column]
        error[3] += 0.5 * (current[1] * desired[2] - current[2] * desired[1])
        error[4] += 0.5 * (current[2] * desired[0] - current[0] * desired[2])
        error[5] += 0.5 * (current[0] * desired[1] - current[1] * desired[0])
    for i in range(6):
        velocity = 0.0
        for k in range(dof):
            velocity += jacobian[i, k] * qvel[int(config[CONFIG.QVEL + k])]
        error[i] = config[CONFIG.KP + i] * error[i] - config[CONFIG.KD + i] * velocity
    return error


@njit(cache=True, error_model="numpy")
def _pose_torque(config, memory, dof, qpos, qvel, xanchor, xaxis, site_xpos, site_xmat, inertia, torque):  # type: ignore[no-untyped-def]
    tcp = int(config[CONFIG.TCP_SITE])
    jacobian = _jacobian(config, dof, tcp, xanchor, xaxis, site_xpos)
    wrench = _pose_wrench(config, memory, dof, tcp, qvel, site_xpos, site_xmat, jacobian)
    mobility = _mobility(inertia, jacobian, dof)
    position, rotation, full = mobility[:3, :3].copy(), mobility[3:, 3:].copy(), mobility
    _cholesky(position, 3)
    _cholesky(rotation, 3)
    _cholesky(full, 6)
    _solve(position, wrench[:3], 3)
    _solve(rotation, wrench[3:], 3)

    posture = np.empty(dof)
    kp = config[CONFIG.NULLSPACE_KP]
    kd = 2.0 * np.sqrt(kp)
    for i in range(dof):
        error = memory[MEMORY.REST + i] - qpos[int(config[CONFIG.QPOS + i])]
        posture[i] = kp * error - kd * qvel[int(config[CONFIG.QVEL + i])]
    leak = np.zeros(6)
    for i in range(6):
        for k in range(dof):
            leak[i] += jacobian[i, k] * posture[k]
    _solve(full, leak, 6)
    for i in range(dof):
        total = 0.0
        for k in range(6):
            total += jacobian[k, i] * (wrench[k] - leak[k])
        for k in range(dof):
            total += inertia[i, k] * posture[k]
        torque[i] = total


@njit(cache=True, error_model="numpy")
def _joint_torque(config, memory, dof, qpos, qvel, inertia, torque):  # type: ignore[no-untyped-def]
    for i in range(dof):
        torque[i] = 0.0
    for k in range(dof):
        error = memory[MEMORY.GOAL + k] - qpos[int(config[CONFIG.QPOS + k])]
        wanted = config[CONFIG.KP + k] * error - config[CONFIG.KD + k] * qvel[int(config[CONFIG.QVEL + k])]
        for i in range(dof):
            torque[i] += inertia[i, k] * wanted


@njit(cache=True, error_model="numpy")
def _velocity_torque(config, memory, dof, qvel, inertia, torque):  # type: ignore[no-untyped-def]
    for i in range(dof):
        torque[i] = 0.0
    for k in range(dof):
        wanted = config[CONFIG.KD + k] * (memory[MEMORY.GOAL + k] - qvel[int(config[CONFIG.QVEL + k])])
        for i in range(dof):
            torque[i] += inertia[i, k] * wanted


@njit(cache=True, error_model="numpy")
def _set_inverse_kinematics_goal(config, memory, dof, qpos, xanchor, xaxis, site_xpos, site_xmat):  # type: ignore[no-untyped-def]
    """Joint goal: the present positions moved so that the tool makes the scaled action, and towards the posture."""
    tcp, base = int(config[CONFIG.TCP_SITE]), int(config[CONFIG.BASE_SITE])
    jacobian = _jacobian(config, dof, tcp, xanchor, xaxis, site_xpos)
    posture, twist, square = np.empty(dof), np.zeros(6), np.zeros((6, 6))
    for k in range(dof):
        posture[k] = IK_POSTURE * (memory[MEMORY.REST + k] - qpos[int(config[CONFIG.QPOS + k])])
    for i in range(6):
        first = 3 * (i // 3)
        for k in range(3):
            step = config[CONFIG.ACTION_SCALE + first + k] * memory[MEMORY.ACTION + first + k]
            twist[i] += site_xmat[9 * base + 3 * (i - first) + k] * step
        for k in range(dof):
            twist[i] -= jacobian[i, k] * posture[k]
        for j in range(6):
            for k in range(dof):
                square[i, j] += jacobian[i, k] * jacobian[j, k]
        square[i, i] += IK_DAMPING * IK_DAMPING
    _cholesky(square, 6)
    _solve(square, twist, 6)
    for k in range(dof):
        total = qpos[int(config[CONFIG.QPOS + k])] + posture[k]
        for i in range(6):
            total += jacobian[i, k] * twist[i]
        memory[MEMORY.GOAL + k] = total


@njit(cache=True, error_model="numpy")
def _mobility(inertia, jacobian, dof):  # type: ignore[no-untyped-def]
    """J M^-1 J^T (6, 6), the inverse of the operational space inertia."""
    factor = inertia.copy()
    _cholesky(factor, dof)
    half = np.empty((6, dof))
    for i in range(6):
        for j in range(dof):
            total = jacobian[i, j]
            for k in range(j):
                total -= factor[j, k] * half[i, k]
            half[i, j] = total / factor[j, j]
    mobility = np.empty((6, 6))
    for i in range(6):
        for j in range(i + 1):
            total = 0.0
            for k in range(dof):
                total += half[i, k] * half[j, k]
            mobility[i, j] = total
            mobility[j, i] = total
    return mobility


@njit(cache=True, error_model="numpy")
def _cholesky(matrix, size):  # type: ignore[no-untyped-def]
    """Lower Cholesky factor in place; pivots are kept above 1e-12 so that a singular arm gives finite torques."""
    for j in range(size):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        pivot = np.sqrt(max(pivot, 1e-12))
        matrix[j, j] = pivot
        for i in range(j + 1, size):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = total / pivot


@njit(cache=True, error_model="numpy")
def _solve(factor, vector, size):  # type: ignore[no-untyped-def]
    """Solve L L^T x = vector in place."""
    for i in range(size):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * vector[k]
        vector[i] = total / factor[i, i]
    for i in range(size - 1, -1, -1):
        total = vector[i]
        for k in range(i + 1, size):
            total -= factor[k, i] * vector[k]
        vector[i] = total / factor[i, i]
