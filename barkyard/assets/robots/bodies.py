"""The bodies of our robots."""

from functools import lru_cache

from barkyard.assets.robot import Robot
from barkyard.assets.robots import load_robot
from barkyard.embodiment import Embodiment


@lru_cache
def robot_body(name: str) -> Embodiment:
    """The embodiment of the robot called `name`, from its own model.

    Its signals are `joint` and `action`, one element for each of the robot's joints without the gripper's; `gripper`,
    one for each finger; and `gripper_target`, one for all. Raises InvalidInput for an unknown robot.
    """
    robot = load_robot(name)
    body = Embodiment.from_model(robot.make_spec().compile())
    limbs = {joint.name: joint.limb for joint in body.joints}
    arms, fingers = ([limbs[joint] for joint in joints] for joints in (robot.joints, _fingers(robot)))
    gripper = {"gripper": fingers, "gripper_target": fingers[:1]} if fingers else {}
    return body.with_signals({"joint": arms, "action": arms, **gripper})


def _fingers(robot: Robot) -> tuple[str, ...]:
    return robot.gripper.joints if robot.gripper else ()
