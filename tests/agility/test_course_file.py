"""Courses as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barkyard.agility import Course, course_from_json, course_to_json, load_course, save_course
from barkyard.errors import InvalidInput

STANDARD = course_to_json(Course.standard())


def changed(*keys: str, to: Any) -> dict[str, Any]:
    """The standard course's JSON with one value changed; None removes it."""
    value: dict[str, Any] = json.loads(json.dumps(STANDARD))
    inner = value
    for key in keys[:-1]:
        inner = inner[key]
    if to is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = to
    return value


@pytest.mark.parametrize("seed", range(5))
def test_round_trip_is_exact(seed: int, tmp_path: Path) -> None:
    course = Course.standard().varied(1.0, np.random.default_rng(seed)).moved((0.1, 0.2), 0.3)
    save_course(course, tmp_path / "course.json")
    assert load_course(tmp_path / "course.json") == course
    assert course_from_json(json.loads(json.dumps(course_to_json(course)))) == course


def test_usual_sizes_may_be_left_out() -> None:
    value = changed("order", to=None)
    value["start_table"] = {"centre": [0.5, -0.5]}
    assert course_from_json(value) == Course.standard()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the course is .*JSON object"),
        (changed("a_frame", to=None), "the course lacks a_frame"),
        (changed("see_saw", to=1), "unknown see_saw; valid: schema, start_table"),
        (changed("schema", to="else"), "schema is 'else'"),
        (changed("a_frame", "heading", to=None), "a_frame lacks heading"),
        (changed("a_frame", "heading", to="north"), "a_frame.heading is 'north'"),
        (changed("a_frame", "heading", to=True), "a_frame.heading is True"),
        (changed("a_frame", "slope", to=3), "a_frame has the unknown slope; valid: centre, heading"),
        (changed("broad_jump", "length", to=-1), "broad_jump: length is -1"),
        (changed("broad_jump", "length", to=float("nan")), "broad_jump.length is nan"),
        (changed("end_table", "centre", to=[1.0]), "end_table.centre is"),
        (changed("weave_poles", "centres", to=3), "weave_poles.centres is 3"),
        (changed("weave_poles", "centres", to=[[0, 0], 3]), "weave_poles.centres is 3"),
        (changed("weave_poles", "centres", to=[[0, 0], [1, 1]]), "2 centres; give 5"),
        (changed("order", to=["start_table"]), "order is start_table"),
        (changed("order", to="start_table"), "order is 'start_table'"),
        (changed("start_table", to=7), "start_table is 7"),
    ],
)
def test_bad_values_are_named(value: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "course.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InvalidInput, match=message) as refusal:
        load_course(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_files_without_json_are_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "course.json"
    path.write_bytes(content)
    for place in (path, tmp_path, tmp_path / "absent.json"):
        with pytest.raises(InvalidInput, match=str(place)):
            load_course(place)
