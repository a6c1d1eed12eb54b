"""Forms of the pages: the effect of each form, and every refusal, which writes nothing."""

from __future__ import annotations

import hashlib
import shutil
import socket
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from optuna.trial import TrialState
from starlette.testclient import TestClient

import genome
from search.dashboard.actions import actions as acting
from search.dashboard.studies.study_attrs import LONGEST_NOTE
from search.dashboard.web.forms import MOST_BYTES
from search.dashboard.web.guard import FORMS, POLICY
from search.proposals.enqueue import MOST_WAITING
from search.run.stop import STOP
from search.storage.lock import hold
from search.storage.study import open_to_read, open_to_write
from tests.search.dashboard.kept import LOCAL, Page, add, begin, client, copy_of
from tests.search.dashboard.test_hostile import HOSTILE

ORIGIN = {"origin": LOCAL, "sec-fetch-site": "same-origin"}
TYPE = "application/x-www-form-urlencoded"
FITS = """\
genome: mine
input: [1, 8, 8]
classes: 10
nodes:
  stem: {op: conv, in: [image], kernel: 3, width: 6}
  body: {op: conv, in: [stem], width: 9}
  out: {op: exit, in: [body]}
"""
ADDRESSES = ("stop", "resume", "enqueue", "trial/0/star", "trial/0/note")


def token(web: TestClient, page: str = "/study/tiny") -> str:
    """Return the token of a page's forms."""
    source = web.get(page).text
    found = {
        attrs.get("value")
        for tag, attrs in Page(source).elements
        if tag == "input" and attrs.get("name") == "token"
    }
    (one,) = found
    assert one and len(one) >= 32
    return one


def send(web: TestClient, act: str, study: str = "tiny", **fields: Any) -> Any:
    """Return the answer to a form, sent as a browser sends it from the study's page."""
    body = {"token": token(web, f"/study/{study}"), **fields}
    return web.post(f"/study/{study}/{act}", data=body, headers=ORIGIN)


def digest(runs: Path) -> str:
    """Return a digest of all data that the study stores, in whichever file of SQLite the data lies."""
    connection = sqlite3.connect(runs / "tiny" / "study.db")
    try:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    store = begin(folder)
    add(store)
    add(store, accuracy=0.75)
    store.close()
    return folder


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> Path:
    """A study with two trials, to act on."""
    return copy_of(made, tmp_path)


def test_a_star_and_a_note_are_kept_shown_and_filtered(runs: Path) -> None:
    web = client(runs)
    answer = send(web, "trial/1/star", starred="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/study/tiny/trial/1")
    assert send(web, "trial/1/note", note="  the wide\r\none ").status_code == 303
    twin = web.get("/study/tiny/trial/1.json").json()
    assert twin["starred"] is True and twin["note"] == "the wide\none"
    assert "the wide one" in Page(web.get("/study/tiny/trial/1").text).text
    table = web.get("/study/tiny.json?starred=yes").json()["table"]
    assert [one["number"] for one in table["rows"]] == [1]
    assert "starred=yes" in web.get("/study/tiny?starred=yes").text
    assert web.get("/study/tiny?starred=no").status_code == 400
    send(web, "trial/1/star", starred="no")
    send(web, "trial/1/note", note="")
    twin = web.get("/study/tiny/trial/1.json").json()
    assert twin["starred"] is False and twin["note"] is None


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\x00" not in one])
def test_a_note_is_text(runs: Path, text: str) -> None:
    web = client(runs)
    assert send(web, "trial/0/note", note=text).status_code == 303
    for address in ("/study/tiny", "/study/tiny/trial/0", "/study/tiny/compare?trial=0&trial=1"):
        answer = web.get(address)
        assert answer.status_code == 200 and Page(answer.text).is_harmless()
        assert answer.headers["content-security-policy"] == POLICY
    assert web.get("/study/tiny/trial/0.json").json()["note"] == text
    assert " ".join(text.split()) in Page(web.get("/study/tiny/trial/0").text).text


def test_what_others_wrote_under_our_names_breaks_nothing(runs: Path) -> None:
    foreign = {
        "star:0": "<b>",
        "star:x": True,
        "note:0": {"a": 1},
        "note:1": "x" * 9999,
        STOP: "soon",
        "begun_from": {"file": 7, "folder": [], "data_root": 1, "host": None},
    }
    with open_to_write("tiny", runs) as store:
        for name, value in foreign.items():
            store.study.set_user_attr(name, value)
    web = client(runs)
    assert web.get("/study/tiny/trial/0.json").json()["note"] is None
    assert len(web.get("/study/tiny/trial/1.json").json()["note"]) == LONGEST_NOTE
    assert web.get("/study/tiny").status_code == 200


def test_a_genome_is_put_into_the_queue(runs: Path) -> None:
    web = client(runs)
    answer = send(web, "enqueue", text=FITS, parent="1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/study/tiny/trial/2")
    twin = web.get("/study/tiny/trial/2.json").json()
    assert (twin["outcome"], twin["by"]) == ("waiting", "enqueued")
    assert twin["origin"] == {"by": "enqueued", "parents": [1], "moves": ["hand"]}
    assert [parent["number"] for parent in twin["parents"]] == [1]
    (waiting,) = open_to_read("tiny", runs).study.get_trials(states=(TrialState.WAITING,))
    assert genome.loads(waiting.user_attrs["genome"]).by_name["body"].width == 9
    assert waiting.system_attrs["fixed_params"]["body.width"] == 9
    assert web.get("/study/tiny.json").json()["controls"]["waiting"] == 1


def test_a_network_of_the_zoo_fits_or_says_where_not(runs: Path) -> None:
    name = genome.zoo.names()[0]
    web = client(runs)
    before = digest(runs)
    answer = send(web, "enqueue", zoo=name)
    assert (
        answer.status_code == 409 and "the genome does not fit the study's space: " in Page(answer.text).text
    )
    assert digest(runs) == before
    whole = genome.dump(genome.zoo.get(name))
    plain = genome.loads(whole)
    space = {"nodes": _nodes(whole)}
    if plain.widths is not None:
        space["widths"] = {"rule": plain.widths.rule, "base": plain.widths.base, "alpha": plain.widths.alpha}
    begin(runs, "zoo", space=space, data="cifar10")
    assert send(web, "enqueue", "zoo", zoo=name).headers["location"] == "/study/zoo/trial/0"
    assert web.get("/study/zoo/trial/0.json").json()["origin"]["moves"] == [f"zoo:{name}"]
    # the page holds the names of all moves and asks which of them fit; it offers only those
    assert f"<option>{name}</option>" in web.get("/study/tiny").text
    assert "None of the" in web.get("/study/tiny/part/zoo").text
    offered = web.get("/study/zoo/part/zoo").text
    assert f"<option>{name}</option>" in offered and offered.count("<option>") < len(genome.zoo.names())


def _nodes(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)["nodes"]


BAD: list[tuple[str, dict[str, str], int, str]] = [
    ("enqueue", {}, 400, "give either the text of a genome or the name"),
    ("enqueue", {"text": FITS, "zoo": "resnet-20"}, 400, "give either the text of a genome or"),
    ("enqueue", {"text": "nodes: ["}, 400, "this is no genome: line "),
    ("enqueue", {"text": "\x00\x07"}, 400, "this is no genome"),
    ("enqueue", {"text": FITS.replace("width: 9", "width: 99")}, 409, "body.width is 99"),
    ("enqueue", {"text": FITS.replace("op: conv, in: [stem]", "op: nonsense, in: [stem]")}, 400, "nonsense"),
    ("enqueue", {"text": FITS.replace("op: conv, in: [stem], width: 9", "op: pool, in: [stem]")}, 409, "does not fit"),
    ("enqueue", {"text": "x" * 100_001}, 413, "at most 100,000 characters"),
    ("enqueue", {"text": FITS, "parent": "77"}, 400, "has no trial '77'"),
    ("enqueue", {"text": FITS, "parent": "-1"}, 400, "has no trial '-1'"),
    ("enqueue", {"text": FITS, "parent": "9" * 30}, 400, "has no trial"),
    ("enqueue", {"zoo": "../../etc/passwd"}, 400, "the zoo has no network"),
    ("enqueue", {"text": FITS, "other": "1"}, 400, "'other' is no field of this form"),
    ("trial/0/star", {"starred": "maybe"}, 400, "starred must be yes or no"),
    ("trial/0/star", {}, 400, "starred must be yes or no"),
    ("trial/9/star", {"starred": "yes"}, 404, "has no trial 9"),
    ("trial/0/note", {"note": "x" * 2001}, 400, "a note may have at most 2,000 characters"),
    ("trial/9/note", {"note": "x"}, 404, "has no trial 9"),
    ("stop", {}, 409, "study tiny is not running"),
    ("resume", {}, 409, "has no record of its study file"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "fields", "status", "said"), BAD)
def test_what_cannot_be_done_is_a_sentence_and_writes_nothing(
    runs: Path, act: str, fields: dict[str, str], status: int, said: str
) -> None:
    web = client(runs)
    before = digest(runs)
    answer = send(web, act, **fields)
    assert answer.status_code == status
    assert said in Page(answer.text).text and Page(answer.text).is_harmless()
    assert digest(runs) == before


def test_a_study_with_limits_says_what_is_over(tmp_path: Path) -> None:
    begin(tmp_path, limits={"params": 10})
    answer = send(client(tmp_path), "enqueue", text=FITS)
    assert answer.status_code == 409 and "params is" in answer.text and "at most 10" in answer.text


def test_the_queue_has_an_end(runs: Path) -> None:
    with open_to_write("tiny", runs) as store:
        for _ in range(MOST_WAITING):
            store.study.enqueue_trial({})
    answer = send(client(runs), "enqueue", text=FITS)
    assert answer.status_code == 409 and "100 trials wait already" in answer.text


FOREIGN: list[dict[str, str]] = [
    {},
    {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8081"},
    {"origin": "http://127.0.0.1"},
    {"origin": "http://127.0.0.1:8080.evil.example"},
    {"origin": LOCAL, "sec-fetch-site": "same-site"},
    {"origin": LOCAL, "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("act", ADDRESSES)
def test_a_form_of_another_origin_is_refused(runs: Path, act: str) -> None:
    web = client(runs)
    body, before = {"token": token(web), "starred": "yes", "note": "x", "text": FITS}, digest(runs)
    for headers in FOREIGN:
        answer = web.post(f"/study/tiny/{act}", data=body, headers=headers)
        assert answer.status_code == 403, headers
        assert answer.headers["content-security-policy"] == POLICY
    assert digest(runs) == before


@pytest.mark.parametrize("act", ADDRESSES)
def test_a_form_without_the_token_is_refused(runs: Path, act: str) -> None:
    web, before = client(runs), digest(runs)
    for given in ({}, *({"token": one} for one in ("", "x", "ü", "x" * 43, token(client(runs))))):
        headers = {"content-type": TYPE, **ORIGIN}
        answer = web.post(f"/study/tiny/{act}", data={**given, "note": "x"}, headers=headers)
        assert answer.status_code == 403 and "earlier start of the dashboard" in answer.text
    assert digest(runs) == before


def test_either_header_of_the_same_origin_is_enough(runs: Path) -> None:
    web = client(runs)
    body = {"token": token(web), "note": "x"}
    for headers in ({"origin": LOCAL}, {"sec-fetch-site": "same-origin"}):
        assert web.post("/study/tiny/trial/0/note", data=body, headers=headers).status_code == 303


def test_a_body_that_is_no_form_is_refused(runs: Path) -> None:
    web = client(runs)
    given, before = urlencode({"token": token(web), "note": "x"}), digest(runs)
    address = "/study/tiny/trial/0/note"

    def status(body: Any, **headers: str) -> int:
        asked = {"content-type": TYPE, **ORIGIN, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return int(web.post(address, content=body, headers=asked).status_code)

    assert status(given, content_type="text/plain") == 415
    assert status(given, content_type="multipart/form-data; boundary=x") == 415
    assert status(given, content_type="application/json") == 415
    assert status(iter([given.encode()])) == 411
    assert status(given + "&note=y") == 400
    assert status(given + "&x" * 20) == 400
    assert status("ü".encode()) == 400
    assert status(given.replace("note=x", "note=%ff")) == 400
    assert status(given + "x" * MOST_BYTES) == 413
    assert status(given, content_length="9" * 12) == 413
    assert digest(runs) == before
    assert status(given, content_type=TYPE + "; charset=utf-8") == 303


@pytest.mark.parametrize("act", ADDRESSES)
def test_a_form_is_posted_and_nothing_else(runs: Path, act: str) -> None:
    web = client(runs)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert web.request(method, f"/study/tiny/{act}", headers=ORIGIN).status_code == 405
    answer = web.get(f"/study/tiny/{act}")
    assert answer.status_code == 405 and "takes a form" in answer.text


def test_the_guard_lets_a_form_through_where_there_is_one_and_nowhere_else(runs: Path) -> None:
    assert all(FORMS.fullmatch(f"/study/tiny/{act}") for act in ADDRESSES)
    web = client(runs)
    for path in ("/study/tiny", "/", "/study/tiny/trial/0", "/study/tiny/compare", "/study/tiny/stop/",
                 "/study/tiny/stop.json", "/study/tiny/trial/x/star", "/study/a/b/stop"):  # fmt: skip
        answer = web.post(path, data={"token": token(web)}, headers=ORIGIN)
        assert answer.status_code == 405 and answer.headers["allow"] == "GET, HEAD"


def test_a_foreign_name_of_this_machine_is_refused_before_all(runs: Path) -> None:
    web = client(runs)
    headers = {"host": "evil.example", "origin": "http://evil.example", "sec-fetch-site": "same-origin"}
    body, before = {"token": token(web), "note": "x"}, digest(runs)
    assert web.post("/study/tiny/trial/0/note", data=body, headers=headers).status_code == 400
    assert digest(runs) == before


def test_no_twin_has_the_token(runs: Path) -> None:
    web = client(runs)
    secret = token(web)
    assert token(web, "/study/tiny/trial/0") == secret
    for address in ("/.json", "/study/tiny.json", "/study/tiny/trial/0.json"):
        assert secret not in web.get(address).text


def test_a_storage_that_is_read_only_says_so(runs: Path, tmp_path: Path) -> None:
    runs = shutil.copytree(runs, tmp_path / "copied")  # nobody has the copy open
    file = runs / "tiny" / "study.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    with file.open("r+b") as raw:  # a version of the format that SQLite may only read
        raw.seek(18)
        raw.write(b"\x03")
    web = client(runs)
    for act, fields in {"trial/0/star": {"starred": "yes"}, "enqueue": {"text": FITS}}.items():
        answer = send(web, act, **fields)
        assert (
            answer.status_code == 409
            and "cannot be written (attempt to write a readonly database)" in answer.text
        )


def test_a_storage_that_is_locked_says_so(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "open_to_write", partial(open_to_write, lock_seconds=0.1))
    web = client(runs)
    holder = sqlite3.connect(runs / "tiny" / "study.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for act, fields in {"trial/0/star": {"starred": "yes"}, "enqueue": {"text": FITS}}.items():
        answer = send(web, act, **fields)
        assert answer.status_code == 409 and "cannot be written (database is locked)" in answer.text
    holder.execute("ROLLBACK")
    holder.close()
    assert send(web, "trial/0/star", starred="yes").status_code == 303


def test_a_study_that_another_machine_runs_is_left_alone(runs: Path) -> None:
    file, before = runs / "tiny" / "study.db.lock", digest(runs)
    web = client(runs)
    with hold(file, "study tiny"):
        mine = file.read_text()
        file.write_text(mine.replace(f" on {socket.gethostname()} ", " on far-away "))
        for act, fields in {"stop": {}, "trial/0/note": {"note": "x"}, "enqueue": {"text": FITS}}.items():
            answer = send(web, act, **fields)
            assert answer.status_code == 409 and "on far-away since" in answer.text
        assert send(web, "resume").status_code == 409
        assert digest(runs) == before
        file.write_text(mine)
        assert send(web, "stop").status_code == 303
        assert web.get("/study/tiny.json").json()["controls"]["stopping"] is True
        assert "was asked to stop" in web.get("/study/tiny").text
    assert web.get("/study/tiny.json").json()["controls"]["stopping"] is False
