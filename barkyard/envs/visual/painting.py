"""Paints a scene's spec as a variant wants it."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from barkyard.assets.robot import PREFIX
from barkyard.envs.visual.variant import Colour, Surface, Variant
from barkyard.errors import InvalidInput
from barkyard.rotation import quat_multiply

BACKGROUND: Final = ("floorplane", "walls_mat", "grass")
TABLE: Final = ("table_ceramic", "light-wood", "dark-wood", "table", "frame")
"""Materials of the scenes' floors and walls, and of what things stand on."""
OBJECT: Final = "object/"
"""What names of the materials of what a task moves begin with."""
_PIXELS, _BLOTCHES, _LARGEST = 128, 16, 512
_REPEAT = 5.0
"""Of patterns [1/m]."""
_SIZES = (0.015, 0.035)
"""Half sizes of distractors [m]."""
_RGB = int(mujoco.mjtTextureRole.mjTEXROLE_RGB)


class Area(NamedTuple):
    """A level rectangle in the world [m] where distractors may lie."""

    x: tuple[float, float]
    y: tuple[float, float]
    height: float


def paint(scene: mujoco.MjSpec, variant: Variant, areas: Sequence[Area]) -> None:
    """Change how a scene looks, and nothing else.

    Args:
        scene: the whole scene, before it is compiled.
        variant: how it is to look.
        areas: where distractors may lie; without any there are none.
    """
    generator = np.random.default_rng(np.random.SeedSequence([variant.seed, 0xA5]))
    _light(scene, variant)
    names = [material.name for material in scene.materials]
    for name, surface, materials in (
        ("background", variant.background, BACKGROUND),
        ("table", variant.table, TABLE),
        ("objects", variant.objects, [each for each in names if each.startswith(OBJECT)]),
    ):
        if surface is not None:
            _cover(scene, f"visual_{name}", surface, materials, generator)
    if variant.robot is not None:
        _paint_robot(scene, variant.robot)
    if areas:
        _scatter(scene, variant.distractors, areas, generator)
    _place_cameras(scene, variant)
    _move_cameras(scene, variant, generator)


def _paint_robot(scene: mujoco.MjSpec, colour: Colour) -> None:
    for material in scene.materials:
        if material.name.startswith(PREFIX):
            material.rgba, material.textures[_RGB] = [*colour, 1.0], ""
    for body in scene.bodies:
        for geom in body.geoms if body.name.startswith(PREFIX) else ():
            if not geom.material and geom.rgba[3] > 0.0:
                geom.rgba = [*colour, 1.0]


def _light(scene: mujoco.MjSpec, variant: Variant) -> None:
    head = scene.visual.headlight
    head.ambient, head.diffuse = np.array(head.ambient) * variant.light, np.array(head.diffuse) * variant.light
    cos, sin = math.cos(variant.light_turn), math.sin(variant.light_turn)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    for light in scene.lights:
        light.diffuse, light.ambient = np.array(light.diffuse) * variant.light, np.array(light.ambient) * variant.light
        light.pos, light.dir = turn @ light.pos, turn @ light.dir


def _cover(
    scene: mujoco.MjSpec, name: str, surface: Surface, materials: Sequence[str], generator: np.random.Generator
) -> None:
    """Give the materials of these names one look."""
    repeat = 1.0 / surface.width if surface.picture else _REPEAT
    if surface.pattern != "plain":
        pixels = _read(surface.picture) if surface.picture else _pixels(surface, generator)
        height, width, _ = pixels.shape
        scene.add_texture(
            name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=width, height=height, nchannel=3,
            data=pixels.ravel().tolist(),
        )  # fmt: skip
    for material in scene.materials:
        if material.name in materials:
            plain = surface.pattern == "plain"
            material.rgba = [*surface.first, 1.0] if plain or surface.picture else [1.0, 1.0, 1.0, 1.0]
            material.textures[_RGB] = "" if plain else name
            material.texuniform, material.texrepeat = True, [repeat, repeat]


def _read(path: str) -> NDArray[np.uint8]:
    """A picture `(H, W, 3)`, shrunk to at most `_LARGEST` pixels a side. Raises InvalidInput if it is none."""
    try:
        with Pillow.open(path) as file:
            picture = file.convert("RGB")
            picture.thumbnail((_LARGEST, _LARGEST))
            return np.asarray(picture)
    except (OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise InvalidInput(f"{path} cannot be read as a picture: {error}") from error


def _pixels(surface: Surface, generator: np.random.Generator) -> NDArray[np.uint8]:
    if surface.pattern == "checker":
        cells = np.indices((2, 2)).sum(axis=0) % 2 == 0
    else:
        cells = generator.uniform(size=(_BLOTCHES, _BLOTCHES)) < 0.5
    fine = np.kron(cells, np.ones((_PIXELS // len(cells),) * 2, dtype=bool))
    colours = np.round(255 * np.array([surface.second, surface.first])).astype(np.uint8)
    return colours[fine.astype(np.intp)]


def _scatter(scene: mujoco.MjSpec, count: int, areas: Sequence[Area], generator: np.random.Generator) -> None:
    shapes = (mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_ELLIPSOID)
    for number in range(count):
        area, size = areas[number % len(areas)], generator.uniform(*_SIZES, size=3)
        shape = shapes[int(generator.integers(len(shapes)))]
        tall = size[1] if shape == mujoco.mjtGeom.mjGEOM_CYLINDER else size[2]
        angle = generator.uniform(0.0, math.pi)
        scene.worldbody.add_geom(
            name=f"distractor_{number}", type=shape, size=size, contype=0, conaffinity=0, group=1, mass=0.0,
            pos=[generator.uniform(*area.x), generator.uniform(*area.y), area.height + tall],
            quat=[math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)],
            rgba=[*generator.uniform(0.1, 0.9, size=3), 1.0],
        )  # fmt: skip


def _place_cameras(scene: mujoco.MjSpec, variant: Variant) -> None:
    for name, pose in variant.cameras:
        camera = scene.camera(name)
        if camera is None:
            raise InvalidInput(f"visual has a pose of camera {name!r}; the scene has {[c.name for c in scene.cameras]}")
        camera.pos, camera.quat, camera.fovy = pose.pos, pose.quat, pose.fovy


def _move_cameras(scene: mujoco.MjSpec, variant: Variant, generator: np.random.Generator) -> None:
    """Those of the world; a robot's own stay where they are screwed to it."""
    if not variant.camera_shift and not variant.camera_turn:
        return
    for camera in scene.cameras:
        where, axis = (vector / np.linalg.norm(vector) for vector in generator.standard_normal((2, 3)))
        if camera.name.startswith(PREFIX) or camera.mode != mujoco.mjtCamLight.mjCAMLIGHT_FIXED:
            continue
        camera.pos = np.array(camera.pos) + variant.camera_shift * where
        half = 0.5 * variant.camera_turn
        turn = np.array([math.cos(half), *(math.sin(half) * axis)])
        camera.quat = quat_multiply(np.array(camera.quat), turn)
