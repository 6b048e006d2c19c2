"""Fingerprints tell content apart and nothing else."""

import numpy as np

import barkyard
from barkyard.provenance import combine, fingerprint, versions


def test_equal_content_equal_fingerprint() -> None:
    assert fingerprint({"a": 1, "b": [2.5]}) == fingerprint({"b": [2.5], "a": 1})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert fingerprint(array) == fingerprint(np.asfortranarray(array))
    assert len(fingerprint("x")) == 16


def test_different_content_different_fingerprint() -> None:
    array = np.arange(6, dtype=np.float32)
    variants = ["ab", ["ab"], array, array.reshape(2, 3), array.astype(np.float64), array + 1, {"a": None}]
    assert len({fingerprint(v) for v in variants} | {fingerprint("a", "b"), fingerprint("", "ab")}) == len(variants) + 2
    assert combine(["a", "b"]) != combine(["b", "a"])


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert found["mujoco"].startswith("3.17") and found["barkyard"] == barkyard.__version__
