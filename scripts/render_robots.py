"""Draws the pictures of the quadrupeds' README, all at one scale. The one with meshes needs the extra `menagerie`.

Where there is no display: `MUJOCO_GL=osmesa python scripts/render_robots.py`.
"""

from pathlib import Path

import imageio.v3 as imageio
import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets import robots
from barkyard.assets.robots import load_robot

SIZE = (420, 640)
NAMES = ("barkour_vb", "barkour_v0", "barkour_vb_menagerie")
FOLDER = Path(robots.__file__).parent / "barkour"


def picture(name: str) -> NDArray[np.uint8]:
    """The robot at home on a floor, `(*SIZE, 3)`."""
    robot = load_robot(name)
    model = _on_a_floor(robot.make_spec()).compile()
    data = mujoco.MjData(model)
    data.qpos[2] = robot.home_height
    data.qpos[7:] = robot.home
    mujoco.mj_forward(model, data)
    option = mujoco.MjvOption()
    option.geomgroup[0] = 0
    option.sitegroup[:] = 0
    camera = mujoco.MjvCamera()
    camera.lookat[:] = [0.0, 0.0, 0.5 * robot.home_height + 0.03]
    camera.distance, camera.azimuth, camera.elevation = 1.0, 140.0, -18.0
    with mujoco.Renderer(model, *SIZE) as renderer:
        renderer.update_scene(data, camera, option)
        return renderer.render()


def _on_a_floor(spec: mujoco.MjSpec) -> mujoco.MjSpec:
    spec.visual.global_.offheight, spec.visual.global_.offwidth = SIZE
    spec.visual.quality.shadowsize = 4096
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.visual.map.znear = 0.02
    texture = spec.add_texture(name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=64, height=64)
    texture.builtin = mujoco.mjtBuiltin.mjBUILTIN_FLAT
    texture.rgb1 = [0.93, 0.95, 0.97]
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[20, 20, 1],
        group=1,
        rgba=[0.80, 0.83, 0.86, 1],
        contype=0,
        conaffinity=0,
    )
    spec.worldbody.add_light(
        pos=[1.0, -1.0, 3.0],
        dir=[-0.3, 0.35, -1.0],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.55, 0.55, 0.55],
    )
    return spec


if __name__ == "__main__":
    for name in NAMES:
        imageio.imwrite(FOLDER / f"{name}.png", picture(name))
        print(FOLDER / f"{name}.png")
