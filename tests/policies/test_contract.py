"""What every policy must hold to, and proof that each check can fail."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from barkyard.datasets import WindowBatch
from barkyard.policies.checkpoint import load_policy, make_policy
from barkyard.policies.diffusion.policy import DiffusionPolicy
from barkyard.policies.policy import Policy
from barkyard.policies.registry import POLICIES, PolicyEntry, find
from tests.policies.synthetic import FEATURES, NORMALIZERS, TINY_UNET, batch

ROWS = 16
SMALL = sorted(name for name in POLICIES if not name.endswith("-published"))


def make(name: str) -> Policy:
    """With weights other than the first, among which some are zero. What it observes is what it is made for."""
    features, normalizers = FEATURES, NORMALIZERS
    if find(name).many_bodies:
        features = replace(features, observations={"joint_pos": (2,), "target": (2,)})
        normalizers = {**normalizers, "joint_pos": normalizers["position"]}
    if find(name).reads_images:
        features = replace(features, observations={"position": (2,), "image_front": (80, 78, 3)})
    policy = make_policy(name, features, normalizers, config=TINY_UNET if name == "specimen" else None)
    with torch.no_grad():
        for seed, parameter in enumerate(policy.parameters()):
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator(seed)))
    return policy.eval()


def windows(policy: Policy, size: int = 8) -> WindowBatch:
    data = batch(size, policy.config, keys=tuple(policy.features.vectors))
    shape = (size, policy.config.observation_steps)
    pictures = {
        key: np.random.default_rng(i).integers(0, 256, (*shape, *picture), dtype=np.uint8)
        for i, (key, picture) in enumerate(policy.features.images.items())
    }
    return replace(data, observations={**data.observations, **pictures})


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(policy: Policy) -> tuple[dict[str, Tensor], Tensor]:
    steps = policy.config.observation_steps
    seen = {
        key: torch.rand(ROWS, steps, *shape, generator=generator(i)) * (255 if key in policy.features.images else 1)
        for i, (key, shape) in enumerate(policy.features.observations.items())
    }
    return seen, torch.randn(ROWS, *policy.noise_shape, generator=generator(9))


def predict(policy: Policy, seen: Mapping[str, Tensor], noise: Tensor) -> Tensor:
    with torch.inference_mode():
        return policy.predict(seen, noise)


def check_loss_is_a_finite_scalar(policy: Policy, tmp_path: Path) -> None:
    loss = policy.loss(windows(policy), generator())
    assert loss.shape == () and loss.dtype == torch.float32
    assert torch.isfinite(loss) and loss > 0


def check_loss_moves_every_parameter(policy: Policy, tmp_path: Path) -> None:
    policy.loss(windows(policy), generator()).backward()  # type: ignore[no-untyped-call]
    for name, parameter in policy.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def check_loss_is_a_function_of_its_generator(policy: Policy, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = policy.loss(windows(policy), generator(5))
    assert torch.equal(state, torch.random.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(policy.loss(windows(policy), generator(5)), first)
    other = generator(6)
    differs = not torch.equal(policy.loss(windows(policy), other), first)
    drawn = not torch.equal(other.get_state(), generator(6).get_state())
    assert differs == drawn, "the loss is deterministic where it draws nothing"


def check_padding_does_not_count(policy: Policy, tmp_path: Path) -> None:
    data = windows(policy)
    data.is_pad[0] = True
    before = policy.loss(data, generator())
    data.actions[0] = -data.actions[0]
    assert torch.equal(policy.loss(data, generator()), before)


def check_prediction_has_its_shape_and_stays_in_the_limits(policy: Policy, tmp_path: Path) -> None:
    seen, noise = inputs(policy)
    predicted = predict(policy, {key: 10 * value for key, value in seen.items()}, noise)
    assert predicted.shape == (ROWS, policy.config.horizon, 2) and predicted.dtype == torch.float32
    low, high = (torch.from_numpy(limit) for limit in (NORMALIZERS["action"].low, NORMALIZERS["action"].high))
    if find(policy.origin.policy).many_bodies:  # what was learnt from other bodies sets no limit for this one
        low, high = torch.tensor(-1.0), torch.tensor(1.0)
    assert ((predicted >= low - 1e-6) & (predicted <= high + 1e-6)).all()
    assert predicted.std() > 0


def check_prediction_is_a_function_of_its_arguments(policy: Policy, tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = predict(policy, *inputs(policy))
    predict(policy, *(inputs(policy)[0], inputs(policy)[1] + 1))
    torch.manual_seed(2)
    assert torch.equal(predict(policy, *inputs(policy)), first)


def check_rows_do_not_touch(policy: Policy, tmp_path: Path) -> None:
    seen, noise = inputs(policy)
    first = predict(policy, seen, noise)
    order = torch.randperm(ROWS, generator=generator())
    moved = predict(policy, {key: value[order] for key, value in seen.items()}, noise[order])
    assert torch.equal(moved, first[order])
    others = {key: torch.cat((value[:1], -value[1:])) for key, value in seen.items()}
    assert torch.equal(predict(policy, others, torch.cat((noise[:1], -noise[1:])))[0], first[0])


def check_every_observation_is_seen(policy: Policy, tmp_path: Path) -> None:
    seen, noise = inputs(policy)
    first = predict(policy, seen, noise)
    for key, value in seen.items():
        for step in range(policy.config.observation_steps):
            changed = value.clone()
            changed[:, step] += 0.5
            assert not torch.equal(predict(policy, {**seen, key: changed}, noise), first), (key, step)


def check_saved_is_what_was(policy: Policy, tmp_path: Path) -> None:
    for seed, parameter in enumerate(policy.parameters()):
        torch.nn.init.normal_(parameter, std=0.1, generator=generator(seed))
    policy.save(tmp_path / "saved")
    assert torch.equal(predict(load_policy(tmp_path / "saved"), *inputs(policy)), predict(policy, *inputs(policy)))


CHECKS = [value for name, value in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SMALL)
def test_policy(name: str, check: Callable[[Policy, Path], None], tmp_path: Path) -> None:
    check(make(name), tmp_path)


class LossOfSums(DiffusionPolicy):
    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return super().loss(batch, generator) * torch.ones(2)


class DeadParameter(DiffusionPolicy):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.unused = torch.nn.Parameter(torch.ones(1))


class GlobalNoise(DiffusionPolicy):
    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return super().loss(batch, torch.default_generator)


class CountsPadding(DiffusionPolicy):
    def loss(self, batch: WindowBatch, generator: torch.Generator) -> Tensor:
        return super().loss(replace(batch, is_pad=np.zeros_like(batch.is_pad)), generator)


class Unbounded(DiffusionPolicy):
    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return noise[:, 0] * 3


class Moody(DiffusionPolicy):
    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return super().predict(observations, torch.randn_like(noise))


class LooksAside(DiffusionPolicy):
    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return super().predict(observations, noise) + 1e-3 * noise.mean()


class Shortsighted(DiffusionPolicy):
    def predict(self, observations: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        return super().predict({key: value[:, -1:].expand_as(value) for key, value in observations.items()}, noise)


class Forgetful(DiffusionPolicy):
    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        state = super().state_dict(*args, **kwargs)
        return {name: torch.zeros_like(tensor) for name, tensor in state.items()}


BROKEN: dict[str, type[Policy]] = {
    "check_loss_is_a_finite_scalar": LossOfSums,
    "check_loss_moves_every_parameter": DeadParameter,
    "check_loss_is_a_function_of_its_generator": GlobalNoise,
    "check_padding_does_not_count": CountsPadding,
    "check_prediction_has_its_shape_and_stays_in_the_limits": Unbounded,
    "check_prediction_is_a_function_of_its_arguments": Moody,
    "check_rows_do_not_touch": LooksAside,
    "check_every_observation_is_seen": Shortsighted,
    "check_saved_is_what_was": Forgetful,
}


@pytest.fixture
def specimens(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Policy]], Policy]]:
    def register(kind: type[Policy]) -> Policy:
        base = find("diffusion-unet")
        entry = PolicyEntry("specimen", "", f"{__name__}:{kind.__name__}", base.config, base.training)
        monkeypatch.setitem(POLICIES, "specimen", entry)
        return make("specimen")

    yield register


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_broken_specimen_is_caught(
    check: Callable[[Policy, Path], None], specimens: Callable[[type[Policy]], Policy], tmp_path: Path
) -> None:
    check(specimens(DiffusionPolicy), tmp_path)
    broken = specimens(BROKEN[check.__name__])
    with pytest.raises(AssertionError):
        check(broken, tmp_path)
