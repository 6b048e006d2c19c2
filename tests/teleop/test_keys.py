"""Keys that are held, tapped, toggled and let go; and the file that changes them."""

import json
from pathlib import Path

import pytest

from barkyard.errors import InvalidInput
from barkyard.teleop.command import EVENTS
from barkyard.teleop.keys import DEFAULT_KEYS, MEANINGS, MOTIONS, Keys, describe_keys, load_keys
from tests.teleop.scripted import FULL


def test_a_key_asks_for_its_part_of_the_range() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 0.5)
    keys.press("up", 0.0)
    keys.press("p", 0.0)
    assert keys.read(10.0).twist == (0.15, 0.0, 0.0, 0.0, 0.0, -1.5)
    keys.release("up", 11.0)
    keys.press("p", 11.0)
    assert keys.read(11.0).twist == (0.0, 0.0, 0.0, 0.0, 0.0, -1.5)


def test_opposite_keys_cancel() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0)
    keys.press("left", 0.0)
    keys.press("right", 0.0)
    assert not keys.read(0.0).acts


def test_a_tap_between_two_commands_counts_once() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0)
    keys.press("up", 0.01)
    keys.release("up", 0.02)
    first, second = keys.read(0.05), keys.read(0.1)
    assert first.twist[0] == 0.3 and first.since == 0.01
    assert not second.acts and second.since is None


def test_holding_the_gripper_key_is_one_press() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0, releases=False)
    states = []
    for now in (0.0, 0.5, 0.53, 0.56, 2.0):  # a press, the keyboard's repeats, another press
        keys.press("space", now)
        states.append(keys.read(now).gripper)
    assert states == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_without_releases_a_key_is_held_while_it_repeats() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0, releases=False)
    for now in (0.0, 0.1, 0.2, 0.3):
        keys.press("up", now)
    assert keys.read(0.45).twist[0] == 0.3
    assert keys.read(0.51).twist[0] == 0.0


def test_events_are_told_once_and_in_order() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0)
    for key in ("u", "enter", "n"):
        keys.press(key, 0.0)
    assert keys.read(0.0).events == ("undo", "start", "keep")
    assert keys.read(0.0).events == ()


def test_a_new_episode_forgets_what_was_held() -> None:
    keys = Keys(DEFAULT_KEYS, FULL, 1.0)
    for key in ("up", "space", "n"):
        keys.press(key, 0.0)
    keys.begin(0.0)
    command = keys.read(0.0)
    assert not command.acts and command.gripper == 0.0 and command.events == ()


def test_every_motion_and_word_has_a_key() -> None:
    assert set(DEFAULT_KEYS.values()) == {*MOTIONS, "gripper", *EVENTS}
    assert all(key in describe_keys(DEFAULT_KEYS) for key in (";", "space", "enter", "↑"))


def test_a_file_changes_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"schema": 1, "keys": {"w": "forward", "up": "none"}}))
    keys = load_keys(path)
    assert keys["w"] == "forward" and "up" not in keys and keys["space"] == "gripper"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"schema": 1, "keys": {"w": "fly"}}', MEANINGS[0]),
        ('{"schema": 2, "keys": {}}', "this version reads 1"),
        ("[]", "write for example"),
        ("{", "write for example"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=words):
        load_keys(path)


def test_an_absent_file_and_a_speed_beyond_the_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read the keys"):
        load_keys(tmp_path / "absent.json")
    with pytest.raises(InvalidInput, match="speed is 1.5"):
        Keys(DEFAULT_KEYS, FULL, 1.5)
