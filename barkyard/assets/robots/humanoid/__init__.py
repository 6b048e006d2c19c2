"""dm_control's humanoid: 21 torque motors, no calibration to anything real."""

import importlib.util
from pathlib import Path

import mujoco

from barkyard.assets.robot import Robot
from barkyard.errors import InvalidInput

INSTALL = "pip install 'barkyard[humanoid]'"
_LEG = ("hip_x", "hip_z", "hip_y", "knee", "ankle_y", "ankle_x")
_ARM = ("shoulder1", "shoulder2", "elbow")
JOINTS = (
    *("abdomen_z", "abdomen_y", "abdomen_x"),
    *(f"{side}_{joint}" for side in ("right", "left") for joint in _LEG),
    *(f"{side}_{joint}" for side in ("right", "left") for joint in _ARM),
)
"""In the model's order, as dm_control observes them; its actuators have another, and the same names."""


def humanoid() -> Robot:
    """The humanoid of dm_control's suite: 41 kg, 21 joints. Raises InvalidInput where dm_control is not installed."""
    humanoid_file()
    return Robot(
        name="humanoid",
        make_spec=_make_spec,
        joints=JOINTS,
        actuators=JOINTS,
        home=(0.0,) * len(JOINTS),
        home_noise=0.0,
        feet=("right_right_foot", "left_right_foot", "right_left_foot", "left_left_foot"),
        home_height=1.3,
    )


def humanoid_file() -> Path:
    """The model in dm_control's wheel, which is read without importing it. Raises InvalidInput where it is not."""
    wheel = importlib.util.find_spec("dm_control")
    if wheel is None or wheel.origin is None:
        raise InvalidInput(f"the humanoid is dm_control's, which is not on this machine; type: {INSTALL}")
    return Path(wheel.origin).parent / "suite" / "humanoid.xml"


def _make_spec() -> mujoco.MjSpec:
    spec = mujoco.MjSpec.from_file(str(humanoid_file()))
    spec.modelname = "humanoid"
    spec.delete(spec.geom("floor"))
    spec.delete(spec.texture("skybox"))
    return spec
