"""What client and server say to one another: msgpack, with arrays as openpi's clients write them.

An array is a map with the keys `__ndarray__`, `dtype`, `shape` and `data` (raw, C order), all of them bytes. A message
of the server that is text says what was wrong with the request.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput

PROTOCOL: Final = "barkyard.policy-server/1"
TIME, SEED = "@time", "@seed"
"""Names in a request that are no observation parts; those are letters, digits and underscores."""

_DTYPES: Final = ("<f4", "<f8", "|u1", "|i1", "<i2", "<u2", "<i4", "<i8", "|b1")
_MOST_AXES: Final = 8
_OVERHEAD: Final = 4096
"""Bytes of a request beside its numbers."""
_WIDEST: Final = 8
"""Bytes of a number."""


@dataclass(frozen=True)
class Request:
    """What a client asks.

    Attributes:
        windows: the parts that the policy reads, each `(To, ...)` float32, the oldest first.
        time: when the newest of them was measured, on the client's clock [s].
        seed: begins a new episode's noise; None goes on with the old one's.
    """

    windows: dict[str, NDArray[np.float32]]
    time: float
    seed: int | None


def pack(message: Mapping[str, Any]) -> bytes:
    """A message as bytes."""
    packed: bytes = msgpack.packb(message, default=_write)
    return packed


def unpack(data: bytes) -> dict[str, Any]:
    """The message in `data`; arrays are views of it.

    Raises:
        InvalidInput: it is none.
    """
    try:
        message = msgpack.unpackb(data, object_hook=_read)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise InvalidInput(f"this is no message: {type(error).__name__}: {error}") from error
    if not isinstance(message, dict) or not all(isinstance(name, str) for name in message):
        raise InvalidInput(f"this is no message, which is a map from names: {type(message).__name__}")
    return message


def read_request(message: Mapping[str, Any], shapes: Mapping[str, Sequence[int]], steps: int) -> Request:
    """The request in a message.

    Args:
        message: parts by name, each of its shape, or `(k, *shape)` for the newest `k` control periods. Where fewer than
            `steps` are given, the oldest stands for those before it, as at the beginning of an episode. Others than
            those in `shapes` are not looked at.
        shapes: of the parts that the policy reads.
        steps: observations that it sees, To.

    Raises:
        InvalidInput: a part is missing, is no array of that shape, or holds what is not a number; or the time or seed
            is none.
    """
    windows = {name: _window(name, message.get(name), tuple(shape), steps) for name, shape in shapes.items()}
    time, seed = message.get(TIME, 0.0), message.get(SEED)
    if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) < 1e15:
        raise InvalidInput(f"{TIME} is {time!r:.80}; it must be a number of seconds")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**63):
        raise InvalidInput(f"{SEED} is {seed!r:.80}; it must be a whole number, 0 or more, of at most 63 bits")
    return Request(windows, float(time), seed)


def read_greeting(message: Mapping[str, Any]) -> dict[str, Any]:
    """The greeting of a server in a message: what it serves.

    Raises:
        InvalidInput: it is of another protocol, or lacks what a client needs.
    """
    if message.get("protocol") != PROTOCOL:
        raise InvalidInput(f"the server speaks {message.get('protocol')!r:.80}; this client speaks {PROTOCOL!r}")
    features = message.get("features")
    try:
        assert isinstance(features, dict)
        shapes, dt = features["observations"].values(), features["control_dt"]
        counts = [message["observation_steps"], features["action_dim"], *(size for shape in shapes for size in shape)]
        sound = all(type(count) is int and count > 0 for count in counts) and 0 < float(dt) < math.inf
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidInput(f"the server's greeting is damaged: {type(error).__name__}: {error}") from error
    if not sound:
        raise InvalidInput(f"the server's greeting has sizes or a control period that cannot be: {features!r:.200}")
    return dict(message)


def read_answer(message: Mapping[str, Any], action_dim: int) -> tuple[NDArray[np.float32], float]:
    """The actions `(n, A)` in a message, and the time of the first of them [s].

    Raises:
        InvalidInput: they are no finite actions of that size, or have no time.
    """
    actions, times = message.get("actions"), message.get("times")
    if not isinstance(actions, np.ndarray) or actions.ndim != 2 or actions.shape[1] != action_dim or not len(actions):
        found = getattr(actions, "shape", type(actions).__name__)
        raise InvalidInput(f"the server's actions are {found!r:.80}; this robot takes (n, {action_dim})")
    if not isinstance(times, np.ndarray) or times.shape != actions.shape[:1]:
        raise InvalidInput(f"the server gave no time for each of {len(actions)} actions")
    if not np.isfinite(actions).all() or not np.isfinite(times).all():
        raise InvalidInput("the server's actions or their times are not finite")
    return actions, float(times[0])


def largest_request(shapes: Mapping[str, Sequence[int]], steps: int) -> int:
    """Bytes beyond which a request is not read."""
    numbers = steps * sum(math.prod(shape) for shape in shapes.values())
    return _WIDEST * 2 * numbers + _OVERHEAD


def _window(name: str, values: Any, shape: tuple[int, ...], steps: int) -> NDArray[np.float32]:
    if isinstance(values, list):
        values = _from_list(name, values)
    if not isinstance(values, np.ndarray):
        raise InvalidInput(f"observation {name!r} is {'missing' if values is None else 'no array'}")
    if values.shape == shape:
        values = values[None]
    if values.shape[1:] != shape or not 1 <= len(values) <= steps:
        raise InvalidInput(
            f"observation {name!r} has shape {values.shape}; valid: {shape}, or up to {steps} of them one after another"
        )
    with np.errstate(over="ignore"):
        window = values.astype(np.float32)
    if not np.isfinite(window).all():
        raise InvalidInput(f"observation {name!r} is not finite: {values.ravel()[:16].tolist()}")
    return np.concatenate([np.repeat(window[:1], steps - len(window), axis=0), window])


def _from_list(name: str, values: list[Any]) -> NDArray[np.float64]:
    """For clients that have no arrays."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"observation {name!r} is no array: {error}") from error


def _write(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.str not in _DTYPES:
            raise TypeError(f"an array of {value.dtype} cannot be sent; valid: {', '.join(_DTYPES)}")
        content = np.ascontiguousarray(value).tobytes()
        return {b"__ndarray__": True, b"data": content, b"dtype": value.dtype.str, b"shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _read(fields: dict[Any, Any]) -> Any:
    if b"__npgeneric__" in fields:
        return fields.get(b"data")
    if b"__ndarray__" not in fields:
        return fields
    content, kind, shape = (fields.get(name) for name in (b"data", b"dtype", b"shape"))
    if kind not in _DTYPES:
        raise ValueError(f"an array of {kind!r:.40}; valid: {', '.join(_DTYPES)}")
    if not isinstance(shape, list) or len(shape) > _MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"an array of shape {shape!r:.80}")
    if not isinstance(content, bytes) or math.prod(shape) * np.dtype(kind).itemsize != len(content):
        raise ValueError(f"an array of shape {shape} and {kind} whose data is of another length")
    return np.frombuffer(content, kind).reshape(shape)
