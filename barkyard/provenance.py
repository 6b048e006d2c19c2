"""Where an artefact came from: content fingerprints and package versions."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

TRACKED_PACKAGES = ("barkyard", "mujoco", "robosuite", "gymnasium", "numpy", "torch", "diffusers", "numba", "pyarrow")


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a result; packages that are absent are left out."""
    found = {}
    for name in TRACKED_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def fingerprint(*parts: Any) -> str:
    """First 16 hex digits of the SHA-256 of `parts`.

    Args:
        parts: bytes, arrays (dtype, shape and content count), strings, or anything that JSON can hold
            (dictionary order does not count).
    """
    digest = hashlib.sha256()
    for chunk in map(_as_bytes, parts):
        digest.update(len(chunk).to_bytes(8, "little"))
        digest.update(chunk)
    return digest.hexdigest()[:16]


def combine(fingerprints: Iterable[str]) -> str:
    """Fingerprint of an ordered sequence of fingerprints."""
    return fingerprint(list(fingerprints))


def _as_bytes(part: Any) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, np.ndarray):
        return f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes()
    if isinstance(part, str):
        return part.encode()
    return json.dumps(part, sort_keys=True, separators=(",", ":")).encode()
