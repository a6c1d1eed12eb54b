"""The table of trials: its columns, order and filters, and tags on trials that are picked on any of its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from search.dashboard.studies import expression
from search.dashboard.studies.columns import COLUMNS
from search.dashboard.studies.expression import ExpressionError
from search.dashboard.studies.library import Library
from search.dashboard.studies.selection import PAGE
from search.storage.seed_results import SeedResult
from search.storage.study import Store, open_to_read
from tests.search.dashboard.kept import LOCAL, Page, add, begin, client, text_of
from tests.search.dashboard.server import Server

Tab = Callable[..., Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five trials: the one with the best single score has the worse mean over seeds."""
    runs = tmp_path_factory.mktemp("table")
    fill(begin(runs))
    return runs


def fill(store: Store) -> None:
    for number, (accuracy, params) in enumerate(((0.9, 90_000), (0.95, 150_000), (0.5, 1_000))):
        origin = {"by": "evolve", "parents": [0], "moves": ["Wider stem"]}
        op = "separable" if number == 2 else "conv"
        metrics = {"latency": 0.001 * (3 - number), "memory": 64.0 * (number + 1)}
        add(store, "done", accuracy, text_of(op=op), origin, {"params": params}, metrics=metrics, epochs=3)
    add(store, "failed", None, reason="the loss is not finite at step 3", kind="not-finite")
    add(store, "refused", None, reason="it has 501 params, over 500")
    for number, values in {0: (0.91, 0.93, 0.95), 1: (0.7, 0.72)}.items():
        for seed, value in enumerate(values):
            store.store_seed(number, seed, SeedResult("done", 3, accuracy=value, loss=0.1))
    store.study.set_user_attr("tag:0:paper", True)
    store.study.set_user_attr("tag:1:paper", False)
    store.study.set_user_attr("note:1", "look again")


def kept(runs: Path, where: str) -> list[int]:
    snapshot = Library(runs).snapshot("tiny")
    test = expression.parse(where)
    return [one.record.number for one in snapshot.trials if test(snapshot, one)]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("op=conv and params<100k and seeds>=3", [0]),
        ("op = separable", [2]),
        ("op=separable or params > 1e5", [1, 2]),
        ("not op=separable and outcome=done", [0, 1]),
        ("(op=separable or params>100,000) and accuracy>=90%", [1]),
        ("OUTCOME", None),
        ("mean>=0.9", [0]),
        ("outcome != done", [3, 4]),
        ("accuracy!=0.5", [0, 1]),  # a trial without the value satisfies no comparison
        ("not accuracy=0.5", [0, 1, 3, 4]),
        ('reason~"not finite"', [3]),
        ("reason ~ PARAMS", [4]),
        ("moves~wider AND by=evolve", [0, 1, 2]),
        ('moves="wider stem"', [0, 1, 2]),
        ("parents=0 and number<2", [0, 1]),
        ("tag=paper", [0]),
        ("note~again or starred=yes", [1]),
        ("ended>=2020 and began<=2999-12-31", [0, 1, 2, 3, 4]),
        ("ended<2020", []),
    ],
)
def test_an_expression_keeps_what_satisfies_it(runs: Path, where: str, numbers: list[int] | None) -> None:
    if numbers is None:
        with pytest.raises(ExpressionError):
            kept(runs, where)
    else:
        assert kept(runs, where) == numbers


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("parms<100k", "at character 1: 'parms' is no column; the columns are number, outcome"),
        ("op=conv and params<many", "at character 20: params is a number, and 'many' is none; write"),
        ("params", "at character 7: it ends where a sign after params"),
        ("params<", "at character 8: it ends where a value"),
        ("params 5", "at character 8: params needs a sign"),
        ("params< =5", "at character 9: params < needs a value"),
        ("op=conv params<5", "at character 9: 'params' follows a whole comparison"),
        ("(op=conv", "at character 1: this parenthesis is not closed"),
        ("op=conv)", "at character 8"),
        ("params>1 and op!=convv", "at character 18: op is act, active, add, "),
        ("op<conv", "at character 1: op is a list, which has no order"),
        ("params~5", "at character 1: params is a number; ~ looks into texts"),
        ("params>1 and outcome=nonsense", "at character 22: outcome is done, cut, pruned"),
        ("starred=maybe", "at character 9: starred is yes or no"),
        ("ended>yesterday", "at character 7: ended is a date"),
        ("ended>2026-13-45", "at character 7: ended is a date, and '2026-13-45' is none"),
        ('ended>"2026-02-29 12"', "at character 8: ended is a date"),
        ("starred>yes", "at character 1: starred is yes or no, which has no order; use = or !="),
        ('note="x', "at character 6: a quote has no end"),
        ("", "at character 1: it ends where the name of a column"),
        ("and", "at character 1: 'and' is no column"),
        ("(" * 400, "nested too deeply"),
        ("not " * 100 + "op=conv", "nested too deeply"),
        ("x" * 501, "it has 501 characters"),
        ("__import__('os').system('x')", "at character 1: '__import__' is no column"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_named_with_its_place(where: str, said: str) -> None:
    with pytest.raises(ExpressionError) as told:
        expression.parse(where)
    assert said in str(told.value) and "\n" not in str(told.value)


def test_every_comparison_of_every_column_is_right_or_refused(runs: Path) -> None:
    snapshot = Library(runs).snapshot("tiny")
    for name in expression.NAMES:
        for sign in expression.SIGNS:
            for value in ("1", "yes", "2026-11-30", "conv"):
                try:
                    test = expression.parse(f"{name}{sign}{value}")
                except ExpressionError:
                    continue
                assert {test(snapshot, one) for one in snapshot.trials} <= {True, False}


def numbers(web: TestClient, query: str) -> list[int]:
    return [row["number"] for row in web.get(f"/study/tiny.json?{query}").json()["table"]["rows"]]


def test_any_column_can_be_sorted_and_shown_in_any_order(runs: Path) -> None:
    web = client(runs)
    assert numbers(web, "sort=-mean") == [0, 1, 2, 3, 4], "by means over seeds, then those without a value"
    assert numbers(web, "sort=-accuracy") == [1, 0, 2, 3, 4]
    assert numbers(web, "sort=latency") == [2, 1, 0, 3, 4]
    assert numbers(web, "sort=-memory")[:3] == [2, 1, 0]
    part = web.get("/study/tiny/part/table?columns=latency,mean,memory").text
    assert (
        Page(part.partition("<thead>")[2].partition("</thead>")[0]).text == "comparenumberlatencymeanmemory"
    )
    assert "0.9225 ± 0.0222 (4 seeds)" in part
    every = web.get(f"/study/tiny?columns={','.join(name for name in COLUMNS if name != 'genome')}")
    assert every.status_code == 200 and "Wider stem" in every.text
    for wrong in ("columns=beauty", "columns=genome", "where=x", "text=" + "x" * 101):
        assert web.get(f"/study/tiny?{wrong}").status_code == 400


def test_a_text_is_found_wherever_it_stands(runs: Path) -> None:
    web = client(runs)
    assert numbers(web, "text=NOT+finite") == [3]
    assert numbers(web, "text=look+again&sort=number") == [1]
    assert numbers(web, "text=separable") == [2]
    assert numbers(web, "text=nowhere") == []


def test_the_file_has_what_the_expression_keeps(runs: Path) -> None:
    found = client(runs).get("/study/tiny/trials.json?where=tag%3Dpaper&column=number&column=tags").json()
    assert found == [{"number": 0, "tags": ["paper"]}]


def post(web: TestClient, **fields: str) -> Any:
    token = next(
        one["value"] for tag, one in Page(web.get("/study/tiny?pick=0").text).elements
        if tag == "input" and one.get("name") == "token"
    )  # fmt: skip
    return web.post("/study/tiny/tag", data={"token": token or "", **fields}, headers={"origin": LOCAL})


def test_picked_trials_are_tagged_together(tmp_path: Path) -> None:
    fill(begin(tmp_path))
    web = client(tmp_path)
    answer = post(web, picked="1,3", tag="odd", do="add", back="sort=-mean&pick=1,3")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/study/tiny?sort=-mean&pick=1%2C3#trials"
    assert kept(tmp_path, "tag=odd") == [1, 3]
    assert post(web, picked="1", tag="odd", do="remove").status_code == 303
    assert kept(tmp_path, "tag=odd") == [3]
    assert open_to_read("tiny", tmp_path).study.user_attrs["tag:3:odd"] is True, "as Optuna stores it"
    wrong = (
        {"picked": "", "tag": "odd", "do": "add"},
        {"picked": "99", "tag": "odd", "do": "add"},
        {"picked": "1", "tag": "two words", "do": "add"},
        {"picked": "1", "tag": "odd", "do": "burn"},
        {"picked": "1", "tag": "odd", "do": "add", "back": "beauty=1"},
        {"picked": "1", "tag": "odd", "do": "add", "back": "page=1&" * 60},
    )
    assert {post(web, **fields).status_code for fields in wrong} <= {400, 404}
    assert kept(tmp_path, "tag=odd") == [3]
    headers = {"hx-request": "true", "hx-current-url": "http://["}
    part = web.get("/study/tiny/part/table?sort=params", headers=headers)
    assert (part.status_code, part.text) == (400, "the header hx-current-url is no address")


def test_a_person_chooses_columns_filters_and_tags_over_two_pages(tab: Tab, tmp_path: Path) -> None:
    """Everything that was chosen stands in the address, and is there again after a reload."""
    store = begin(tmp_path)
    fill(store)
    for _ in range(PAGE):
        add(store, "done", 0.25)
    server = Server("--runs", tmp_path, "--port", 0)
    try:
        assert server.get("/study/tiny")[0] == 200
        page = tab(expected="400 (Bad Request)")
        page.goto(f"http://{server.place}/study/tiny?sort=number")
        page.get_by_text("Columns", exact=True).click()
        page.get_by_label("show memory").click()
        page.locator("#table thead").get_by_role("link", name="memory").wait_for()
        page.get_by_label("hide reason").click()
        page.locator('#table thead :text-is("reason")').wait_for(state="detached")
        page.get_by_label("memory to the left").click()
        page.wait_for_url("**memory%2Cby")
        assert page.locator("#columns").get_attribute("open") is not None, "it stays unfolded"
        page.get_by_label("compare trial 0", exact=True).click()
        page.get_by_text("Picked: 0.").wait_for()
        page.get_by_role("link", name="next").click()
        page.get_by_text("page 2 of 2").wait_for()
        page.get_by_label("compare trial 104", exact=True).click()
        page.get_by_text("Picked: 0, 104.").wait_for()
        page.get_by_label("tag the picked").fill("odd")
        page.get_by_role("button", name="Tag", exact=True).click()
        page.wait_for_url("**#trials")
        page.get_by_label("expression").fill("tag=odd and parms<1")
        page.get_by_role("button", name="Filter").click()
        page.get_by_text("'parms' is no column").wait_for()
        page.get_by_label("expression").fill("tag=odd and params<100k")
        page.get_by_role("button", name="Filter").click()
        page.get_by_text("2 of 105 trials").wait_for()
        asked = parse_qs(urlsplit(page.url).query)
        assert asked["where"] == ["tag=odd and params<100k"] and asked["pick"] == ["0,104"]
        shown = asked["columns"][0].split(",")
        assert "reason" not in shown and shown.index("memory") == len(shown) - 2
        page.reload()
        page.get_by_text("2 of 105 trials").wait_for()
        assert page.locator("#table thead th").last.text_content() == shown[-1]
        page.close()
    finally:
        server.end()
