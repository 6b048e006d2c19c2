"""What a quadruped felt in the control periods before, for policies that see one observation at a time."""

import numpy as np

from barkyard.envs.simulation import Array, Ids
from barkyard.envs.task import Part
from barkyard.envs.tasks.locomotion.quadruped import Quadruped

FELT = ("base_up", "base_angular_velocity", "joint_pos", "last_action")
"""Parts of the observation that are remembered: what a real robot's sensors and its controller know."""
WIDTH = 30
"""Numbers of one control period."""


class History:
    """The senses of past control periods, oldest first, in the simulations' state. Final.

    Args:
        quadruped: the robots.
        memory: `(N, periods * WIDTH)` live.
    """

    def __init__(self, quadruped: Quadruped, memory: Array) -> None:
        self._quadruped, self._memory = quadruped, memory

    def begin(self, ids: Ids) -> None:
        """Robots `ids` have always been as they are now."""
        self._memory[ids] = np.tile(self._felt()[ids], self._memory.shape[1] // WIDTH)

    def advance(self) -> None:
        """Call before a control period: what is felt now will be the newest of the past."""
        if self._memory.shape[1]:
            self._memory[:, :-WIDTH] = self._memory[:, WIDTH:]
            self._memory[:, -WIDTH:] = self._felt()

    def parts(self) -> dict[str, Part]:
        """`history`: `FELT` of the past control periods, in this order, oldest first; nothing where there are none."""
        if not self._memory.shape[1]:
            return {}
        parts = self._quadruped.parts()
        low, high = (
            np.concatenate([np.broadcast_to(getattr(parts[name], end), parts[name].size) for name in FELT])
            for end in ("low", "high")
        )
        periods, size = self._memory.shape[1] // WIDTH, self._memory.shape[1]
        return {"history": Part(size, tuple(np.tile(low, periods)), tuple(np.tile(high, periods)))}

    def observe(self) -> dict[str, Array]:
        """Values of `parts`."""
        return {"history": self._memory} if self._memory.shape[1] else {}

    def _felt(self) -> Array:
        senses = self._quadruped.observe()
        return np.concatenate([senses[name] for name in FELT], axis=1)
