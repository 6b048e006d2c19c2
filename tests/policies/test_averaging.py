from typing import Any

import pytest
import torch

from barkyard.policies.averaging import average_of, decay
from tests.policies.synthetic import make_tiny


@pytest.mark.parametrize(
    ("updates", "expected"), [(0, 0.0), (1, 1 - 2**-0.75), (15, 1 - 1 / 8), (9999, 0.999), (10**9, 0.9999)]
)
def test_decay(updates: int, expected: float) -> None:
    assert decay(updates) == pytest.approx(expected, abs=1e-12)


def test_average_by_hand() -> None:
    """Weights 1, then 2, then 4: the average is 1, then 1 + 2^-0.75, then that moved by 3^-0.75 towards 4."""
    policy = make_tiny("unet")
    averaged = average_of(policy)
    network: Any = policy.network
    weight = network.get_parameter("step_film.bias")
    for value in (1.0, 2.0, 4.0):
        torch.nn.init.constant_(weight, value)
        averaged.update_parameters(policy)
    second = 1.0 + 2**-0.75
    expected = second + 3**-0.75 * (4.0 - second)
    average = averaged.module.get_parameter("network.step_film.bias")
    torch.testing.assert_close(average, torch.full_like(average, expected))
