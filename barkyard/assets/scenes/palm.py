"""A hand with its palm up, and a cube in it."""

import math

import mujoco

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import PREFIX, Robot
from barkyard.assets.robots.leap_hand.model import HELD
from barkyard.errors import InvalidInput

PHYSICS_DT = 1 / 120
"""Physics time step [s]: GET-Zero's."""
TILT = math.radians(20.0)
"""By how much the fingers point down: MuJoCo Playground's."""
EDGE = 0.07
"""Of the cube [m], and its mass [kg]: MuJoCo Playground's."""
MASS = 0.108
PLACE = (-0.045, 0.030, 0.080)
"""Of the cube's centre at the start, in the palm's frame [m]: a centimetre above its top."""


def palm_with_cube(robot: Robot, calibration: Calibration | None) -> mujoco.MjSpec:
    """The scene.

    Cones are pyramidal and the solver stops after ten iterations: with elliptic cones and `impratio` 10 the resting
    cube was thrown.

    Raises:
        InvalidInput: the robot has no palm.
    """
    scene = mujoco.MjSpec()
    scene.compiler.degree = False
    scene.option.timestep, scene.option.iterations = PHYSICS_DT, 10
    scene.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec = robot.make_spec()
    if spec.body("palm") is None:
        raise InvalidInput(f"robot {robot.name!r} has no palm; this task is for hands, such as leap_hand")
    spec.option = scene.option
    if calibration is not None:
        calibration.apply(spec)
    tilt = [math.cos(TILT / 2), 0.0, math.sin(TILT / 2), 0.0]
    frame = scene.worldbody.add_frame(quat=tilt)
    scene.attach(spec, prefix=PREFIX, frame=frame)
    cube = scene.worldbody.add_body(name="cube", pos=PLACE)
    cube.simple = mujoco.mjtLimited.mjLIMITED_FALSE
    cube.add_freejoint(name="cube")
    cube.add_geom(
        name="cube", type=mujoco.mjtGeom.mjGEOM_BOX, size=[EDGE / 2] * 3, mass=MASS, contype=HELD, conaffinity=0,
        condim=4, friction=[0.8, 0.01, 0.0002], priority=1, material="cube", group=1,
    )  # fmt: skip
    _add_looks(scene)
    return scene


def _add_looks(scene: mujoco.MjSpec) -> None:
    scene.add_texture(
        name="cube", type=mujoco.mjtTexture.mjTEXTURE_CUBE, builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE, width=64, height=64, rgb1=[0.95, 0.62, 0.12], rgb2=[0.25, 0.55, 0.85],
        markrgb=[0.1, 0.1, 0.1],
    )  # fmt: skip
    cube = scene.add_material(name="cube")
    cube.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "cube"
    scene.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        width=64, height=64, rgb1=[0.93, 0.95, 0.97], rgb2=[0.80, 0.84, 0.88],
    )  # fmt: skip
    scene.worldbody.add_light(
        pos=[0.2, -0.3, 1.0], dir=[-0.2, 0.3, -1.0], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.5, 0.5, 0.5],
    )  # fmt: skip
    scene.worldbody.add_camera(
        name="front", pos=[0.19, -0.12, 0.33], xyaxes=[0.6, 0.8, 0.0, -0.57, 0.43, 0.7], fovy=45.0
    )
