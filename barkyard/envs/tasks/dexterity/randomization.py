"""What is drawn anew for every episode of a hand that holds a cube."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from barkyard.assets.robot import PREFIX
from barkyard.envs.draws import between, uniform
from barkyard.envs.simulation import Array, Ids, Simulation
from barkyard.errors import InvalidInput

_MODEL, _START, _PUSH = 1, 2, 1000
Range = tuple[float, float]


@dataclass(frozen=True)
class CubeRandomization:
    """Ranges that are drawn from uniformly, once an episode.

    Attributes:
        mass: of the cube [kg].
        friction: sliding friction of the cube on everything.
        com: shift of the cube's centre of mass along each axis [m].
        scale: factor of the cube's edge.
        gain, damping: of the joints' servos [N m/rad, N m s/rad].
        offset: of the cube at the start, along both axes of the palm [m].
        turn: of the cube at the start about the palm's normal [rad].
    """

    mass: Range
    friction: Range
    com: Range
    scale: Range
    gain: Range
    damping: Range
    offset: Range
    turn: Range


RANGES = {
    "published": CubeRandomization(
        (0.01, 0.25), (0.3, 3.0), (-0.01, 0.01), (0.875, 1.125), (2.9, 3.1), (0.09, 0.11), (-0.008, 0.008), (-0.3, 0.3)
    ),
    "moderate": CubeRandomization(
        (0.05, 0.20), (0.5, 1.2), (-0.005, 0.005), (0.95, 1.05), (2.9, 3.1), (0.09, 0.11), (-0.008, 0.008), (-0.3, 0.3)
    ),
    "none": CubeRandomization(
        (0.108, 0.108), (0.8, 0.8), (0.0, 0.0), (1.0, 1.0), (3.0, 3.0), (0.1, 0.1), (-0.003, 0.003), (-0.1, 0.1)
    ),
}
"""By name. `published` is GET-Zero's (arXiv 2407.15002); its starts come from a cache of grasps, ours from a place and
a turn that are drawn. `moderate` is a choice; `none` is the nominal cube, hardly moved."""
PUSH_PROBABILITY, PUSH_DECAY, PUSH_SCALE = 0.25, 0.9, 10.0
"""Random pushes as published: in each control period a new force with this probability, else the old one times the
decay; its standard deviation is the scale times the cube's mass [N]."""


def check_randomization(name: Any) -> None:
    """Raises InvalidInput, with the valid names, if there is no such randomisation."""
    if name not in RANGES:
        raise InvalidInput(f"randomization is {name!r}; valid: {', '.join(map(repr, RANGES))}")


class CubeRandomizer:
    """Draws and applies a `CubeRandomization`, as a function of each episode's key. Final."""

    def __init__(self, simulation: Simulation, ranges: CubeRandomization, body: int, geom: int) -> None:
        self._simulation, self._ranges, self._body, self._geom = simulation, ranges, body, geom
        model, batch = simulation.model, simulation.batch
        self._actuators = [model.actuator(PREFIX + name).id for name in simulation.robot.robot.actuators]
        self._size = np.array(model.geom_size[geom])
        names = ("body_mass", "body_inertia", "body_ipos", "geom_size", "geom_rbound", "geom_aabb", "geom_friction")
        self._fields: dict[str, Any] = {
            name: batch.expand(name) for name in (*names, "actuator_gainprm", "actuator_biasprm")
        }
        self._force = batch.bind("xfrc_applied")

    def restore(self, ids: Ids, keys: Array) -> None:
        """Write the parameters of the episodes with `keys` (k,) into the models of `ids`."""
        ranges, into, body, geom = self._ranges, self._fields, self._body, self._geom
        unit = uniform(keys, _MODEL, 8)
        mass, size = between(unit[:, 0], *ranges.mass), self._size * between(unit[:, 1:2], *ranges.scale)
        into["body_mass"][ids, body] = mass
        squares = size**2
        into["body_inertia"][ids, body] = mass[:, None] / 3 * (squares.sum(axis=1, keepdims=True) - squares)
        into["body_ipos"][ids, body] = between(unit[:, 2:5], *ranges.com)
        into["geom_size"][ids, geom] = size
        into["geom_rbound"][ids, geom] = np.linalg.norm(size, axis=1)
        into["geom_aabb"][ids, geom, 3:] = size
        into["geom_friction"][ids, geom, 0] = between(unit[:, 5], *ranges.friction)
        gain, damping = between(unit[:, 6:7], *ranges.gain), between(unit[:, 7:8], *ranges.damping)
        into["actuator_gainprm"][ids[:, None], self._actuators, 0] = gain
        into["actuator_biasprm"][ids[:, None], self._actuators, 1] = -gain
        into["actuator_biasprm"][ids[:, None], self._actuators, 2] = -damping
        self._simulation.batch.set_const(ids)

    def start(self, keys: Array) -> tuple[Array, Array]:
        """Offset `(k, 2)` of the cube in the palm [m], and its turn `(k,)` [rad]."""
        unit = uniform(keys, _START, 3)
        return between(unit[:, :2], *self._ranges.offset), between(unit[:, 2], *self._ranges.turn)

    def push(self, keys: Array) -> None:
        """Change the force on every cube. Call once a control period."""
        unit = uniform(keys, _PUSH + self._simulation.elapsed_steps(), 7)
        normal = np.sqrt(-2 * np.log1p(-unit[:, 1:4])) * np.cos(2 * np.pi * unit[:, 4:7])
        size = PUSH_SCALE * self._fields["body_mass"][:, self._body, None]
        force = self._force[:, self._body, :3]
        fresh = unit[:, :1] < PUSH_PROBABILITY
        self._force[:, self._body, :3] = np.where(fresh, size * normal, PUSH_DECAY * force)
