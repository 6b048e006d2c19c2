"""Draws the pictures of docs/visual.md: every variant of a task, and a simulation laid over a picture of another scene.

`python scripts/render_variants.py`. There is no photograph of a real scene here: a picture of the simulated scene with
another table, background and light, from a camera of its own, stands in for it.
"""

import copy
import tempfile
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from barkyard.envs.registry import make_vec_env
from barkyard.envs.visual import VARIANTS, Surface, Variant
from barkyard.envs.visual.camera_pose import find_camera
from barkyard.envs.visual.overlay import foreground_geoms

SIZE = 200
COLUMNS = 4
DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"
Picture = NDArray[np.uint8]


def picture(task: str, camera: str, steps: int = 12, **kwargs: Any) -> Picture:
    """`(SIZE, SIZE, 3)` after some steps of one and the same movement."""
    env = make_vec_env(f"barkyard/{task}-v0", 1, cameras=(camera,), camera_size=(SIZE, SIZE), **kwargs)
    observations, _ = env.reset(seed=0)
    action = np.zeros((1, 7), np.float32)
    action[0, :3] = 0.4, 0.1, -0.5
    for _ in range(steps):
        observations, *_ = env.step(action)
    env.close()
    return np.asarray(observations[f"image_{camera}"][0])


def labelled(image: Picture, words: str) -> Picture:
    """With words in its corner."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, 7 * len(words) + 6, 15), fill=(255, 255, 255))
    draw.text((4, 2), words, fill=(0, 0, 0))
    return np.asarray(canvas)


def sheet(images: list[Picture]) -> Picture:
    """In rows of `COLUMNS`."""
    rows = [np.concatenate(images[i : i + COLUMNS], axis=1) for i in range(0, len(images), COLUMNS)]
    return np.concatenate(rows, axis=0)


def matching() -> list[Picture]:
    """The scene that stands for the real one, its retouched picture, the overlay, and the plain simulation."""
    shed = Variant(
        "real", light=0.7, light_turn=1.0, background=Surface("speckle", (0.45, 0.4, 0.33), (0.55, 0.5, 0.43)),
        table=Surface("checker", (0.5, 0.36, 0.22), (0.56, 0.41, 0.26)), camera_shift=0.1, camera_turn=0.05, seed=7,
    )  # fmt: skip
    real = make_vec_env("barkyard/Lift-v0", 1, visual=shed)
    model = real.simulation.model
    points = np.array([[x, y, 0.8 + z] for x in (-0.2, 0.25) for y in (-0.25, 0.2) for z in (0.0, 0.1)])
    pose = find_camera(points, _project(model, "agentview", points), (SIZE, SIZE))
    print(
        f"the camera's pose explains {len(points)} points with {pose.error:.1e} pixels; field of view {pose.fovy:.2f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.png"
        imageio.imwrite(empty, _without_what_moves(model, "agentview"))
        matched = Variant("matched", cameras=(("agentview", pose),), photographs=(("agentview", str(empty)),))
        return [
            labelled(picture("Lift", "agentview", visual=shed), "stands for the real one"),
            labelled(np.asarray(imageio.imread(empty)), "its empty scene"),
            labelled(picture("Lift", "agentview", visual=matched), "simulation laid over it"),
            labelled(picture("Lift", "agentview"), "simulation as it is"),
        ]


def _project(model: mujoco.MjModel, camera: str, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns and rows of points of the world in a camera's picture."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    number = model.camera(camera).id
    local = (points - data.cam_xpos[number]) @ data.cam_xmat[number].reshape(3, 3)
    focal = 0.5 * SIZE / np.tan(0.5 * np.deg2rad(model.cam_fovy[number]))
    return SIZE / 2 + focal * local[:, :2] / -local[:, 2:] * [1.0, -1.0]


def _without_what_moves(model: mujoco.MjModel, camera: str) -> Picture:
    """A picture of the scene without robot and objects."""
    empty = copy.deepcopy(model)
    empty.geom_rgba[foreground_geoms(empty), 3] = 0.0
    empty.geom_matid[foreground_geoms(empty)] = -1
    data, option = mujoco.MjData(empty), mujoco.MjvOption()
    mujoco.mj_forward(empty, data)
    option.geomgroup[0], option.sitegroup[:] = 0, 0
    with mujoco.Renderer(empty, SIZE, SIZE) as renderer:
        renderer.update_scene(data, camera, option)
        for flag in ("SHADOW", "REFLECTION", "SKYBOX", "HAZE"):
            renderer.scene.flags[int(getattr(mujoco.mjtRndFlag, f"mjRND_{flag}"))] = 0
        return np.asarray(renderer.render())


def main() -> None:
    """Draw."""
    for task in ("Lift", "PickPlaceCan"):
        images = [labelled(picture(task, "frontview", visual=name), name) for name in VARIANTS]
        imageio.imwrite(DOCS / f"variants_{task.lower()}.png", sheet(images))
    imageio.imwrite(DOCS / "visual_matching.png", sheet(matching()))


if __name__ == "__main__":
    main()
