"""Endless rough ground from a few movable boxes that are set down anew around the robot.

Where a box stands follows from the kind of ground, its level, the episode's key and the robot's position alone. All
dimensions are choices; the ranges (33 degrees, 0.1 m) are those of the Barkour walking and slope policies.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from barkyard.envs.draws import uniform
from barkyard.envs.simulation import Array

KINDS = ("flat", "slope", "steps", "boxes", "gaps")
COUNT = 16
"""Boxes that every kind makes do with."""
STEEPEST = np.radians(33.0)
HIGHEST = 0.10
"""Of a step and of a random box [m]."""
WIDEST = 0.20
"""Gap [m]."""
HALF_WIDTH = 3.0
"""Of the boxes that reach across; they move sideways with the robot [m]."""
PANEL, PANEL_THICKNESS = 1.5, 0.1
TREAD, TILE, PLATFORM, PLATFORM_HEIGHT = 0.45, 0.6, 1.2, 0.2
REST = 1.2
"""Level ground between two ridges and two flights of steps [m]."""
DEPTH = 0.6
"""Height of a box, most of it below the floor [m]."""
_PARKED = -10.0
_STAIRS = np.array([1.0, 2.0, 1.0])
_Place = Callable[[Array, Array, NDArray[np.intp], Array, Array, Array], None]


def half_sizes(kind: Array) -> Array:
    """`(n, COUNT, 3)` half sizes of the boxes [m] for kinds `(n,)`, indices into `KINDS`."""
    sizes = np.array(
        [
            (TILE / 2, TILE / 2, DEPTH / 2),
            (PANEL / 2, HALF_WIDTH, PANEL_THICKNESS / 2),
            (TREAD / 2, HALF_WIDTH, DEPTH / 2),
            (TILE / 2, TILE / 2, DEPTH / 2),
            (PLATFORM / 2, HALF_WIDTH, DEPTH / 2),
        ]
    )
    return np.repeat(sizes[kind.astype(np.intp)][:, None], COUNT, axis=1)


def arrange(kind: Array, level: Array, key: Array, base: Array) -> tuple[Array, Array]:
    """Where the boxes stand.

    Args:
        kind: `(n,)` indices into `KINDS`.
        level: `(n,)` difficulty in [0, 1].
        key: `(n,)` the episodes' keys.
        base: `(n, 2)` where the robots are [m].

    Returns:
        Centres `(n, COUNT, 3)` [m] and orientations `(n, COUNT, 4)`.
    """
    pos = np.full((len(kind), COUNT, 3), _PARKED)
    quat = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (len(kind), COUNT, 1))
    pos[:, :, :2] = base[:, None] + np.arange(COUNT)[:, None]
    places: dict[str, _Place] = {"slope": _ridges, "steps": _stairs, "boxes": _tiles, "gaps": _platforms}
    for name, place in places.items():
        rows = np.flatnonzero(kind == KINDS.index(name))
        if rows.size:
            place(pos, quat, rows, level[rows], key[rows], base[rows])
    return pos, quat


def _nearest(x: Array, period: Array) -> Array:
    """`(n, 3)` numbers of the periods around x."""
    return np.floor(x / period)[:, None] + np.array([-1.0, 0.0, 1.0])


def _ridges(pos: Array, quat: Array, rows: NDArray[np.intp], level: Array, key: Array, base: Array) -> None:
    del key
    angle = level * STEEPEST
    run, rise = PANEL * np.cos(angle), PANEL * np.sin(angle)
    period = 2 * run + REST
    crest = (_nearest(base[:, 0], period) + 0.5) * period[:, None]
    for i, side in enumerate((-1.0, 1.0)):
        boxes = slice(3 * i, 3 * i + 3)
        sunk = PANEL_THICKNESS / 2
        pos[rows, boxes, 0] = crest + side * (run / 2 - sunk * np.sin(angle))[:, None]
        pos[rows, boxes, 1] = base[:, 1:2]
        pos[rows, boxes, 2] = (rise / 2 - sunk * np.cos(angle))[:, None]
        quat[rows, boxes, 0] = np.cos(angle / 2)[:, None]
        quat[rows, boxes, 2] = side * np.sin(angle / 2)[:, None]


def _stairs(pos: Array, quat: Array, rows: NDArray[np.intp], level: Array, key: Array, base: Array) -> None:
    del quat, key
    period = np.full(len(rows), len(_STAIRS) * TREAD + REST)
    middle = (_nearest(base[:, 0], period) + 0.5) * period[:, None]
    for i, height in enumerate(_STAIRS):
        boxes = slice(3 * i, 3 * i + 3)
        pos[rows, boxes, 0] = middle + (i - 1) * TREAD
        pos[rows, boxes, 1] = base[:, 1:2]
        pos[rows, boxes, 2] = (height * HIGHEST * level - DEPTH / 2)[:, None]


def _tiles(pos: Array, quat: Array, rows: NDArray[np.intp], level: Array, key: Array, base: Array) -> None:
    del quat
    offset = np.array([-1, 0, 1, 2])
    corner = np.floor(base / TILE - 0.5)
    for i in range(COUNT):
        cell = corner + np.array([offset[i // 4], offset[i % 4]])
        number = (cell[:, 0] + 5000) * 10000 + cell[:, 1] + 5000
        pos[rows, i, :2] = (cell + 0.5) * TILE
        pos[rows, i, 2] = level * HIGHEST * uniform(key, 10**6 + number, 1)[:, 0] - DEPTH / 2


def _platforms(pos: Array, quat: Array, rows: NDArray[np.intp], level: Array, key: Array, base: Array) -> None:
    del quat, key
    period = PLATFORM + WIDEST * level
    centre = (_nearest(base[:, 0] + period / 2, period)) * period[:, None]
    pos[rows, :3, 0] = centre
    pos[rows, :3, 1] = base[:, 1:2]
    pos[rows, :3, 2] = PLATFORM_HEIGHT - DEPTH / 2
