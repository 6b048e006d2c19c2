"""Trained networks: what they compute, rows without neighbours, files."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from barkyard.errors import CheckpointError
from barkyard.experts.locomotion.network import Network, shipped


def _network(sizes: tuple[int, ...] = (7, 16, 16, 3), seed: int = 0) -> Network:
    draw = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    layers = [(draw.normal(size=(a, b)).astype(np.float32), draw.normal(size=b).astype(np.float32)) for a, b in pairs]
    return Network(layers, {"seed": seed, "steps": 12.5})


def _inputs(count: int, width: int = 7) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, width)).astype(np.float32)


def test_a_network_by_hand() -> None:
    """ELU between the layers, none after the last."""
    layers = [(np.array([[1.0, -1.0]]), np.array([0.0, 0.5])), (np.array([[2.0], [3.0]]), np.array([-10.0]))]
    network = Network([(w.astype(np.float32), b.astype(np.float32)) for w, b in layers])
    expected = 2.0 * 2.0 + 3.0 * (np.exp(-1.5) - 1.0) - 10.0
    np.testing.assert_allclose(network(np.array([[2.0]], np.float32)), [[expected]], rtol=1e-6)


def test_a_network_is_its_matrices() -> None:
    network, values = _network(), _inputs(9).astype(np.float64)
    for i, (weight, bias) in enumerate(network.layers):
        values = values @ weight + bias
        values = np.where((values < 0) & (i < 2), np.expm1(np.minimum(values, 0)), values)
    np.testing.assert_allclose(network(_inputs(9)), values, rtol=2e-4, atol=2e-4)


def test_rows_do_not_depend_on_their_neighbours() -> None:
    network, inputs = _network((93, 128, 128, 12)), _inputs(33, 93)
    together = network(inputs)
    assert together.dtype == np.float32
    for rows in ([0], [32], [4, 9], list(range(32, -1, -1))):
        np.testing.assert_array_equal(network(inputs[rows]), together[rows])
    np.testing.assert_array_equal(network(np.asfortranarray(inputs)), together)
    assert network(inputs[:0]).shape == (0, 12)


def test_files_round_trip(tmp_path: Path) -> None:
    network = _network()
    network.save(tmp_path / "net.safetensors")
    again = Network.load(tmp_path / "net.safetensors")
    assert again.facts == {"seed": 0, "steps": 12.5} and len(again.layers) == 3
    for (weight, bias), (other_weight, other_bias) in zip(network.layers, again.layers, strict=True):
        np.testing.assert_array_equal(weight, other_weight)
        np.testing.assert_array_equal(bias, other_bias)
    np.testing.assert_array_equal(network(_inputs(4)), again(_inputs(4)))


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "header"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "walk.safetensors"
    _network().save(path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        contents = {"empty": b"", "text": b"not a network at all", "cut": whole[:-40], "header": b"\xff" + whole[1:]}
        path.write_bytes(contents[damage])
    with pytest.raises(CheckpointError, match="walk.safetensors.*train_experts"):
        Network.load(path)


def test_a_file_with_other_arrays_is_no_network(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3, np.float32), "b": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="other.safetensors"):
        Network.load(tmp_path / "other.safetensors")


def test_a_network_that_is_not_shipped_is_named() -> None:
    with pytest.raises(CheckpointError, match="moonwalk.safetensors"):
        shipped("moonwalk")
