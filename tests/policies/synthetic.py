"""A small task with a known answer: a point is drawn to a target, `action = target - position`, in two dimensions."""

from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from barkyard.datasets import DatasetWriter, Normalizer, WindowBatch
from barkyard.embodiment import Embodiment
from barkyard.episode import Episode
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.configuration import vary
from barkyard.policies.diffusion.config import DiffusionConfig, TransformerConfig, UnetConfig
from barkyard.policies.policy import ChunkConfig, FeatureSpec, Policy

GAIN = 0.2
"""Part of an action by which the point moves."""

TINY_UNET = DiffusionConfig(
    UnetConfig(widths=(16, 32), kernel_size=3, groups=8, step_embedding=16), horizon=8, action_steps=4
)
TINY_TRANSFORMER = DiffusionConfig(
    TransformerConfig(layers=2, heads=2, width=32, attention_dropout=0.0, embedding_dropout=0.0),
    horizon=8,
    action_steps=4,
)
TINY = {"unet": ("diffusion-unet", TINY_UNET), "transformer": ("diffusion-transformer", TINY_TRANSFORMER)}

BODY = Embodiment.from_model(
    mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><body name="hub"><geom size=".1"/>
        <body name="left"><joint name="left"/><geom size=".1"/></body>
        <body name="right"><joint name="right"/><geom size=".1"/></body>
        </body></worldbody><actuator><motor joint="left"/><motor joint="right"/></actuator></mujoco>"""
    )
)
"""A hub and two limbs, each with one action; only policies built on a body look at it."""
FEATURES = FeatureSpec(
    {"position": (2,), "target": (2,)}, action_dim=2, env_id="test/Point-v0", control_dt=0.05, embodiment=BODY
)
NORMALIZERS = {key: Normalizer.fit([[-1.0, -0.5], [1.0, 1.5]]) for key in ("position", "target", "action")}


def make_tiny(network: str, seed: int = 0, **changes: object) -> Policy:
    name, config = TINY[network]
    return make_policy(name, FEATURES, NORMALIZERS, config=vary(config, changes), seed=seed)


def batch(size: int, config: ChunkConfig, seed: int = 0, keys: Sequence[str] = ("position", "target")) -> WindowBatch:
    """Random windows; the last two actions of the first are padding."""
    rng = np.random.default_rng(seed)
    seen = (size, config.observation_steps, 2)
    is_pad = np.zeros((size, config.horizon), dtype=bool)
    is_pad[0, -2:] = True
    return WindowBatch(
        observations={key: rng.uniform(-1, 1, seen).astype(np.float32) for key in keys},
        actions=rng.uniform(-1, 1, (size, config.horizon, 2)).astype(np.float32),
        is_pad=is_pad,
    )


def episode(seed: int, length: int = 20) -> Episode:
    rng = np.random.default_rng(seed)
    target = rng.uniform(-0.5, 0.5, 2)
    positions = [rng.uniform(-0.5, 0.5, 2)]
    actions = []
    for _ in range(length):
        actions.append(target - positions[-1])
        positions.append(positions[-1] + GAIN * actions[-1])
    return Episode(
        observations={"position": _floats(positions), "target": _floats([target] * (length + 1))},
        actions=_floats(actions),
        rewards=np.zeros(length, dtype=np.float32),
        success=True,
        end="success",
        dt=0.05,
        seed=seed,
        env_id="test/Point-v0",
        env_kwargs={},
        acted_by=np.full(length, "expert"),
    )


def write_dataset(path: Path, episodes: int = 40) -> Path:
    with DatasetWriter.create(path, episode(0)) as writer:
        for seed in range(episodes):
            writer.write(episode(seed))
    return path


def _floats(values: object) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)
