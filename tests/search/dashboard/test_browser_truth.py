"""What a person reads from the pages in a real browser: charts, picks, limits, pictures, paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from search.dashboard.plots.plot import MOST_DRAWN
from search.storage.study import claim
from tests.search.dashboard.kept import add, begin, text_of
from tests.search.dashboard.server import Server
from tests.search.dashboard.test_browser import MOTIF, NARROW, SETTLED, WIDE, Served, Tab, expect, read
from tests.search.dashboard.test_truth import MEAN, STEADY, fill

MANY = 230  # trials: more than two pages of the table
WINNER = 149
CROWD = 520  # trials: more than are elements of their chart
LONG = "genome: long\ninput: [1, 8, 8]\nclasses: 10\nnodes:\n  n0: {op: conv, in: [image], width: 4}\n"
FAR = 5  # pixels


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A study with a finale, and one of many trials, whose winner stands in a crowd."""
    runs = tmp_path_factory.mktemp("truth") / "runs"
    url = f"sqlite:///{runs.parent}/all.db"
    fill(begin(runs, "retrained", url))
    many = begin(runs, "many", url, trials=2 * MANY)
    for number in range(MANY):
        accuracy = 0.9954 if number == WINNER else 0.98 + 0.0001 * (number % 150)
        plan = {"params": 1000 + number % 7, "macs": 9000 + number, "digest": f"{number:032d}"}
        add(many, accuracy=accuracy, text=text_of(width=4 + number % 3), plan=plan)
    lines = "".join(f"  n{i}: {{op: conv, in: [n{i - 1}], width: 4}}\n" for i in range(1, 24))
    add(many, accuracy=0.5, text=f"{LONG}{lines}  out: {{op: exit, in: [n23]}}\n", plan={"digest": "l" * 32})
    add(many, accuracy=0.5, text=MOTIF, plan={"digest": "m" * 32})
    running = many.study.ask()
    running.set_user_attr("genome", text_of())
    running.set_user_attr("curve", {"1": 0.5, "2": 0.9125})
    running.set_user_attr("losses", {"1": [2.0, 1.5], "2": [1.0, 0.5]})
    add(begin(runs, "perfect", url), accuracy=1.0, text=text_of())
    crowd = begin(runs, "crowd", url, trials=CROWD)
    for number in range(CROWD):
        plan = {"params": 1000 + 7 * number, "digest": f"{number:032d}"}
        add(crowd, accuracy=0.5 + 0.0005 * ((CROWD - number) % 97), text=text_of(), plan=plan)
    server = Server(url, "--runs", runs, "--port", 0)
    for name in ("retrained", "many", "perfect", "crowd"):
        read(server, name)
    yield Served(server, runs, url)
    server.end()


def drawn(page: Any) -> dict[str, list[int]]:
    """The trials of each series that Plotly has drawn in the chart against the cost."""
    page.wait_for_function(SETTLED)
    return page.evaluate(
        "() => Object.fromEntries(document.querySelector('#plot-against .canvas').data"
        ".filter(one => one.customdata).map(one => [one.name, one.customdata.map(([number]) => number)]))"
    )


def test_every_network_is_drawn_and_the_winner_and_the_picked_have_marks(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many?cost=params&pick=7")
    found = drawn(page)
    assert len(found["done"]) == MANY + 2 <= MOST_DRAWN and WINNER in found["done"]
    assert found[f"best: trial {WINNER}"] == [WINNER] and found["picked"] == [7]
    expect(page.locator("#plot-against .note")).not_to_contain_text("drawn")


# the trials of the chart that were trained to their end
TRIALS = """() => document.querySelector("#plot-against .canvas").data.filter(one => one.name === "done")
  .flatMap(one => one.customdata.map(([number]) => number)).sort((a, b) => a - b)"""
# the place of the point of a trial in the window, and the strength of what is drawn behind the chart there, 0 to 255
AT = """number => {
  const chart = document.querySelector("#plot-against .canvas"), { xaxis, yaxis } = chart._fullLayout;
  const trace = chart.data.find(one => one.customdata?.some(([trial]) => trial === number));
  const i = trace.customdata.findIndex(([trial]) => trial === number);
  const x = xaxis.d2p(trace.x[i]), y = yaxis.d2p(trace.y[i]);
  const behind = chart.querySelector(".crowd"), box = chart.getBoundingClientRect();
  const pixel = [x, y].map(one => Math.round(one * behind.width / behind.clientWidth));
  const [, , , strength] = behind.getContext("2d").getImageData(...pixel, 1, 1).data;
  return { x: box.left + xaxis._offset + x, y: box.top + yaxis._offset + y, strength };
}"""


@pytest.mark.parametrize("scale", [1, 2])
def test_a_crowd_is_drawn_behind_its_chart_and_can_be_hovered_over_dragged_and_hidden(
    tab: Tab, served: Served, scale: int
) -> None:
    """Hundreds of points were elements of the chart, which jerked while it was dragged."""
    page = tab(viewport={"width": 1400, "height": 1600}, device_scale_factor=scale)
    page.goto(f"{served.address}/study/crowd?cost=params&y=linear")
    page.wait_for_function(SETTLED)
    middle = CROWD // 2
    assert page.evaluate(TRIALS) == [*range(CROWD)]
    assert page.locator("#plot-against .point").count() < 50
    at = page.evaluate(AT, middle)
    assert at["strength"] > 100
    page.mouse.move(at["x"], at["y"])
    page.get_by_role("link", name=f"trial {middle}", exact=True).wait_for()
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(at["x"] + 60, at["y"] + 5)
    page.mouse.move(at["x"] + 80, at["y"] + 10)
    moved = page.evaluate(AT, middle)  # while it is dragged
    assert moved["x"] == pytest.approx(at["x"] + 80, abs=2) and moved["strength"] > 100
    page.mouse.up()
    page.keyboard.up("Shift")
    page.locator("#plot-against .legendtoggle").first.click()
    page.wait_for_function(f"number => ({AT})(number).strength === 0", arg=middle)


def test_the_axis_of_accuracy_shows_the_error_and_ends_at_one(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many")
    ticks = page.locator("#plot-against .yaxislayer-above text")
    drawn(page)
    shown = [float(text) for text in ticks.all_text_contents() if text]
    assert {0.99, 0.995} <= set(shown) and max(shown) < 1, "the top is stretched"
    page.get_by_role("link", name="linear").click()
    page.wait_for_url("**y=linear**")
    drawn(page)
    assert max(float(text) for text in ticks.all_text_contents()) <= 1
    assert page.evaluate("document.querySelector('#plot-against .canvas').layout.yaxis.range[1]") <= 1


def test_no_axis_goes_beyond_an_accuracy_of_one(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/perfect")
    drawn(page)
    ticks = page.locator("#plot-progress .yaxislayer-above text").all_text_contents()
    assert max(map(float, ticks)) == 1


def test_best_means_the_mean_and_its_chart_has_a_bar(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/retrained")
    assert drawn(page)[f"best: trial {STEADY}"] == [STEADY]
    expect(page.locator("#summary")).to_contain_text(MEAN)
    assert page.locator("#plot-against .errorbar").count() == 3
    page.goto(served.address)
    expect(page.locator("#studies")).to_contain_text(MEAN)


def test_picks_last_over_the_pages_of_the_table_and_are_in_the_address(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many")
    page.get_by_label(f"compare trial {MANY - 1}", exact=True).check()
    page.get_by_text(f"Picked: {MANY - 1}.").wait_for()
    page.get_by_role("link", name="next").click()
    page.get_by_text("page 2 of 3").wait_for()
    page.get_by_label("compare trial 100", exact=True).check()
    page.get_by_text(f"Picked: {MANY - 1}, 100.").wait_for()
    page.wait_for_url(f"**pick={MANY - 1}%2C100**")
    page.reload()
    expect(page.get_by_label("compare trial 100", exact=True)).to_be_checked()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name=f"Trials {MANY - 1} and 100 of many").wait_for()
    page.go_back()
    page.get_by_role("link", name="pick none").click()
    page.get_by_text("Pick two to four trials").wait_for()
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("Pick two to four trials").wait_for()  # back at the table, not at a dead end


def test_a_count_is_written_the_same_in_every_field_and_a_wrong_one_replaces_the_answer(
    tab: Tab, served: Served
) -> None:
    page = tab(expected="400 (Bad Request)")
    page.goto(f"{served.address}/study/many")
    field = page.locator('input[name="at_most"]')
    for text in ("1k", "1e3", "1,000", "0.001M"):
        field.fill(text)
        page.get_by_text("with at most 1,000 params").wait_for()
        field.fill("")
        page.wait_for_function("() => !document.querySelector('#within').textContent.trim()")
    field.fill("1k")
    page.get_by_text("with at most 1,000 params").wait_for()
    field.fill("many")
    expect(page.locator("#within")).to_contain_text("best with at most is 'many'")
    expect(page.locator("#within")).not_to_contain_text("Best of")
    field.fill("2k")
    page.get_by_text("with at most 2,000 params").wait_for()
    page.locator('#filter input[name="params_to"]').fill("1k")
    page.locator('#filter input[name="params_to"]').press("Enter")
    page.wait_for_url("**params_to=1000**")
    page.locator('#filter input[name="params_to"]').fill("few")
    page.locator('#filter input[name="params_to"]').press("Enter")
    expect(page.locator("#filter-answer")).to_contain_text("params_to is 'few'")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_the_limit_is_on_the_first_screen_and_the_other_answers_one_click_away(
    tab: Tab, served: Served, size: dict[str, int]
) -> None:
    page = tab(viewport=size)
    page.goto(f"{served.address}/study/many")
    page.wait_for_function(SETTLED)
    box = page.locator('input[name="at_most"]').bounding_box()
    assert box["y"] + box["height"] < size["height"]
    for name in ("what it learned", "why trials failed", "charts"):
        link = page.get_by_role("link", name=name)
        assert link.bounding_box()["y"] < size["height"], name
        assert page.locator(link.get_attribute("href")).count() == 1


def test_a_running_trial_has_its_curves_and_its_last_value(tab: Tab, served: Served) -> None:
    page, number = tab(), MANY + 2
    with claim("many", served.runs, served.url):  # a run that lives
        page.goto(f"{served.address}/study/many?outcome=running")
        expect(page.locator("#table tbody tr").first).to_contain_text("0.9125 at epoch 2")
        page.goto(f"{served.address}/study/many/trial/{number}")
        expect(page.locator("#outcome")).to_contain_text("0.9125 at epoch 2")
        expect(page.locator("#curve svg.chart")).to_have_count(2)
        second = page.locator("#curve svg.chart").nth(1)
        assert second.locator("polyline").count() == 2, "training and validation"


def test_a_curve_alone_has_a_legend_and_epochs_are_whole(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many?pick={MANY + 2}&smooth=0.6")
    page.wait_for_function(SETTLED)
    chart = page.locator("#plot-curves")
    expect(chart.locator(".legendtext")).to_have_text([f"trial {MANY + 2}"])
    ticks = chart.locator(".xaxislayer-above text").all_text_contents()
    assert ticks == ["1", "2"]
    page.goto(f"{served.address}/study/many?pick={MANY + 2}&curve=learning_rate")
    page.wait_for_function(SETTLED)
    expect(chart.locator(".canvas")).to_be_hidden()
    expect(chart.locator(".note")).to_contain_text(
        f"not in the reports on this machine, stored since version 0.2: trial {MANY + 2}"
    )


def test_every_trial_is_in_the_history_and_the_best_mean_has_a_band(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many")
    page.wait_for_function(SETTLED)
    count = (
        "() => document.querySelector('#plot-history .canvas').data"
        ".filter(one => one.customdata).flatMap(one => one.customdata).length"
    )
    assert page.evaluate(count) == MANY + 3
    page.locator("#history").get_by_role("link", name="time").click()
    page.wait_for_url("**over=time**")
    page.wait_for_function(SETTLED)
    assert page.evaluate("document.querySelector('#plot-history .canvas').layout.xaxis.type") == "date"
    page.goto(f"{served.address}/study/retrained")
    page.wait_for_function(SETTLED)
    assert page.locator("#plot-progress .fills path").count() == 1
    assert page.locator("#plot-volume .scatterlayer path.js-line").count() == 1


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_no_chart_and_no_picture_is_cut(tab: Tab, served: Served, size: dict[str, int]) -> None:
    page = tab(viewport=size)
    page.goto(f"{served.address}/study/many/trial/{MANY}")
    page.wait_for_function(SETTLED)
    picture = page.locator("#picture svg").bounding_box()
    last = page.locator('#picture [data-node="out"]').bounding_box()
    frame = page.locator("#picture").bounding_box()
    assert last["y"] + last["height"] <= frame["y"] + frame["height"] + FAR, "no node is below the frame"
    if size is WIDE:
        assert picture["width"] > 600 and picture["height"] < 1200, "the width is used"
        assert picture["width"] <= frame["width"] + FAR
    page.goto(f"{served.address}/study/many/trial/{MANY + 2}")
    for chart in page.locator("svg.chart").all():
        box = chart.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    held = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && !one.hasAttribute('tabindex')).length"
    assert page.locator("figure").evaluate_all(held) == 0, "the keyboard reaches what scrolls"


def test_what_a_hover_tells_covers_no_node_and_no_point(tab: Tab, served: Served) -> None:
    page = tab(viewport={"width": 1280, "height": 1600})
    page.goto(f"{served.address}/study/many/trial/{MANY}")
    page.wait_for_function(SETTLED)
    page.locator('#picture [data-node="n3"]').hover()
    tip = page.locator(".tip").bounding_box()
    for node in page.locator("#picture [data-node]").all():
        assert not overlap(tip, node.bounding_box())
    page.goto(f"{served.address}/study/many")
    drawn(page)
    page.locator("#plot-against .point").nth(40).hover(force=True)
    page.locator("#card").wait_for()
    plot = page.locator("#plot-against .nsewdrag").first.bounding_box()
    assert not overlap(page.locator("#card").bounding_box(), plot)


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    apart = (
        one["x"] + one["width"] <= other["x"] + 1
        or other["x"] + other["width"] <= one["x"] + 1
        or one["y"] + one["height"] <= other["y"] + 1
        or other["y"] + other["height"] <= one["y"] + 1
    )
    return not apart


def test_the_title_of_an_unfolded_motif_lies_over_the_arrows_that_cross_it(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many/trial/{MANY + 1}?open=s")
    page.wait_for_function(SETTLED)
    follows = (
        "() => { const all = [...document.querySelectorAll('#picture .arrow, #picture .label')];"
        " return all.findIndex(one => one.matches('.label')) > all.findLastIndex(one => one.matches('.arrow')); }"
    )
    assert page.evaluate(follows)
    assert (
        page.locator("#picture .label")
        .first.evaluate("one => getComputedStyle(one).paintOrder")
        .startswith("stroke")
    )


def test_every_gene_is_in_the_table_of_nodes_and_a_default_is_pale(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many/trial/0")
    page.get_by_text("nodes as a table").click()
    row = page.get_by_role("region", name="The nodes of the genome").locator("tbody tr").first
    expect(row.locator(".default", has_text="stride 1")).to_be_visible()


def test_a_changed_word_is_in_sight_on_a_narrow_page(tab: Tab, served: Served) -> None:
    page = tab(viewport=NARROW)
    page.goto(f"{served.address}/study/many/compare?trial=0&trial=1")
    for changed in ("ins", "del"):
        box = page.locator(f"pre.diff {changed}").first.bounding_box()
        assert box["x"] + box["width"] <= NARROW["width"]


def test_on_paper_there_are_no_forms_and_nothing_is_folded(tab: Tab, served: Served) -> None:
    page = tab()
    page.goto(f"{served.address}/study/many")
    page.wait_for_function(SETTLED)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for gone in ("#filter", "#limit", "nav", "#compare", "td.pick"):
        expect(page.locator(gone).first).to_be_hidden()
    assert page.locator("#against details").get_attribute("open") is not None
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#against details").get_attribute("open") is None


def test_the_page_of_a_study_that_does_not_exist_yet_looks_again(tab: Tab, served: Served) -> None:
    page = tab(expected="404 (Not Found)")
    page.clock.install()
    page.goto(f"{served.address}/study/later")
    page.get_by_text("there is no study later").wait_for()
    add(begin(served.runs, "later", served.url))
    read(served.server, "later")
    page.clock.run_for(6_000)
    page.get_by_text("1 of 1 trials").wait_for()


def test_numbers_of_one_training_agree(tab: Tab, served: Served) -> None:
    """Complete epochs beside a curve with a part of another, seconds of search and finale, a seed without commas."""
    store = begin(served.runs, "agree", served.url, budget={"device_time": 600, "per_trial": 15}, trials=None)
    number = add(store, "cut", 0.9, plan={"digest": "a" * 32}, epochs=7, planned_epochs=9, seconds=15.0)
    folder = store.trial_folder(number)
    folder.mkdir(parents=True)
    curve = [{"epoch": i, "complete": i < 8, "valid_accuracy": 0.1 * i} for i in range(1, 9)]
    report = {"number": number, "digest": "a" * 32, "curve": curve, "seed": 1738052311, "seconds": 30.0}
    (folder / "report.json").write_text(json.dumps({**report, "charged_share": 0.5}))
    read(served.server, "agree")
    page = tab()
    page.goto(f"{served.address}/study/agree/trial/{number}")
    said = page.locator("#outcome")
    expect(said).to_contain_text("7 of 9 complete, and a part of epoch 8")
    expect(said).to_contain_text("its limit of 15.0 s of device time is 30.0 s there")
    expect(page.locator("#report")).to_contain_text("1738052311")
