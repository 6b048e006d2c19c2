"""`barkyard teleop --device browser`: a person in a real browser lifts the cube, and corrects a policy."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.episode import POLICY_ACTION
from barkyard.teleop.browser.server import Server
from tests.cli.test_teleop import LIFT, noting_environment
from tests.teleop.browser.chromium import chromium, needs_chromium, open_page, text, wait_for
from tests.teleop.scripted import Pilot, Point

pytestmark = [pytest.mark.slow, needs_chromium]

NAMES: Final = {"up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight", "space": " "}


class PageHands:
    """See `Hands`."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._held: set[str] = set()

    def hold(self, keys: set[str]) -> None:
        for key in self._held - keys:
            self._page.keyboard.up(NAMES.get(key, key))
        for key in keys - self._held:
            self._page.keyboard.down(NAMES.get(key, key))
        self._held = keys

    def tap(self, key: str) -> None:
        self._page.keyboard.press(NAMES.get(key, key))


def _kept(page: Page, count: int) -> bool:
    return text(page, "kept").startswith(f"{count} of 3")


Part = Callable[[Chromium, str, dict[str, Any]], None]


def at_the_page(monkeypatch: pytest.MonkeyPatch, part: Part, words: list[str]) -> None:
    """Runs the command, and `part` in a thread with a browser, the page's address and what the command opened."""
    made = noting_environment(monkeypatch)
    started = Server.start

    def start(self: Server) -> None:
        started(self)
        made["server"] = self

    monkeypatch.setattr(Server, "start", start)
    failures: list[BaseException] = []

    def person() -> None:
        try:
            wait_for("the page", lambda: "server" in made and made["server"].port)
            with chromium() as browser:
                part(browser, made["server"].url(), made)
        except BaseException as error:
            failures.append(error)
            os.kill(os.getpid(), signal.SIGINT)  # nobody would end the session

    thread = threading.Thread(target=person, daemon=True)
    thread.start()
    code = main(["teleop", LIFT, "--device", "browser", "--port", "0", *words])
    thread.join(60.0)
    if failures:
        raise failures[0]
    assert code == 0


def strangers_are_refused(browser: Chromium, url: str) -> None:
    wrong = browser.new_page()
    answer = wrong.goto(url[:-1] + ("a" if url[-1] != "a" else "b"))
    assert answer is not None and answer.status == 403 and "lacks its token" in wrong.content()
    wrong.route("http://elsewhere.example/", lambda route: route.fulfill(body="<p>another site</p>"))
    wrong.goto("http://elsewhere.example/")
    socket = url.replace("http:", "ws:").replace("/?", "/socket?")
    opened = """url => new Promise(done => {
        const socket = new WebSocket(url);
        socket.onopen = () => done(true);
        socket.onerror = () => done(false);
    })"""
    assert wrong.evaluate(opened, socket) is False
    wrong.close()


def test_a_person_lifts_the_cube_in_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: dict[str, str] = {}

    def lift(browser: Chromium, url: str, made: dict[str, Any]) -> None:
        env = made["env"]

        def look() -> tuple[Point, Point]:
            return env.simulation.robot.tcp_pos_world[0].copy(), env.task.grasping.object.pos[0].copy()

        page = open_page(browser, url)
        wait_for("a picture", lambda: text(page, "speed"))
        strangers_are_refused(browser, url)
        viewer = open_page(browser, url)
        wait_for("a picture", lambda: text(viewer, "speed"))
        assert text(viewer, "role").startswith("you look on")
        viewer.keyboard.press("Enter")
        viewer.keyboard.down("ArrowDown")  # it would drive away from the cube
        assert viewer.locator("[data-event=start]").is_disabled()
        assert text(page, "banner") == "Lift a cube off a table. Press Enter to start."
        page.screenshot(path=tmp_path / "ready.png")
        began = time.monotonic()
        while not text(page, "cover"):
            assert time.monotonic() - began < 400.0, "the cube was not lifted"
            if text(page, "phase").startswith("ready"):
                page.keyboard.press("Enter")
                wait_for("the start", lambda: "ready" not in text(page, "phase"))
                pilot = Pilot(look, PageHands(page))
            pilot.act()
            if time.monotonic() - began > 3.0 and not (tmp_path / "page.png").exists():
                page.screenshot(path=tmp_path / "page.png")
            shown.update({name: text(page, name) or shown.get(name, "") for name in ("speed", "latency")})
        viewer.screenshot(path=tmp_path / "over.png")

    out = tmp_path / "d"
    at_the_page(monkeypatch, lift, ["--out", str(out), "--episodes", "1", "--speed", "0.3", "--json"])
    report = json.loads(capsys.readouterr().out)
    dataset = Dataset.open(out)
    assert dataset.num_episodes == 1
    episode = dataset.episode(0)
    assert episode.success and set(episode.acted_by) == {"human:browser"}
    assert report["warnings"] == [] and len(report["latency_s"]) == 2
    assert shown["speed"].endswith("pictures/s") and shown["latency"].startswith("key to picture")
    print(report, shown)


def test_a_policy_is_shown_and_corrected_in_a_browser_and_the_last_episode_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def correct(browser: Chromium, url: str, made: dict[str, Any]) -> None:
        page = open_page(browser, url)
        for number in (0, 1):
            wait_for("the episode", lambda: text(page, "phase").startswith("ready"))
            page.locator("[data-event=start]").click()
            wait_for("the policy", lambda: text(page, "banner") == "expert acts. Move to take over.")
            page.keyboard.down("ArrowUp")
            wait_for("the person", lambda: text(page, "banner").startswith("You act"))
            page.keyboard.up("ArrowUp")
            wait_for("the end", partial(_kept, page, number + 1), 400.0)
        page.locator("[data-event=undo]").click()
        wait_for("the removal", lambda: text(page, "kept").startswith("1 of 3"))
        page.locator("[data-event=stop]").click()

    out = tmp_path / "d"
    at_the_page(monkeypatch, correct, ["--out", str(out), "--episodes", "3", "--policy", "expert"])
    dataset = Dataset.open(out)
    assert dataset.num_episodes == 1
    episode = dataset.episode(0)
    person = episode.acted_by == "human:browser"
    assert episode.success and set(episode.acted_by) == {"human:browser", "expert"}
    proposed = episode.observations[POLICY_ACTION][:-1]
    np.testing.assert_array_equal(episode.actions[~person], proposed[~person])
    assert np.abs(episode.actions[person] - proposed[person]).max() > 0.1
