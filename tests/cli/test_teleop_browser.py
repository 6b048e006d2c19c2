"""`barkyard teleop --device browser`: a person in a real browser lifts the cube."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from barkyard.cli.main import main
from barkyard.datasets import Dataset
from barkyard.teleop.browser.server import Server
from tests.cli.test_teleop import LIFT, noting_environment
from tests.teleop.browser.chromium import Chromium, Page, needs_chromium, wait_for
from tests.teleop.scripted import lifting_keys

BROWSER_KEYS = {"up": "ArrowUp", "down": "ArrowDown", "left": "ArrowLeft", "right": "ArrowRight", "space": " "}


class Hands(threading.Thread):
    """Opens the page, starts an episode, and holds down what lifts the cube until the page is gone."""

    def __init__(self, made: dict[str, Any], folder: Path) -> None:
        super().__init__(daemon=True)
        self._made, self._folder = made, folder
        self.failure: BaseException | None = None
        self.speed = self.latency = ""

    def run(self) -> None:
        try:
            wait_for("the page", lambda: "server" in self._made and self._made["server"].port)
            with Chromium(self._folder / "profile") as chromium:
                page = chromium.open(self._made["server"].url())
                wait_for("a picture", lambda: page.text("speed"))  # a page takes no keys before it is painted
                self._lift(page)
        except BaseException as error:
            self.failure = error
            os.kill(os.getpid(), signal.SIGINT)  # nobody would end the session

    def _lift(self, page: Page) -> None:
        env, held, closed = self._made["env"], set[str](), 0.0
        began = time.monotonic()
        while not page.text("cover"):
            assert time.monotonic() - began < 300.0, "the cube was not lifted"
            if page.text("phase").startswith("ready"):
                page.tap("Enter")
                closed = 0.0
                wait_for("the start", lambda: "ready" not in page.text("phase"))
                continue
            tcp, cube = env.simulation.robot.tcp_pos_world[0].copy(), env.task.grasping.object.pos[0].copy()
            wanted, close = lifting_keys(tcp, cube, closed > 0.0, slack=0.012)
            if closed and time.monotonic() - closed < 0.8:
                wanted = set()
            for key in held - wanted:
                page.key(BROWSER_KEYS.get(key, key), False)
            for key in wanted - held:
                page.key(BROWSER_KEYS.get(key, key), True)
            held = wanted
            if close:
                page.tap(" ")
                closed = time.monotonic()
                page.screenshot(self._folder / "page.png")
            speed, latency = page.text("speed"), page.text("latency")
            self.speed, self.latency = speed or self.speed, latency or self.latency


@pytest.mark.slow
@needs_chromium
def test_a_person_lifts_the_cube_in_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = noting_environment(monkeypatch)
    started = Server.start

    def start(self: Server) -> None:
        started(self)
        made["server"] = self

    monkeypatch.setattr(Server, "start", start)
    hands = Hands(made, tmp_path)
    hands.start()
    out = tmp_path / "d"
    words = ["--device", "browser", "--port", "0", "--episodes", "1", "--speed", "0.15", "--json"]
    code = main(["teleop", LIFT, "--out", str(out), *words])
    hands.join(60.0)
    assert hands.failure is None
    assert code == 0
    report = json.loads(capsys.readouterr().out)
    episode = Dataset.open(out).episode(0)
    assert episode.success and set(episode.acted_by) == {"human:browser"}
    assert report["warnings"] == [] and len(report["latency_s"]) == 2
    assert hands.speed.endswith("pictures/s") and hands.latency.startswith("key to picture")
    assert (tmp_path / "page.png").exists()
    print(report, hands.speed, hands.latency)
