"""Imports go down only, and heavy libraries stay in the rooms they belong to."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import barkyard

PACKAGE = Path(barkyard.__file__).parent

LAYERS = (
    ("errors", "provenance", "episode", "embodiment", "rotation", "files", "untrusted"),
    ("agility", "assets", "datasets", "rollout", "web"),
    ("control",),
    ("envs", "teleop", "policies", "calibration", "evaluation"),
    ("acting", "experts", "fleet", "serving"),
    ("cli", "__main__", "__init__"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
MAY_IMPORT_ITS_OWN_LAYER = (0, 4, 5)
REFUSED_BELOW = {"control": ("datasets", "rollout")}

LAYER_0_LIBRARIES = ("numpy", "mujoco")
HOMES = {
    "torch": ("policies", "experts.locomotion.ppo", "experts.reinforcement"),
    "tensordict": ("experts.locomotion.ppo", "experts.reinforcement"),
    "rsl_rl": ("experts.locomotion.ppo", "experts.reinforcement"),
    "diffusers": ("policies",),
    "safetensors": ("policies", "experts"),
    "numba": ("control", "agility.kernels", "envs", "experts.locomotion.network"),
    "robosuite": ("assets", "envs.tasks"),
    "dm_control": ("assets", "envs.tasks"),
    "onnxruntime": ("policies.onnx",),
    "onnxscript": ("policies.onnx",),
    "ray": ("fleet",),
    "pynput": ("teleop",),
    "hid": ("teleop",),
    "aiohttp": ("web", "teleop.browser", "serving"),
    "msgpack": ("serving",),
    "websockets": ("serving",),
}


def imported_modules(source: str, module: str, is_package: bool = False) -> Iterator[str]:
    """Absolute dotted names of everything that `source` imports, wherever in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")
            base = parents[: len(parents) - node.level + is_package] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__"):
                yield str(node.args[0].value)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """What `module`, such as `barkyard.envs.env`, imports and must not."""
    inside = module.removeprefix("barkyard").lstrip(".")
    room = inside.split(".")[0] or "__init__"
    if room not in LEVEL:
        return [f"{module}: no such room; LAYERS in {Path(__file__).name} lists them"]
    found = []
    for name in imported_modules(source, module, is_package):
        top, _, rest = name.partition(".")
        if top == "barkyard":
            found += _wrong_room(room, rest.split(".")[0])
        elif top in HOMES:
            if not any(f"{inside}.".startswith(f"{home}.") for home in HOMES[top]):
                found.append(f"{top} belongs to {', '.join(HOMES[top])}")
        elif LEVEL[room] == 0 and top not in LAYER_0_LIBRARIES and top not in sys.stdlib_module_names:
            found.append(f"layer 0 imports only {', '.join(LAYER_0_LIBRARIES)}, not {top}")
    return [f"{module}: {reason}" for reason in found]


def _wrong_room(room: str, target: str) -> list[str]:
    if target not in LEVEL or target == room:
        return []
    above = LEVEL[target] > LEVEL[room]
    beside = LEVEL[target] == LEVEL[room] and LEVEL[room] not in MAY_IMPORT_ITS_OWN_LAYER
    if above or beside or target in REFUSED_BELOW.get(room, ()):
        return [f"{room} (layer {LEVEL[room]}) may not import {target} (layer {LEVEL[target]})"]
    return []


def modules() -> list[tuple[str, Path]]:
    """Every module of the package with its file."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_down_only(module: str, path: Path) -> None:
    assert violations(path.read_text(), module, is_package=path.name == "__init__.py") == []


def test_every_module_is_seen() -> None:
    names = [name for name, _ in modules()]
    assert {"barkyard", "barkyard.episode", "barkyard.cli"} <= set(names)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("barkyard.episode", "import barkyard.rollout"),
        ("barkyard.episode", "import scipy"),
        ("barkyard.rollout", "from barkyard.datasets import Dataset"),
        ("barkyard.datasets.writer", "from barkyard import envs"),
        ("barkyard.control.osc", "from barkyard.rollout import rollout"),
        ("barkyard.envs.env", "from ..policies.policy import Policy"),
        ("barkyard.envs.env", "def late():\n    import barkyard.evaluation.result"),
        ("barkyard.evaluation.evaluate", "from barkyard.experts import make_expert"),
        ("barkyard.experts.lift", "from barkyard.cli import main"),
        ("barkyard.envs.env", "import torch.nn as nn"),
        ("barkyard.cli.doctor", "def probe():\n    from torch import cuda"),
        ("barkyard.experts.locomotion.lessons", "import torch"),
        ("barkyard.experts.locomotion.actors", "def late():\n    from rsl_rl.runners import OnPolicyRunner"),
        ("barkyard.policies.training_data", "from tensordict import TensorDict"),
        ("barkyard.envs.env", "from safetensors.numpy import load_file"),
        ("barkyard.agility.score", "from numba import njit"),
        ("barkyard.cli.doctor", "import importlib\nimportlib.import_module('torch')"),
        ("barkyard.envs.env", "import robosuite.models"),
        ("barkyard.policies.policy", "import ray"),
        ("barkyard.cli.collect", "from pynput import keyboard"),
        ("barkyard.envs.env", "import hid"),
        ("barkyard.teleop.session", "from aiohttp import web"),
        ("barkyard.teleop.session", "from barkyard.envs.env import RobotVectorEnv"),
        ("barkyard.utils", "x = 1"),
    ],
)
def test_a_broken_specimen_is_caught(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("barkyard.episode", "import mujoco, json\nfrom barkyard.errors import InvalidInput"),
        ("barkyard.envs.env", "from barkyard.control.base import Controller\nfrom .task import Task"),
        ("barkyard.envs.tasks.manipulation.lift", "from robosuite.models.objects import BoxObject"),
        ("barkyard.policies.diffusion.unet", "import torch\nfrom barkyard.datasets.windows import Windows"),
        ("barkyard.experts.lift", "from barkyard.envs.env import RobotVectorEnv"),
        ("barkyard.experts.locomotion.ppo", "import torch\nfrom tensordict import TensorDict\nimport rsl_rl.runners"),
        ("barkyard.experts.locomotion.network", "from numba import njit\nfrom safetensors.numpy import load_file"),
        ("barkyard.cli.evaluate", "from barkyard.experts import make_expert"),
    ],
)
def test_a_sound_specimen_passes(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_of_a_package_start_at_itself() -> None:
    assert list(imported_modules("from .task import Task", "barkyard.envs", is_package=True)) == [
        "barkyard.envs.task.Task"
    ]
    assert list(imported_modules("from .task import Task", "barkyard.envs.env")) == ["barkyard.envs.task.Task"]
