"""A genome as a thing to explore and to edit: the picture's tools, and the check of a text while a person writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from search.dashboard.actions.check import mistakes
from tests.search.dashboard.kept import LOCAL, Page, add, begin, client, text_of
from tests.search.dashboard.server import Server

SPACE = {
    "nodes": {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [3, 5]}, "width": {"int": [4, 16]}},
        "out": {"op": "exit", "in": ["stem"]},
    }
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("explore")
    add(begin(runs, space=SPACE, trials=20))
    return runs


def checked(runs: Path, text: str, token: str | None = None) -> Any:
    web = client(runs)
    page = Page(web.get("/study/tiny/trial/0").text)
    given = next(one["value"] for tag, one in page.elements if tag == "input" and one.get("name") == "token")
    return web.post(
        "/study/tiny/check", data={"token": token or given or "", "text": text}, headers={"origin": LOCAL}
    )


def test_a_right_text_has_costs_and_a_picture(runs: Path) -> None:
    found = checked(runs, text_of(kernel=5)).json()
    assert found["mistakes"] == [] and found["refused"] is None
    assert (
        "params" in found["costs"]
        and "stem" in found["picture"]
        and found["picture"].lstrip().startswith("<")
    )


def test_a_network_outside_the_space_is_drawn_and_its_refusal_said(runs: Path) -> None:
    found = checked(runs, text_of(width=32)).json()
    assert "does not fit the study's space" in found["refused"] and found["picture"]


def test_mistakes_are_named_with_their_lines(runs: Path) -> None:
    lines = text_of().split("\n")
    at = next(i for i, line in enumerate(lines) if "stem:" in line)
    lines[at] = lines[at].replace("kernel: 3", "kernel: 4000")
    found = checked(runs, "\n".join(lines)).json()
    assert [one["line"] for one in found["mistakes"]] == [at + 1] and "kernel" in found["mistakes"][0]["says"]
    assert checked(runs, "nodes: {").json()["mistakes"]
    assert checked(runs, "").json()["mistakes"]
    assert mistakes("no place\nat all") == [{"line": None, "says": "no place at all"}]


def test_a_check_needs_the_token_of_the_page(runs: Path) -> None:
    assert checked(runs, text_of(), token="other").status_code == 403


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Server]:
    made = Server("--runs", runs, "--port", 0)
    assert made.get("/study/tiny")[0] == 200
    yield made
    made.end()


def test_the_picture_is_zoomed_searched_and_taken_home(tab: Callable[..., Any], server: Server) -> None:
    page = tab()
    page.goto(f"http://{server.place}/study/tiny/trial/0")
    width = lambda: page.locator("#picture svg").bounding_box()["width"]  # noqa: E731
    page.locator("#tools").wait_for()
    before = width()
    page.get_by_label("larger").click()
    assert width() == pytest.approx(1.25 * before, rel=0.01)
    page.get_by_role("button", name="1:1").click()
    assert width() == pytest.approx(before, rel=0.01)
    page.get_by_role("button", name="fit").click()
    height = page.locator("#picture svg").bounding_box()["height"]
    assert height == pytest.approx(0.8 * 800, rel=0.02), "a picture that is taller than wide"
    assert page.locator("#picture text", has_text="stride 1").count() == 0
    page.get_by_label("defaults").check()
    page.locator("#picture text", has_text="stride 1").first.wait_for()
    shown = page.locator("#picture text", has_text="4x8x8").count()
    page.get_by_label("shapes on edges").check()
    page.wait_for_function(
        "n => [...document.querySelectorAll('#picture text')].filter(t => t.textContent === '4x8x8').length > n",
        arg=shown,
    )
    page.get_by_label("find").fill("STE")
    page.get_by_text("1 found").wait_for()
    assert page.locator("#picture .found").get_attribute("data-node") == "stem"
    for name, suffix in (("SVG", "svg"), ("PNG", "png")):
        with page.expect_download() as download:
            page.locator(f"#as-{suffix}").click()
        assert download.value.suggested_filename == f"tiny-0.{suffix}", name
    image = Image.open(download.value.path())
    assert image.format == "PNG" and len(image.convert("L").getcolors() or []) > 5, "it is no empty sheet"
    page.get_by_role("button", name="full screen").click()
    page.wait_for_function("document.fullscreenElement?.id === 'frame'")


def test_the_view_of_a_picture_stands_in_the_address(tab: Callable[..., Any], server: Server) -> None:
    page = tab()
    page.goto(f"http://{server.place}/study/tiny/trial/0")
    page.locator("#tools").wait_for()
    page.get_by_label("larger").click()
    page.get_by_label("defaults").check()
    page.locator("#picture text", has_text="stride 1").first.wait_for()
    width = page.locator("#picture svg").bounding_box()["width"]
    assert page.url.endswith("/trial/0?zoom=1.25&show=defaults")
    page.reload()
    page.locator("#picture text", has_text="stride 1").first.wait_for()
    assert page.locator("#picture svg").bounding_box()["width"] == pytest.approx(width, rel=0.01)
    assert page.get_by_label("defaults").is_checked() and not page.get_by_label("shapes").is_checked()
    page.get_by_role("button", name="1:1").click()
    page.get_by_label("defaults").uncheck()
    page.wait_for_url("**/trial/0")


@pytest.mark.parametrize("query", ["zoom=7", "zoom=x", "zoom=nan", "zoom=1&zoom=2", "show=all", "x=1"])
def test_a_wrong_view_is_named(runs: Path, query: str) -> None:
    answer = client(runs).get(f"/study/tiny/trial/0?{query}")
    assert answer.status_code == 400
    assert any(
        word in answer.text for word in ("it may be", "given twice", "the parameters are open, zoom, show")
    )


def test_a_text_is_checked_while_a_person_writes_it(tab: Callable[..., Any], server: Server) -> None:
    page = tab()
    page.goto(f"http://{server.place}/study/tiny/trial/0")
    page.get_by_text("Edit the genome and enqueue the result").click()
    page.get_by_text("The study takes it.").wait_for()
    text = page.locator("textarea[name=text]")
    right = text.input_value()
    text.fill(right.replace("kernel: 3", "kernel: 4000"))
    page.locator(".checked button").click()
    line = next(i for i, one in enumerate(right.split("\n")) if "stem:" in one)
    start = len("\n".join(right.split("\n")[:line])) + 1
    assert page.evaluate("document.activeElement.selectionStart") == start
    assert text.get_attribute("aria-invalid") == "true"
    text.fill(right.replace("kernel: 3", "kernel: 5"))
    page.locator(".preview", has_text="kernel 5").wait_for()
    page.get_by_text("The study takes it.").wait_for()
