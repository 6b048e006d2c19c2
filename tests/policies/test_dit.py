"""The diffusion transformer with adaptive layer norm: what it is at the start, and each block against its equations."""

import pytest
import torch
from torch import Tensor, nn

from barkyard.errors import InvalidInput
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.diffusion.config import DitConfig
from barkyard.policies.diffusion.dit import AdaptiveBlock, DiffusionTransformer, modulate
from tests.policies.synthetic import FEATURES, NORMALIZERS

TINY = DitConfig(layers=2, heads=2, width=16)
HORIZON, ACTIONS, SEEN, OBSERVED = 6, 3, 2, 5


def make(seed: int = 0) -> DiffusionTransformer:
    torch.manual_seed(seed)
    return DiffusionTransformer(TINY, HORIZON, ACTIONS, SEEN, OBSERVED)


def trained() -> DiffusionTransformer:
    """With weights other than the first."""
    network = make()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def evaluate(network: DiffusionTransformer, actions: Tensor, steps: Tensor, seen: Tensor) -> Tensor:
    out: Tensor = network(actions, network.encode_steps(steps), network.encode_observations(seen))
    return out


def test_at_the_start_the_answer_is_zero_and_every_block_is_the_identity() -> None:
    network = make()
    seen = torch.randn(4, SEEN, OBSERVED)
    assert evaluate(network, torch.randn(4, HORIZON, ACTIONS), torch.tensor([7.0]), seen).abs().max() == 0
    condition = nn.functional.silu(network.encode_steps(torch.tensor([7.0])) + network.encode_observations(seen))
    every = network.modulation(condition)[:, None].split(network.modulation_sizes, dim=-1)
    x = torch.randn(4, HORIZON, TINY.width)
    for block, modulation in zip(network.blocks, every[:-1], strict=True):
        assert torch.equal(block(x, modulation), x)


def test_the_first_gradient_opens_the_head_and_then_the_gates() -> None:
    """Only the head moves at first; with its weights the gates do."""
    network = make()
    actions, seen = torch.randn(4, HORIZON, ACTIONS), torch.randn(4, SEEN, OBSERVED)
    for moved in (["head.weight", "head.bias"], ["modulation.weight", "head.weight"]):
        network.zero_grad()
        (evaluate(network, actions, torch.tensor([7.0]), seen) - 1).square().sum().backward()  # type: ignore[no-untyped-call]
        gradients = {name: weights.grad for name, weights in network.named_parameters()}
        at_work = {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().max() > 0}
        assert set(moved) <= at_work
        assert ("modulation.weight" in at_work) == ("modulation.weight" in moved)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.01 * parameter.grad)


def test_a_block_is_its_equations() -> None:
    """Figure 3 of the paper, written out with PyTorch's own attention."""
    torch.manual_seed(0)
    block, reference = AdaptiveBlock(16, 2), nn.MultiheadAttention(16, 2, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": block.projection.weight,
            "in_proj_bias": block.projection.bias,
            "out_proj.weight": block.out.weight,
            "out_proj.bias": block.out.bias,
        }
    )
    x, modulation = torch.randn(3, 5, 16), torch.randn(3, 1, 96)
    shift, scale, gate, forward_shift, forward_scale, forward_gate = (
        modulation[..., 16 * i : 16 * i + 16] for i in range(6)
    )
    normed = nn.functional.layer_norm(x, (16,), eps=1e-6) * (1 + scale) + shift
    middle = x + gate * reference(normed, normed, normed)[0]
    normed = nn.functional.layer_norm(middle, (16,), eps=1e-6) * (1 + forward_scale) + forward_shift
    torch.testing.assert_close(block(x, modulation), middle + forward_gate * block.feed_forward(normed))


def test_modulation_by_hand() -> None:
    """2 (1 + 0.5) + 3 = 6."""
    assert modulate(torch.tensor(2.0), torch.tensor(3.0), torch.tensor(0.5)).item() == 6.0


def test_every_action_sees_every_other() -> None:
    network = trained()
    step, seen = network.encode_steps(torch.tensor([3.0])), network.encode_observations(torch.randn(1, SEEN, OBSERVED))

    def denoise(actions: Tensor) -> Tensor:
        return network(actions, step, seen)

    jacobian = torch.autograd.functional.jacobian(denoise, torch.randn(1, HORIZON, ACTIONS))  # type: ignore[no-untyped-call]
    assert (jacobian != 0).all()


def test_a_shared_step_is_a_step_for_each_row() -> None:
    network, actions, seen = trained(), torch.randn(4, HORIZON, ACTIONS), torch.randn(4, SEEN, OBSERVED)
    shared = evaluate(network, actions, torch.tensor([7.0]), seen)
    torch.testing.assert_close(shared, evaluate(network, actions, torch.full((4,), 7.0), seen))
    assert not torch.allclose(shared, evaluate(network, actions, torch.tensor([8.0]), seen))
    assert not torch.allclose(shared, evaluate(network, actions, torch.tensor([7.0]), seen + 0.1))


def test_about_as_large_as_the_other_transformer() -> None:
    """Within 10 %, as registered."""
    sizes = [
        sum(weights.numel() for weights in make_policy(name, FEATURES, NORMALIZERS).parameters())
        for name in ("diffusion-dit", "diffusion-transformer")
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match="width 30 must be even and a multiple of heads, 4"):
        DiffusionTransformer(DitConfig(1, 4, 30), HORIZON, ACTIONS, SEEN, OBSERVED)
