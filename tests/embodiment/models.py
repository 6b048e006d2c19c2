"""Models to read bodies from: small ones written out, and those of other libraries."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mujoco
import pytest

from barkyard.assets.robosuite_models import quiet_robosuite, to_spec

TWO_ARMS = """
<mujoco><worldbody>
  <geom type="plane" size="1 1 1"/>
  <body name="left" pos="0 1 0"><body name="left_arm"><joint name="left"/><geom size=".1"/></body></body>
  <body name="right" pos="0 -1 0"><body name="right_arm"><joint name="right"/><geom size=".1"/></body></body>
  <body name="ball"><freejoint/><geom size=".1"/></body>
</worldbody><actuator><motor joint="left"/><motor joint="right"/></actuator></mujoco>
"""


@contextmanager
def without_display() -> Iterator[None]:
    """dm_control looks for a display when it is imported; here it does not."""
    before = os.environ.get("MUJOCO_GL")
    os.environ["MUJOCO_GL"] = "disabled"
    try:
        yield
    finally:
        os.environ.pop("MUJOCO_GL")
        if before is not None:
            os.environ["MUJOCO_GL"] = before


def of_dm_control(domain: str, task: str) -> mujoco.MjModel:
    """The model of a task of dm_control's suite; skips where that is not installed."""
    pytest.importorskip("dm_control", reason="the extra `humanoid` is not installed")
    with without_display():
        from dm_control import suite

        return suite.load(domain, task).physics.model.ptr


def of_robosuite(robot: str, gripper: str) -> mujoco.MjModel:
    """A robosuite arm with a gripper."""
    with quiet_robosuite():
        from robosuite.models import robots
        from robosuite.models.grippers import gripper_factory
    kind: Callable[..., Any] = getattr(robots, robot)
    model = kind(idn=0)
    model.add_gripper(gripper_factory(gripper, idn="0_right"), model.eef_name["right"])
    return to_spec(model).compile()


def leg(name: str, joints: str, *inner: str) -> str:
    """A body with joints named by the letters of `joints`, and bodies inside."""
    hinges = "".join(f'<joint name="{name}_{letter}" axis="0 1 0" range="-1 1"/>' for letter in joints)
    return f'<body name="{name}" pos=".1 0 -.2">{hinges}<geom size=".02" pos="0 0 -.1"/>{"".join(inner)}</body>'


def compiled(bodies: str, actuators: str = "", tendons: str = "", root_joint: str = "<freejoint name='root'/>") -> Any:
    """A model of a torso with `bodies`."""
    return mujoco.MjModel.from_xml_string(
        f"""<mujoco><compiler autolimits="true" angle="radian"/><worldbody><body name="torso">{root_joint}
        <geom size=".1"/>{bodies}</body></worldbody><tendon>{tendons}</tendon>
        <actuator>{actuators}</actuator></mujoco>"""
    )


def motors(*joints: str) -> str:
    """One motor a joint."""
    return "".join(f'<motor name="{joint}" joint="{joint}"/>' for joint in joints)
