"""Floor, light and movable boxes for robots that walk."""

import mujoco

from barkyard.assets.calibration import Calibration
from barkyard.assets.robot import PREFIX, Robot
from barkyard.assets.robots.barkour.model import FOOT_FRICTION, GROUND, OBSTACLE
from barkyard.errors import InvalidInput

PHYSICS_DT = 0.004
"""Physics time step [s]."""


def open_ground() -> mujoco.MjSpec:
    """An endless floor.

    Elliptic friction cones with `impratio` 10 keep feet from creeping on slopes. The PGS solver is stable with them at
    4 ms, where Newton's method is not: random actions made it diverge. Six warm-started sweeps put a trotting base
    within 2 mm a second of a hundred.
    """
    scene = mujoco.MjSpec()
    scene.compiler.degree = False
    option = scene.option
    option.timestep = PHYSICS_DT
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 10.0
    option.solver, option.iterations = mujoco.mjtSolver.mjSOL_PGS, 6
    option.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    _add_looks(scene)
    scene.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[50, 50, 1],
        contype=GROUND,
        conaffinity=0,
        material="grass",
        group=1,
    )
    return scene


def add_walker(scene: mujoco.MjSpec, robot: Robot, calibration: Calibration | None) -> None:
    """Attach a robot with a free base, with its calibration, and a camera that follows it.

    Raises:
        InvalidInput: the robot does not walk.
    """
    if not robot.feet:
        raise InvalidInput(f"robot {robot.name!r} has no feet; this task is for robots that walk, such as barkour_vb")
    spec = robot.make_spec()
    spec.option = scene.option
    if calibration is not None:
        calibration.apply(spec)
    scene.attach(spec, prefix=PREFIX, frame=scene.worldbody.add_frame())
    root = scene.body(PREFIX + "torso")
    root.add_camera(
        name="track",
        pos=[-0.9, -1.4, 0.75],
        mode=mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM,
        xyaxes=[0.84, -0.54, 0.0, 0.2, 0.31, 0.93],
    )
    for foot in robot.feet:
        add_contact_sensor(scene, f"contact_{foot}", mujoco.mjtObj.mjOBJ_GEOM, PREFIX + foot)


def add_contact_sensor(scene: mujoco.MjSpec, name: str, kind: mujoco.mjtObj, element: str) -> None:
    """A sensor that counts the contacts of a geom or body with anything."""
    scene.add_sensor(
        name=name,
        type=mujoco.mjtSensor.mjSENS_CONTACT,
        objtype=kind,
        objname=element,
        intprm=[1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1],
    )


COATED_FRICTION = 0.9
"""Least sliding friction of a foot on a non-slip coat: a choice. Without it 31 degrees are the most that feet of
friction 0.6 could stand on."""


def add_movable(
    scene: mujoco.MjSpec, name: str, kind: mujoco.mjtGeom, size: tuple[float, ...], material: str, coated: bool = False
) -> None:
    """An obstacle that stands where the state says (a mocap body), below the floor until it is placed.

    A `coated` one has the feet's contact priority, so the larger of both frictions holds; else the feet's alone does.
    """
    body = scene.worldbody.add_body(name=name, mocap=True, pos=[0, 0, -10])
    geom = body.add_geom(name=name, type=kind, size=size, contype=OBSTACLE, conaffinity=0, group=1, material=material)
    if coated:
        geom.priority, geom.friction = 1, [COATED_FRICTION, *FOOT_FRICTION[1:]]
        geom.solmix = 1e-6


def _add_looks(scene: mujoco.MjSpec) -> None:
    checker, flat = mujoco.mjtBuiltin.mjBUILTIN_CHECKER, mujoco.mjtBuiltin.mjBUILTIN_GRADIENT
    scene.add_texture(
        name="grass",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=checker,
        width=256,
        height=256,
        rgb1=[0.36, 0.52, 0.38],
        rgb2=[0.33, 0.49, 0.35],
    )
    scene.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=flat,
        width=64,
        height=64,
        rgb1=[0.62, 0.75, 0.90],
        rgb2=[0.92, 0.95, 0.98],
    )
    grass = scene.add_material(name="grass", texrepeat=[1, 1], texuniform=True)
    grass.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "grass"
    colours = {"table": (0.25, 0.42, 0.70, 1), "frame": (0.93, 0.78, 0.22, 1), "board": (0.85, 0.25, 0.22, 1),
               "pole": (0.95, 0.95, 0.95, 1), "block": (0.60, 0.58, 0.55, 1)}  # fmt: skip
    for name, rgba in colours.items():
        scene.add_material(name=name, rgba=rgba)
    scene.worldbody.add_light(
        pos=[0, 0, 6], dir=[0.25, 0.35, -1], type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, diffuse=[0.6, 0.6, 0.6]
    )
    scene.visual.headlight.ambient = [0.42, 0.42, 0.42]
    scene.visual.headlight.diffuse = [0.35, 0.35, 0.35]
