import numpy as np
import pytest
import torch
from torch import Tensor

from barkyard.datasets import Normalizer, WindowBatch
from barkyard.errors import InvalidInput
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.diffusion.objectives import NoiseSchedule
from barkyard.policies.diffusion.policy import DiffusionPolicy, masked_mean
from barkyard.policies.policy import FeatureSpec, Policy
from tests.policies.synthetic import FEATURES, NORMALIZERS, TINY_UNET, batch, make_tiny


def observe(rows: int, steps: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {key: torch.rand(rows, steps, 2, generator=generator) for key in ("position", "target")}


def noise_for(policy: Policy, rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, *policy.noise_shape, generator=torch.Generator().manual_seed(seed))


def test_padded_actions_do_not_count() -> None:
    """Errors 1, 3 (mean 2) and 5, 7 (mean 6) over two real actions, 100 over a padded one: (2 + 6) / 2 = 4."""
    errors = torch.tensor([[[1.0, 3.0], [5.0, 7.0], [100.0, 100.0]]])
    assert masked_mean(errors, torch.tensor([[True, True, False]])).item() == 4.0
    assert masked_mean(errors, torch.zeros(1, 3, dtype=torch.bool)).item() == 0.0


def test_ddpm_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that predicts 0 has as its loss the mean of the squared noise over what is not padding."""
    policy = make_tiny("unet")
    monkeypatch.setattr(policy.network, "forward", lambda actions, steps, memory: torch.zeros_like(actions))
    windows = batch(4, TINY_UNET)
    noise = torch.randn(4, 8, 2, generator=torch.Generator().manual_seed(5))
    real = torch.from_numpy(~windows.is_pad)
    expected = noise[real].square().mean()
    torch.testing.assert_close(policy.loss(windows, torch.Generator().manual_seed(5)), expected)


def test_mip_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that predicts 0 leaves (a / 0.9)^2 + (a / 0.1)^2 for each normalised action a."""
    policy = make_tiny("unet", objective="mip")
    monkeypatch.setattr(policy.network, "forward", lambda actions, steps, memory: torch.zeros_like(actions))
    windows = WindowBatch(
        batch(1, TINY_UNET).observations, np.full((1, 8, 2), 0.5, dtype=np.float32), np.zeros((1, 8), dtype=bool)
    )
    # The limits are -1..1 and -0.5..1.5, so that 0.5 is 0.5 and 0.
    expected = (0.5**2 / 0.9**2 + 0.5**2 / 0.1**2) / 2
    assert policy.loss(windows, torch.Generator()).item() == pytest.approx(expected, rel=1e-5)


def test_mip_evaluates_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_tiny("transformer", objective="mip")
    seen: list[Tensor] = []

    def forward(actions: Tensor, steps: Tensor, memory: Tensor) -> Tensor:
        seen.append(actions)
        return torch.full_like(actions, 0.25 * len(seen))

    monkeypatch.setattr(policy.network, "forward", forward)
    predicted = policy.predict(observe(3), noise_for(policy, 3))
    assert [np.unique(actions.numpy()).tolist() for actions in seen] == [[0.0], [0.25]]
    torch.testing.assert_close(predicted, torch.tensor([0.5, 1.0]).expand(3, 8, 2))


def test_actions_are_normalised_by_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits -1..1 and -0.5..1.5: what is far outside comes back as the limits."""
    policy = make_tiny("unet", objective="mip")
    for value, limits in ((9.0, [1.0, 1.5]), (-9.0, [-1.0, -0.5])):
        monkeypatch.setattr(policy.network, "forward", lambda a, s, m, value=value: torch.full_like(a, value))
        torch.testing.assert_close(policy.predict(observe(1), noise_for(policy, 1))[0, 0], torch.tensor(limits))


def test_ddim_depends_on_the_noise_alone() -> None:
    policy = make_tiny("unet")
    with torch.no_grad():
        first = policy.predict(observe(2), noise_for(policy, 2))
        torch.manual_seed(99)
        assert torch.equal(first, policy.predict(observe(2), noise_for(policy, 2)))
        assert not torch.equal(first, policy.predict(observe(2), noise_for(policy, 2, seed=1)))


def test_ddim_recovers_actions_from_the_true_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the noise in each sample known, denoising would end at the actions."""
    policy = make_tiny("unet", inference_steps=5)
    assert isinstance(policy, DiffusionPolicy)
    actions = torch.linspace(-0.9, 0.9, 16).reshape(1, 8, 2)

    def forward(sample: Tensor, steps: Tensor, memory: Tensor) -> Tensor:
        kept = NoiseSchedule(TINY_UNET).scheduler.alphas_cumprod[int(steps.flatten()[0])]
        return (sample - kept.sqrt() * actions) / (1 - kept).sqrt()

    monkeypatch.setattr(policy.network, "encode_steps", lambda steps: steps[:, None])
    monkeypatch.setattr(policy.network, "forward", forward)
    predicted = policy.predict(observe(1), noise_for(policy, 1))
    torch.testing.assert_close(policy.action_limits.normalize(predicted), actions, atol=1e-4, rtol=0)


def test_ddpm_is_the_posterior_of_ho_et_al() -> None:
    """Equations 6 and 7 of arXiv 2006.11239, with the predicted sample clipped to [-1, 1], over all 100 steps."""
    policy = make_tiny("unet", sampler="ddpm", inference_steps=100)
    assert isinstance(policy, DiffusionPolicy)
    assert policy.noise_shape == (100, 8, 2)
    noise, observations = noise_for(policy, 2), observe(2)
    kept = NoiseSchedule(TINY_UNET).scheduler.alphas_cumprod.double().tolist()
    with torch.no_grad():
        normalised = policy.observation_limits.normalize(torch.cat(list(observations.values()), dim=-1))
        memory = policy.network.encode_observations(normalised)
        sample = noise[:, 0]
        for i, step in enumerate(range(99, -1, -1)):
            now, before = kept[step], kept[step - 1] if step else 1.0
            predicted = policy.network(sample, policy.network.encode_steps(torch.tensor([float(step)])), memory)
            clean = ((sample - (1 - now) ** 0.5 * predicted) / now**0.5).clamp(-1, 1)
            beta = 1 - now / before
            mean = (before**0.5 * beta * clean + (1 - beta) ** 0.5 * (1 - before) * sample) / (1 - now)
            spread = ((1 - before) / (1 - now) * beta) ** 0.5
            sample = mean + spread * noise[:, i + 1] if step else mean
        expected = policy.action_limits.denormalize(sample)
        torch.testing.assert_close(policy.predict(observations, noise), expected, atol=1e-4, rtol=0)


def test_observations_are_encoded_once_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make_tiny("transformer", inference_steps=10)
    calls = {"encode_observations": 0, "encode_steps": 0}
    for name in calls:
        original = getattr(policy.network, name)

        def counted(argument: Tensor, name: str = name, original: object = original) -> Tensor:
            calls[name] += 1
            return original(argument)  # type: ignore[operator]

        monkeypatch.setattr(policy.network, name, counted)
    policy.predict(observe(2), noise_for(policy, 2))
    assert calls == {"encode_observations": 1, "encode_steps": 1}


def test_images_are_refused() -> None:
    features = FeatureSpec({"image_front": (8, 8, 3)}, 2, "test/Point-v0", 0.05)
    normalizers = {"image_front": Normalizer.fit([[0.0], [1.0]]), "action": NORMALIZERS["action"]}
    with pytest.raises(InvalidInput, match="excludes image_front"):
        make_policy("diffusion-unet", features, normalizers, config=TINY_UNET)


def test_a_part_without_normalizer_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no normalizer for target; given: action, position"):
        make_policy("diffusion-unet", FEATURES, {key: NORMALIZERS[key] for key in ("position", "action")})


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InvalidInput, match=r"horizon 4 must be at least 5: observation_steps \(2\) - 1"):
        make_tiny("unet", horizon=4)
    with pytest.raises(InvalidInput, match="inference_steps 30 must divide diffusion_steps, 100; valid: 1, 2, 4, 5,"):
        make_tiny("unet", inference_steps=30)
    with pytest.raises(InvalidInput, match="sampler 'ddim' does not sample what objective 'flow' learns; valid: euler"):
        make_tiny("unet", objective="flow")
    with pytest.raises(InvalidInput, match="sampler 'heun' does not sample what objective 'ddpm' learns; valid: ddim,"):
        make_tiny("unet", sampler="heun")
    with pytest.raises(InvalidInput, match="inference_steps 0 must be at least 1"):
        make_tiny("unet", objective="flow", sampler="euler", inference_steps=0)
