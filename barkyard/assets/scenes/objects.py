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


def cube(half_size: float) -> mujoco.MjSpec:
    """robosuite's red wooden cube: body `main`, collision geom `g0`, visual geom `g0_vis`."""
    with quiet_robosuite():
        from robosuite.models.objects import BoxObject
        from robosuite.utils.mjcf_utils import CustomMaterial

    wood = CustomMaterial(
        texture="WoodRed",
        tex_name="redwood",
        mat_name="redwood_mat",
        tex_attrib={"type": "cube"},
        mat_attrib={"texrepeat": "1 1", "specular": "0.4", "shininess": "0.1"},
    )
    return object_spec(BoxObject(name="cube", size=[half_size] * 3, rgba=[1, 0, 0, 1], material=wood))


def can() -> mujoco.MjSpec:
    """robosuite's soda can: body `main`, collision geom `g0`."""
    with quiet_robosuite():
        from robosuite.models.objects import CanObject

    return object_spec(CanObject(name="Can"))


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
