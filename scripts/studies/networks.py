"""What the studies of networks share: a baseline of equal size, and intervals over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from barkyard.datasets import Normalizer
from barkyard.policies.policy import FeatureSpec


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half of its 95 % interval by Student's t, over seeds."""
    from scipy.stats import t

    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return float(np.mean(values)), float(t.ppf(0.975, max(len(values) - 1, 1))) * spread


def equal_mlp(features: FeatureSpec, normalizers: Mapping[str, Normalizer], size: Sequence[str]) -> tuple[str, ...]:
    """Settings that give `locomotion-mlp` as many parameters as a plain transformer of this size, to 1 %."""
    import torch

    from barkyard.cli.opening import settings
    from barkyard.policies.checkpoint import make_policy
    from barkyard.policies.configuration import vary
    from barkyard.policies.registry import find

    def count(name: str, words: Sequence[str]) -> int:
        config = vary(find(name).make_config(), {"observation_steps": 1, **settings(words, "setting")})
        return sum(weights.numel() for weights in make_policy(name, features, normalizers, config=config).parameters())

    def mlp(width: int) -> tuple[str, ...]:
        return (f"network.widths=[{width},{width},{width}]", "network.scan_width=32")

    with torch.no_grad():
        wanted = count("limb-transformer", size)
        return mlp(min(range(32, 640, 4), key=lambda width: abs(count("locomotion-mlp", mlp(width)) - wanted)))


def equal_denoisers(dataset: Path, shared: Sequence[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """For each denoising network the policy's name, and settings that give it as many parameters as the transformer.

    Args:
        dataset: what they learn from.
        shared: settings of all; those of the training are left out.
    """
    from barkyard.cli.opening import settings
    from barkyard.datasets import Dataset
    from barkyard.envs.bodies import environment_body
    from barkyard.envs.registry import make_vec_env
    from barkyard.policies.checkpoint import make_policy
    from barkyard.policies.configuration import vary
    from barkyard.policies.registry import find
    from barkyard.policies.training_data import TrainingData

    source = Dataset.open(dataset)
    with closing(make_vec_env(source.env_id, 1, **source.env_kwargs)) as env:
        body = environment_body(env)
    common = settings([word for word in shared if not word.startswith("training.")], "setting")
    data = TrainingData(source, find("diffusion-unet").make_config(), None, 0.02, 0, embodiment=body)

    def count(name: str, words: Sequence[str]) -> int:
        config = vary(find(name).make_config(), {**common, **settings(words, "setting")})
        policy = make_policy(name, data.features, data.normalizers, config=config)
        return sum(weights.numel() for weights in policy.parameters())

    transformer = ("network.width=96", "network.heads=2")
    wanted = count("diffusion-transformer", transformer)

    def nearest(name: str, candidates: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
        return min(candidates, key=lambda words: abs(count(name, words) - wanted))

    unet = nearest("diffusion-unet", ((f"network.widths=[32,64,{last}]",) for last in range(96, 161, 8)))
    body_size = ("network.width=96", "network.heads=2")
    return {
        "unet": ("diffusion-unet", nearest(
            "diffusion-unet", ((*unet, f"network.step_embedding={width}") for width in range(40, 89, 2))
        )),
        "transformer": ("diffusion-transformer", transformer),
        "dit": ("diffusion-dit", nearest(
            "diffusion-dit", ((f"network.width={width}", "network.heads=2") for width in range(86, 101, 2))
        )),
        "body": ("diffusion-body", nearest(
            "diffusion-body", ((*body_size, f"network.feed_forward={width}") for width in range(128, 513, 8))
        )),
    }  # fmt: skip
