"""Checkpoints on disk: a folder with `model.safetensors` and `config.json`."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from barkyard import provenance
from barkyard.datasets import Normalizer
from barkyard.errors import CheckpointError, InvalidInput
from barkyard.files import synchronise
from barkyard.policies import configuration
from barkyard.policies.policy import FeatureSpec, Origin, Policy
from barkyard.policies.registry import find
from barkyard.untrusted import parse_json

FORMAT = "barkyard.policy"
VERSION = 1
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
_SMALLEST_LIMIT = 100_000
"""Settings up to here are never refused for their size; there are seeds among them."""


def make_policy(
    name: str,
    features: FeatureSpec,
    normalizers: Mapping[str, Normalizer],
    *,
    config: Any = None,
    seed: int = 0,
    dataset: str = "",
) -> Policy:
    """A new policy with initial weights.

    Args:
        name: in the registry.
        features: what it sees and commands.
        normalizers: one for each observation part, and one for `action`.
        config: its configuration; the registered one unless given.
        seed: of the initial weights.
        dataset: fingerprint of the dataset it will learn from.

    Raises:
        InvalidInput: the name is unknown, or the configuration and the features do not go together.
    """
    entry = find(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy: Policy = entry.policy_class()(
            entry.make_config() if config is None else config, features, normalizers, Origin(name, dataset)
        )
    return policy


def save_policy(policy: Policy, directory: Path) -> None:
    """Write a checkpoint that replaces what is at `directory`.

    Raises:
        CheckpointError: it could not be written; what was there still is.
    """
    with replacing(directory) as folder:
        write_policy(policy, folder)


def write_policy(policy: Policy, folder: Path) -> None:
    """Write the two files of a checkpoint into an existing folder."""
    write_tensors(policy.state_dict(), folder / WEIGHTS)
    origin = replace(policy.origin, versions=provenance.versions())
    description = {
        "format": FORMAT,
        "version": VERSION,
        "policy": origin.policy,
        "config": configuration.to_json(policy.config),
        "features": policy.features.to_json(),
        "normalizers": {name: normalizer.to_json() for name, normalizer in policy.normalizers.items()},
        "dataset": origin.dataset,
        "step": origin.step,
        "versions": dict(origin.versions),
        "weights_sha256": _digest(folder / WEIGHTS),
    }
    (folder / CONFIG).write_text(json.dumps(description, indent=1) + "\n")


def load_policy(path: str | Path) -> Policy:
    """Load a policy, on the CPU and ready to act.

    Args:
        path: a checkpoint, or the output of a training run, of which the last checkpoint is taken.

    Raises:
        CheckpointError: there is none, it is damaged, or this version cannot read it.
    """
    folder = locate(Path(path))
    description = _read_description(folder)
    policy = _build(folder, description)
    if _digest(folder / WEIGHTS) != description["weights_sha256"]:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not the file that {CONFIG} describes: it is truncated, altered, or from another "
            "checkpoint. Copy the whole folder again."
        )
    try:
        policy.load_state_dict(read_tensors(folder / WEIGHTS))
    except RuntimeError as error:
        differences = str(error).split("\n\t")[1:]
        raise CheckpointError(
            f"{folder / WEIGHTS} does not fit the network that {CONFIG} describes: {len(differences)} differences, the "
            f"first: {differences[0] if differences else error}"
        ) from error
    return policy.eval()


def checkpoint_fingerprint(path: str | Path) -> str:
    """Content hash of a checkpoint. Raises CheckpointError where there is none."""
    folder = locate(Path(path))
    return provenance.fingerprint((folder / CONFIG).read_bytes(), (folder / WEIGHTS).read_bytes())


def locate(path: Path) -> Path:
    """The folder of the checkpoint meant by `path`.

    Raises:
        CheckpointError: there is none.
    """
    for folder in (existing(path), existing(path / "last")):
        if (folder / CONFIG).exists():
            return folder
    raise CheckpointError(f"no checkpoint at {path}: neither {path / CONFIG} nor {path / 'last' / CONFIG} exists")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target` when the block ends well.

    Killed at any moment, the old folder or the new one is whole, under its name or found by `existing`.

    Raises:
        CheckpointError: something could not be written; what was there still is.
    """
    fresh = target.with_name(f"{target.name}.new")
    previous = target.with_name(f"{target.name}.previous")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        yield fresh
        for file in fresh.iterdir():
            synchronise(file)
        synchronise(fresh)
        if target.exists():
            shutil.rmtree(previous, ignore_errors=True)
            os.rename(target, previous)
        os.rename(fresh, target)
        synchronise(target.parent)
        shutil.rmtree(previous, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise CheckpointError(f"cannot write {target}: {error}. Free some space or choose another folder.") from error


def existing(target: Path) -> Path:
    """Where the content of a folder written through `replacing` is, should a kill have caught it between two names."""
    previous = target.with_name(f"{target.name}.previous")
    return previous if previous.exists() and not target.exists() else target


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file."""
    path.write_bytes(save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}. Copy the whole folder again.") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        content = parse_json(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no JSON object")
    return content


def _read_description(folder: Path) -> dict[str, Any]:
    description = read_json(folder / CONFIG)
    if description.get("format") != FORMAT:
        raise CheckpointError(
            f"{folder} is no Barkyard checkpoint: {CONFIG} says format {description.get('format')!r}, not {FORMAT!r}"
        )
    version = description.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise CheckpointError(
            f"{folder} is a checkpoint of version {version!r}; this Barkyard reads up to {VERSION}. "
            f"Upgrade it; the checkpoint was written with {description.get('versions')}."
        )
    return description


def _build(folder: Path, description: Mapping[str, Any]) -> Policy:
    try:
        size = (folder / WEIGHTS).stat().st_size if (folder / WEIGHTS).exists() else 0
        _check_sizes(description["config"], max(size, _SMALLEST_LIMIT))
        name = description["policy"]
        default = find(name).make_config()
        policy = make_policy(
            name,
            FeatureSpec.from_json(description["features"]),
            {key: Normalizer.from_json(values) for key, values in description["normalizers"].items()},
            config=configuration.from_json(type(default), description["config"]),
        )
        policy.origin = Origin(name, description["dataset"], int(description["step"]), description["versions"])
        description["weights_sha256"]
    except (
        *(InvalidInput, LookupError, TypeError, ValueError, AttributeError, ArithmeticError),
        *(AssertionError, RuntimeError, MemoryError, OSError),  # torch's, for sizes that go together with no network
    ) as error:
        raise CheckpointError(f"{folder / CONFIG} is damaged: {type(error).__name__}: {error}") from error
    return policy


def _check_sizes(config: Any, largest: int) -> None:
    """Refuse a network that its weights cannot be of, before memory is taken for it."""
    if isinstance(config, Mapping):
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            _check_sizes(value, largest)
    elif isinstance(config, int | float) and not abs(config) <= largest:
        raise InvalidInput(f"a setting is {config!r:.40}, which weights of {largest:,} bytes cannot belong to")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from error
