"""Policies: what learns from a dataset and acts in an environment.

The registry (`barkyard.policies.registry`) imports nothing heavy; the names below import torch when first used.
Training is `barkyard.policies.train.train`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barkyard.policies.actor import PolicyActor
    from barkyard.policies.checkpoint import load_policy, make_policy
    from barkyard.policies.policy import FeatureSpec, Policy

__all__ = ["FeatureSpec", "Policy", "PolicyActor", "load_policy", "make_policy"]

_MODULES = {
    "FeatureSpec": "policy",
    "Policy": "policy",
    "PolicyActor": "actor",
    "load_policy": "checkpoint",
    "make_policy": "checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
