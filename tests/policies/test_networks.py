import pytest
import torch
from torch import Tensor

from barkyard.errors import InvalidInput
from barkyard.policies.diffusion.config import TransformerConfig, UnetConfig, published_transformer, published_unet
from barkyard.policies.diffusion.network import DenoisingNetwork, SinusoidalEmbedding
from barkyard.policies.diffusion.transformer import ConditionalTransformer
from barkyard.policies.diffusion.unet import ConditionalUnet, ResidualBlock

UNET = UnetConfig(widths=(16, 32), kernel_size=3, groups=8, step_embedding=16)
TRANSFORMER = TransformerConfig(layers=2, heads=2, width=32, attention_dropout=0.0, embedding_dropout=0.0)


def make(kind: str, observation_steps: int = 2) -> DenoisingNetwork:
    torch.manual_seed(0)
    if kind == "unet":
        return ConditionalUnet(UNET, 8, 3, observation_steps, 5)
    return ConditionalTransformer(TRANSFORMER, 8, 3, observation_steps, 5)


def evaluate(network: DenoisingNetwork, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
    out: Tensor = network(actions, network.encode_steps(steps), network.encode_observations(observations))
    return out


def inputs(rows: int = 4, observation_steps: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(rows, 8, 3, generator=generator),
        torch.arange(rows) * 10.0,
        torch.randn(rows, observation_steps, 5, generator=generator),
    )


def parameters(network: DenoisingNetwork) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_sizes() -> None:
    """Counts of the paper's code for 10 observed numbers twice, actions of 7, horizon 16."""
    unet, transformer = published_unet().network, published_transformer().network
    assert isinstance(unet, UnetConfig)
    assert isinstance(transformer, TransformerConfig)
    assert parameters(ConditionalUnet(unet, 16, 7, 2, 10)) == 65_505_543
    assert parameters(ConditionalTransformer(transformer, 16, 7, 2, 10)) == 8_965_127


@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_shape(kind: str) -> None:
    assert evaluate(make(kind), *inputs()).shape == (4, 8, 3)


@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_a_shared_step_is_a_step_for_each_row(kind: str) -> None:
    network = make(kind)
    actions, _, observations = inputs()
    shared = evaluate(network, actions, torch.tensor([7.0]), observations)
    each = evaluate(network, actions, torch.full((4,), 7.0), observations)
    torch.testing.assert_close(shared, each)


@pytest.mark.parametrize("kind", ["unet", "transformer"])
def test_step_and_observations_matter(kind: str) -> None:
    network = make(kind)
    actions, steps, observations = inputs()
    reference = evaluate(network, actions, steps, observations)
    assert not torch.allclose(reference, evaluate(network, actions, steps + 1.0, observations))
    assert not torch.allclose(reference, evaluate(network, actions, steps, observations + 0.1))


def test_film_scales_and_shifts_between_the_convolutions() -> None:
    block = ResidualBlock(8, 8, 3, 8)
    x = torch.randn(2, 8, 4)
    scale, bias = torch.randn(2, 8, 1), torch.randn(2, 8, 1)
    expected = block.second(scale * block.first(x) + bias) + x
    torch.testing.assert_close(block(x, torch.cat((scale, bias), dim=1)), expected)


def test_film_of_two_halves_is_film_of_the_whole() -> None:
    """W [a; b] + c = (W_a a + c) + W_b b."""
    network = make("unet")
    assert isinstance(network, ConditionalUnet)
    _, steps, observations = inputs()
    weight = torch.cat((network.step_film.weight, network.observation_film.weight), dim=1)
    condition = torch.cat((network.step_encoder(steps), observations.flatten(1)), dim=1)
    whole = torch.nn.functional.linear(torch.nn.functional.mish(condition), weight, network.step_film.bias)
    torch.testing.assert_close(network.encode_steps(steps) + network.encode_observations(observations), whole)


def test_sinusoidal_embedding() -> None:
    """Width 4 has the two frequencies 1 and 1/10000."""
    embedded = SinusoidalEmbedding(4)(torch.tensor([0.0, 2.0]))
    expected = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.9092974, 0.0002, -0.4161468, 1.0]])
    torch.testing.assert_close(embedded, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("later", range(1, 8))
def test_an_action_does_not_see_later_actions(later: int) -> None:
    network = make("transformer")
    actions, steps, observations = inputs()
    changed = actions.clone()
    changed[:, later:] += 1.0
    before = evaluate(network, actions, steps, observations)
    after = evaluate(network, changed, steps, observations)
    assert torch.equal(before[:, :later], after[:, :later])
    assert not torch.isclose(before[:, later:], after[:, later:]).all(dim=-1).any()


@pytest.mark.parametrize("observed", range(3))
def test_an_action_sees_observations_up_to_its_own_time(observed: int) -> None:
    """Memory token s = observed + 1 (the step is token 0) is visible to action t where t >= s - 1."""
    network = make("transformer", observation_steps=3)
    actions, steps, observations = inputs(observation_steps=3)
    changed = observations.clone()
    changed[:, observed] += 1.0
    before = evaluate(network, actions, steps, observations)
    after = evaluate(network, actions, steps, changed)
    same = torch.isclose(before, after, rtol=0, atol=0).all(dim=-1).all(dim=0)
    assert same.tolist() == [t < observed for t in range(8)]


@pytest.mark.parametrize(("horizon", "advice"), [(10, "8 or 12"), (2, "4 or 8")])
def test_horizon_that_cannot_be_halved(horizon: int, advice: str) -> None:
    config = UnetConfig(widths=(16, 16, 16), kernel_size=3, groups=8, step_embedding=16)
    with pytest.raises(InvalidInput, match=f"horizon {horizon} must be a multiple of 4.*Take {advice}"):
        ConditionalUnet(config, horizon, 3, 2, 5)


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match="width 20 must be a multiple of groups, 8"):
        ConditionalUnet(UnetConfig((16, 20), 3, 8, 16), 8, 3, 2, 5)
    with pytest.raises(InvalidInput, match="kernel_size 4 must be odd"):
        ConditionalUnet(UnetConfig((16,), 4, 8, 16), 8, 3, 2, 5)
    with pytest.raises(InvalidInput, match="width 30 must be even and a multiple of heads, 4"):
        ConditionalTransformer(TransformerConfig(1, 4, 30, 0.0, 0.0), 8, 3, 2, 5)
