"""Policies by name. Listing them imports nothing heavy."""

import importlib
from dataclasses import dataclass
from typing import Any

from barkyard.errors import InvalidInput


@dataclass(frozen=True)
class PolicyEntry:
    """One policy that can be trained.

    Attributes:
        name: what a person types.
        summary: one line.
        policy: `module:Class`, a `Policy`.
        config: `module:function` that makes the policy's configuration.
        training: `module:function` that makes its default `TrainingConfig`.
        needs_body: whether its features must have an embodiment.
        many_bodies: whether it learns from datasets of different bodies.
        reads_images: whether it learns from images and the robot's own senses, unless told what to observe.
    """

    name: str
    summary: str
    policy: str
    config: str
    training: str
    needs_body: bool = False
    many_bodies: bool = False
    reads_images: bool = False

    def policy_class(self) -> Any:
        """The class, imported now."""
        return load_object(self.policy)

    def make_config(self) -> Any:
        """A new configuration."""
        return load_object(self.config)()

    def make_training(self) -> Any:
        """A new default `TrainingConfig`."""
        return load_object(self.training)()


POLICIES: dict[str, PolicyEntry] = {}


def register(entry: PolicyEntry) -> None:
    """Add a policy. Raises InvalidInput if the name is taken."""
    if entry.name in POLICIES:
        raise InvalidInput(
            f"policy {entry.name!r} is already registered as {POLICIES[entry.name].policy}: pick a new name"
        )
    POLICIES[entry.name] = entry


def find(name: str) -> PolicyEntry:
    """The entry of that name. Raises InvalidInput, with the valid names, if there is none."""
    if name not in POLICIES:
        raise InvalidInput(f"unknown policy {name!r}; valid: {', '.join(sorted(POLICIES))}")
    return POLICIES[name]


def load_object(path: str) -> Any:
    """Import `module:attribute`."""
    module, attribute = path.split(":")
    return getattr(importlib.import_module(module), attribute)


def _register_diffusion(
    name: str, factory: str, summary: str, *, needs_body: bool = False, reads_images: bool = False
) -> None:
    room = "barkyard.policies.diffusion"
    policy, config = f"{room}.policy:DiffusionPolicy", f"{room}.config:{factory}"
    training = f"{config}_training"
    register(PolicyEntry(name, summary, policy, config, training, needs_body=needs_body, reads_images=reads_images))


def _register_locomotion(name: str, factory: str, summary: str) -> None:
    room = "barkyard.policies.locomotion"
    config = f"{room}.config:{factory}"
    register(PolicyEntry(name, summary, f"{room}.policy:LocomotionPolicy", config, f"{config}_training"))


def _register_body(name: str, factory: str, summary: str, training: str = "training") -> None:
    room = "barkyard.policies.body_transformer"
    policy = f"{room}.policy:BodyTransformerPolicy"
    register(
        PolicyEntry(name, summary, policy, f"{room}.config:{factory}", f"{room}.config:{training}", needs_body=True)
    )


def _register_get_zero(name: str, factory: str, summary: str, training: str = "training") -> None:
    room = "barkyard.policies.get_zero"
    policy, config = f"{room}.policy:GetZeroPolicy", f"{room}.config"
    register(PolicyEntry(name, summary, policy, f"{config}:{factory}", f"{config}:{training}", True, many_bodies=True))


_register_diffusion("diffusion-unet", "small_unet", "Diffusion Policy, 1-D U-Net, for two cores")
_register_diffusion("diffusion-transformer", "small_transformer", "Diffusion Policy, transformer, for two cores")
_register_diffusion("diffusion-dit", "small_dit", "Diffusion Policy, transformer with adaptive norm, for two cores")
_register_diffusion("diffusion-unet-published", "published_unet", "Diffusion Policy, 1-D U-Net, 65.5 M parameters")
_register_diffusion("diffusion-transformer-published", "published_transformer", "Diffusion Policy, transformer, 9.0 M")
_register_diffusion(
    "diffusion-body", "small_body", "Diffusion Policy, Body Transformer, for two cores", needs_body=True
)
_register_diffusion(
    "diffusion-unet-image", "image_unet", "Diffusion Policy from images, for two cores", reads_images=True
)
_register_diffusion("mip-unet", "mip_unet", "Minimal Iterative Policy, 1-D U-Net, for two cores")
_register_diffusion("mip-transformer", "mip_transformer", "Minimal Iterative Policy, transformer, for two cores")
_register_locomotion("locomotion-transformer", "transformer", "Causal transformer over 15 steps, for legged robots")
_register_locomotion("locomotion-mlp", "mlp", "MLP over 15 steps, as large as the transformer: its baseline")
_register_body("body-transformer-hard", "hard", "Body Transformer, limbs see their neighbours")
_register_body("body-transformer-mix", "mix", "Body Transformer, neighbours and all limbs in turn")
_register_body("body-transformer-soft", "soft", "Body Transformer, learnt biases by distance")
_register_body("limb-transformer", "full", "as the Body Transformers, without a mask: their baseline")
_register_body("body-transformer-published", "published", "Body Transformer, 17 M parameters", "published_training")
_register_get_zero("get-zero", "ours", "Graph embodiment transformer for many bodies, for two cores")
_register_get_zero("get-zero-small", "paper_small", "GET-Zero as published but for its size, that of ours")
_register_get_zero("get-zero-published", "paper", "GET-Zero as published, 16.9 M parameters", "paper_training")
_register_get_zero(
    "embodiment-transformer", "embodiment_transformer", "GET-Zero without graph and self-model: baseline"
)
_register_get_zero("depth-first-transformer", "depth_first", "the same with places in depth-first order: baseline")
