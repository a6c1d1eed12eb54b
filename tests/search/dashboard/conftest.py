"""A headless Chromium, and tabs of it in which any error fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.command import PATIENCE_SECONDS

MILLISECONDS = 1000 * PATIENCE_SECONDS
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium resolves no host name, so that no request leaves this machine
SWITCHES = ("--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
# a violation of the policy is an error even where the browser's console does not show it
TELL = "addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`));"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests; without it, or without Playwright, the tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright comes with the dev extra")
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip("there is no Chromium here; `make browser` installs one where apt-get and root are")
    with playwright.sync_playwright() as made:
        playwright.expect.set_options(timeout=MILLISECONDS)
        opened = made.chromium.launch(executable_path=found, args=list(SWITCHES), timeout=MILLISECONDS)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a tab with settings of Playwright's; at the end the tab must have had no error.

    expected: messages of the browser that the test provokes, such as the message of a missing page.
    """
    opened, wrong = [], list[str]()

    def open_(expected: str | None = None, **settings: Any) -> Any:
        def hear(said: Any) -> None:
            if said.type == "error" and (expected is None or expected not in said.text):
                wrong.append(f"console: {said.text}")

        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        opened.append(context)
        context.add_init_script(TELL)
        context.on(
            "request", lambda asked: None if _is_ours(asked.url) else wrong.append(f"asked {asked.url}")
        )
        context.on("console", hear)
        context.on("weberror", lambda raised: wrong.append(f"script: {raised.error}"))
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.on("dialog", lambda shown: (wrong.append(f"dialog: {shown.message}"), shown.dismiss()))
        return page

    yield open_
    for context in opened:
        context.close()
    assert wrong == []


def _is_ours(url: str) -> bool:
    asked = urlsplit(url)
    return asked.scheme in ("data", "blob") or asked.hostname == "127.0.0.1"
