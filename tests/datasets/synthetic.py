"""Synthetic episodes that resemble a manipulation task's."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barkyard.episode import Episode

VECTORS = {"joint_pos": (7,), "gripper_pos": (2,), "object_pos_world": (3,), "command": (1,), "terrain": (2, 3)}
CAMERA = (12, 16, 3)
TESTS = Path(__file__).parents[1]
CHILD_ENVIRONMENT = os.environ | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "OMP_NUM_THREADS": "1"}
"""For a Python child process that imports `barkyard` and `datasets.synthetic`."""


def make_episode(
    seed: int = 0,
    length: int = 5,
    *,
    images: bool = False,
    states: bool = True,
    env_id: str = "barkyard/Lift-v0",
    vectors: dict[str, tuple[int, ...]] = VECTORS,
    **changes: Any,
) -> Episode:
    """An episode whose numbers follow from `seed` alone."""
    rng = np.random.default_rng(seed)
    observations: dict[str, NDArray[Any]] = {
        name: rng.normal(size=(length + 1, *shape)).astype(np.float32) for name, shape in vectors.items()
    }
    if images:
        observations["image_front"] = rng.integers(0, 256, (length + 1, *CAMERA), dtype=np.uint8)
    fields: dict[str, Any] = {
        "observations": observations,
        "actions": rng.uniform(-1, 1, (length, 4)).astype(np.float32),
        "rewards": rng.uniform(size=length).astype(np.float32),
        "success": bool(seed % 2),
        "end": "success" if seed % 2 else "time_limit",
        "dt": 0.05,
        "seed": seed,
        "env_id": env_id,
        "env_kwargs": {"controller": "OSC_POSE", "camera_size": [12, 16]},
        "acted_by": np.array(["expert"] * (length - 1) + ["human"]),
        "states": rng.normal(size=(length + 1, 6)) if states else None,
        "metrics": {"height": float(rng.normal()), "drops": 2.0},
    }
    return Episode(**fields | changes)


def assert_same(a: Episode, b: Episode) -> None:
    """Every field agrees, arrays bit for bit, dtype and shape included."""
    assert list(a.observations) == list(b.observations)
    arrays = [(a.observations[name], b.observations[name]) for name in a.observations]
    arrays += [(a.actions, b.actions), (a.rewards, b.rewards)]
    assert (a.states is None) == (b.states is None)
    if a.states is not None and b.states is not None:
        arrays.append((a.states, b.states))
    for one, other in arrays:
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    for name in ("success", "end", "dt", "seed", "env_id", "env_kwargs", "source", "metrics"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.acted_by.tolist() == b.acted_by.tolist()
