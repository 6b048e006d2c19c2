"""Things to handle, from `robosuite.models.objects`."""

from dataclasses import dataclass

import mujoco
import numpy as np

from barkyard.assets.robosuite_models import object_spec, quiet_robosuite


@dataclass(frozen=True)
class Footprint:
    """How much room an object takes when it is placed: radius in the plane, lowest and highest point [m]."""

    radius: float
    bottom: float
    top: float


_WOODS = {"red": (1, 0, 0, 1), "green": (0, 1, 0, 1)}


def cube(half_size: float, colour: str = "red") -> mujoco.MjSpec:
    """robosuite's wooden cube, `red` or `green`: body `main`, collision geom `g0`, visual geom `g0_vis`."""
    with quiet_robosuite():
        from robosuite.models.objects import BoxObject
        from robosuite.utils.mjcf_utils import CustomMaterial

    wood = CustomMaterial(
        texture=f"Wood{colour.capitalize()}",
        tex_name=f"{colour}wood",
        mat_name=f"{colour}wood_mat",
        tex_attrib={"type": "cube"},
        mat_attrib={"texrepeat": "1 1", "specular": "0.4", "shininess": "0.1"},
    )
    return object_spec(BoxObject(name="cube", size=[half_size] * 3, rgba=_WOODS[colour], material=wood))


def can() -> mujoco.MjSpec:
    """robosuite's soda can: body `main`, collision geom `g0`."""
    with quiet_robosuite():
        from robosuite.models.objects import CanObject

    return object_spec(CanObject(name="Can"))


def square_nut() -> mujoco.MjSpec:
    """robosuite's square nut: body `main`, site `handle_site` on the handle, along x from the centre."""
    with quiet_robosuite():
        from robosuite.models.objects import SquareNutObject

    return object_spec(SquareNutObject(name="SquareNut"))


def door() -> mujoco.MjSpec:
    """robosuite's door with a latch: bodies `main` (no joint), `door`, `latch`; joints `hinge`, `latch_joint`.

    The site `handle` is on the handle's free end.
    """
    with quiet_robosuite():
        from robosuite.models.objects import DoorObject

    return object_spec(DoorObject(name="Door", friction=0.0, damping=0.1, lock=True))


def pick_place_footprints() -> dict[str, Footprint]:
    """Footprints of the four things robosuite places in the source bin, in the order in which it places them."""
    with quiet_robosuite():
        from robosuite.models.objects import BreadObject, CanObject, CerealObject, MilkObject

    found = {}
    for name, kind in (("Milk", MilkObject), ("Bread", BreadObject), ("Cereal", CerealObject), ("Can", CanObject)):
        thing = kind(name=name)
        found[name] = Footprint(
            radius=float(np.asarray(thing.horizontal_radius)),
            bottom=float(thing.bottom_offset[-1]),
            top=float(thing.top_offset[-1]),
        )
    return found
