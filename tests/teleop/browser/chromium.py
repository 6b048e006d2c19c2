"""Debian's Chromium without a window, driven by Playwright."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE_S: Final = 120.0
BINARY: Final = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(BINARY is None, reason="chromium is not installed: apt-get install -y chromium")


def wait_for(what: str, met: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """What `met` gives once it is true."""
    deadline = time.monotonic() + patience_s
    while not (found := met()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; it ends with the context."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BINARY, args=["--no-sandbox", "--disable-gpu"], timeout=1000 * PATIENCE_S
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, url: str) -> Page:
    """A page in a window of its own."""
    page = browser.new_page(viewport={"width": 1100, "height": 700})
    page.set_default_timeout(1000 * PATIENCE_S)
    page.goto(url)
    return page


def text(page: Page, element: str) -> str:
    """What stands in an element; empty before it is there."""
    return str(page.evaluate("id => document.getElementById(id)?.textContent ?? ''", element))
