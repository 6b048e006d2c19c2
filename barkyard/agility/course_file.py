"""A course as JSON: the obstacles by name, each with its pose and sizes in metres and radians."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, Final

from barkyard.agility.layout import OBSTACLES, AFrame, Board, Course, Table, WeavePoles
from barkyard.errors import InvalidInput
from barkyard.files import write_whole
from barkyard.untrusted import parse_json

SCHEMA: Final = "barkyard/course-v1"
_KINDS: Final[Mapping[str, type]] = {
    "start_table": Table,
    "weave_poles": WeavePoles,
    "a_frame": AFrame,
    "broad_jump": Board,
    "end_table": Table,
}


def course_to_json(course: Course) -> dict[str, Any]:
    """Plain JSON values."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(course)))
    return {"schema": SCHEMA, **value}


def course_from_json(value: Any) -> Course:
    """The course of `course_to_json`. Sizes may be left out where an obstacle has a usual one, and so may the order.

    Raises:
        InvalidInput: a name is missing or unknown, or a value cannot be; the message names it.
    """
    _check_keys("the course", value, ("schema", *OBSTACLES), ("order",))
    if value["schema"] != SCHEMA:
        raise InvalidInput(f"schema is {value['schema']!r}; it must be {SCHEMA!r}")
    obstacles = {name: _obstacle(name, kind, value[name]) for name, kind in _KINDS.items()}
    order = value.get("order", list(OBSTACLES))
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        raise InvalidInput(f"order is {order!r}; it must be a list of names")
    return Course(**obstacles, order=tuple(order))


def load_course(path: Path) -> Course:
    """Reads a course.

    Raises:
        InvalidInput: the file is absent, no JSON or no course; the message names file and value.
    """
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file; give a course's JSON file")
    try:
        return course_from_json(parse_json(path.read_text()))
    except ValueError as problem:  # InvalidInput, wrong JSON and wrong UTF-8 are all of this kind
        raise InvalidInput(f"{path}: {problem}") from None


def save_course(course: Course, path: Path) -> None:
    """Writes a file that `load_course` reads back exactly; whole or not at all."""
    write_whole(path, (json.dumps(course_to_json(course), indent=2) + "\n").encode())


def _obstacle(name: str, kind: type, value: Any) -> Any:
    known = fields(kind)
    needed = tuple(field.name for field in known if field.default is MISSING)
    _check_keys(name, value, needed, tuple(field.name for field in known))
    return kind(**{key: _parsed(f"{name}.{key}", key, entry) for key, entry in value.items()})


def _parsed(where: str, key: str, value: Any) -> Any:
    if key == "centres":
        if not isinstance(value, list):
            raise InvalidInput(f"{where} is {value!r}; it must be a list of points")
        return tuple(_parsed(where, "centre", point) for point in value)
    if key == "centre":
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidInput(f"{where} is {value!r}; it must be a point, a list of two numbers")
        return tuple(_parsed(where, "number", number) for number in value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{where} is {value!r}; it must be a finite number")
    return float(value)


def _check_keys(what: str, value: Any, needed: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is {value!r}; it must be a JSON object")
    missing = [key for key in needed if key not in value]
    if missing:
        raise InvalidInput(f"{what} lacks {', '.join(missing)}")
    valid = tuple(dict.fromkeys(needed + optional))
    unknown = [key for key in value if key not in valid]
    if unknown:
        raise InvalidInput(f"{what} has the unknown {', '.join(unknown)}; valid: {', '.join(valid)}")
