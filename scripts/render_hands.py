"""Draws the pictures of the LEAP hand's README. The one with meshes needs the extra `menagerie`.

Where there is no display: `MUJOCO_GL=osmesa python scripts/render_hands.py`.
"""

from pathlib import Path

import imageio.v3 as imageio
import matplotlib.pyplot as plt
import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.assets.robots import leap_hand, load_robot
from barkyard.assets.robots.leap_hand.enumeration import load_split
from barkyard.assets.scenes.palm import palm_with_cube

SIZE, SMALL = (440, 520), (220, 260)
FOLDER = Path(leap_hand.__file__).parent


def picture(name: str, size: tuple[int, int], cube: bool) -> NDArray[np.uint8]:
    """The robot at home with its palm up, `(*size, 3)`."""
    robot = load_robot(name)
    spec = palm_with_cube(robot, None)
    spec.visual.global_.offheight, spec.visual.global_.offwidth = size
    spec.visual.headlight.ambient = [0.4, 0.4, 0.4]
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[: len(robot.home)] = robot.home
    if not cube:
        data.joint("cube").qpos[2] = -10.0
    mujoco.mj_forward(model, data)
    option = mujoco.MjvOption()
    option.geomgroup[0] = 0
    camera = mujoco.MjvCamera()
    camera.lookat[:] = [0.0, 0.01, 0.05]
    camera.distance, camera.azimuth, camera.elevation = 0.34, 140.0, -38.0
    with mujoco.Renderer(model, *size) as renderer:
        renderer.update_scene(data, camera, option)
        return renderer.render()


def contact_sheet(path: Path, columns: int = 5) -> None:
    """Hands of the split, a row or more a set."""
    split = load_split()
    sets = {"train": split.train[1:6], "new graph": split.test_graph[:5], "longer links": split.test_length[:5],
            "both": split.test_both[:5]}  # fmt: skip
    figure, axes = plt.subplots(len(sets), columns, figsize=(2.2 * columns, 2.05 * len(sets)), layout="constrained")
    for row, (word, hands) in zip(axes, sets.items(), strict=True):
        for axis, hand in zip(row, hands, strict=True):
            axis.imshow(picture(f"leap_hand:{hand}", SMALL, cube=False))
            axis.set_title(hand, fontsize=6.5)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(word, fontsize=10)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    for name in ("leap_hand", "leap_hand_menagerie"):
        imageio.imwrite(FOLDER / f"{name}.png", picture(name, SIZE, cube=True))
    contact_sheet(FOLDER / "variants.png")
