"""Losses and samplers against distributions whose answers are known, and against diffusers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from barkyard.policies.diffusion.network import DenoisingNetwork
from barkyard.policies.diffusion.objectives import (
    Denoiser,
    FlowMatching,
    Known,
    NoiseSchedule,
    guidance_weight,
    make_objective,
)
from tests.policies.synthetic import TINY_UNET, make_tiny

FLOW = replace(TINY_UNET, objective="flow", sampler="euler", inference_steps=2)
SHAPE = (3, 8, 2)


class Given(DenoisingNetwork):
    """Answers by a function of the sample and the time, 0 to 1."""

    def __init__(self, answer: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[float] = []

    def encode_observations(self, observations: Tensor) -> Tensor:
        return observations

    def encode_steps(self, steps: Tensor) -> Tensor:
        return steps[:, None, None]

    def forward(self, actions: Tensor, steps: Tensor, observations: Tensor) -> Tensor:
        self.asked.append(float(steps.flatten()[0]))
        return self.answer(actions, steps / TINY_UNET.diffusion_steps)


def denoiser(answer: Callable[[Tensor, Tensor], Tensor]) -> Denoiser:
    return Denoiser(Given(answer), torch.zeros(SHAPE[0], 1))


def gaussian(mean: float, spread: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The velocity of the linear path from standard noise to normal actions: E[actions - noise | place].

    With place = t a + (1 - t) z, its variance is t^2 s^2 + (1 - t)^2 and its covariance with a - z is t s^2 - (1 - t).
    """

    def velocity(place: Tensor, time: Tensor) -> Tensor:
        slope = (time * spread**2 - (1 - time)) / ((time * spread) ** 2 + (1 - time) ** 2)
        return mean + slope * (place - time * mean)

    return velocity


def noise(count: int = 1, seed: int = 0) -> Tensor:
    return torch.randn(SHAPE[0], count, *SHAPE[1:], generator=torch.Generator().manual_seed(seed))


def test_two_euler_steps_by_hand() -> None:
    """From z: half of the way at mean - z leads to (mean + z) / 2; there the slope is 2 (s^2 - 1) / (s^2 + 1), and the
    other half leads to mean + s^2 / (s^2 + 1) z."""
    mean, spread = 0.4, 0.5
    sampled = FlowMatching(FLOW).sample(denoiser(gaussian(mean, spread)), noise())
    torch.testing.assert_close(sampled, mean + spread**2 / (spread**2 + 1) * noise()[:, 0])


def test_one_heun_step_by_hand() -> None:
    """Euler leads from z to mean, where the slope is mean; so the step ends at z + (mean - z + mean) / 2."""
    objective = FlowMatching(replace(FLOW, sampler="heun", inference_steps=1))
    sampled = objective.sample(denoiser(gaussian(0.4, 0.5)), noise())
    torch.testing.assert_close(sampled, 0.4 + noise()[:, 0] / 2)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("heun", 2)])
def test_order_of_the_error(sampler: str, order: int) -> None:
    """The exact flow leads from z to mean + s z; twice the steps leave a half of the error, or a quarter."""
    mean, spread = 0.4, 0.5
    exact = mean + spread * noise()[:, 0]
    errors = []
    for steps in (32, 64):
        objective = FlowMatching(replace(FLOW, sampler=sampler, inference_steps=steps))  # type: ignore[arg-type]
        errors.append((objective.sample(denoiser(gaussian(mean, spread)), noise()) - exact).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.1)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_single_possible_action_is_met_exactly_in_any_number_of_steps(steps: int) -> None:
    objective = FlowMatching(replace(FLOW, inference_steps=steps))
    sampled = objective.sample(denoiser(lambda place, time: (0.3 - place) / (1 - time)), noise())
    torch.testing.assert_close(sampled, torch.full(SHAPE, 0.3))


@pytest.mark.parametrize(("sampler", "asked"), [("euler", [0, 25, 50, 75]), ("heun", [0, 25, 25, 50, 50, 75, 75, 100])])
def test_times_of_evaluation(sampler: str, asked: list[float]) -> None:
    """Times of 0 to 1 are told to the network as 0 to diffusion_steps, 100."""
    network = Given(lambda place, time: torch.zeros_like(place))
    objective = FlowMatching(replace(FLOW, sampler=sampler, inference_steps=4))  # type: ignore[arg-type]
    objective.sample(Denoiser(network, torch.zeros(3, 1)), noise())
    assert network.asked == pytest.approx(asked)


def test_the_velocity_of_the_path_has_no_error() -> None:
    """At any time (place - t a) / (1 - t) is the noise; whoever knows the actions knows the velocity."""
    actions = torch.linspace(-0.9, 0.9, 48).reshape(SHAPE)
    drawn = noise()[:, 0]

    def knows(place: Tensor, time: Tensor) -> Tensor:
        return actions - (place - time * actions) / (1 - time)

    errors = FlowMatching(FLOW).errors(denoiser(knows), actions, drawn, torch.Generator().manual_seed(1))
    torch.testing.assert_close(errors, torch.zeros(SHAPE), atol=1e-6, rtol=0)
    others = FlowMatching(FLOW).errors(
        denoiser(lambda place, time: torch.zeros_like(place)), actions, drawn, torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(others, (actions - drawn).square())


@pytest.mark.parametrize("steps", [2, 4, 10])
def test_ddim_is_that_of_diffusers(steps: int) -> None:
    """Euler's method on the linear path gives what diffusers gives step by step, clipping and all."""
    config = replace(TINY_UNET, inference_steps=steps)
    network = make_tiny("unet").network
    assert isinstance(network, DenoisingNetwork)
    scheduler = DDIMScheduler(100, beta_schedule="squaredcos_cap_v2", clip_sample=True, prediction_type="epsilon")
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        denoise = Denoiser(network, network.encode_observations(torch.ones(SHAPE[0], 2, 4)))
        expected = 3 * noise()[:, 0]
        for step in scheduler.timesteps:
            answer = denoise(expected, denoise.encode(step[None].float()))
            expected = scheduler.step(answer, int(step), expected).prev_sample
        torch.testing.assert_close(make_objective(config).sample(denoise, 3 * noise()), expected, atol=2e-5, rtol=0)


def test_the_noise_schedule_is_a_cosine() -> None:
    """Signal^2 + noise^2 = 1, and in the middle of the schedule about half of each: cos^2(pi / 4 * 1.008...)."""
    schedule = NoiseSchedule(replace(TINY_UNET, inference_steps=4))
    assert schedule.steps == [75, 50, 25, 0]
    for signal, left in zip(schedule.signal, schedule.noise, strict=True):
        assert signal**2 + left**2 == pytest.approx(1.0)
    expected = torch.cos(torch.tensor((0.51 + 0.008) / 1.008 * torch.pi / 2)) / torch.cos(
        torch.tensor(0.008 / 1.008 * torch.pi / 2)
    )
    assert schedule.signal[1] == pytest.approx(expected.item(), rel=1e-3)


def completed(steps: int, slope: float, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What flow matching makes of noise z and known actions Y, with the velocity `-slope * place`: (result, z, Y)."""
    actions = torch.linspace(-0.9, 0.9, 48).reshape(SHAPE)
    objective = FlowMatching(replace(FLOW, inference_steps=steps))
    answer = denoiser(lambda place, time: -slope * place)
    return objective.complete(answer, noise(), Known(actions, weights)), noise()[:, 0], actions


def test_guidance_by_hand() -> None:
    """Without velocity the estimate is the place itself. The weight is 5 at the start and 2 in the middle: half a step
    by 5 and half a step by 2 take what is frozen to where it is known, and leave what is free."""
    weights = torch.tensor([1.0, 0.5] + [0.0] * 6)
    result, drawn, known = completed(2, 0.0, weights)
    first = drawn + 2.5 * weights[:, None] * (known - drawn)
    torch.testing.assert_close(result, first + weights[:, None] * (known - first))
    torch.testing.assert_close(result[:, 0], known[:, 0])
    assert torch.equal(result[:, 2:], drawn[:, 2:])


def test_guidance_goes_through_the_network() -> None:
    """With velocity -y/4 the estimate at the start is 3/4 y, whose gradient is 3/4."""
    result, drawn, known = completed(1, 0.25, torch.ones(8))
    torch.testing.assert_close(result, 0.75 * drawn + 5 * 0.75 * (known - 0.75 * drawn))


def test_guidance_weights() -> None:
    """(t^2 + (1 - t)^2) / (t (1 - t)), at most 5."""
    assert [guidance_weight(time) for time in (0.0, 0.5, 0.75, 1.0)] == pytest.approx([5.0, 2.0, 10 / 3, 5.0])
