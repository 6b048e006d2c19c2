"""The graph of a robot's body, drawn over a picture of the robot."""

from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from barkyard.assets.robot import PREFIX
from barkyard.assets.robots import load_robot
from barkyard.assets.robots.bodies import robot_body
from barkyard.embodiment import Embodiment

Array = NDArray[np.float64]

SIZE = (720, 1080)
FIELD_OF_VIEW = 35.0
VIEW = (0.75, -0.6, 0.35)
"""Where the camera stands, seen from the robot."""


def draw_body(robot: str, path: Path) -> None:
    """Write the picture of a robot at home, each limb a dot at its middle, joined to its parent's.

    Args:
        robot: a name from `assets.robots.ROBOTS`.
        path: the picture; its ending names the format.

    Raises:
        InvalidInput: the robot is unknown.
        RenderingError: no OpenGL backend works.
    """
    body, spec = robot_body(robot), _scene(robot)
    model = spec.compile()
    qpos, data = _home(robot, model), mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    points = _middles(body, data)
    center, rotation, distance = _viewpoint(np.concatenate([points, data.xpos[1:]]))
    turn = np.zeros(4)
    mujoco.mju_mat2Quat(turn, rotation.T.ravel())
    spec.worldbody.add_camera(name="view", pos=center + distance * rotation[2], quat=turn, fovy=FIELD_OF_VIEW)
    image = _render(spec.compile(), qpos)
    seen = (points - center - distance * rotation[2]) @ rotation.T
    focal = 0.5 * SIZE[0] / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    pixels = np.array([SIZE[1], SIZE[0]]) / 2 + focal * seen[:, :2] * [1, -1] / -seen[:, 2:]
    _plot(robot, body, image, pixels, path)


def _scene(robot: str) -> mujoco.MjSpec:
    scene = mujoco.MjSpec()
    scene.visual.headlight.ambient, scene.visual.headlight.diffuse = [0.55] * 3, [0.5] * 3
    scene.visual.map.znear = 0.01
    scene.attach(load_robot(robot).make_spec(), prefix=PREFIX, frame=scene.worldbody.add_frame())
    return scene


def _home(robot: str, model: mujoco.MjModel) -> Array:
    qpos: Array = model.qpos0.copy()
    facts = load_robot(robot)
    gripper = facts.gripper
    joints, home = facts.joints + (gripper.joints if gripper else ()), facts.home + (gripper.home if gripper else ())
    for name, value in zip(joints, home, strict=True):
        qpos[model.joint(PREFIX + name).qposadr[0]] = value
    return qpos


def _middles(body: Embodiment, data: mujoco.MjData) -> Array:
    """`(L, 3)` the middle of each limb, from its first joint to its tip, in the world frame [m]."""
    frames = [data.body(PREFIX + limb.name) for limb in body.limbs]
    tips = np.array([f.xpos + f.xmat.reshape(3, 3) @ limb.tip for f, limb in zip(frames, body.limbs, strict=True)])
    starts = np.array([frame.xpos for frame in frames])
    for joint in reversed(body.joints):
        starts[joint.limb] = data.joint(PREFIX + joint.name).xanchor
    middles: Array = (starts + tips) / 2
    middles[0] = frames[0].xpos
    return middles


def _viewpoint(points: Array) -> tuple[Array, Array, float]:
    """What the camera looks at [m], its axes as rows (right, up, back), and its distance [m]."""
    low, high = points.min(axis=0), points.max(axis=0)
    back = np.array(VIEW) / np.linalg.norm(VIEW)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    distance = 0.6 * float(np.linalg.norm(high - low)) / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    return (low + high) / 2, np.stack([right, np.cross(back, right), back]), distance


def _render(model: mujoco.MjModel, qpos: Array) -> NDArray[np.uint8]:
    from barkyard.envs.rendering import Cameras

    batch = Batch(model, 1, 1)
    batch.bind("qpos")[:] = qpos
    cameras = Cameras(batch, *SIZE)
    try:
        return cameras.render("view", np.arange(1))[0]
    finally:
        cameras.close()


def _plot(robot: str, body: Embodiment, image: NDArray[np.uint8], pixels: Array, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[1] / 100, SIZE[0] / 100), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    empty = (image == 0).all(axis=-1, keepdims=True)
    axes.imshow(np.where(empty, 1.0, 0.6 * (image / 255.0) + 0.4))
    axes.axis("off")
    for limb, end in zip(body.limbs, pixels, strict=True):
        if limb.parent >= 0:
            start = pixels[limb.parent]
            axes.plot([start[0], end[0]], [start[1], end[1]], color="black", linewidth=2, zorder=2)
    hops = body.limb_graph.hop[0]
    axes.scatter(
        pixels[:, 0], pixels[:, 1], c=hops, cmap="viridis", s=170, edgecolors="white", linewidths=1.5, zorder=3
    )
    for number, (limb, at) in enumerate(zip(body.limbs, pixels, strict=True)):
        axes.text(at[0], at[1], str(number), color="white", fontsize=8, ha="center", va="center", zorder=4)
        axes.text(20, 60 + 20 * number, f"{number:2d} {limb.name}", fontsize=9, family="monospace")
    counts = f"{len(body.limbs)} limbs, {len(body.joints)} joints, {len(body.actuators)} actuators"
    axes.text(20, 30, f"{robot}: {counts}, diameter {body.limb_graph.hop.max()}", fontsize=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
