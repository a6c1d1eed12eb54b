"""The dashboard in headless Chromium: its table, its chart of many points, its print; and Optuna's beside it."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

OPTUNA_PORT = 8299
MINUTES = 5 * 60e3  # milliseconds that a page of Optuna's dashboard may take
STEPS = 120  # moves of the pointer
ROW = "#table tbody tr"
# a row of the list of trials of Optuna's dashboard, which has no table of them
ROW_OF_OPTUNA = r"text=/^Trial \d+/"

# scroll 120 frames of 60 pixels each; return the seconds of each frame
SCROLL = """async () => {
  scrollTo(0, 0);
  const took = [];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < 120; i++) {
    scrollBy(0, 60);
    const now = await new Promise(requestAnimationFrame);
    took.push((now - last) / 1000);
    last = now;
  }
  return took;
}"""
# record the seconds of each frame until `window.ended`
RECORD = """() => {
  window.frames_took = [];
  window.ended = false;
  let last;
  const frame = (now) => {
    if (last !== undefined) window.frames_took.push((now - last) / 1000);
    last = now;
    if (!window.ended) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
ENDED = "() => { window.ended = true; return window.frames_took; }"


class Loaded(NamedTuple):
    """A page until its first row."""

    seconds: float
    size: int  # bytes that were sent, with their headers, of what had been asked for by then
    whole: int  # the same half a second later


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield made
        made.close()


def of_table(page: Any, times: int) -> Iterator[tuple[str, float]]:
    """Measure how long a person waits for the table, and how long frames take while the page scrolls."""
    sorts, filters = [], []
    for i in range(times):
        began, way = time.perf_counter(), ("ascending", "descending")[i % 2]
        page.locator("#table thead").get_by_role("link", name="accuracy").click()
        page.locator(f'#table th[aria-sort="{way}"]', has_text="accuracy").wait_for()
        sorts.append(time.perf_counter() - began)
    for i in range(times):
        page.locator('#filter input[name="params_to"]').fill(str(100_000 - i))
        began, before = time.perf_counter(), page.url
        page.get_by_role("button", name="Filter", exact=True).click()
        page.wait_for_url(lambda url, before=before: url != before)
        page.locator(ROW).first.wait_for()
        filters.append(time.perf_counter() - began)
    yield "sort, click to rows", statistics.median(sorts)
    yield "filter, click to rows", statistics.median(filters)
    yield from _frames("scrolling", page.evaluate(SCROLL))


def of_chart(page: Any) -> Iterator[tuple[str, float]]:
    """Measure the frames while the pointer passes over the points of the chart, and while the chart is panned."""
    chart = page.locator("#plot-against .canvas")
    chart.scroll_into_view_if_needed()
    page.locator("#plot-against .canvas[data-ready]").wait_for()
    box = chart.locator(".nsewdrag").bounding_box()
    middle = box["y"] + box["height"] / 2
    left, wide = box["x"] + 0.1 * box["width"], 0.8 * box["width"]
    page.evaluate(RECORD)
    for i in range(STEPS):
        page.mouse.move(left + wide * i / STEPS, middle + (i % 20) - 10)
    yield from _frames("hovering over the chart", page.evaluate(ENDED))
    page.keyboard.down("Shift")  # with it the pointer pans, else it zooms
    page.mouse.move(left, middle)
    page.mouse.down()
    page.evaluate(RECORD)
    for i in range(STEPS):
        page.mouse.move(left + wide * i / STEPS, middle)
    took = page.evaluate(ENDED)
    page.mouse.up()
    page.keyboard.up("Shift")
    yield from _frames("panning the chart", took)


def of_print(page: Any) -> float:
    """Return the seconds in which Chromium prints the page to a PDF document."""
    began = time.perf_counter()
    page.pdf()
    return time.perf_counter() - began


def _frames(what: str, took: list[float]) -> Iterator[tuple[str, float]]:
    frames = sorted(took)
    yield f"frame while {what}, median of {len(frames)}", frames[len(frames) // 2]
    yield f"frame while {what}, 95 %", frames[int(0.95 * len(frames))]


def first_row(chromium: Any, address: str, row: str) -> Loaded:
    """Open a page in a fresh tab with an empty cache; return how long its first row takes, and what has come."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(MINUTES)
    told = context.new_cdp_session(page)
    told.send("Network.enable")
    asked, sizes = set[str](), dict[str, float]()
    told.on("Network.requestWillBeSent", lambda event: asked.add(event["requestId"]))
    told.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    began = time.perf_counter()
    page.goto(address, wait_until="commit")  # the rest of the page may come after the row
    page.locator(row).first.wait_for()
    seconds, by_then = time.perf_counter() - began, frozenset(asked)
    page.wait_for_timeout(500)
    context.close()
    size = sum(length for request, length in sizes.items() if request in by_then)
    return Loaded(seconds, int(size), int(sum(sizes.values())))


@contextmanager
def optuna_dashboard(file: Path) -> Iterator[str]:
    """Start Optuna's dashboard of a database; yield the address of the trials of its first study."""
    code = f"from optuna_dashboard import run_server; run_server({f'sqlite:///{file}'!r}, port={OPTUNA_PORT})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                connection = HTTPConnection("127.0.0.1", OPTUNA_PORT)
                connection.request("GET", "/api/studies")
                connection.getresponse().read()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, "Optuna's dashboard has ended"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{OPTUNA_PORT}/dashboard/studies/1/trials"
    finally:
        process.kill()
        process.wait()
