"""From keys that are held to commands; the same for terminal, display and browser."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from barkyard.errors import InvalidInput
from barkyard.teleop.command import EVENTS, Command, scaled
from barkyard.untrusted import parse_json

MOTIONS: Final[Mapping[str, tuple[int, float]]] = {
    "forward": (0, 1.0), "back": (0, -1.0), "left": (1, 1.0), "right": (1, -1.0), "up": (2, 1.0), "down": (2, -1.0),
    "roll_right": (3, 1.0), "roll_left": (3, -1.0), "pitch_down": (4, 1.0), "pitch_up": (4, -1.0),
    "yaw_left": (5, 1.0), "yaw_right": (5, -1.0),
}  # fmt: skip
"""Element of the twist and its sign."""
GRIPPER: Final = "gripper"
"""Opens the gripper if it is closed, else closes it."""
NOTHING: Final = "none"
MEANINGS: Final = (*MOTIONS, GRIPPER, *EVENTS, NOTHING)

DEFAULT_KEYS: Final[Mapping[str, str]] = {
    "up": "forward", "down": "back", "left": "left", "right": "right", ".": "down", ";": "up",
    "o": "yaw_left", "p": "yaw_right", "y": "pitch_up", "h": "pitch_down", "e": "roll_right", "r": "roll_left",
    "space": "gripper", "enter": "start", "n": "keep", "backspace": "again", "u": "undo", "esc": "stop", "q": "stop",
}  # fmt: skip
"""robosuite's motion keys, and LeRobot's for episodes where these are free: robosuite moves with LeRobot's arrows and
rolls with its r, so here backspace records an episode again."""
SCHEMA: Final = 1
_SIGNS: Final = {"up": "\N{UPWARDS ARROW}", "down": "\N{DOWNWARDS ARROW}", "left": "\N{LEFTWARDS ARROW}",
                 "right": "\N{RIGHTWARDS ARROW}"}  # fmt: skip

MOTION_HOLD: Final = 0.2
"""Where no release is seen, a motion key counts as held for this long after each press or repeat [s]; a choice."""
SWITCH_HOLD: Final = 0.7
"""The same for all other keys: longer than the pause before a keyboard repeats, so that holding is one press [s]."""


def load_keys(path: Path) -> dict[str, str]:
    """The default keys with those of a file laid over them.

    Args:
        path: JSON, `{"schema": 1, "keys": {"w": "forward", "up": "none"}}`.

    Raises:
        InvalidInput: the file is no such thing, or a meaning is unknown.
    """
    try:
        content: Any = parse_json(path.read_text())
        schema, keys = content["schema"], dict(content["keys"])
    except OSError as error:
        raise InvalidInput(f"cannot read the keys in {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        example = json.dumps({"schema": SCHEMA, "keys": {"w": "forward", "up": NOTHING}})
        raise InvalidInput(f"{path} holds no keys ({error}); write for example {example}") from error
    if schema != SCHEMA:
        raise InvalidInput(f"{path} has schema {schema!r}; this version reads {SCHEMA}")
    for key, meaning in keys.items():
        if meaning not in MEANINGS:
            raise InvalidInput(f"{path}: key {key!r} means {meaning!r}; valid: {', '.join(MEANINGS)}")
    return {key: meaning for key, meaning in {**DEFAULT_KEYS, **keys}.items() if meaning != NOTHING}


def describe_keys(keys: Mapping[str, str]) -> str:
    """Keys and meanings in lines of three."""
    words = [f"{_SIGNS.get(key, key):>9} {meaning.replace('_', ' '):<11}" for key, meaning in keys.items()]
    return "\n".join("".join(words[i : i + 3]).rstrip() for i in range(0, len(words), 3))


class Keys:
    """Which keys are down, and what that asks for. Final.

    A key that is pressed and released between two commands counts for one of them.

    Args:
        keys: names to meanings, as `DEFAULT_KEYS`.
        full: `(6,)` the twist of a robot at its limit [m/s, rad/s].
        speed: the part of it that a key asks for, in (0, 1].
        releases: whether releases are seen; else keys are held for `MOTION_HOLD` after each press.
    """

    def __init__(
        self, keys: Mapping[str, str], full: NDArray[np.float64], speed: float, *, releases: bool = True
    ) -> None:
        if not 0.0 < speed <= 1.0:
            raise InvalidInput(f"speed is {speed}; give a part of the robot's range in (0, 1]")
        self.keys, self._full, self._releases = dict(keys), np.asarray(full) * speed, releases
        self._down: dict[str, float] = {}
        self._tapped: set[str] = set()
        self._events: list[str] = []
        self._gripper, self._changed = 0.0, False
        self._since: float | None = None

    def begin(self, gripper: float) -> None:
        """Forget what is held; the gripper is at `gripper`."""
        self._gripper, self._changed, self._since = gripper, False, None
        self._events.clear()
        self.release_all()
        self._tapped.clear()

    def set_gripper(self, gripper: float) -> None:
        """The gripper is at `gripper`; what is held goes on."""
        self._gripper = gripper

    def toggle_gripper(self) -> None:
        """Open it if it is closed, else close it."""
        self._gripper, self._changed = float(self._gripper < 0.5), True

    def press(self, key: str, now: float) -> None:
        """Key `key` went down, or repeats."""
        meaning = self.keys.get(key)
        if meaning is None:
            return
        self._expire(now)
        repeats = key in self._down
        self._down[key] = now
        if repeats:
            return
        if self._since is None:
            self._since = now
        if meaning in MOTIONS:
            self._tapped.add(key)
        elif meaning == GRIPPER:
            self.toggle_gripper()
        else:
            self._events.append(meaning)

    def release(self, key: str, now: float) -> None:
        """Key `key` went up."""
        if self._down.pop(key, None) is not None and self.keys[key] in MOTIONS and self._since is None:
            self._since = now

    def release_all(self) -> None:
        """All keys are up: whoever held them went away."""
        self._down.clear()

    def read(self, now: float) -> Command:
        """The command at `now`; events, taps and changes are told once."""
        self._expire(now)
        deflection = np.zeros(6)
        for key in self._tapped | self._down.keys():
            if self.keys[key] in MOTIONS:
                axis, sign = MOTIONS[self.keys[key]]
                deflection[axis] += sign
        command = Command(
            scaled(deflection, self._full), self._gripper, tuple(self._events), self._changed, self._since
        )
        self._tapped.clear()
        self._events.clear()
        self._changed, self._since = False, None
        return command

    def _expire(self, now: float) -> None:
        if not self._releases:
            limit = {True: MOTION_HOLD, False: SWITCH_HOLD}
            self._down = {k: at for k, at in self._down.items() if now - at <= limit[self.keys[k] in MOTIONS]}
