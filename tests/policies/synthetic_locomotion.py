"""A small walker with a known answer: the action depends on two states, the previous action and the height ahead."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.datasets import DatasetWriter, Normalizer, WindowBatch
from barkyard.episode import Episode
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.configuration import vary
from barkyard.policies.locomotion.config import LocomotionConfig, MlpConfig, TransformerConfig
from barkyard.policies.locomotion.policy import LocomotionPolicy
from barkyard.policies.policy import FeatureSpec

STEPS = 4
SCAN = (4, 3)
SHAPES: dict[str, tuple[int, ...]] = {"joint_pos": (3,), "last_action": (2,), "command": (2,), "terrain": (12,)}
FEATURES = FeatureSpec(SHAPES, action_dim=2, env_id="test/Walker-v0", control_dt=0.02)
NORMALIZERS = {key: Normalizer.fit([[-1.0] * size, [1.0] * size]) for key, (size,) in SHAPES.items()}
NORMALIZERS["action"] = Normalizer.fit([[-1.0, -0.5], [1.0, 1.5]])
COURSE_SHAPES: dict[str, tuple[int, ...]] = {
    "base_up": (3,),
    "base_angular_velocity": (3,),
    "base_linear_velocity": (3,),
    "joint_pos": (12,),
    "joint_vel": (12,),
    "last_action": (12,),
    "command": (7,),
    "gates": (12,),
    "terrain": (55,),
}
"""What a quadruped on the agility course observes, about."""

NAMES = {"transformer": "locomotion-transformer", "mlp": "locomotion-mlp"}
NETWORKS: dict[str, TransformerConfig | MlpConfig] = {
    "transformer": TransformerConfig(layers=2, heads=1, width=32),
    "mlp": MlpConfig(widths=(64, 32), scan_width=16),
}
TINY = {
    kind: LocomotionConfig(network, observation_steps=STEPS, scan_shape=SCAN, scan_channels=(4, 4), action_dropout=0.0)
    for kind, network in NETWORKS.items()
}


def make_tiny(kind: str, features: FeatureSpec = FEATURES, seed: int = 0, **changes: Any) -> LocomotionPolicy:
    """In evaluation mode."""
    policy = make_policy(NAMES[kind], features, NORMALIZERS, config=vary(TINY[kind], changes), seed=seed)
    assert isinstance(policy, LocomotionPolicy)
    return policy.eval()


def make_full(kind: str) -> LocomotionPolicy:
    """As registered, on the observations of the course; in evaluation mode."""
    features = FeatureSpec(COURSE_SHAPES, action_dim=12, env_id="test/Course-v0", control_dt=0.02)
    sizes = {**{key: size for key, (size,) in COURSE_SHAPES.items()}, "action": 12}
    normalizers = {key: Normalizer.fit([[-1.0] * size, [1.0] * size]) for key, size in sizes.items()}
    policy = make_policy(NAMES[kind], features, normalizers)
    assert isinstance(policy, LocomotionPolicy)
    return policy.eval()


def batch(size: int, seed: int = 0) -> WindowBatch:
    """Random windows; the first two steps of the first are padding."""
    rng = np.random.default_rng(seed)
    is_pad = np.zeros((size, STEPS), dtype=bool)
    is_pad[0, :2] = True
    return WindowBatch(
        observations={key: _floats(rng.uniform(-1, 1, (size, STEPS, *shape))) for key, shape in SHAPES.items()},
        actions=_floats(rng.uniform(-0.5, 1, (size, STEPS, 2))),
        is_pad=is_pad,
    )


def answer(states: NDArray[Any], last_action: NDArray[Any], terrain: NDArray[Any]) -> NDArray[Any]:
    """What is done at the last of `(t, 3)` states: it depends on the one before it too."""
    before = states[max(len(states) - 2, 0)]
    ahead = terrain[:6].mean() - terrain[6:].mean()
    return np.array([0.5 * states[-1, 0] - 0.5 * before[1], 1.5 * ahead * states[-1, 2] + 0.5 * last_action[0]])


def episode(seed: int, length: int = 20, expert: bool = False) -> Episode:
    """One episode; with `expert`, what was done is noise, and the answer is the part `expert_action`."""
    rng = np.random.default_rng(seed)
    states, commands = rng.uniform(-1, 1, (length + 1, 3)), np.tile(rng.uniform(-1, 1, 2), (length + 1, 1))
    terrain = rng.uniform(-1, 1, (length + 1, 12))
    taken, answers = np.zeros((length + 2, 2)), np.zeros((length + 1, 2))
    for t in range(length + 1):
        answers[t] = answer(states[: t + 1], taken[t], terrain[t])
        taken[t + 1] = rng.uniform(-1, 1, 2) if expert else answers[t]
    observations = {"joint_pos": states, "last_action": taken[:-1], "command": commands, "terrain": terrain}
    if expert:
        observations["expert_action"] = answers
    return Episode(
        observations={key: _floats(values) for key, values in observations.items()},
        actions=_floats(taken[1:-1]),
        rewards=np.zeros(length, dtype=np.float32),
        success=True,
        end="success",
        dt=0.02,
        seed=seed,
        env_id="test/Walker-v0",
        env_kwargs={},
        acted_by=np.full(length, "expert"),
    )


def write_dataset(path: Path, seeds: range, expert: bool = False) -> Path:
    with DatasetWriter.create(path, episode(0, expert=expert)) as writer:
        for seed in seeds:
            writer.write(episode(seed, expert=expert))
    return path


def _floats(values: object) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)
