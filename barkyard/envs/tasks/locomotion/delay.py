"""Joint targets that reach the actuators late."""

import numpy as np

from barkyard.envs.randomization import Randomizer
from barkyard.envs.simulation import Array, Ids, Simulation


class DelayedTargets:
    """Holds back each new joint target for the drawn number of physics steps. Final."""

    def __init__(self, simulation: Simulation, randomizer: Randomizer, memory: Array) -> None:
        self._simulation, self._randomizer, self._old = simulation, randomizer, memory
        self._new = np.zeros_like(memory)

    def begin(self, ids: Ids, targets: Array) -> None:
        """Episodes begin with `targets` in force."""
        self._old[ids] = targets

    def each_substep(self, substep: int) -> None:
        """Call before every physics step, with its number in the control period."""
        ctrl, delay = self._simulation.ctrl, self._randomizer.delay_steps
        if substep == 0:
            self._new[:] = ctrl
            late = np.flatnonzero(delay > 0)
            ctrl[late] = self._old[late]
        else:
            due = np.flatnonzero(delay == substep)
            ctrl[due] = self._new[due]
        if substep == self._simulation.substeps - 1:
            self._old[:] = self._new
