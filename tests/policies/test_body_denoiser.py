"""The Body Transformer as a denoiser: what an action depends on, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from barkyard.assets.robots.bodies import robot_body
from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.body import BodyDenoiser
from barkyard.policies.diffusion.config import BodyConfig
from barkyard.policies.policy import FeatureSpec

BODY = robot_body("barkour_vb")
WALKER = FeatureSpec({"base_up": (3,), "joint_pos": (12,)}, 12, "test/Walker-v0", 0.02, embodiment=BODY)
SMALL = BodyConfig("hard", layers=1, heads=2, width=16, feed_forward=32)
HORIZON, SEEN = 3, 2


def make(config: BodyConfig = SMALL) -> BodyDenoiser:
    torch.manual_seed(0)
    return BodyDenoiser(config, HORIZON, SEEN, WALKER)


@pytest.mark.parametrize("layers", [1, 2])
def test_an_action_depends_on_limbs_as_far_as_there_are_layers_at_all_times(layers: int) -> None:
    network = make(replace(SMALL, layers=layers))
    memory = network.encode_observations(torch.randn(1, SEEN, 15)).detach()
    step = network.encode_steps(torch.tensor([3.0])).detach()

    def denoise(actions: torch.Tensor) -> torch.Tensor:
        return network(actions, step, memory)

    jacobian = torch.autograd.functional.jacobian(denoise, torch.randn(1, HORIZON, 12))  # type: ignore[no-untyped-call]
    depends = (jacobian[0, :, :, 0] != 0).numpy()
    limbs = BODY.limbs_of("action", 12)
    near = BODY.limb_graph.hop[np.ix_(limbs, limbs)] <= layers
    for out in range(HORIZON):
        for into in range(HORIZON):
            np.testing.assert_array_equal(depends[out, :, into], near)


def test_what_is_computed_once_is_what_would_be_computed_again() -> None:
    """One step for all rows gives each row what it gets alone."""
    network = make(BodyConfig("soft", layers=2, heads=2, width=16, feed_forward=32)).eval()
    actions, seen = torch.randn(4, HORIZON, 12), torch.randn(4, SEEN, 15)
    together = network(actions, network.encode_steps(torch.tensor([7.0])), network.encode_observations(seen))
    assert together.shape == actions.shape
    for i in range(4):
        alone = network(
            actions[i : i + 1], network.encode_steps(torch.tensor([7.0])), network.encode_observations(seen[i : i + 1])
        )
        torch.testing.assert_close(together[i : i + 1], alone)


def test_a_body_is_needed_and_sizes_must_fit() -> None:
    with pytest.raises(InvalidInput, match="embodiment"):
        BodyDenoiser(SMALL, HORIZON, SEEN, replace(WALKER, embodiment=None))
    with pytest.raises(InvalidInput, match="multiple of heads"):
        make(replace(SMALL, width=18, heads=4))
