"""From a key in the browser to the command that it gives, and pictures a second, through Chromium without a window.

Playwright presses arrow keys at random moments while `barkyard/Lift-v0` runs at its pace. A key's time is what the page
says of its event; the command is there when the action has been computed. The control period is 50 ms and a command
waits for the next, so half of that on average is the clock's and not ours. Pictures are 256 x 256, drawn in software
unless a GPU is found, and counted when the page has drawn them.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from barkyard.cli.collect import Recording
from barkyard.cli.opening import open_environment
from barkyard.episode import Observations
from barkyard.experts.driving import make_operator
from barkyard.teleop import Command, Session
from barkyard.teleop.browser.device import Browser
from barkyard.teleop.keys import DEFAULT_KEYS
from barkyard.teleop.operator import Operator

ENV = "barkyard/Lift-v0"
WATCH = """() => {
    window.keyTimes = [];
    window.drawn = 0;
    addEventListener("keydown", event => {
        if (event.key.startsWith("Arrow")) keyTimes.push(performance.timeOrigin + event.timeStamp);
    }, true);
    const before = draw;
    draw = async data => { await before(data); drawn += 1; };
}"""


class Timed:
    """An operator that notes when a new command to move has become an action [s since 1970]. Final."""

    def __init__(self, operator: Operator) -> None:
        self._operator, self.full = operator, operator.full
        self.begin, self.gripper = operator.begin, operator.gripper
        self.times: list[float] = []

    def action(self, command: Command, observations: Observations) -> NDArray[np.float32]:
        """See `Operator`."""
        action = self._operator.action(command, observations)
        if command.since is not None and any(command.twist):
            self.times.append(time.time())
        return action


def wait_until(condition: Any) -> None:
    """Raises TimeoutError after a minute."""
    deadline = time.monotonic() + 60.0
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the page or the session does not go on")
        time.sleep(0.002)


def press_keys(url: str, timed: Timed, presses: int, result: dict[str, Any]) -> None:
    """The person: `presses` keys, each once the one before has had its effect; fills `result`."""
    from playwright.sync_api import sync_playwright

    rng = np.random.default_rng(0)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], timeout=120_000
        )
        page = chromium.new_page(viewport={"width": 1100, "height": 700})
        page.goto(url)
        page.evaluate(WATCH)
        wait_until(lambda: page.evaluate("drawn") > 0)
        for number in range(presses):
            if page.text_content("#phase") == "ready: press Enter to start":
                page.keyboard.press("Enter")
                wait_until(lambda: page.text_content("#phase") != "ready: press Enter to start")
            began, drawn = time.monotonic(), page.evaluate("drawn")
            key, done = ("ArrowLeft", "ArrowRight")[number % 2], len(timed.times)
            page.keyboard.down(key)
            wait_until(lambda done=done: len(timed.times) > done)
            time.sleep(rng.uniform(0.05, 0.1))
            page.keyboard.up(key)
            time.sleep(rng.uniform(0.1, 0.2))
            result["drawn"] += page.evaluate("drawn") - drawn
            result["seconds"] += time.monotonic() - began
        times = page.evaluate("keyTimes.splice(0)")
        result["pressed"] = [moment / 1000 for moment in times]
        result["picture"] = page.text_content("#latency")
        page.locator("[data-event=stop]").click()
        chromium.close()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=200)
    presses = parser.parse_args().presses
    result: dict[str, Any] = {"drawn": 0, "seconds": 0.0}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Recording(Path(folder) / "d", ENV, False)) as recording,
        open_environment(ENV, 1, {}) as env,
    ):
        env.reset(seed=0)
        timed = Timed(make_operator(env))
        with Browser(DEFAULT_KEYS, timed.full, 0.1, title=ENV) as browser:
            person = threading.Thread(
                target=press_keys, args=(browser.server.url(), timed, presses, result), daemon=True
            )
            person.start()
            session = Session(env, browser, timed, recording, browser)
            session.run(0, 1)
            person.join(60.0)
    delays = 1000 * (np.array(timed.times) - np.array(result["pressed"]))
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    median, high = np.percentile(delays, [50, 95])
    print(f"{cores} cores, load {load:.1f}, {len(delays)} keys")
    print(f"key event to command: median {median:.0f} ms, 95th percentile {high:.0f} ms")
    print(
        f"pictures drawn: {result['drawn'] / result['seconds']:.1f} a second; the page's last word: {result['picture']}"
    )
    print(json.dumps(session.pace.report()))


if __name__ == "__main__":
    main()
