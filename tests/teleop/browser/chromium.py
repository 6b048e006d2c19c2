"""Chromium without a window, driven by the DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from websockets.sync.client import connect

PATIENCE_S: Final = 120.0
BINARY: Final = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(BINARY is None, reason="chromium is not installed: apt-get install -y chromium")


def wait_for(what: str, met: Callable[[], Any]) -> Any:
    """What `met` gives once it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := met()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
    return found


class Chromium:
    """A browser; use it as a context."""

    def __init__(self, profile: Path) -> None:
        self._profile, self._numbers = profile, itertools.count(1)

    def __enter__(self) -> Self:
        """Starts it."""
        assert BINARY is not None
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        self._process = subprocess.Popen(
            [BINARY, *options, "--remote-debugging-port=0", f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = self._profile / "DevToolsActivePort"
        wait_for("the browser", lambda: port_file.exists() and len(port_file.read_text().splitlines()) == 2)
        port, path = port_file.read_text().splitlines()
        self._connection = connect(f"ws://127.0.0.1:{port}{path}", max_size=None, open_timeout=PATIENCE_S)
        self._socket = self._connection.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""
        self._connection.__exit__(None, None, None)
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def call(self, method: str, session: str | None = None, **words: Any) -> dict[str, Any]:
        """One command of the protocol."""
        number = next(self._numbers)
        request = {"id": number, "method": method, "params": words} | ({"sessionId": session} if session else {})
        self._socket.send(json.dumps(request))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, url: str) -> "Page":
        """A page of its own window."""
        target = self.call("Target.createTarget", url=url, newWindow=True, width=1100, height=760)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session)


class Page:
    """A page that is open."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._browser.call(
            "Runtime.evaluate", self._session, expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, element: str) -> str:
        """What stands in an element; empty before it is there."""
        return str(self.run(f"document.getElementById({element!r})?.textContent ?? ''"))

    def key(self, key: str, down: bool) -> None:
        """A key of the keyboard goes down or up."""
        kind = "rawKeyDown" if down else "keyUp"
        self._browser.call("Input.dispatchKeyEvent", self._session, type=kind, key=key, code=f"code{key}")

    def tap(self, key: str) -> None:
        """Down and up."""
        self.key(key, True)
        self.key(key, False)

    def screenshot(self, path: Path) -> None:
        """A PNG of the page."""
        answer = self._browser.call("Page.captureScreenshot", self._session, format="png")
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """The person leaves."""
        self._browser.call("Target.closeTarget", targetId=self._target)
