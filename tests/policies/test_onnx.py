"""Every policy of the registry as an ONNX file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from barkyard.cli import main
from barkyard.errors import BarkyardError, InvalidInput
from barkyard.policies.checkpoint import make_policy
from barkyard.policies.onnx import METADATA, TOLERANCE, _Acting, export_onnx
from barkyard.policies.policy import Policy
from barkyard.policies.registry import POLICIES
from tests.policies.synthetic import FEATURES, NORMALIZERS, make_tiny

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'barkyard[onnx]'")
pytest.importorskip("onnxscript", reason="needs onnxscript: pip install 'barkyard[onnx]'")

QUICK = ("locomotion-mlp", "body-transformer-soft")


def make(name: str) -> Policy:
    """With weights other than the first, so that no layer that begins at zero is left out of the comparison."""
    policy = make_policy(name, FEATURES, NORMALIZERS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return policy.eval()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in sorted(POLICIES)]
)
def test_a_policy_acts_as_its_onnx_file(name: str, tmp_path: Path) -> None:
    policy = make(name)
    done = export_onnx(policy, tmp_path / "policy.onnx", seed=3)
    assert done.difference <= TOLERANCE
    session = onnxruntime.InferenceSession(done.path, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    assert facts["policy"] == name and facts["features"] == json.loads(json.dumps(FEATURES.to_json()))
    rng, rows = np.random.default_rng(0), 5
    inputs = {key: rng.standard_normal((rows, *shape), dtype=np.float32) for key, shape in done.inputs.items()}
    (actions,) = session.run(None, inputs)
    assert actions.shape == (rows, policy.config.action_steps, FEATURES.action_dim)
    with torch.no_grad():
        expected = _Acting(policy)(*map(torch.from_numpy, inputs.values())).numpy()
    assert np.ptp(actions) > 0.0
    np.testing.assert_allclose(actions, expected, atol=TOLERANCE)


def test_the_command_and_a_denoiser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tiny("unet", inference_steps=2).save(tmp_path / "policy")
    assert main(["export", str(tmp_path / "policy"), "--onnx", str(tmp_path / "out.onnx"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["inputs"] == {"position": [2, 2], "target": [2, 2], "noise": [1, 8, 2]}
    assert said["difference"] <= TOLERANCE
    assert (tmp_path / "out.onnx").is_file()


def test_other_actions_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = make("locomotion-mlp")
    forward = _Acting.forward

    def shifted(self: _Acting, *inputs: torch.Tensor) -> torch.Tensor:
        return forward(self, *inputs) + (0.0 if torch.compiler.is_compiling() else 1e-3)

    monkeypatch.setattr(_Acting, "forward", shifted)
    with pytest.raises(BarkyardError, match="differ from PyTorch's by 0.001"):
        export_onnx(policy, tmp_path / "policy.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"must end in \.onnx"):
        export_onnx(make("locomotion-mlp"), tmp_path / "policy.pt")


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(BarkyardError, match=r"pip install 'barkyard\[onnx\]'"):
        export_onnx(make("locomotion-mlp"), tmp_path / "policy.onnx")
