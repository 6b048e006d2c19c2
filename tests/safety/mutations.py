"""Bytes and JSON changed in ways that break readers."""

import json
import random
from copy import deepcopy
from typing import Any

NASTY: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    2**63,
    "",
    "nan",
    "../../etc/passwd",
    "\x00",
    "\udc80",
    [],
    [[]],
    {},
    {"kind": None},
    [1, "2", None],
)
_BYTES = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b",",
    b"\n",
    b'"',
    b"nan",
    b"1e999",
)


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flip, put in, take out, repeat or cut; one to four times."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1)
        way = rng.randrange(6)
        if way == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif way == 1 and place < len(changed):
            changed[place] = rng.randrange(256)
        elif way == 2:
            piece = rng.choice(_BYTES)
            changed[place : place + len(piece) * rng.randrange(2)] = piece
        elif way == 3:
            del changed[place : place + rng.randrange(1, 40)]
        elif way == 4:
            changed[place:place] = changed[place : place + rng.randrange(1, 40)]
        elif rng.random() < 0.2:
            del changed[place:]
    return bytes(changed)


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Put nasty values in the place of good ones, or take them out; or change the bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(content, rng)
    root = [json.loads(content)]
    for _ in range(rng.randint(1, 3)):
        places = list(_places(root))
        holder, key = rng.choice(places)
        way = rng.randrange(4)
        if way == 0 and holder is not root:
            del holder[key]
        elif way == 1:
            other, name = rng.choice(places)
            holder[key] = json.loads(json.dumps(other[name]))
        elif way == 2 and isinstance(holder, dict):
            holder[rng.choice(["", "extra", "schema", "\x00"])] = deepcopy(rng.choice(NASTY))
        else:
            holder[key] = deepcopy(rng.choice(NASTY))
    if rng.random() < 0.01:
        return b"[" * 100_000
    return json.dumps(root[0]).encode()


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        keys: Any = list(value)
    elif isinstance(value, list):
        keys = range(min(len(value), 20))
    else:
        return
    for key in keys:
        yield value, key
        yield from _places(value[key])
