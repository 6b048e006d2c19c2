"""What the studies of networks share: a baseline of equal size, and intervals over seeds."""

from collections.abc import Mapping, Sequence

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
