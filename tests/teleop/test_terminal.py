"""What a terminal sends, and that it is left as it was found."""

import os
import pty
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barkyard.errors import BarkyardError
from barkyard.teleop.keys import DEFAULT_KEYS
from barkyard.teleop.terminal import TerminalKeyboard, decode_keys
from tests.teleop.scripted import FULL, SEQUENCES


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"\x1b[A\x1bOB", ["up", "down"]),
        (b" \r\n\x7f\x08", ["space", "enter", "enter", "backspace", "backspace"]),
        (b"Rq;", ["r", "q", ";"]),
        (b"\x1b", ["esc"]),
        (b"\x1bn", ["esc", "n"]),
        (b"\x1b[3~\x1b[1;5A.", ["."]),  # delete and control-up mean nothing here
        ("é".encode(), []),
    ],
)
def test_keys_are_decoded(data: bytes, keys: list[str]) -> None:
    assert decode_keys(data, complete=True) == (keys, b"")


def test_a_sequence_that_is_not_whole_waits() -> None:
    assert decode_keys(b"a\x1b[") == (["a"], b"\x1b[")
    assert decode_keys(b"\x1b") == ([], b"\x1b")


@settings(deadline=None)
@given(st.lists(st.sampled_from([*SEQUENCES.values(), b"\x1b", b"[", b"\x00", b"\xff", b"a"])), st.data())
def test_how_the_bytes_arrive_does_not_matter(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    first, pending = decode_keys(whole[:cut])
    second, rest = decode_keys(pending + whole[cut:])
    assert (first + second, rest) == decode_keys(whole)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_are_too_much(data: bytes) -> None:
    keys, rest = decode_keys(data, complete=True)
    assert rest == b"" and all(keys)


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)


def test_the_terminal_is_as_it_was_however_the_session_ends(ends: tuple[int, int]) -> None:
    person, program = ends
    before = termios.tcgetattr(program)
    with pytest.raises(KeyboardInterrupt), TerminalKeyboard(DEFAULT_KEYS, FULL, 0.5, program) as keyboard:
        assert not termios.tcgetattr(program)[3] & (termios.ECHO | termios.ICANON)
        assert termios.tcgetattr(program)[3] & termios.ISIG  # Ctrl-C still interrupts
        os.write(person, b"\x1b[A ")
        command = keyboard.read(time.monotonic())
        assert command.twist[0] == 0.15 and command.gripper == 1.0
        raise KeyboardInterrupt
    assert termios.tcgetattr(program) == before


def test_escape_alone_is_a_key_after_a_moment(ends: tuple[int, int]) -> None:
    person, program = ends
    with TerminalKeyboard(DEFAULT_KEYS, FULL, 0.5, program) as keyboard:
        os.write(person, b"\x1b")
        events = keyboard.read(time.monotonic()).events
        time.sleep(0.1)
        assert events + keyboard.read(time.monotonic()).events == ("stop",)


def test_where_there_is_no_terminal_it_says_what_to_do(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(BarkyardError, match="--device browser"):
        TerminalKeyboard(DEFAULT_KEYS, FULL, 0.5, file.fileno()).open()


PROGRAM = """
import sys, time
from barkyard.teleop.keys import DEFAULT_KEYS
from barkyard.teleop.terminal import TerminalKeyboard
with TerminalKeyboard(DEFAULT_KEYS, [0.3] * 6, 1.0) as keyboard:
    print("open", flush=True)
    seen = []
    while "stop" not in seen:
        command = keyboard.read(time.monotonic())
        seen += [*command.events, *(["forward"] if command.twist[0] > 0 else []), *(["closed"] * command.changed)]
        time.sleep(0.01)
open(sys.argv[1], "w").write(" ".join(dict.fromkeys(seen)))
"""


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install -y tmux")
def test_keys_arrive_through_a_real_terminal(tmp_path: Path) -> None:
    result, socket = tmp_path / "seen", ["tmux", "-S", str(tmp_path / "socket")]
    (tmp_path / "program.py").write_text(PROGRAM)
    command = f"PYTHONPATH={os.pathsep.join(sys.path)} {sys.executable} {tmp_path / 'program.py'} {result}"
    subprocess.run([*socket, "-f", "/dev/null", "new-session", "-d", "-s", "t", command], check=True)
    try:

        def screen() -> str:
            return subprocess.run([*socket, "capture-pane", "-pt", "t"], capture_output=True, text=True).stdout

        deadline = time.monotonic() + 60.0
        while "open" not in screen():
            assert time.monotonic() < deadline, screen()
            time.sleep(0.1)
        for key in ("Enter", "Up", "Space", "q"):
            subprocess.run([*socket, "send-keys", "-t", "t", key], check=True)
        while not result.exists() or not result.read_text():
            assert time.monotonic() < deadline, screen()
            time.sleep(0.05)
        assert set(result.read_text().split()) == {"start", "forward", "closed", "stop"}
    finally:
        subprocess.run([*socket, "kill-server"], stderr=subprocess.DEVNULL)
