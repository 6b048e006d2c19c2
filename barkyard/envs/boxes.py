"""Boxes that the state moves, with sizes of their own in every simulation."""

from collections.abc import Sequence

import numpy as np

from barkyard.envs.height import ground_height
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
        self._mocap = np.array([int(model.body_mocapid[body.id]) for body in bodies], np.intp)
        self._pos = batch.bind("mocap_pos").reshape(count, -1, 3)
        self._quat = batch.bind("mocap_quat").reshape(count, -1, 4)
        self._batch, self._fields = batch, dict[str, Array]()
        self.half_size: Array = np.repeat(model.geom_size[self._geoms][None], count, axis=0)

    def place(self, ids: Ids, pos: Array, quat: Array) -> None:
        """Put the boxes of `ids` at `(k, K, 3)` [m] with orientations `(k, K, 4)`."""
        at = np.ix_(ids, self._mocap)
        self._pos[at], self._quat[at] = pos, quat

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
        if not len(self._mocap):
            return np.zeros(points.shape[:2])
        pos, quat = self._pos[:, self._mocap], self._quat[:, self._mocap]
        return np.asarray(ground_height(np.ascontiguousarray(points), pos, quat, self.half_size))
