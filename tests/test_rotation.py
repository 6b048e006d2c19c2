"""Laws of rotations."""

import mujoco
import numpy as np
import pytest

from barkyard.rotation import quat_about_z, quat_conjugate, quat_multiply, quat_rotate, quat_to_vector, wrap_angle


@pytest.fixture
def quats() -> np.ndarray:
    draw = np.random.default_rng(0).normal(size=(50, 4))
    out: np.ndarray = draw / np.linalg.norm(draw, axis=1, keepdims=True)
    return out


def test_product_and_rotation_agree_with_mujoco(quats: np.ndarray) -> None:
    vectors = np.random.default_rng(1).normal(size=(49, 3))
    for first, second, vector in zip(quats[:-1], quats[1:], vectors, strict=True):
        product, turned = np.zeros(4), np.zeros(3)
        mujoco.mju_mulQuat(product, first, second)
        mujoco.mju_rotVecQuat(turned, vector, first)
        np.testing.assert_allclose(quat_multiply(first, second), product, atol=1e-14)
        np.testing.assert_allclose(quat_rotate(first, vector), turned, atol=1e-14)


def test_conjugate_undoes(quats: np.ndarray) -> None:
    identity = quat_multiply(quats, quat_conjugate(quats))
    np.testing.assert_allclose(identity, np.broadcast_to([1.0, 0, 0, 0], identity.shape), atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.3, -2.0, 3.1])
def test_vector_of_a_turn_about_z(angle: float) -> None:
    np.testing.assert_allclose(quat_to_vector(quat_about_z(angle)), [0, 0, angle], atol=1e-12)
    np.testing.assert_allclose(quat_to_vector(-quat_about_z(angle)), [0, 0, angle], atol=1e-12)


def test_wrapping() -> None:
    np.testing.assert_allclose(wrap_angle(np.array([0.1, 3.5, -3.5])), [0.1, 3.5 - 2 * np.pi, 2 * np.pi - 3.5])
    np.testing.assert_allclose(wrap_angle(np.array([1.0]), np.pi / 2), [1.0 - np.pi / 2])
