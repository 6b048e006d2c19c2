"""Named ways for a scene to look.

The axes are those of SIMPLER's variant aggregation (Li et al., arXiv 2405.05941): light, background, table,
distractors, camera; the colour of the robot is a sixth. The values are choices. A variant changes pictures alone:
states, rewards and successes are bit for bit those of the scene as it is, and distractors touch nothing.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from barkyard.envs.visual.camera_pose import CameraPose
from barkyard.errors import InvalidInput

T = TypeVar("T")
Colour = tuple[float, float, float]
PATTERNS = ("plain", "checker", "speckle", "picture")
MOST_DISTRACTORS = 12


@dataclass(frozen=True)
class Surface:
    """What a surface is painted with.

    Attributes:
        pattern: `plain`, `checker`, `speckle`: blotches at random, from the variant's seed; or `picture`: a file, such
            as a photograph of the real surface, cropped and rectified.
        first: colour, red, green and blue in [0, 1]; of a picture, the factor of its colours.
        second: the other colour of a pattern.
        picture: the file of a picture.
        width: of the picture on the surface [m]; it repeats.
    """

    pattern: str
    first: Colour = (1.0, 1.0, 1.0)
    second: Colour = (0.0, 0.0, 0.0)
    picture: str = ""
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise InvalidInput(f"a surface's pattern is {self.pattern!r}; valid: {', '.join(PATTERNS)}")
        if (self.pattern == "picture") != bool(self.picture):
            raise InvalidInput(
                f"a surface's picture is {self.picture!r} with pattern {self.pattern!r}; give both or none"
            )
        if isinstance(self.width, bool) or not isinstance(self.width, (int, float)) or not 0.001 <= self.width <= 100.0:
            raise InvalidInput(f"a surface's width is {self.width!r}; give metres from 0.001 to 100")
        for name in ("first", "second"):
            object.__setattr__(self, name, _colour(f"a surface's {name} colour", getattr(self, name)))


@dataclass(frozen=True)
class Variant:
    """One way for a scene to look.

    Attributes:
        name: what it is called in results.
        light: factor of the brightness of all lights.
        light_turn: by how much the light comes from elsewhere, about the vertical [rad].
        background: of floor and walls; None as they are.
        table: of the surfaces that things stand on; None as they are.
        robot: colour of the robot's parts; None as they are.
        objects: of what the task moves; None as it is.
        distractors: how many things lie about that the task is not about.
        camera_shift: by how much the cameras that stand in the world are moved, each in a direction of its own [m].
        camera_turn: by how much they are turned, each about an axis of its own [rad].
        seed: of speckles, distractors and moved cameras.
        cameras: poses of cameras that stand in the world, by name, such as `camera_pose.find_camera` gives.
        photographs: file of the photograph that is seen behind robot and objects, by camera; see `overlay`.
    """

    name: str
    light: float = 1.0
    light_turn: float = 0.0
    background: Surface | None = None
    table: Surface | None = None
    robot: Colour | None = None
    objects: Surface | None = None
    distractors: int = 0
    camera_shift: float = 0.0
    camera_turn: float = 0.0
    seed: int = 0
    cameras: tuple[tuple[str, CameraPose], ...] = ()
    photographs: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("light", 0.0, 5.0),
            ("light_turn", -math.pi, math.pi),
            ("camera_shift", 0.0, 0.5),
            ("camera_turn", 0.0, 0.5),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise InvalidInput(f"visual {name} is {value!r}; give a number from {low:g} to {high:g}")
        for name, most in (("distractors", MOST_DISTRACTORS), ("seed", 2**31 - 1)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= most:
                raise InvalidInput(f"visual {name} is {value!r}; give a whole number from 0 to {most}")
        if self.robot is not None:
            object.__setattr__(self, "robot", _colour("visual robot", self.robot))

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; `as_variant` reads them."""
        values = {**asdict(self), "photographs": dict(self.photographs)}
        values["cameras"] = {name: asdict(pose) for name, pose in self.cameras}
        content: dict[str, Any] = json.loads(json.dumps(values))
        return content


def _colour(name: str, value: Any) -> Colour:
    numbers = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(numbers) != 3 or not all(isinstance(n, (int, float)) and 0.0 <= n <= 1.0 for n in numbers):
        raise InvalidInput(f"{name} is {value!r}; give red, green and blue in [0, 1]")
    return (float(numbers[0]), float(numbers[1]), float(numbers[2]))


_WOOD, _SLATE = (0.62, 0.45, 0.28), (0.22, 0.26, 0.32)
VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("base"),
        Variant("darker", light=0.5),
        Variant("brighter", light=1.6),
        Variant("light_from_behind", light_turn=2.4),
        Variant("plain_background", background=Surface("plain", (0.35, 0.42, 0.5))),
        Variant("busy_background", background=Surface("speckle", (0.75, 0.68, 0.55), (0.3, 0.35, 0.3)), seed=1),
        Variant("dark_table", table=Surface("plain", _SLATE)),
        Variant("busy_table", table=Surface("checker", _WOOD, (0.85, 0.8, 0.7))),
        Variant("orange_robot", robot=(0.9, 0.45, 0.1)),
        Variant("some_distractors", distractors=4, seed=2),
        Variant("many_distractors", distractors=8, seed=3),
        Variant("camera_moved", camera_shift=0.04, camera_turn=0.03, seed=4),
    )
}
"""One value of one axis each, as SIMPLER's; the first is the scene as it is."""


def as_variant(value: "Variant | Mapping[str, Any] | str | None") -> Variant | None:
    """A `Variant` from itself, a name in `VARIANTS`, or its JSON; None for none. Raises InvalidInput."""
    if value is None or isinstance(value, Variant):
        return value
    if isinstance(value, str):
        if value not in VARIANTS:
            raise InvalidInput(f"visual is {value!r}; valid: {', '.join(VARIANTS)}, or an object that describes one")
        return VARIANTS[value]
    if not isinstance(value, Mapping):
        raise InvalidInput(f"visual is {value!r}; valid: {', '.join(VARIANTS)}, or an object that describes one")
    chosen, names = {"name": "custom", **value}, [field.name for field in fields(Variant)]
    for name in chosen:
        if name not in names:
            raise InvalidInput(f"visual has no {name!r}; it has {', '.join(names)}")
    for name in ("background", "table", "objects"):
        if chosen.get(name) is not None:
            chosen[name] = _built(Surface, f"visual {name}", chosen[name])
    poses, photographs = (_named(key, chosen.pop(key, {})) for key in ("cameras", "photographs"))
    cameras = tuple((name, _built(CameraPose, f"visual camera {name}", pose)) for name, pose in poses.items())
    return Variant(**chosen, cameras=cameras, photographs=tuple((k, str(v)) for k, v in photographs.items()))


def _named(key: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"visual {key} is {value!r}; give an object with the cameras' names")
    return value


def _built(kind: type[T], name: str, value: Any) -> T:
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in value.items()})
    except (TypeError, AttributeError) as error:
        words = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        raise InvalidInput(f"{name} is {value!r}; give an object of {words}") from error
