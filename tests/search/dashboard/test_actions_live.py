"""Actions on a search that runs in another process: the search does what is asked, and its storage stays whole."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from search.dashboard.actions import actions as act
from search.dashboard.studies import reader
from search.storage.lock import is_held
from search.storage.study import open_to_read, open_to_write
from tests.command import MAIN, PATIENCE_SECONDS, Command, commands
from tests.search.conftest import SPACE, study_of
from tests.search.dashboard.kept import add, begin, client
from tests.search.dashboard.server import Server
from tests.search.dashboard.test_actions import FITS, ORIGIN, send, token

STEM = {**SPACE["nodes"]["stem"], "dropout": {"float": [0.0, 0.5]}}
LONG = {
    "workers": 1,
    "trials": None,
    # nothing else ends the search, on any machine: its networks never run out
    "budget": {"device_time": "1h"},
    "train": {"epochs": 4, "batch": 32},
    "finale": "none",
    "space": {"nodes": {**SPACE["nodes"], "stem": STEM}},
}
# a search that soon sees a request, because it trains all the time that a test waits
LOOKS_SOON = (
    "from search.proposals import ask; from search.run import stop; "
    "ask.QUEUE_SECONDS = stop.POLL_SECONDS = 0.2"
)
ATTENTIVE = f"{LOOKS_SOON}; {MAIN}"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the dashboard wait for a storage that stays locked because a search was stopped while writing."""
    monkeypatch.setattr(reader, "LOCK_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(act, "open_to_write", partial(open_to_write, lock_seconds=PATIENCE_SECONDS))


@pytest.fixture
def searching(tmp_path: Path, patient: None) -> Iterator[Callable[..., Command]]:
    """A function that starts `genome search` of a long study in tmp_path/runs, in its own session."""
    with commands(False) as launch:

        def start(**changes: Any) -> Command:
            path = tmp_path / "tiny.yaml"
            path.write_text(yaml.safe_dump(study_of(**{**LONG, **changes}), sort_keys=False))
            process = launch("search", path, "--runs", tmp_path / "runs", code=ATTENTIVE, stderr=None)
            until_trial(process)
            return process

        yield start
    until(lambda: not is_held(tmp_path / "runs" / "tiny" / "study.db.lock"), tmp_path)


def until_trial(process: Command) -> None:
    """Read a search's lines up to the first trial that has ended."""
    assert process.stdout is not None
    said = list[str]()
    while not (said and said[-1].startswith("trial")):
        said.append(process.stdout.readline())
        assert said[-1], "".join(said)


def until(is_so: Callable[[], bool], runs: Path) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, [*runs.rglob("search.log")] and (
            runs / "tiny/search.log"
        ).read_text()
        time.sleep(0.1)


def is_whole(runs: Path) -> bool:
    connection = sqlite3.connect(runs / "tiny" / "study.db")
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        connection.close()


@pytest.mark.parametrize("sampler", ["random", pytest.param("tpe", marks=pytest.mark.slow)])
def test_a_running_search_trains_what_is_enqueued_and_stops_when_asked(
    searching: Callable[..., Command], tmp_path: Path, sampler: str
) -> None:
    process, runs = searching(sampler={"name": sampler, "seed": 0}), tmp_path / "runs"
    web = client(runs)
    page = send(web, "enqueue", text=FITS).headers["location"]
    known = token(web)
    for i in range(15):  # many writes beside the search's own
        body = {"token": known, "note": f"note {i}"}
        assert web.post("/study/tiny/trial/0/note", data=body, headers=ORIGIN).status_code == 303
    until(lambda: web.get(f"{page}.json").json()["outcome"] in ("done", "reused"), runs)
    twin = web.get(f"{page}.json").json()
    assert twin["by"] == "enqueued" and twin["metrics"]["params"] == twin["params"]
    assert "body: {op: conv" in twin["genome"] and "width: 9" in twin["genome"]
    assert process.poll() is None and send(web, "stop").status_code == 303
    rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130 and "stopped" in rest and "Traceback" not in rest
    assert is_whole(runs) and web.get("/study/tiny/trial/0.json").json()["note"] == "note 14"
    # as after Ctrl-C: nothing is left running, and what was in hand is tried again; between two trials nothing was
    outcomes = [record.outcome for record in open_to_read("tiny", runs).records()]
    assert "running" not in outcomes and outcomes.count("waiting") == outcomes.count("interrupted") <= 1


@pytest.mark.slow
def test_a_stopped_search_is_resumed_and_outlives_the_dashboard(
    searching: Callable[..., Command], tmp_path: Path
) -> None:
    process, runs, path = searching(), tmp_path / "runs", tmp_path / "tiny.yaml"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    lock, text, web = runs / "tiny" / "study.db.lock", path.read_text(), client(runs)
    path.write_text(text.replace("study: tiny", "study: other"))
    answer = send(web, "resume")
    assert answer.status_code == 409 and "no longer describes the study tiny" in answer.text
    path.write_text("study: [")
    assert send(web, "resume").status_code == 409
    path.write_text(text.replace("batch: 32", "batch: 64"))  # a change that the search itself refuses
    assert send(web, "resume").status_code == 303
    until(lambda: bool(web.get("/study/tiny.json").json()["controls"]["resume"]["complaint"]), runs)
    assert "ended with status 2" in web.get("/study/tiny").text
    path.write_text(text)

    server = Server("--runs", runs, "--port", 0)
    before = json.loads(server.get("/study/tiny.json")[1])
    assert before["state"] == "stopped" and before["controls"]["resume"]["possible"]
    for status in (303, 409):
        asked = post(server, "/study/tiny/resume", {"token": secret(server)})
        assert asked.getresponse().status == status
        asked.close()
    until(lambda: is_held(lock), runs)
    server.process.kill()
    server.process.communicate()
    until(lambda: web.get("/study/tiny.json").json()["trials"] > before["trials"] + 1, runs)
    assert web.get("/study/tiny.json").json()["controls"]["stopping"] is False
    assert send(web, "stop").status_code == 303
    until(lambda: not is_held(lock), runs)
    assert "stopped" in (runs / "tiny" / "search.log").read_text() and is_whole(runs)
    path.unlink()
    answer = send(web, "resume")
    assert answer.status_code == 409 and "no longer exists" in answer.text


def test_a_dashboard_that_is_killed_while_it_writes_leaves_nothing_half_written(tmp_path: Path) -> None:
    add(begin(tmp_path))
    note = "a" * 2000
    for written in (0, 1):
        server, before = Server("--runs", tmp_path, "--port", 0), trials(tmp_path)
        forms = [("enqueue", {"text": FITS}), ("trial/0/note", {"note": note})] * 4
        known = secret(server)
        sent = [post(server, f"/study/tiny/{to}", {"token": known, **fields}) for to, fields in forms]
        until(lambda so_many=before + written: trials(tmp_path) >= so_many, tmp_path)
        server.process.kill()
        server.process.communicate()
        for one in sent:
            one.close()
    assert is_whole(tmp_path)
    study = open_to_read("tiny", tmp_path).study
    assert study.user_attrs.get("note:0") in (None, note)
    whole = [one.state.name in ("WAITING", "COMPLETE") and "genome" in one.user_attrs for one in study.trials]
    assert all(whole) and [one.number for one in study.trials] == list(range(len(whole))) and len(whole) > 1
    assert all("fixed_params" in one.system_attrs for one in study.trials[1:])
    assert send(client(tmp_path), "trial/0/star", starred="yes").status_code == 303


def trials(runs: Path) -> int:
    """Return the number of stored trials."""
    connection = sqlite3.connect(runs / "tiny" / "study.db", timeout=PATIENCE_SECONDS)
    try:
        return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    finally:
        connection.close()


def secret(server: Server) -> str:
    """Return the token of a served page's forms."""
    _, source, _ = server.get("/study/tiny")
    return source.partition('name="token" value="')[2].partition('"')[0]


def post(server: Server, path: str, fields: dict[str, str]) -> HTTPConnection:
    """Send a form, without waiting for its answer."""
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://{server.place}"}
    asked = HTTPConnection(server.place, timeout=PATIENCE_SECONDS)
    asked.request("POST", path, urlencode(fields), headers)
    return asked
