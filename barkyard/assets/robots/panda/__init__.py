"""Franka Emika Panda with its two-finger gripper, from `robosuite.models`."""

import math

import mujoco

from barkyard.assets.robosuite_models import quiet_robosuite, to_spec
from barkyard.assets.robot import Gripper, Robot

HOME = (0.0, math.pi / 16, 0.0, -math.pi / 2 - math.pi / 3, 0.0, math.pi - 0.2, math.pi / 4)
"""robosuite 1.5.2, `Panda.init_qpos` [rad]."""

HOME_NOISE = 0.02
"""robosuite 1.5.2, `Robot.initialization_noise` [rad]."""

IMPEDANCE = ((600.0, 50.0), (600.0, 50.0), (600.0, 50.0), (600.0, 50.0), (250.0, 30.0), (150.0, 25.0), (50.0, 15.0))
"""Stiffness and damping of Franka's example of joint impedance control, as iamlab-cmu/franka-interface has them."""


def panda() -> Robot:
    """The Panda as robosuite mounts it: on a pedestal, 7 torque motors, gripper."""
    return Robot(
        name="panda",
        make_spec=_make_spec,
        joints=tuple(f"joint{i}" for i in range(1, 8)),
        actuators=tuple(f"torq_j{i}" for i in range(1, 8)),
        home=HOME,
        home_noise=HOME_NOISE,
        tcp="gripper_grip_site",
        base="right_center",
        gripper=Gripper(
            joints=("gripper_finger_joint1", "gripper_finger_joint2"),
            actuators=("gripper_gripper_finger_joint1", "gripper_gripper_finger_joint2"),
            closing=(-1.0, 1.0),
            speed=0.2,
            home=(0.020833, -0.020833),
            pads=(("gripper_finger1_pad_collision",), ("gripper_finger2_pad_collision",)),
        ),
        mounts={"table": (-0.56, 0.0, 0.0), "bins": (-0.5, -0.1, 0.0)},
        impedance=IMPEDANCE,
    )


def _make_spec() -> mujoco.MjSpec:
    with quiet_robosuite():
        from robosuite.models.bases import robot_base_factory
        from robosuite.models.grippers import gripper_factory
        from robosuite.models.robots import Panda

    model = Panda(idn=0)
    model.add_base(base=robot_base_factory(model.default_base, idn=0))
    model.update_joints()
    model.update_actuators()
    model.add_gripper(gripper_factory("PandaGripper", idn="0_right"), model.eef_name["right"])
    model.set_base_xpos((0.0, 0.0, 0.0))
    return to_spec(model, {"robot0_": "", "gripper0_right_": "gripper_", "fixed_mount0_": "mount_"})
