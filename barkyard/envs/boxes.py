"""Boxes that the state moves, with sizes of their own in every simulation."""

from collections.abc import Sequence

import numpy as np

from barkyard.envs.height import ground_height, height_scan
from barkyard.envs.robot_view import span
from barkyard.envs.simulation import Array, Ids, Simulation


class MovableBoxes:
    """Mocap bodies with one box each. Final.

    Attributes:
        half_size: `(N, K, 3)` [m]; change it with `resize`.
    """

    def __init__(self, simulation: Simulation, names: Sequence[str]) -> None:
        model, batch = simulation.model, simulation.batch
        count = simulation.num_envs
        bodies = [model.body(name) for name in names]
        self._geoms = np.array([model.geom(name).id for name in names], np.intp)
        self._trees = np.array([int(model.body_bvhadr[body.id]) for body in bodies], np.intp)
        mocap = span(np.array([int(model.body_mocapid[body.id]) for body in bodies], np.int32)) if bodies else slice(0)
        self._pos = batch.bind("mocap_pos").reshape(count, -1, 3)[:, mocap]
        self._quat = batch.bind("mocap_quat").reshape(count, -1, 4)[:, mocap]
        self._batch, self._fields = batch, dict[str, Array]()
        self.half_size: Array = np.repeat(model.geom_size[self._geoms][None], count, axis=0)

    def place(self, ids: Ids, pos: Array, quat: Array) -> None:
        """Put the boxes of `ids` at `(k, K, 3)` [m] with orientations `(k, K, 4)`."""
        self._pos[ids], self._quat[ids] = pos, quat

    def resize(self, ids: Ids, half_size: Array) -> None:
        """Give the boxes of `ids` half sizes `(k, K, 3)` [m]. They belong to the model, not to the state."""
        if not self._fields:
            names = ("geom_size", "geom_rbound", "geom_aabb", "bvh_aabb")
            self._fields = {name: self._batch.expand(name) for name in names}
        fields, sizes = self._fields, np.arange(3, 6)
        self.half_size[ids] = half_size
        fields["geom_size"][np.ix_(ids, self._geoms)] = half_size
        fields["geom_rbound"][np.ix_(ids, self._geoms)] = np.linalg.norm(half_size, axis=2)
        fields["geom_aabb"][np.ix_(ids, self._geoms, sizes)] = half_size
        fields["bvh_aabb"][np.ix_(ids, self._trees, sizes)] = half_size

    def ground(self, points: Array) -> Array:
        """`(N, P)` height of the floor or of the highest box under points `(N, P, 2)` of the world [m]."""
        return np.asarray(ground_height(points, self._pos, self._quat, self.half_size))

    def scan(self, grid: Array, origin: Array, heading: Array) -> Array:
        """`(N, P)` `ground` under a grid (P, 2) [m] at `origin` (N, >= 2) [m], turned by `heading` (N,) [rad]."""
        return np.asarray(height_scan(grid, origin, heading, self._pos, self._quat, self.half_size))
