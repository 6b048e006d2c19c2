"""Follow velocity commands on slopes, steps, random boxes and over gaps."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np

from barkyard.assets.scenes.ground import add_movable
from barkyard.envs.draws import between, draw_keys, uniform
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.envs.task import Part
from barkyard.envs.tasks.locomotion import blocks
from barkyard.envs.tasks.locomotion.quadruped import scan_part
from barkyard.envs.tasks.locomotion.velocity import QuadrupedVelocity, WalkingOptions
from barkyard.errors import InvalidInput

SLOWEST = 0.6
"""Commands shrink to this part of their range at the highest level."""
_GROUND = 3


@dataclass(frozen=True)
class RoughOptions(WalkingOptions):
    """Choices of rough ground.

    Attributes:
        terrain: one of `blocks.KINDS`, or `mixed`, each kind as often.
        level: range that each episode's level is drawn from; 0 is flat, 1 the hardest.
    """

    terrain: str = "mixed"
    level: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.terrain not in (*blocks.KINDS, "mixed"):
            raise InvalidInput(f"terrain is {self.terrain!r}; valid: {', '.join(blocks.KINDS)}, mixed")
        try:
            low, high = map(float, self.level)
        except (TypeError, ValueError):
            low, high = 1.0, 0.0
        if not 0.0 <= low <= high <= 1.0:
            raise InvalidInput(f"level is {self.level!r}; give (low, high) with 0 <= low <= high <= 1")


class QuadrupedRough(QuadrupedVelocity):
    """Track velocity commands over rough ground, seen as a height scan.

    A curriculum writes the levels of coming episodes into `next_level`, `(N,)` in [0, 1]; NaN draws from the range.
    """

    options_type = RoughOptions
    boxes = tuple(f"block{i}" for i in range(blocks.COUNT))

    def _more_memory(self) -> dict[str, int]:
        return {"kind": 1, "level": 1}

    def _add_obstacles(self, scene: mujoco.MjSpec) -> None:
        for name in self.boxes:
            add_movable(scene, name, mujoco.mjtGeom.mjGEOM_BOX, (0.3, 0.3, 0.3), "block", coated=True)

    def bind(self, simulation: Simulation) -> None:
        """Take hold of the arrays."""
        super().bind(simulation)
        self.kind = self.layout.view(simulation.memory, "kind")[:, 0]
        self.level = self.layout.view(simulation.memory, "level")[:, 0]
        self.next_level = np.full(simulation.num_envs, np.nan)

    def initialise(self, ids: Ids, generators: list[np.random.Generator]) -> None:
        """Draw the ground too, and stand on it."""
        assert isinstance(self.options, RoughOptions)
        self.key[ids] = draw_keys(generators)
        unit = uniform(self.key[ids], _GROUND, 2)
        mixed = self.options.terrain == "mixed"
        one = 0 if mixed else blocks.KINDS.index(self.options.terrain)
        self.kind[ids] = np.floor(unit[:, 0] * len(blocks.KINDS)) if mixed else one
        drawn, given = between(unit[:, 1], *self.options.level), self.next_level[ids]
        self.level[ids] = np.where(np.isnan(given), drawn, given)
        self.restore(ids)
        self.quadruped.base_pos[ids] = 0.0
        self._arrange(ids)
        heading = between(uniform(self.key[ids], 0, 1)[:, 0], -np.pi, np.pi)
        around = 0.35 * np.array([[0.0, 0], [1, 0.6], [1, -0.6], [-1, 0.6], [-1, -0.6]])
        points = np.repeat(around[None], self.simulation.num_envs, axis=0)
        height = self.quadruped.ground(points)[ids].max(axis=1)
        zero = np.zeros(len(ids))
        self.quadruped.stand(ids, generators, np.stack([zero, zero, height, heading], axis=1))
        self._start(ids)

    def restore(self, ids: Ids) -> None:
        """Write the drawn parameters and the boxes' sizes into the models."""
        super().restore(ids)
        self.quadruped.boxes.resize(ids, blocks.half_sizes(self.kind[ids]))

    def _draw_commands(self, ids: Ids, count: Array) -> Array:
        steep = np.where(self.kind[ids] > 0, self.level[ids], 0.0)
        return super()._draw_commands(ids, count) * (1.0 - (1.0 - SLOWEST) * steep)[:, None]

    def _arrange(self, ids: Ids) -> None:
        base = self.quadruped.base_pos[ids, :2]
        self.quadruped.boxes.place(ids, *blocks.arrange(self.kind[ids], self.level[ids], self.key[ids], base))

    def before_step(self) -> None:
        """Set the boxes down around the robots."""
        super().before_step()
        self._arrange(np.arange(self.simulation.num_envs))

    def parts(self) -> Mapping[str, Part]:
        """The flat task's parts and `terrain`, the height scan."""
        return {**super().parts(), **scan_part()}

    def observe(self) -> Mapping[str, Array]:
        """Values of `parts`."""
        return {**super().observe(), "terrain": self.quadruped.height_scan()}

    def metrics(self, terms: Mapping[str, Array]) -> Mapping[str, Array]:
        """The flat task's, with the kind of ground (an index into `blocks.KINDS`) and its level."""
        return {**super().metrics(terms), "terrain_kind": self.kind.copy(), "terrain_level": self.level.copy()}
