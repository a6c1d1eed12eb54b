"""Parts of a study's page: each has an address, is empty where nothing is new, and keeps the page's address."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.dashboard.pages.study import PARTS
from tests.search.dashboard.kept import Page, add, begin, client, text_of


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_what_the_page_has(tmp_path: Path, part: str) -> None:
    store = begin(tmp_path)
    add(store)
    add(store, "failed", None, reason="it broke")
    web = client(tmp_path)
    whole, alone = web.get("/study/tiny").text, web.get(f"/study/tiny/part/{part}").text
    assert alone.strip() in whole and Page(alone).is_harmless()


def test_a_part_that_is_as_it_was_is_not_sent_again(tmp_path: Path) -> None:
    store, web = begin(tmp_path), client(tmp_path)
    add(store)
    mark = web.get("/study/tiny.json").json()["mark"]
    address = f"/study/tiny/part/summary?since={mark}"
    assert address in Page(web.get("/study/tiny").text).all("section", "hx-get")
    assert (web.get(address).status_code, web.get(address).text) == (204, "")
    add(store)
    assert web.get(address).status_code == 200
    assert client(tmp_path).get(address).status_code == 200, "another server knows nothing of the mark"


def test_the_address_of_the_page_says_what_its_parts_show(tmp_path: Path) -> None:
    add(begin(tmp_path))
    web = client(tmp_path)
    now = {"hx-current-url": "http://127.0.0.1:8080/study/tiny?cost=macs&op=conv&at_most=5&x=<script>"}
    sorted_ = web.get("/study/tiny/part/table?sort=accuracy&op=", headers=now)
    assert sorted_.headers["hx-push-url"] == "/study/tiny?sort=accuracy&cost=macs&at_most=5"
    limited = web.get("/study/tiny/part/best?at_most=100k&size=macs", headers=now)
    assert limited.headers["hx-replace-url"] == "/study/tiny?op=conv&cost=macs&at_most=100000&size=macs"
    assert web.get(limited.headers["hx-replace-url"]).status_code == 200
    assert "hx-push-url" not in web.get("/study/tiny/part/table?since=0").headers


def test_a_part_that_is_asked_for_wrongly_is_a_sentence(tmp_path: Path) -> None:
    begin(tmp_path)
    web = client(tmp_path)
    for address, status in (
        ("/study/tiny/part/none", 404),
        ("/study/tiny/part/best?at_most=many", 400),
        ("/study/tiny/part/against?cost=beauty", 400),
        ("/study/tiny/plot/none.json", 404),
        ("/study/tiny/plot/against.json?cost=<script>", 400),
        ("/study/none/part/table", 404),
    ):
        assert web.get(address).status_code == status, address
        said = web.get(address, headers={"hx-request": "true"})
        assert said.status_code == status and said.headers["content-type"].startswith(
            ("text/plain", "application/json")
        )


def test_the_best_network_of_a_size(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, accuracy=0.9, plan={"params": 200_000, "macs": 10, "digest": "a"})
    add(store, accuracy=0.7, plan={"params": 90_000, "macs": 5_000, "digest": "b"})
    add(
        store,
        accuracy=0.8,
        text=text_of(5),
        origin={"by": "evolve", "parents": [1], "moves": ["wider stem"]},
        plan={"params": 100_000, "macs": 7_000, "digest": "c"},
    )
    add(store, "pruned", None, metrics={"accuracy": 0.95}, plan={"params": 10, "macs": 1, "digest": "d"})
    web = client(tmp_path)

    def within(asked: str) -> tuple[int | None, str]:
        found = web.get(f"/study/tiny.json?{asked}").json()["within"]
        text = Page(web.get(f"/study/tiny/part/best?{asked}").text).text
        return (found["best"] or {}).get("number"), text

    assert within("at_most=100k")[0] == 2
    assert (
        "accuracy 0.8000" in within("at_most=100k")[1]
        and "Its parent is trial 1, changed by wider stem" in within("at_most=100,000")[1]
    )
    assert within("at_most=1M")[0] == 0 and within("at_most=5000&size=macs")[0] == 0
    assert within("at_most=99999")[0] == 1
    number, said = within("at_most=80000")
    assert number is None and "the smallest has 90,000" in said
    assert web.get("/study/tiny.json").json()["within"] is None
