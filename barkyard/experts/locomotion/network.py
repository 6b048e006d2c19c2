"""Small trained networks, as plain arrays."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from barkyard.errors import CheckpointError

Floats = NDArray[np.float32]


@njit(cache=True, error_model="numpy")
def _layer(inputs: Floats, weight: Floats, bias: Floats, elu: bool) -> Floats:
    """Sums run in one fixed order for every row, so a row's result does not depend on its neighbours."""
    outputs = np.empty((inputs.shape[0], weight.shape[1]), np.float32)
    for n in range(inputs.shape[0]):
        row = outputs[n]
        row[:] = bias
        for k in range(weight.shape[0]):
            value = inputs[n, k]
            for j in range(weight.shape[1]):
                row[j] += value * weight[k, j]
        if elu:
            for j in range(weight.shape[1]):
                if row[j] < 0.0:
                    row[j] = np.exp(row[j]) - np.float32(1.0)
    return outputs


class Network:
    """A multilayer perceptron with ELU between its layers. Final.

    Attributes:
        layers: weights `(inputs, outputs)` and biases `(outputs,)` of each layer.
        facts: how it was made: command, seed, steps, result.
    """

    def __init__(self, layers: Sequence[tuple[Floats, Floats]], facts: Mapping[str, Any] | None = None) -> None:
        self.layers = [(np.ascontiguousarray(w, np.float32), np.ascontiguousarray(b, np.float32)) for w, b in layers]
        self.facts = dict(facts or {})

    def __call__(self, inputs: Floats) -> Floats:
        """`(N, outputs)` for `(N, inputs)`; each row depends on itself alone, bit for bit."""
        values = np.ascontiguousarray(inputs, np.float32)
        for i, (weight, bias) in enumerate(self.layers):
            values = _layer(values, weight, bias, i < len(self.layers) - 1)
        return values

    def save(self, path: Path) -> None:
        """Write a safetensors file, with the facts as metadata."""
        arrays = {
            f"{i}.{name}": array
            for i, pair in enumerate(self.layers)
            for name, array in zip(("weight", "bias"), pair, strict=True)
        }
        save_file(arrays, path, metadata={"facts": json.dumps(self.facts)})

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Read a file that `save` wrote. Raises CheckpointError naming the file."""
        from safetensors import SafetensorError, safe_open

        try:
            arrays = load_file(path)
            with safe_open(path, "np") as file:
                facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            count = len(arrays) // 2
            return cls([(arrays[f"{i}.weight"], arrays[f"{i}.bias"]) for i in range(count)], facts)
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"{path} is not a trained network: {error}. Run ./scripts/train_experts") from error


def shipped(name: str) -> Network:
    """The trained network `name` that comes with the package."""
    with resources.as_file(resources.files("barkyard.experts.locomotion") / "weights" / f"{name}.safetensors") as path:
        return Network.load(path)
