"""Who may open the page, and what it may say, without a browser."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barkyard.errors import BarkyardError, InvalidInput
from barkyard.teleop.browser.device import Browser, Inputs
from barkyard.teleop.browser.messages import Key, Pad, Release, Report, Said, key_name, parse_message
from barkyard.teleop.keys import DEFAULT_KEYS
from tests.teleop.scripted import FULL


@pytest.fixture
def device() -> Iterator[Browser]:
    with Browser(DEFAULT_KEYS, FULL, 0.5) as browser:
        yield browser


def talk(conversation: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            return await conversation(session)

    return asyncio.run(run())


def status(url: str, **headers: str) -> int:
    async def get(session: aiohttp.ClientSession) -> int:
        async with session.get(url, headers=headers) as answer:
            return answer.status

    return int(talk(get))


def test_the_address_needs_its_token(device: Browser) -> None:
    url = device.server.url()
    assert status(url) == 200
    assert status(url.split("?")[0]) == 403
    assert status(url[:-1]) == 403
    assert len(device.server.token) >= 22  # 128 bits in base 64


def test_a_page_of_another_site_may_not_drive(device: Browser) -> None:
    port, token = device.server.port, device.server.token
    socket = f"http://127.0.0.1:{port}/socket?token={token}"

    def opens(socket: str, origin: str | None) -> bool:
        async def connect(session: aiohttp.ClientSession) -> bool:
            try:
                async with session.ws_connect(socket, origin=origin) as connection:
                    return bool(json.loads(await connection.receive_str())["kind"] == "hello")
            except aiohttp.WSServerHandshakeError as error:
                assert error.status == 403
                return False

        return bool(talk(connect))

    assert opens(socket, f"http://127.0.0.1:{port}")
    assert not opens(socket, "http://evil.example")
    assert not opens(socket, f"http://127.0.0.1:{port + 1}")
    assert not opens(socket, None)
    assert not opens(socket.replace(token, "guess"), f"http://127.0.0.1:{port}")


def test_a_port_that_is_taken_is_said(device: Browser) -> None:
    with pytest.raises(BarkyardError, match="--port 0 takes a free port"):
        Browser(DEFAULT_KEYS, FULL, 0.5, port=device.server.port).open()


def test_messages_are_read() -> None:
    assert parse_message('{"kind": "key", "key": "ArrowUp", "down": true, "id": 7}') == (Key("up", True), 7)
    assert parse_message('{"kind": "said", "event": "keep"}') == (Said("keep"), 0)
    assert key_name(" ") == "space" and key_name("Escape") == "esc" and key_name("R") == "r"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind": "key", "key": "a", "down": 1}',
        '{"kind": "key", "key": 5, "down": true}',
        '{"kind": "said", "event": "format"}',
        '{"kind": "pad", "axes": [0, 0, 0, 2], "buttons": []}',
        '{"kind": "pad", "axes": [0, 0, 0, NaN], "buttons": []}',
        '{"kind": "report", "data": "xy"}',
        '{"kind": "release", "id": -1}',
        '{"kind": "release", "id": true}',
        "[" * 4000,
        " " * 5000,
    ],
)
def test_other_messages_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_message(text)


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_nothing_that_a_page_sends_is_worse_than_refused(text: str) -> None:
    try:
        parse_message(text)
    except InvalidInput as error:
        assert "the page sent" in str(error)


def test_sticks_and_the_cap_of_a_far_spacemouse_move_to_the_full() -> None:
    inputs = Inputs(DEFAULT_KEYS, FULL, 0.5)
    inputs.take(Pad((1.0, -1.0, 0.0, 0.0), frozenset()), 1)
    assert inputs.read(0.0).twist == (0.3, -0.3, 0.0, 0.0, 0.0, 0.0)
    assert inputs.applied == 1
    inputs.take(Pad((0.1, 0.0, 0.0, 0.0), frozenset({0})), 2)  # within the dead zone; A closes
    command = inputs.read(0.0)
    assert not any(command.twist) and command.gripper == 1.0 and command.changed
    inputs.take(Report(bytes.fromhex("01" + "0000" + "a2fe" + "0000")), 3)  # -350 towards the person: away
    assert inputs.read(0.0).twist[0] == 0.3
    inputs.take(Release(), 4)
    assert not inputs.read(0.0).acts


def test_a_robot_that_cannot_is_not_asked() -> None:
    planar = np.array([1.5, 0.8, 0.0, 0.0, 0.0, 1.5])
    inputs = Inputs(DEFAULT_KEYS, planar, 0.5)
    for key in ("up", ";", "e"):
        inputs.take(Key(key, True), 1)
    assert inputs.read(0.0).twist == (0.75, 0.0, 0.0, 0.0, 0.0, 0.0)
