import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from barkyard.errors import CheckpointError
from barkyard.policies.checkpoint import CONFIG, WEIGHTS, existing, load_policy, replacing
from barkyard.policies.policy import FeatureSpec, Policy
from tests.policies.synthetic import FEATURES, make_tiny


def predict(policy: Policy) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    seen = {key: torch.rand(3, 2, 2, generator=generator) for key in ("position", "target")}
    with torch.no_grad():
        return policy.predict(seen, torch.randn(3, *policy.noise_shape, generator=generator))


@pytest.mark.parametrize("network", ["unet", "transformer"])
def test_round_trip(network: str, tmp_path: Path) -> None:
    policy = make_tiny(network, seed=3)
    policy.save(tmp_path / "saved")
    loaded = load_policy(tmp_path / "saved")
    assert torch.equal(predict(loaded), predict(policy))
    assert loaded.config == policy.config
    assert loaded.features == FEATURES
    assert loaded.origin.policy == policy.origin.policy
    assert loaded.origin.versions["torch"] == torch.__version__
    assert not loaded.training
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == [CONFIG, WEIGHTS]


def test_a_run_stands_for_its_last_checkpoint(tmp_path: Path) -> None:
    make_tiny("unet").save(tmp_path / "run" / "last")
    assert load_policy(tmp_path / "run").origin.policy == "diffusion-unet"


def test_saving_leaves_no_traces(tmp_path: Path) -> None:
    for seed in range(2):
        make_tiny("unet", seed=seed).save(tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    assert torch.equal(predict(load_policy(tmp_path / "saved")), predict(make_tiny("unet", seed=1)))


def _edit(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        description = json.loads((folder / CONFIG).read_text())
        for path, value in changes.items():
            target = description
            *parents, name = path.split("__")
            for parent in parents:
                target = target[parent]
            target[name] = value
        (folder / CONFIG).write_text(json.dumps(description))

    return edit


def _truncate(name: str, size: int) -> Callable[[Path], None]:
    def truncate(folder: Path) -> None:
        os.truncate(folder / name, size)

    return truncate


def _flip(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / CONFIG).unlink(), "no checkpoint at"),
        (lambda folder: (folder / WEIGHTS).unlink(), f"cannot read .*{WEIGHTS}"),
        (_truncate(WEIGHTS, 1000), f"{WEIGHTS} is not the file that config.json describes: it is truncated"),
        (_truncate(WEIGHTS, 0), "truncated"),
        (_flip, "truncated, altered, or from another checkpoint"),
        (_truncate(CONFIG, 40), f"cannot read .*{CONFIG}"),
        (lambda folder: (folder / CONFIG).write_text("[1]"), "holds no JSON object"),
        (lambda folder: (folder / CONFIG).write_bytes(b"\xff\xfe"), "cannot read"),
        (lambda folder: (folder / CONFIG).write_text('{"type": "act"}'), "is no Barkyard checkpoint: .* format None"),
        (_edit(version=2), "a checkpoint of version 2; this Barkyard reads up to 1. Upgrade"),
        (_edit(version="new"), "version 'new'"),
        (_edit(policy="mlp"), "is damaged: InvalidInput: unknown policy 'mlp'; valid: body-transformer-hard"),
        (_edit(config__horizon="8"), "setting 'horizon' is '8'; expected int"),
        (_edit(config__horizon=9), "horizon 9 must be a multiple of 2"),
        (_edit(config__network__widths=[32, 32]), "does not fit the network that config.json describes"),
        (_edit(features={}), "is damaged: KeyError: 'observations'"),
        (_edit(normalizers={}), "no normalizer for action"),
        (_edit(normalizers__action=3), "is damaged"),
        (_edit(step=None), "is damaged"),
    ],
)
def test_damage_is_named(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    make_tiny("unet").save(folder)
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_policy(folder)
    assert str(folder) in str(caught.value)


class Killed(BaseException):
    pass


def test_killed_while_replacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever system call is the last one, the old folder or the new one is found, whole."""
    found = []
    for moment in itertools.count():
        target = tmp_path / str(moment) / "last"
        with replacing(target) as fresh:
            (fresh / "file").write_text("old")
        with monkeypatch.context() as patch:
            calls = itertools.count()
            for name in ("mkdir", "fsync", "rename", "unlink", "rmdir"):
                patch.setattr(os, name, _dying(getattr(os, name), calls, moment))
            try:
                with replacing(target) as fresh:
                    (fresh / "file").write_text("new")
                break
            except Killed:
                found.append((existing(target) / "file").read_text())
        with replacing(target) as fresh:
            (fresh / "file").write_text("newer")
        assert (existing(target) / "file").read_text() == "newer"
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True)


def _dying(original: Callable[..., Any], calls: Iterator[int], moment: int) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == moment:
            raise Killed
        return original(*args, **kwargs)

    return call


def test_a_full_disk_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "saved"
    make_tiny("unet", seed=1).save(folder)

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(CheckpointError, match="No space left on device. Free some space"):
            make_tiny("unet", seed=2).save(folder)
    assert torch.equal(predict(load_policy(folder)), predict(make_tiny("unet", seed=1)))
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_features_that_fit() -> None:
    FEATURES.check({"position": (2,), "target": (2,), "image_front": (8, 8, 3)}, 2)


@pytest.mark.parametrize(
    ("shapes", "action_dim", "message"),
    [
        ({"position": (2,)}, 2, "the observations target, which are not among those offered: position"),
        ({"position": (3,), "target": (2,)}, 2, r"observation position has shape \(3,\), but .* from \(2,\)"),
        ({"position": (2,), "target": (2,)}, 7, "actions have length 7, but the policy commands 2"),
    ],
)
def test_features_that_do_not(shapes: dict[str, tuple[int, ...]], action_dim: int, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        FEATURES.check(shapes, action_dim)


def test_features_round_trip() -> None:
    spec = FeatureSpec({"b": (3,), "a": (1,)}, 7, "barkyard/Lift-v0", 0.05, {"controller": "OSC_POSE"})
    again = FeatureSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert list(again.observations) == ["b", "a"]
