"""The page in a real browser, with pictures that need no simulation."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from barkyard.teleop.browser.device import Browser
from barkyard.teleop.command import Command
from barkyard.teleop.keys import DEFAULT_KEYS
from barkyard.teleop.session import Status
from tests.teleop.browser.chromium import PATIENCE_S, chromium, needs_chromium, open_page, text
from tests.teleop.scripted import FULL

pytestmark = needs_chromium

RUNNING = Status("running", 2, 50, 3.2, False, "human:browser", "episode 2 kept", 0.02, None)
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running


@pytest.fixture
def device() -> Iterator[Browser]:
    with Browser(DEFAULT_KEYS, FULL, 0.5, title="barkyard/Lift-v0", goal="lift a cube") as browser:
        yield browser


def until(device: Browser, what: str, met: Any, status: Status = RUNNING) -> Any:
    """Plays the session's part until `met(command)` is true."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        command = device.read(time.monotonic())
        device.show(status, lambda: PICTURE)
        if found := met(command):
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def opened(device: Browser, browser: Chromium) -> Page:
    page = open_page(browser, device.server.url())
    until(device, "the page shows pictures", lambda _: text(page, "speed"))
    return page


def test_keys_move_while_they_are_down_and_not_after_the_page_lost_the_focus(
    device: Browser, browser: Chromium
) -> None:
    page = opened(device, browser)
    assert text(page, "phase") == "● recording 3.2 s" and text(page, "role").startswith("you drive")
    page.keyboard.down("ArrowUp")
    page.keyboard.down("o")
    held = (0.15, 0.0, 0.0, 0.0, 0.0, 1.5)
    until(device, "two keys are held", lambda command: command.twist == held)
    page.keyboard.up("o")
    until(device, "one key is held", lambda command: command.twist == (*held[:5], 0.0))
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    until(device, "nothing is held", lambda command: not any(command.twist))
    page.keyboard.press(" ")
    until(device, "the gripper closes", lambda command: command.changed and command.gripper == 1.0)
    page.keyboard.press("Escape")
    assert until(device, "a word arrives", lambda command: command.events) == ("stop",)
    page.evaluate("document.querySelector('[data-event=keep]').click()")
    assert until(device, "a word arrives", lambda command: command.events) == ("keep",)
    page.close()


def test_one_drives_and_the_others_look_on(device: Browser, browser: Chromium) -> None:
    driver = opened(device, browser)
    viewer = opened(device, browser)
    assert text(viewer, "role").startswith("you look on, 1 other page")
    heard: list[Command] = []
    viewer.evaluate("say({kind: 'drive'})")
    viewer.keyboard.down("ArrowUp")
    viewer.evaluate("say({kind: 'said', event: 'stop'})")
    driver.keyboard.down("ArrowDown")

    def hear(command: Command) -> bool:
        heard.append(command)
        return command.twist[0] < 0

    until(device, "the driver is heard", hear)
    assert all(command.twist[0] <= 0 and not command.events for command in heard)
    driver.close()
    until(device, "the robot stands where the driver left", lambda command: not any(command.twist))
    until(device, "the seat is free", lambda _: "Nobody drives" in text(viewer, "cover"))
    viewer.evaluate("document.querySelector('#cover button').click()")
    until(device, "the viewer drives", lambda _: text(viewer, "role").startswith("you drive"))
    viewer.close()


def test_pictures_wait_for_a_page_that_is_slow(device: Browser, browser: Chromium) -> None:
    page = opened(device, browser)
    page.evaluate("draw = () => {}")  # it draws no more, and so says no more that it has drawn
    unasked, deadline = 0, time.monotonic() + PATIENCE_S
    while unasked < 20:  # what was drawn before may still be told
        made: list[int] = []
        device.show(RUNNING, lambda made=made: made.append(1) or PICTURE)  # type: ignore[misc]
        unasked = 0 if made else unasked + 1
        assert time.monotonic() < deadline, "pictures are made for nobody"
        time.sleep(0.01)
    page.close()


def test_the_page_says_what_to_do_now(device: Browser, browser: Chromium) -> None:
    page = opened(device, browser)
    for status, words in [
        (replace(RUNNING, phase="waiting"), "Lift a cube. Press Enter to start."),
        (RUNNING, ""),
        (replace(RUNNING, actor="mip-unet"), "mip-unet acts. Move to take over."),
        (RUNNING, "You act. Let go, and the policy goes on."),
        (replace(RUNNING, success=True), "Success: hold it."),
    ]:
        until(device, words, lambda _, words=words: text(page, "banner") == words, status)
    page.close()


def test_a_gamepad_drives(device: Browser, browser: Chromium) -> None:
    page = opened(device, browser)
    page.evaluate(
        """() => {
            window.pad = {id: "pad", axes: [0, -1, 0, 0], buttons: Array(17).fill({pressed: false})};
            navigator.getGamepads = () => [null, window.pad];
        }"""
    )
    until(device, "the left stick moves", lambda command: command.twist == (0.3, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert text(page, "pad").startswith("pad: left stick moves")
    page.evaluate("pad.axes = [0, 0, 0.5, 0]; pad.buttons[9] = {pressed: true}")
    twist = until(device, "the right stick turns", lambda command: command.twist[5] < 0 and command.twist)
    beyond = (0.5 - 0.12) / (1 - 0.12)  # the dead zone
    assert twist == pytest.approx((0.0,) * 5 + (-3.0 * beyond,))
    page.evaluate("pad.buttons[9] = {pressed: false}; pad.buttons[0] = {pressed: true}")
    assert until(device, "a button closes", lambda command: command.changed and command.gripper) == 1.0
    page.close()


def test_a_spacemouse_at_the_page_drives(device: Browser, browser: Chromium) -> None:
    """The browser's own part of WebHID is a stand-in that hands over reports of a SpaceMouse Compact."""
    page = opened(device, browser)
    page.evaluate(
        """() => {
            window.mouse = {productName: "SpaceMouse Compact", open: async () => {}};
            navigator.hid.requestDevice = async ({filters}) => { window.filters = filters; return [mouse]; };
            window.report = (id, bytes) => mouse.oninputreport(
                {reportId: id, data: new DataView(new Uint8Array(bytes).buffer)});
        }"""
    )
    page.locator("#mouse").click()
    until(device, "it is connected", lambda _: text(page, "mouse") == "SpaceMouse Compact")
    assert {each["vendorId"] for each in page.evaluate("filters")} == {0x256F, 0x046D}
    page.evaluate("report(1, [0, 0, 0xa2, 0xfe, 0, 0])")  # pushed away to the full: -350 along its y
    until(device, "the cap moves", lambda command: command.twist == (0.3, 0.0, 0.0, 0.0, 0.0, 0.0))
    page.evaluate("report(3, [1, 0])")
    assert until(device, "its button closes", lambda command: command.changed and command.gripper) == 1.0
    page.evaluate("report(1, [0, 0, 0, 0, 0, 0])")
    until(device, "the cap is let go", lambda command: not any(command.twist))
    page.close()


def test_the_page_shows_what_a_person_must_know(device: Browser, browser: Chromium, tmp_path: Path) -> None:
    page = opened(device, browser)
    page.keyboard.down("ArrowUp")
    until(device, "the latency is known", lambda _: text(page, "latency").startswith("key to picture"))
    assert text(page, "kept") == "2 of 50 episodes kept" and text(page, "message") == "episode 2 kept"
    assert "close, open" in text(page, "keys") and text(page, "title") == "barkyard/Lift-v0"
    assert page.evaluate("document.getElementById('key up').className") == "down"
    page.screenshot(path=tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
    page.close()
