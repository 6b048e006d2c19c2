"""What the page says, checked."""

import math
from dataclasses import dataclass
from typing import Any, Final

from barkyard.errors import InvalidInput
from barkyard.teleop.command import EVENTS
from barkyard.untrusted import parse_json

LONGEST: Final = 4096
"""Characters of a message."""
PAD_AXES: Final = 4
_NAMES: Final = {" ": "space", "escape": "esc"}


@dataclass(frozen=True)
class Key:
    """A key went down or up; its name as in the table of keys."""

    name: str
    down: bool


@dataclass(frozen=True)
class Release:
    """The page lost the focus: nothing is held any more."""


@dataclass(frozen=True)
class Pad:
    """A gamepad in the standard layout: left stick right and towards the person, right stick likewise; buttons."""

    axes: tuple[float, ...]
    buttons: frozenset[int]


@dataclass(frozen=True)
class Report:
    """A report of a SpaceMouse, its id first."""

    data: bytes


@dataclass(frozen=True)
class Said:
    """A button of the page, one of `EVENTS`."""

    event: str


@dataclass(frozen=True)
class Shown:
    """The page has drawn a frame."""

    frame: int


@dataclass(frozen=True)
class Drive:
    """A viewer asks to drive."""


Message = Key | Release | Pad | Report | Said | Shown | Drive


def parse_message(text: str) -> tuple[Message, int]:
    """A message and its number, which the frames that follow from it carry back.

    Raises:
        InvalidInput: it is none of ours.
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"{len(text)} characters, at most {LONGEST} are read")
        content = parse_json(text)
        number = content.get("id", 0)
        if type(number) is not int or not 0 <= number < 2**32:
            raise ValueError(f"id {number!r}")
        return _message(content), number
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidInput(f"the page sent {text[:80]!r}, which is no message: {error}") from error


def _message(content: dict[str, Any]) -> Message:
    kind = content["kind"]
    if kind == "key":
        return Key(key_name(content["key"]), _boolean(content["down"]))
    if kind == "release":
        return Release()
    if kind == "pad":
        axes = tuple(float(value) for value in content["axes"])
        if len(axes) != PAD_AXES or not all(math.isfinite(value) and abs(value) <= 1.0 for value in axes):
            raise ValueError(f"axes {axes}")
        return Pad(axes, frozenset(int(button) for button in content["buttons"]))
    if kind == "report":
        return Report(bytes.fromhex(content["data"]))
    if kind == "said":
        if content["event"] not in EVENTS:
            raise ValueError(f"event {content['event']!r}; valid: {', '.join(EVENTS)}")
        return Said(content["event"])
    if kind == "shown":
        return Shown(int(content["frame"]))
    if kind == "drive":
        return Drive()
    raise ValueError(f"kind {kind!r}")


def key_name(key: str) -> str:
    """Our name of a key that a browser calls `key` (`KeyboardEvent.key`)."""
    name = key.lower().removeprefix("arrow")
    return _NAMES.get(name, name)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value
