"""Policies as ONNX files, for robots without torch."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.files import write_whole
from barkyard.policies.policy import Policy

TOLERANCE: Final = 1e-4
"""Largest difference from PyTorch, in actions, of which the range is 2; a choice."""
NOISE: Final = "noise"
ACTIONS: Final = "actions"
METADATA: Final = "barkyard"
"""Key of our entry among the model's metadata: JSON with the features, `observation_steps` and `action_steps`."""
_LARGEST_BATCH: Final = 4096
_CHECKED_BATCHES: Final = (1, 3, 32)
_EXPORTED_BATCH: Final = 2


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: the file.
        difference: largest absolute difference of an action from PyTorch's.
        batches: the numbers of rows at which it was compared.
        inputs: names and shapes, without the batch.
    """

    path: Path
    difference: float
    batches: tuple[int, ...]
    inputs: dict[str, tuple[int, ...]]


def export_onnx(policy: Policy, path: Path | str, *, seed: int = 0) -> Export:
    """Write what a policy does when it acts as an ONNX file, and compare it with PyTorch.

    Its inputs are the observation parts, each `(B, To, ...)` float32, also images, with values 0 to 255, and for
    policies that take it `noise`, `(B, K, Tp, A)` standard normal; its output `actions` is `(B, Ta, A)`. All steps of a
    denoising are unrolled.

    Args:
        policy: on the CPU.
        path: the file; written only if the comparison holds.
        seed: of the observations and noise that are compared.

    Raises:
        BarkyardError: onnxruntime or onnxscript is absent, or the file gives other actions than PyTorch.
        InvalidInput: `path` does not end in .onnx, or the policy has an observation part called `noise`.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise InvalidInput(f"{path} must end in .onnx")
    if NOISE in policy.features.observations:
        raise InvalidInput(f"an observation part is called {NOISE!r}, which is the name of another input")
    runtime = _import_runtime()
    acting = _Acting(policy.eval())
    content = _convert(acting, _examples(policy, _EXPORTED_BATCH, seed))
    session = _open(runtime, content)
    difference = max(_difference(session, acting, _examples(policy, rows, seed)) for rows in _CHECKED_BATCHES)
    if not difference <= TOLERANCE:
        raise BarkyardError(
            f"the ONNX file's actions differ from PyTorch's by {difference:.3g}, more than {TOLERANCE}; nothing was "
            "written"
        )
    write_whole(path, content)
    inputs = {name: values.shape[1:] for name, values in _examples(policy, 1, seed).items()}
    return Export(path, difference, _CHECKED_BATCHES, inputs)


class _Acting(nn.Module):
    """A policy's `act` as a function of tensors: the observation parts, and noise for a policy that takes it."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, *inputs: Tensor) -> Tensor:
        parts = dict(zip(self.policy.features.observations, inputs, strict=False))
        takes_noise = len(inputs) > len(parts)
        noise = inputs[-1] if takes_noise else torch.zeros(inputs[0].shape[0], *self.policy.noise_shape)
        return self.policy.act(parts, noise)


def _import_runtime() -> Any:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BarkyardError(
            f"exporting needs onnxruntime and onnxscript ({error}): pip install 'barkyard[onnx]'"
        ) from None
    return onnxruntime


def _examples(policy: Policy, rows: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """Observations over the range of the data and a fifth beyond it, and noise."""
    rng, steps = np.random.default_rng(seed), policy.config.observation_steps
    examples = {}
    for name, shape in policy.features.observations.items():
        if name in policy.features.images:
            examples[name] = rng.integers(0, 256, (rows, steps, *shape)).astype(np.float32)
            continue
        normalizer = policy.normalizers[name]
        spread = rng.uniform(-1.2, 1.2, (rows, steps, *shape))
        examples[name] = (normalizer.center + normalizer.half_range * spread).astype(np.float32)
    if policy.noise_shape[0]:
        examples[NOISE] = rng.standard_normal((rows, *policy.noise_shape), dtype=np.float32)
    return examples


def _convert(acting: _Acting, examples: dict[str, NDArray[np.float32]]) -> bytes:
    policy, batch = acting.policy, torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    with _quiet():  # with gradients: without them, policies act by ways of their own, which cannot be traced
        program = torch.onnx.export(
            acting,
            tuple(torch.from_numpy(values) for values in examples.values()),
            dynamic_shapes=(tuple({0: batch} for _ in examples),),
            input_names=list(examples),
            output_names=[ACTIONS],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    facts = {
        "policy": policy.origin.policy,
        "dataset": policy.origin.dataset,
        "features": policy.features.to_json(),
        "observation_steps": policy.config.observation_steps,
        "action_steps": policy.config.action_steps,
    }
    program.model.metadata_props[METADATA] = json.dumps(facts)
    content: bytes = program.model_proto.SerializeToString()
    return content


def _open(runtime: Any, content: bytes) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of what it cannot fold into constants
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _difference(session: Any, acting: _Acting, examples: dict[str, NDArray[np.float32]]) -> float:
    with torch.no_grad():
        expected = acting(*(torch.from_numpy(values) for values in examples.values())).numpy()
    (given,) = session.run([ACTIONS], examples)
    return float(np.abs(given - expected).max()) if given.shape == expected.shape else float("inf")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of other packages and of its own ways."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
