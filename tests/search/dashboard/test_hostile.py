"""Names, reasons and genomes are data: whatever they hold, no part of it runs and no part of it is a path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from search.dashboard.web.guard import POLICY
from tests.search.dashboard.kept import Page, add, begin, client, text_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "javascript:alert(1)",
    '" onmouseover="alert(1)" x="',
    "{{ 7 * 7 }}{% raw %}",
    "</pre></title></textarea><iframe srcdoc=x>",
    "\u202e<b>\u0000",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_trial_holds_is_shown_as_it_is(tmp_path: Path, text: str) -> None:
    store = begin(tmp_path)
    add(
        store,
        "failed",
        None,
        text,
        {"by": text, "parents": [0, 1], "moves": [text, "zoo:" + text]},
        {"digest": text},
        kind=text,
        reason=text,
    )
    add(
        store,
        text=text_of(name="tiny"),
        origin={"by": "start", "moves": [text]},
        inherited={"from": text, "share": text},
    )
    add(store, text, 0.7, metrics={text: 0.5})
    store.study.set_user_attr("finale:1:3", {"outcome": "failed", "epochs": 1, "reason": text, "kind": text})
    web = client(tmp_path)
    shown = " ".join(text.replace("\x00", "\ufffd").split())
    for address in ("/", "/study/tiny", "/study/tiny/trial/0", "/study/tiny/trial/1", "/study/tiny/trial/2"):
        answer = web.get(address)
        page = Page(answer.text)
        assert answer.status_code == 200 and page.is_harmless(), address
        assert answer.headers["content-security-policy"] == POLICY
        if address.endswith(("0", "1")):
            assert shown in page.text.replace("\x00", "\ufffd")
    assert web.get("/study/tiny/trial/0.json").json()["reason"] == text
    assert web.get("/study/tiny/trial/0/genome.yaml").text == text


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\x00" not in one])
def test_what_a_study_is_called_is_shown_as_it_is(tmp_path: Path, text: str) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    add(begin(tmp_path / "runs", text.replace("/", "!"), url))
    add(begin(tmp_path / "runs", text + "/", url))
    web = client(tmp_path / "runs", url)
    rows = web.get("/.json").json()["studies"]
    page = Page(web.get("/").text)
    assert page.is_harmless() and all(" ".join(row["name"].split()) in page.text for row in rows)
    (href,) = [row["href"] for row in rows if row["href"]]
    for address in (href, f"{href}/trial/0"):
        answer = web.get(address)
        assert answer.status_code == 200 and Page(answer.text).is_harmless()
    (saved,) = [web.get(f"{href}/trial/0/genome.yaml").headers["content-disposition"]]
    assert saved.startswith('attachment; filename="') and not set('<>";/\\ ') & set(saved[22:-1])


def test_a_genome_of_a_hostile_name_is_drawn_as_text(tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    store = begin(tmp_path)
    for text in HOSTILE[:4]:
        add(store, text=text_of(name="tiny").replace("genome: tiny", f"genome: {json.dumps(text)}"))
    web = client(tmp_path)
    for number, text in enumerate(HOSTILE[:4]):
        drawn = ElementTree.fromstring(web.get(f"/study/tiny/trial/{number}/picture.svg").text)
        tags = {part.tag.rpartition("}")[2] for part in drawn.iter()}
        assert tags <= {"svg", "title", "style", "rect", "text", "g", "path", "polygon"}
        assert any(part.text == text for part in drawn.iter())
        assert Page(web.get(f"/study/tiny/trial/{number}").text).is_harmless()


def test_a_genome_that_is_none_has_a_picture_that_says_so(tmp_path: Path) -> None:
    add(begin(tmp_path), text="<script>alert(1)</script>")
    drawn = ElementTree.fromstring(client(tmp_path).get("/study/tiny/trial/0/picture.svg").text)
    assert {part.tag.rpartition("}")[2] for part in drawn.iter()} == {"svg", "text"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A study beside a file that the dashboard must never show; the tests only read both."""
    folder = tmp_path_factory.mktemp("asked")
    add(begin(folder / "runs"))
    (folder / "secret").mkdir()
    (folder / "secret" / "study.db").write_text("root:x")
    (folder / "runs" / "tiny" / "trials" / "0").mkdir(parents=True)
    (folder / "runs" / "tiny" / "trials" / "0" / "report.json").write_text("{}")
    return client(folder / "runs")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_address_holds_is_shown_as_it_is(web: TestClient, text: str) -> None:
    for given in (
        {"sort": text},
        {"op": text},
        {text: "1"},
        {"params_from": text},
        {"page": text},
        {"outcome": text},
    ):
        answer = web.get("/study/tiny", params=given)
        assert answer.status_code == 400 and Page(answer.text).is_harmless()
    assert Page(web.get("/", params={text: "1"}).text).is_harmless()


REPORT = {"number": 0, "digest": "d" * 32, "curve": [{"epoch": 1, "valid_accuracy": 0.5}]}


@pytest.mark.parametrize(
    "report",
    [
        {**REPORT, "device": "<script>alert(1)</script>", "parts": {"<img src=x onerror=alert(1)>": 1.0}},
        {**REPORT, "seconds": "<b>", "exits": [["<b>"]], "epochs": None, "mfu": {"a": {"b": []}}},
        {**REPORT, "curve": [{"epoch": "<b>", "valid_accuracy": "<b>"}, {"epoch": 1e400}, 3, None, "x", []]},
        {**REPORT, "curve": "<script>"},
        {**REPORT, "curve": {"a": 1}},
        {**REPORT, "by_class": "<b>", "confusion": {"<b>": 1}},
        {**REPORT, "by_class": {"images": ["<b>"], "predicted": [1], "right": [1]}, "confusion": [["<b>"]]},
        {
            **REPORT,
            "by_class": {"images": [1, 2], "predicted": [3, 0], "right": [1, 0], "auc": ["<b>", {}]},
            "confusion": [[1, -1], [1]],
        },
    ],
)
def test_what_a_report_holds_is_shown_as_it_is(tmp_path: Path, report: dict[str, Any]) -> None:
    add(begin(tmp_path), plan={"digest": "d" * 32})
    folder = tmp_path / "tiny" / "trials" / "0"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report))
    web = client(tmp_path)
    answer = web.get("/study/tiny/trial/0")
    assert answer.status_code == 200 and Page(answer.text).is_harmless()
    assert web.get("/study/tiny/trial/0.json").status_code == 200


def test_a_trial_of_another_shape_is_a_page_that_says_so(tmp_path: Path) -> None:
    store = begin(tmp_path)
    number = add(store)
    other = store.study.get_trials()[number]
    other.user_attrs["plan"] = "<script>alert(1)</script>"
    store.study.add_trial(other)
    for address in ("/study/tiny", "/study/tiny/trial/0"):
        answer = client(tmp_path).get(address)
        assert answer.status_code == 500 and "could not be made" in answer.text
        assert answer.headers["content-security-policy"] == POLICY and Page(answer.text).is_harmless()


@pytest.mark.parametrize(
    "path",
    [
        "/study/../../secret",
        "/study/..%2f..%2fsecret",
        "/study/%2e%2e/trial/0",
        "/study/%2e%2e%2fsecret/trial/0/genome.yaml",
        "/study//etc/passwd",
        "/study/%2fetc%2fpasswd",
        "/study/tiny%00",
        "/study/%00",
        "/study/tiny/trial/../../../secret",
        "/study/tiny/trial/0/..%2freport.json",
        "/study/tiny/trial/%2e%2e/genome.yaml",
        "/study/tiny/trial/0%00/genome.yaml",
        "/study/tiny/trial/0/report.json",
        "/study/tiny/trial/0/weights.safetensors",
        "/study/tiny/trial/0/trained/..%2f..%2f..%2f..%2fsecret%2fstudy.db",
        "/study/tiny/trial/0/trained/../../../study.db",
        "/study/tiny/trial/0/trained/%2e%2e/study.db",
        "/study/tiny/trial/0/trained/report.json%00",
        "/study/tiny/trial/0/trained/study.db",
        "/study/tiny/trial/0/trained/checkpoint",
        "/study/tiny/trial/0/../trained/report.json",
        "/study/tiny/trial/0/%2e%2e/report.json",
        "/study/tiny/trial/0/seeds/report.json",
        "/study/tiny/trial/0/export/..%2fstudy.db",
        "/study/tiny/trial/1/trained/report.json",
        "/study/secret",
        "/study/" + "a" * 5000,
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/static/style.css%00",
        "//evil.example/study/tiny",
    ],
)
def test_no_path_leads_out(web: TestClient, path: str) -> None:
    answer = raw(web, path)
    assert answer.status_code == 404 and "root:" not in answer.text


def test_a_study_whose_name_is_a_path_has_no_reports(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/all.db"
    outside = tmp_path / "runs" / ".hidden" / "trials" / "0"
    add(begin(tmp_path / "runs", ".hidden", url), plan={"digest": "d" * 32})
    outside.mkdir(parents=True)
    (outside / "report.json").write_text(json.dumps({**REPORT, "device": "seen"}))
    twin = client(tmp_path / "runs", url).get("/study/.hidden/trial/0.json").json()
    assert twin["report"] == {} and twin["curve"] == []


def raw(web: Any, path: str) -> Any:
    """Return the answer to a path exactly as written: neither the client nor its library normalises it."""
    import httpx2

    return web.send(httpx2.Request("GET", httpx2.URL("http://127.0.0.1:8080", raw_path=path.encode())))
