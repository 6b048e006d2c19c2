"""Compiled joint targets: at every physics step, late commands and a look at sensors, in MuJoCo's control callback.

`config` is constant for a model (`TARGET_CONFIG`; its first numbers are those of `kernels.CONFIG`), `memory` is the
controller's part of `userdata` (`TARGET_MEMORY`, followed by three blocks of one number a joint: the last action, the
newest targets, and those before them). All that the compiled functions depend on is in this file, because numba's cache
watches no other.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_WATCHED = 4


class TargetConfigLayout(NamedTuple):
    """Offsets into `config`. A watch is three numbers: its first sensor value, how many, whether none is to be felt."""

    MAGIC: int = 0
    KIND: int = 1
    DOF: int = 2
    SUBSTEPS: int = 3
    NUM_WATCHED: int = 4
    WATCHED: int = 5
    SIZE: int = 5 + 3 * MAX_WATCHED


class TargetMemoryLayout(NamedTuple):
    """Offsets into `memory`: physics steps since the command, its delay in physics steps, what was seen since it."""

    SUBSTEP: int = 0
    DELAY: int = 1
    SEEN: int = 2
    BLOCKS: int = 2 + MAX_WATCHED


TARGET_CONFIG: Final = TargetConfigLayout()
TARGET_MEMORY: Final = TargetMemoryLayout()


@njit(cache=True, error_model="numpy")
def hold_targets(config: Array, memory: Array, sensordata: Array, ctrl: Array) -> None:
    """In a physics step of one simulation: look at the sensors, and write `ctrl`.

    The new targets take effect `DELAY` physics steps into the control period; with a delay of the whole period or more,
    at its end. Between control periods nothing happens.
    """
    substep, substeps = int(memory[TARGET_MEMORY.SUBSTEP]), int(config[TARGET_CONFIG.SUBSTEPS])
    if substep >= substeps:
        return
    _look(config, memory, sensordata)
    dof = int(config[TARGET_CONFIG.DOF])
    newest = TARGET_MEMORY.BLOCKS + dof
    source = newest if substep >= int(memory[TARGET_MEMORY.DELAY]) else newest + dof
    for i in range(dof):
        ctrl[i] = memory[source + i]
    memory[TARGET_MEMORY.SUBSTEP] = substep + 1
    if substep + 1 == substeps:
        for i in range(dof):
            memory[newest + dof + i] = memory[newest + i]


@njit(cache=True, error_model="numpy")
def _look(config: Array, memory: Array, sensordata: Array) -> None:
    """Note in `SEEN` which watches are met by one simulation's sensors."""
    for k in range(int(config[TARGET_CONFIG.NUM_WATCHED])):
        watch = TARGET_CONFIG.WATCHED + 3 * k
        first, count = int(config[watch]), int(config[watch + 1])
        felt = False
        for i in range(first, first + count):
            felt = felt or sensordata[i] > 0.0
        if felt != (config[watch + 2] == 1.0):
            memory[TARGET_MEMORY.SEEN + k] = 1.0
