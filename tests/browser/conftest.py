"""A real Chromium, from the system's packages, and the talk server. Without a Chromium its tests are skipped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # containers seldom allow Chromium's own; the pages under test are ours
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
)
TALK = (sys.executable, "-m", "voiceloop.cli.main", "talk")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's Chromium: `VOICELOOP_CHROMIUM`, or the first of the usual names on the path."""
    found = os.environ.get("VOICELOOP_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return found


# Playwright's synchronous interface keeps an event loop running in the thread of the tests. Coroutine tests of other
# modules start loops of their own there, so it ends with the module.
@pytest.fixture(scope="module")
def playwright(chromium_path: str) -> Iterator[Playwright]:
    """Playwright, started once for each module of tests."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install 'voiceloop[test]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def launch(playwright: Playwright, chromium_path: str) -> Iterator[Callable[..., Browser]]:
    """Start a Chromium with more arguments, such as a microphone; closed at the end of the module."""
    started: list[Browser] = []

    def start(*arguments: str) -> Browser:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, headless=True, args=[*ARGUMENTS, *arguments], timeout=30_000
        )
        started.append(browser)
        return browser

    yield start
    for browser in started:
        browser.close()


@pytest.fixture(scope="module")
def chromium(launch: Callable[..., Browser]) -> Browser:
    """A headless Chromium without a microphone."""
    return launch()


# --- voiceloop talk -----------------------------------------------------------------------------------------


class Server:
    """``voiceloop talk`` in a process of its own."""

    def __init__(self, bot: Path, *arguments: str) -> None:
        command = [*TALK, str(bot), "--port", "0", "--no-browser", *arguments]
        self.errors = Path(bot.parent / f"{bot.stem}.log").open("w+")  # noqa: SIM115 - closed in `stop`
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://127.0.0.1:" in line, f"{line!r}, {Path(self.errors.name).read_text()}"
        self.url = line.split()[-1]

    def stop(self, how: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; returns the exit status and how long it took, seconds."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            status = self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait(5)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.errors.close()
        return status, time.monotonic() - began


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Server]]:
    """Start ``voiceloop talk`` with a bot file and more arguments; stopped at the end of the module."""
    started: list[Server] = []

    def start(bot: Path, *arguments: str) -> Server:
        started.append(Server(bot, *arguments))
        return started[-1]

    yield start
    for server in started:
        if not server.errors.closed:
            server.stop()


class Watched:
    """A page of the talk server, and everything that it complains about."""

    def __init__(self, browser: Browser, url: str, *, script: str = "", **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 390, "height": 844}, **context})
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if script:
            self.page.add_init_script(script)
        self.page.goto(url)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def get(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self.page.evaluate(expression)

    def until(self, expression: str, limit: float = 15.0) -> Any:
        """Wait until an expression is true. The page's policy forbids Playwright's own way, which needs eval."""
        end = time.monotonic() + limit
        while not (value := self.get(expression)):
            if time.monotonic() > end:
                raise AssertionError(f"{expression} still false after {limit:g} s; the page: {self.text()!r}")
            self.page.wait_for_timeout(20)
        return value

    def text(self, selector: str = "body") -> str:
        """What a person reads there."""
        return " ".join(self.page.inner_text(selector).split())

    def call(self) -> None:
        """Press the button as soon as it works; return when the agent has taken the call."""
        self.until("voiceloop.state === 'ready' || voiceloop.state === 'ended'", 60)
        self.page.click("#call")
        self.until("voiceloop.state === 'incall'")

    def hang_up(self) -> None:
        """Press the button; return when the call is over."""
        self.page.click("#call")
        self.until("voiceloop.state === 'ended'")


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """Open a page: ``watch(browser, url, script="run first", …)``, more as for `Browser.new_context`."""
    opened: list[Watched] = []

    def open_page(browser: Browser, url: str, **options: Any) -> Watched:
        opened.append(Watched(browser, url, **options))
        return opened[-1]

    yield open_page
    for watched in opened:
        watched.context.close()
