"""From commands to actions, and how a person looks at a scene."""

import numpy as np
import pytest
from numpy.typing import NDArray

from barkyard.teleop.command import Command
from barkyard.teleop.operator import ToolOperator, view_axes


class FalseArm:
    """Says an action of 1 for 10 mm or 0.1 rad in a control period of 0.05 s."""

    control_dt = 0.05

    def tool_action(
        self, move: NDArray[np.float64], turn: NDArray[np.float64], gripper: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        return np.column_stack([move / 0.01, turn / 0.1, gripper]).astype(np.float32)


FACING = view_axes(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
"""Of a camera that looks along the world's -x."""


def test_full_deflection_is_the_full_action() -> None:
    operator = ToolOperator(FalseArm(), np.eye(3))
    np.testing.assert_allclose(operator.full, [0.2, 0.2, 0.2, 2.0, 2.0, 2.0], rtol=1e-6)
    for axis in range(6):
        twist = np.where(np.arange(6) == axis, operator.full, 0.0)
        action = operator.action(Command(tuple(twist)), {})
        np.testing.assert_allclose(action[0, :6], np.arange(6) == axis, atol=1e-6)


def test_away_is_into_the_picture() -> None:
    operator = ToolOperator(FalseArm(), FACING)
    action = operator.action(Command((0.2, 0.1, 0.05, 0.0, 0.0, 2.0)), {})
    np.testing.assert_allclose(action[0], [-1.0, -0.5, 0.25, 0.0, 0.0, 1.0, -1.0], atol=1e-6)


def test_the_gripper_opens_and_closes() -> None:
    operator = ToolOperator(FalseArm(), np.eye(3))
    for gripper in (0.0, 0.25, 1.0):
        action = operator.action(Command(gripper=gripper), {})
        assert action[0, -1] == pytest.approx(2 * gripper - 1)
        assert operator.gripper(action) == pytest.approx(gripper)


@pytest.mark.parametrize("heading", np.linspace(-3.0, 3.0, 7))
def test_a_view_is_a_rotation_to_the_nearest_quarter(heading: float) -> None:
    look = np.array([np.cos(heading), np.sin(heading), -0.3])
    look /= np.linalg.norm(look)
    right = np.array([np.sin(heading), -np.cos(heading), 0.0])
    axes = view_axes(np.column_stack([right, np.cross(right, look), -look]))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert axes[:, 0] @ [np.cos(heading), np.sin(heading), 0.0] >= np.cos(np.pi / 4) - 1e-9


def test_from_above_the_pictures_upper_edge_is_ahead() -> None:
    down = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # looks along -z, its y up in the picture
    np.testing.assert_allclose(view_axes(down)[:, 0], [0.0, 1.0, 0.0], atol=1e-12)
