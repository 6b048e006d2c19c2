"""How scenes look, apart from how they work: named variants, and pictures laid over photographs."""

from barkyard.envs.visual.variant import VARIANTS, Surface, Variant, as_variant

__all__ = ["VARIANTS", "Surface", "Variant", "as_variant"]
