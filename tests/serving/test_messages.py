"""Messages to and from bytes."""

from typing import Any

import msgpack
import numpy as np
import pytest

from barkyard.errors import InvalidInput
from barkyard.serving.messages import (
    PROTOCOL,
    SEED,
    TIME,
    largest_request,
    pack,
    read_answer,
    read_greeting,
    read_request,
    unpack,
)

SHAPES = {"position": (2,), "scan": (2, 3)}


def message(**changes: Any) -> dict[str, Any]:
    return {"position": np.array([1.0, 2.0], np.float32), "scan": np.arange(6.0).reshape(2, 3), **changes}


def test_arrays_come_back_as_they_went() -> None:
    sent: dict[str, Any] = {
        "f": np.arange(6, dtype=np.float32).reshape(2, 3),
        "d": np.array(3.0),
        "u": np.zeros((0, 4), np.uint8),
        "flipped": np.arange(4.0)[::-1],
        "list": [1, {"deep": np.array([True])}],
        "number": np.float64(0.1),
    }
    back = unpack(pack(sent))
    for name in ("f", "d", "u", "flipped"):
        assert back[name].dtype == np.asarray(sent[name]).dtype
        np.testing.assert_array_equal(back[name], sent[name])
    assert back["list"][1]["deep"].tolist() == [True] and back["number"] == 0.1


def array(**fields: Any) -> bytes:
    good = {b"__ndarray__": True, b"data": b"\0" * 8, b"dtype": "<f4", b"shape": [2]}
    packed: bytes = msgpack.packb({"x": good | {name.encode(): value for name, value in fields.items()}})
    return packed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        msgpack.packb([1, 2]),
        msgpack.packb({1: 2}, use_bin_type=True),
        msgpack.packb({b"x": 2}),
        pack(message())[:-1],
        pack(message()) + b"\0",
        array(dtype="|O"),
        array(dtype="<U2"),
        array(dtype=["<f4"]),
        array(shape=[3]),
        array(shape=[-1, -2]),
        array(shape=[2.0]),
        array(shape=[1] * 9 + [2]),
        array(shape="2"),
        array(data="text"),
        array(shape=[2**62, 2**62, 0], data=b"x"),
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="this is no message"):
        unpack(data)


def test_the_oldest_observation_stands_for_those_before_it() -> None:
    seen = np.array([[1.0, 2.0], [3.0, 4.0]])
    request = read_request(message(position=seen), SHAPES, 3)
    assert request.windows["position"].tolist() == [[1.0, 2.0], [1.0, 2.0], [3.0, 4.0]]
    assert request.windows["position"].dtype == np.float32
    assert request.windows["scan"].shape == (3, 2, 3)
    assert (request.time, request.seed) == (0.0, None)
    assert read_request(message(position=[5, 6.5]) | {TIME: 2, SEED: 7}, SHAPES, 1).seed == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"position": None}, "'position' is missing"),
        ({"position": "here"}, "'position' is no array"),
        ({"position": [[1.0], [2.0, 3.0]]}, "'position' is no array"),
        ({"position": np.zeros(3)}, r"shape \(3,\); valid: \(2,\), or up to 2"),
        ({"position": np.zeros((3, 2))}, "up to 2 of them"),
        ({"position": np.zeros((0, 2))}, "up to 2 of them"),
        ({"position": np.array([1.0, np.nan])}, "not finite"),
        ({"position": np.array([1.0, 1e300])}, "not finite"),
        ({TIME: "now"}, "@time is 'now'"),
        ({TIME: float("inf")}, "@time"),
        ({TIME: True}, "@time"),
        ({SEED: -1}, "@seed"),
        ({SEED: 1.0}, "@seed"),
        ({SEED: 2**63}, "@seed"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_request(message() | changes, SHAPES, 2)


def test_no_request_is_larger_than_the_largest() -> None:
    full = {name: np.zeros((5, *shape)) for name, shape in SHAPES.items()}
    assert len(pack(full | {TIME: 1e9, SEED: 2**62})) < largest_request(SHAPES, 5)


def test_an_answer_has_finite_actions_and_their_times() -> None:
    good = {"actions": np.ones((3, 2), np.float32), "times": np.array([7.0, 7.1, 7.2])}
    actions, first = read_answer(unpack(pack(good)), 2)
    assert actions.shape == (3, 2) and first == 7.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actions": None}, "'NoneType'; this robot takes"),
        ({"actions": np.ones((3, 4), np.float32)}, r"\(3, 4\); this robot takes \(n, 2\)"),
        ({"actions": np.ones((0, 2), np.float32)}, "this robot takes"),
        ({"actions": np.full((3, 2), np.nan, np.float32)}, "not finite"),
        ({"times": np.zeros(2)}, "no time for each of 3"),
        ({"times": "now"}, "no time for each of 3"),
    ],
)
def test_a_damaged_answer_is_refused(changes: dict[str, Any], said: str) -> None:
    """The robot's loop gets our error, for which it holds its safe action."""
    good = {"actions": np.ones((3, 2), np.float32), "times": np.zeros(3)}
    with pytest.raises(InvalidInput, match=said):
        read_answer(unpack(pack(good | changes)), 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": "other/1"}, "speaks 'other/1'"),
        ({"features": None}, "damaged"),
        ({"observation_steps": 0}, "cannot be"),
        ({"features": {"observations": {"position": [2]}, "action_dim": 2, "control_dt": 0.0}}, "cannot be"),
        ({"features": {"observations": {"position": 2}, "action_dim": 2, "control_dt": 0.1}}, "damaged"),
    ],
)
def test_a_damaged_greeting_is_refused(changes: dict[str, Any], said: str) -> None:
    features = {"observations": {"position": [2]}, "action_dim": 2, "control_dt": 0.1}
    good = {"protocol": PROTOCOL, "features": features, "observation_steps": 2}
    assert read_greeting(unpack(pack(good))) == good
    with pytest.raises(InvalidInput, match=said):
        read_greeting(unpack(pack(good | changes)))
