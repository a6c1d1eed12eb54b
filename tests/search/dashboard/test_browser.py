"""The pages in a real browser, served by the command: a person's actions, and an accessibility check."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from search.results.evaluation.evaluation import WORST
from search.storage.study import Store, open_to_read
from tests.command import PATIENCE_SECONDS
from tests.search.dashboard.evaluated import keep_evaluation
from tests.search.dashboard.kept import add, begin, text_of
from tests.search.dashboard.server import Server
from tests.search.dashboard.stopping import add_three, keep_exits
from tests.search.dashboard.test_hostile import HOSTILE

PAGES = (
    "/",
    "/study/tiny",
    "/study/tiny?outcome=waiting&op=conv&sort=-accuracy",
    "/study/bare",
    "/study/tiny/trial/2",
    "/study/tiny/trial/3",
    "/study/tiny/trial/5",
    "/study/tiny/trial/6?open=s",
    "/study/stopping/trial/0",
    "/study/stopping/trial/1",
    "/study/tiny/genes",
    "/study/tiny/activity",
    "/study/tiny/compare?trial=5&trial=6&trial=1",
)
BEST, ACCURACIES = 5, (0.5, 0.25, 0.75, None, None, 0.875, 0.625)
MOTIF = """genome: tiny
input: [1, 8, 8]
classes: 10
nodes:
  s: {op: stack, in: [image], depth: 3, width: 8, body: {op: conv}}
  out: {op: exit, in: [s]}
"""
NARROW, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
AXE = Path(__file__).with_name("axe") / "axe.min.js"
GRAVE = ("serious", "critical")
# whether all that a page fetches once it is there is in its place: plots, a picture, what was learned, what the zoo has
SETTLED = """() => {
  const every = (selector, is_so) => [...document.querySelectorAll(selector)].every(is_so);
  return document.readyState === 'complete'
    && every('[data-plot] .canvas', one => one.hidden || one.dataset.ready)
    && every('#picture', one => one.querySelector('svg'))
    && every('#learned, #genes', one => one.getAttribute('hx-trigger') === 'every 30s')
    && every('#zoo', one => one.querySelector('.hint'));
}"""

Tab = Callable[..., Any]


class Served(NamedTuple):
    """The address that shows the studies, and the folder that holds them."""

    server: Server
    runs: Path
    url: str

    @property
    def address(self) -> str:
        return f"http://{self.server.place}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A study with trials of several kinds, a study without trials, and studies with hostile names, in one storage."""
    runs = tmp_path_factory.mktemp("browser") / "runs"
    url = f"sqlite:///{runs.parent}/all.db"
    fill(begin(runs, "tiny", url, trials=20))
    begin(runs, "bare", url)
    stopping = begin(runs, "stopping", url)
    for folder in (stopping.trial_folder(add_three(stopping)) for _ in range(2)):
        if folder.name == "0":
            keep_exits(folder)
    for name in hostile_names():
        add(
            begin(runs, name, url),
            "failed",
            None,
            name,
            {"by": name, "moves": [name]},
            kind=name,
            reason=name,
        )
    server = Server(url, "--runs", runs, "--port", 0)
    for name in ("tiny", "bare", "stopping", *hostile_names()):
        read(server, name)
    yield Served(server, runs, url)
    server.end()


def read(server: Server, name: str) -> None:
    """Have the dashboard read a study, so that no page says that the study is being read and reloads by itself."""
    assert server.get(f"/study/{quote(name, safe='')}")[0] == 200


def hostile_names() -> list[str]:
    return [text.replace("/", "!") for text in HOSTILE if "\0" not in text]


def fill(store: Store) -> None:
    """Add seven trials of growing networks: one failed, one was refused, and the best has a report."""
    for number, accuracy in enumerate(ACCURACIES):
        op = "separable" if number == 1 else "conv"
        text = MOTIF if number == 6 else text_of(kernel=3, width=4 + number, op=op)
        plan = {"params": 100 * (number + 1), "macs": 1000 * (number + 1), "digest": str(number) * 32}
        origin = {"by": "evolve", "parents": [number - 1] if number else [], "moves": ["wider stem"]}
        ended = {
            3: ("failed", "the loss is not finite at step 3"),
            4: ("refused", "it has 501 params, over 500"),
        }
        outcome, reason = ended.get(number, ("done", None))
        add(
            store, outcome, accuracy, text, origin, plan, reason=reason, epochs=3, seconds=10.0 * (number + 1)
        )
    curve = [
        {"epoch": i, "valid_accuracy": 0.2 * i, "train_loss": 1 / i, "seconds": 1.0} for i in (1, 2, 3, 4)
    ]
    report = {
        "number": BEST,
        "digest": str(BEST) * 32,
        "device": "cpu",
        "curve": curve,
        "parts": {"step": 1.0},
        "by_class": {"images": [8, 2], "predicted": [7, 3], "right": [6, 1], "auc": [0.75, 0.75]},
        "confusion": [[6, 2], [1, 1]],
    }
    keep_evaluation(store.trial_folder(BEST), report)


def expect(found: Any) -> Any:
    """Return Playwright's expectation of a page or of a part, which is checked until it holds."""
    from playwright.sync_api import expect as becomes

    return becomes(found)


def shows(page: Any, numbers: list[int]) -> None:
    """Check the trials in the table, from top to bottom."""
    expect(page.locator("#table tbody th")).to_have_text([str(number) for number in numbers])


def test_a_person_finds_the_best_genome_and_takes_it_home(tab: Tab, served: Served) -> None:
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    page.goto(served.address)
    page.get_by_role("link", name="tiny", exact=True).click()
    page.get_by_role("heading", name="tiny", exact=True).wait_for()
    page.locator("#best tbody a").first.click()
    page.wait_for_url(f"**/study/tiny/trial/{BEST}")
    expect(page.locator("#outcome")).to_contain_text("0.8750")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    text = text_of(kernel=3, width=4 + BEST)
    assert page.evaluate("navigator.clipboard.readText()") == text
    with page.expect_download() as download:
        page.get_by_role("link", name="genome.yaml").first.click()
    assert download.value.suggested_filename == f"tiny-{BEST}.yaml"
    assert Path(download.value.path()).read_text() == text
    page.get_by_role("link", name="trial 4").first.click()
    page.get_by_role("heading", name="Trial 4 of tiny").wait_for()


def test_the_table_is_sorted_and_filtered(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny")
    shows(page, [6, 5, 4, 3, 2, 1, 0])
    for way in ("ascending", "descending"):
        page.locator("#table thead").get_by_role("link", name="accuracy").click()
        page.locator(f'#table th[aria-sort="{way}"]', has_text="accuracy").wait_for()
    shows(page, [5, 2, 6, 0, 1, 3, 4])
    # each answer arrives before the next request, which would replace it
    page.locator('#filter select[name="outcome"]').select_option("done")
    page.get_by_text("5 of 7 trials").wait_for()
    page.get_by_label("with any node type").select_option("conv")
    page.get_by_text("4 of 7 trials").wait_for()
    page.locator('input[name="params_to"]').fill("600")
    page.locator('input[name="params_to"]').press("Enter")  # change and submit are one moment
    page.get_by_text("3 of 7 trials").wait_for()
    shows(page, [5, 2, 0])
    expect(page).to_have_url(re.compile("params_to=600"))
    page.reload()
    shows(page, [5, 2, 0])  # the address states what is shown
    page.go_back()
    shows(page, [5, 2, 6, 0])  # the same holds on the way back
    page.wait_for_load_state()
    page.reload()
    shows(page, [5, 2, 6, 0])


def test_a_motif_unfolds_where_it_stands_and_folds_again(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny/trial/6")
    nodes = page.locator(".picture [data-node]")
    page.locator('.picture a[data-node="s"]').click()
    page.locator('.picture [data-node="s.1"]').first.wait_for()
    assert nodes.evaluate_all("all => all.filter(n => /^s[.]/.test(n.dataset.node)).length") >= 3
    expect(page).to_have_url(re.compile("open=s"))
    page.locator('.picture [data-node="s.1"]').first.hover()
    page.locator(".tip", has_text="params").wait_for()
    page.locator('.picture a[data-node="s"]').first.click()
    page.locator('.picture [data-node="s.1"]').first.wait_for(state="detached")


def test_two_trials_are_picked_and_compared(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny")
    for number in (5, 1):
        page.get_by_label(f"compare trial {number}", exact=True).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/study/tiny/compare?*")
    expect(page.locator("main table").first).to_contain_text("0.8750")
    for changed in ("ins", "del"):
        page.locator(changed).first.wait_for(state="attached")


def test_a_person_picks_faster_than_the_server_answers(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny")
    boxes = [page.get_by_label(f"compare trial {number}", exact=True) for number in (5, 1, 2)]
    page.route("**/part/table?*", lambda route: (page.wait_for_timeout(300), route.continue_()))
    page.evaluate(
        "() => { for (const n of [5, 1, 2]) document.querySelector(`#table .pick [value='${n}']`).click(); }"
    )
    page.wait_for_url("**pick=5%2C1%2C2*")
    for box in boxes:
        expect(box).to_be_checked()
    boxes[1].uncheck()
    page.wait_for_url("**pick=5%2C2*")
    expect(page.locator("#compare")).to_contain_text("Picked: 5, 2.")


def test_a_network_is_put_into_the_queue_and_a_trial_starred(tab: Tab, tmp_path: Path) -> None:
    """The search finds what is written: a waiting trial with the text that a person edited."""
    stem = {"op": "conv", "in": ["image"], "kernel": {"one_of": [3, 5]}, "width": {"int": [4, 16]}}
    space = {"nodes": {"stem": stem, "out": {"op": "exit", "in": ["stem"]}}}
    fill(begin(tmp_path / "runs", trials=20, space=space))
    server = Server("--runs", tmp_path / "runs", "--port", 0)
    try:
        read(server, "tiny")
        page = tab()
        page.goto(f"http://{server.place}/study/tiny/trial/{BEST}")
        page.get_by_role("button", name="Star").click()
        page.get_by_role("button", name="Starred").wait_for()
        page.get_by_text("Edit the genome and enqueue the result").click()
        text = page.locator("textarea[name=text]")
        text.fill(text.input_value().replace("kernel: 3", "kernel: 5"))
        page.get_by_role("button", name="Add to the queue").click()
        page.get_by_role("heading", name=f"Trial {len(ACCURACIES)} of tiny").wait_for()
        expect(page.locator("#genome-text")).to_contain_text("kernel: 5")
        page.get_by_role("link", name="tiny", exact=True).click()
        page.get_by_text("1 trial waits in the queue").wait_for()
        page.get_by_text("Add your own network to the queue").click()
        page.get_by_text("networks of the zoo fits this study's space").wait_for()
        page.close()
    finally:
        server.end()
    waiting = open_to_read("tiny", tmp_path / "runs").records()[-1]
    assert (waiting.outcome, waiting.origin and waiting.origin.parents) == ("waiting", (BEST,))


def test_a_trial_is_opened_by_the_keyboard_alone(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny")
    page.wait_for_function(SETTLED)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#table tbody th') !== null"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", (
        "the focus is seen"
    )
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/tiny/trial/6")


def test_the_sliders_choose_a_point_of_the_curve_of_exits_by_the_keyboard(tab: Tab, served: Served) -> None:
    """Each position shows what the stored curve says of the best point within the limit."""
    page = tab()
    page.goto(f"{served.address}/study/stopping/trial/0")
    plain = json.loads((served.runs / "stopping/trials/0/exits.json").read_text())
    points, last = plain["curve"], plain["valid"]["last_exit"]
    assert len(points) > 2
    for name, value in (("macs", lambda p: p["macs"]), ("drop", lambda p: last - p["accuracy"])):
        slider = page.locator(f"#exits-sliders input[name={name}]")
        low, high = min(map(value, points)), max(map(value, points))
        for key, share in (("Home", 0.0), ("End", 1.0), ("PageDown", 0.9), ("ArrowLeft", 0.89)):
            slider.press(key)
            assert slider.input_value() == str(round(100 * share))
            meeting = [p for p in points if value(p) <= low + share * (high - low) + 1e-9 * max(1, abs(high))]
            wanted = meeting[-1] if name == "macs" else meeting[0]  # the cheapest first
            told = [f"{share:.1%}" for share in wanted["shares"]]
            expect(page.locator("#exits-table .leaves")).to_have_text(told)
            those = ["-" if a is None else f"{a:.4f}" for a in wanted["accuracies"]]
            expect(page.locator("#exits-table .those")).to_have_text(those)
            expect(page.locator("#exits-says")).to_contain_text(f"accuracy {wanted['accuracy']:.4f}")
    assert slider.get_attribute("aria-valuetext").endswith("the last exit alone")
    dot = page.locator("#exits-chosen")
    assert float(dot.get_attribute("cx")) > 0 and float(dot.get_attribute("cy")) > 0


def test_a_person_sees_what_the_best_network_gets_wrong(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/tiny")
    expect(page.locator("#work")).to_contain_text("are answered wrongly")
    page.locator("#work").get_by_role("link", name="Each class").click()
    page.wait_for_url(f"**/study/tiny/trial/{BEST}#classes")
    expect(page.locator("#classes .answers li")).to_have_count(WORST)
    page.locator("#sheet summary").click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('#classes img')].every(one => one.complete && one.naturalWidth > 0)"
    )
    expect(page.locator("#classes .reliability circle.bin").first).to_be_visible()


@pytest.mark.parametrize("address", [*PAGES, "/study/none"])
def test_a_page_is_narrow_where_the_window_is_and_axe_finds_nothing_grave(
    tab: Tab, served: Served, address: str
) -> None:
    page = tab(expected="404 (Not Found)" if address not in PAGES else None)
    page.goto(served.address + address)
    page.wait_for_function(SETTLED)
    page.set_viewport_size(NARROW)
    # the plots have the new width, and the page does not scroll sideways
    page.wait_for_function("innerWidth === 390 && document.scrollingElement.scrollWidth <= innerWidth")
    page.set_viewport_size(WIDE)
    page.wait_for_function("innerWidth === 1280")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme, rules in {"light": {}, "dark": {"runOnly": ["color-contrast"]}}.items():
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("rules => axe.run(document, {resultTypes: ['violations'], ...rules})", rules)
        grave = [one for one in found["violations"] if one["impact"] in GRAVE]
        assert [(scheme, one["id"], one["nodes"][0]["html"]) for one in grave] == []
        assert "color-contrast" in {one["id"] for one in found["passes"]}, "the rules were run"


def test_it_follows_the_scheme_of_the_system(tab: Tab, served: Served) -> None:
    page, trial_view = tab(), []
    page.goto(f"{served.address}/study/tiny")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        trial_view.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, colour.strip("rgb()").split(","))) for colour in trial_view)
    assert light > 600 and dark < 150


def test_the_name_of_a_study_is_text_wherever_it_stands(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(served.address)
    links = {name: page.get_by_role("link", name=name, exact=True).first for name in hostile_names()}
    for name, href in {name: links.get_attribute("href") for name, links in links.items()}.items():
        page.goto(served.address + href)
        assert page.locator("h1").text_content() == name
        page.locator("#table tbody a").first.click()
        page.locator("#outcome", has_text="failed").wait_for()
        assert name in page.locator("#outcome").text_content()


def test_an_open_page_shows_what_came_since(tab: Tab, served: Served) -> None:
    """The page reloads its parts by itself; the browser's clock is set forward."""
    store = begin(served.runs, "growing", served.url)
    add(store)
    read(served.server, "growing")
    page = tab()
    page.clock.install()
    page.goto(f"{served.address}/study/growing")
    page.get_by_text("1 of 1 trials").wait_for()
    add(store, accuracy=0.75)
    page.clock.run_for(31_000)
    page.get_by_text("2 of 2 trials").wait_for()
    expect(page.locator("#best")).to_contain_text("0.7500")


def test_a_study_that_is_still_being_read_comes_by_itself(tab: Tab, tmp_path: Path) -> None:
    add(begin(tmp_path / "made"))
    shutil.copytree(tmp_path / "made", tmp_path / "runs")  # nobody has the copy open
    holder = sqlite3.connect(tmp_path / "runs" / "tiny" / "study.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")  # with a write-ahead log a writer keeps no reader waiting
    holder.execute("BEGIN EXCLUSIVE")
    # the timeout is as long as the test: a reader that times out gets an error
    patient = f"from search.dashboard.studies import reader; reader.LOCK_SECONDS = {PATIENCE_SECONDS}"
    server = Server("--runs", tmp_path / "runs", "--port", 0, first=patient)
    try:
        page = tab()
        page.goto(f"http://{server.place}/study/tiny")
        page.get_by_text("study tiny is being read").wait_for()
        holder.execute("ROLLBACK")
        page.get_by_text("1 of 1 trials").wait_for()
        page.close()
    finally:
        holder.close()
        server.end()
