"""Surrogates: drawn from a seed, within what they say, and never called real."""

import numpy as np
import pytest

from barkyard.assets.robots import ROBOTS, load_robot, robot_model
from barkyard.assets.surrogate import RANGES, draw_surrogate
from barkyard.errors import InvalidInput

NAMES = [name for name in RANGES if name != "barkour_vb_menagerie"]


def test_every_robot_that_exists_has_ranges() -> None:
    """dm_control's humanoid is no real robot's model; nobody has numbers for the hand yet."""
    assert set(RANGES) == set(ROBOTS) - {"humanoid", "leap_hand", "leap_hand_menagerie"}


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_one_robot_and_within_its_ranges(name: str) -> None:
    one, ranges, robot = draw_surrogate(name, 3), RANGES[name], load_robot(name)
    assert one == draw_surrogate(name, 3) != draw_surrogate(name, 4)
    assert one.truth.source == "surrogate"
    model = robot_model(name)
    for parameter in one.truth.parameters:
        scale = 1.0
        if parameter.quantity in ("frictionloss", "damping"):
            actuator = model.actuator(robot.actuators[robot.joints.index(parameter.element)])
            scale = float(actuator.forcerange[1] or actuator.ctrlrange[1])
        if parameter.quantity == "armature":
            scale = float(model.joint(parameter.element).armature[0])
        field = {"frictionloss": "friction"}.get(parameter.quantity, parameter.quantity)
        low, high = getattr(ranges, field)
        assert low * scale <= parameter.value <= high * scale * (1 + 1e-12), parameter
    for hidden in ("stiction", "stribeck", "play"):
        values, (low, high) = np.array(getattr(one, hidden)), getattr(ranges, hidden)
        assert values.shape == (len(robot.joints),) and (values >= low).all() and (values <= high).all()
    assert 0.0 <= one.jitter <= ranges.jitter[1] < one.delay <= ranges.delay[1]


@pytest.mark.parametrize(
    ("name", "seed", "message"),
    [("go1", 0, "'go1' has no surrogate; those that have: barkour_v0"), ("panda", -1, "surrogate is -1"),
     ("panda", True, "surrogate is True"), ("panda", "real", "surrogate is 'real'")],
)  # fmt: skip
def test_what_is_no_surrogate_is_named(name: str, seed: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        draw_surrogate(name, seed)
