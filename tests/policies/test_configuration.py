import json
from dataclasses import replace

import pytest

from barkyard.errors import InvalidInput
from barkyard.policies.configuration import from_json, to_json, vary
from barkyard.policies.diffusion.config import (
    DiffusionConfig,
    TransformerConfig,
    UnetConfig,
    published_transformer_training,
    small_transformer,
    small_unet,
)
from barkyard.policies.training_config import TrainingConfig


@pytest.mark.parametrize("config", [small_unet(), small_transformer(), published_transformer_training()])
def test_round_trip_through_text(config: object) -> None:
    assert from_json(type(config), json.loads(json.dumps(to_json(config)))) == config


def test_vary() -> None:
    config = small_unet()
    varied = vary(config, {"network.widths": [8, 16], "action_steps": 4})
    assert isinstance(config.network, UnetConfig)
    assert varied == replace(config, network=replace(config.network, widths=(8, 16)), action_steps=4)
    assert config == small_unet()


def test_vary_takes_a_whole_number_for_a_real_one() -> None:
    training = TrainingConfig(steps=1, batch_size=1, learning_rate=0.5, warmup_steps=0)
    assert vary(training, {"learning_rate": 1}).learning_rate == 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("horizn", 8, "unknown setting 'horizn'; valid: action_steps, diffusion_steps, horizon"),
        ("network.layers", 8, "unknown setting 'network.layers'; valid: network.groups, network.kernel_size"),
        ("net.layers", 8, "unknown setting 'net.layers': 'net' holds no settings"),
        ("horizon", 8.5, "setting 'horizon' is 8.5; expected int"),
        ("horizon", True, "setting 'horizon' is True; expected int"),
        ("network.widths", 8, "setting 'network.widths' is 8"),
        ("network.widths", ["a"], "setting 'network.widths' is 'a'; expected int"),
        ("objective", "gan", "setting 'objective' is 'gan'; expected 'ddpm' or 'flow' or 'mip'"),
        ("network.kind", "Mlp", "setting 'network.kind' is 'Mlp'; valid: UnetConfig, TransformerConfig"),
    ],
)
def test_wrong_settings(name: str, value: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        vary(small_unet(), {name: value})


def test_a_missing_setting() -> None:
    with pytest.raises(InvalidInput, match="setting 'network' is missing"):
        from_json(DiffusionConfig, {"horizon": 8})
    with pytest.raises(InvalidInput, match=r"setting 'network.layers' is missing"):
        from_json(DiffusionConfig, {"network": {"kind": TransformerConfig.__name__}})


@pytest.mark.parametrize("change", [{"steps": 0}, {"learning_rate": 0.0}, {"warmup_steps": -1}])
def test_training_values(change: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(change))):
        vary(published_transformer_training(), change)
