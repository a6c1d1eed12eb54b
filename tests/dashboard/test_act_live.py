"""Acting on a search that runs in another process: what is asked for is done by it, and its storage stays whole."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from search.lock import is_held
from search.store import look
from tests.command import ROOT, Command, commands
from tests.dashboard.kept import add, begin, client
from tests.dashboard.test_act import FITS, ORIGIN, send, token
from tests.search.conftest import study_of

LONG = {
    "workers": 1,
    "trials": 500,
    "budget": {"device_time": "1h"},
    "train": {"epochs": 4, "batch": 32},
    "finale": "none",
}
SECONDS = 120.0


@pytest.fixture
def searching(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """A function that starts `genome search` of a long study in tmp_path/runs, in a session of its own."""
    with commands() as launch:

        def start(**changes: Any) -> Command:
            path = tmp_path / "tiny.yaml"
            path.write_text(yaml.safe_dump(study_of(**{**LONG, **changes}), sort_keys=False))
            process = launch("search", path, "--runs", tmp_path / "runs", stderr=None)
            until_trial(process)
            return process

        yield start
    until(lambda: not is_held(tmp_path / "runs" / "tiny" / "study.db.lock"), tmp_path)


def until_trial(process: Command) -> None:
    """Read a search's lines up to the first trial that has ended."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("trial"):
            break


def until(is_so: Callable[[], bool], runs: Path) -> None:
    limit = time.monotonic() + SECONDS
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
    secret = token(web)
    for i in range(15):  # many writes beside its own
        body = {"token": secret, "note": f"note {i}"}
        assert web.post("/study/tiny/trial/0/note", data=body, headers=ORIGIN).status_code == 303
    until(lambda: web.get(f"{page}.json").json()["outcome"] in ("done", "reused"), runs)
    twin = web.get(f"{page}.json").json()
    assert twin["by"] == "enqueued" and twin["metrics"]["params"] == twin["params"]
    assert "body: {op: conv" in twin["genome"] and "width: 9" in twin["genome"]
    assert process.poll() is None and send(web, "stop").status_code == 303
    rest, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130 and "stopped" in rest and "Traceback" not in rest
    assert is_whole(runs) and web.get("/study/tiny/trial/0.json").json()["note"] == "note 14"
    # as after Ctrl-C: nothing is left running, and what was in hand is tried again; between two trials nothing was
    outcomes = [record.outcome for record in look("tiny", runs).records()]
    assert "running" not in outcomes and outcomes.count("waiting") == outcomes.count("interrupted") <= 1


@pytest.mark.slow
def test_a_stopped_search_is_resumed_and_outlives_the_dashboard(
    searching: Callable[..., Command], tmp_path: Path
) -> None:
    process, runs, path = searching(), tmp_path / "runs", tmp_path / "tiny.yaml"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    lock, text, web = runs / "tiny" / "study.db.lock", path.read_text(), client(runs)
    path.write_text(text.replace("study: tiny", "study: other"))
    answer = send(web, "resume")
    assert answer.status_code == 409 and "no longer the file of the study tiny" in answer.text
    path.write_text("study: [")
    assert send(web, "resume").status_code == 409
    path.write_text(text.replace("batch: 32", "batch: 64"))  # what the search itself refuses
    assert send(web, "resume").status_code == 303
    until(lambda: bool(web.get("/study/tiny.json").json()["act"]["resume"]["complaint"]), runs)
    assert "ended with status 2" in web.get("/study/tiny").text
    path.write_text(text)

    server = Dashboard(runs)
    before = server.twin("/study/tiny.json")
    assert before["state"] == "stopped" and before["act"]["resume"]["possible"]
    assert server.send("/study/tiny/resume") == 303
    assert server.send("/study/tiny/resume") == 409
    until(lambda: is_held(lock), runs)
    server.process.kill()
    server.process.communicate()
    until(lambda: web.get("/study/tiny.json").json()["trials"] > before["trials"] + 1, runs)
    assert web.get("/study/tiny.json").json()["act"]["stopping"] is False
    assert send(web, "stop").status_code == 303
    until(lambda: not is_held(lock), runs)
    assert "stopped" in (runs / "tiny" / "search.log").read_text() and is_whole(runs)
    path.unlink()
    answer = send(web, "resume")
    assert answer.status_code == 409 and "not there any more" in answer.text


def test_a_dashboard_that_is_killed_while_it_writes_leaves_nothing_half_written(tmp_path: Path) -> None:
    add(begin(tmp_path))
    note = "a" * 2000
    for spared in (0.0, 0.05, 0.2):
        server = Dashboard(tmp_path)
        forms = [("enqueue", {"text": FITS}), ("trial/0/note", {"note": note})] * 4
        secret = server.token
        sent = [server.post(f"/study/tiny/{to}", {"token": secret, **fields}) for to, fields in forms]
        time.sleep(spared)
        server.process.kill()
        server.process.communicate()
        for one in sent:
            one.close()
    assert is_whole(tmp_path)
    study = look("tiny", tmp_path).study
    assert study.user_attrs.get("note:0") in (None, note)
    whole = [one.state.name in ("WAITING", "COMPLETE") and "genome" in one.user_attrs for one in study.trials]
    assert all(whole) and [one.number for one in study.trials] == list(range(len(whole)))
    assert all("fixed_params" in one.system_attrs for one in study.trials[1:])
    assert send(client(tmp_path), "trial/0/star", starred="yes").status_code == 303


class Dashboard:
    """A dashboard that was started by the command."""

    def __init__(self, runs: Path) -> None:
        command = [sys.executable, "-m", "search", "dashboard", "--runs", str(runs), "--port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.place = urlsplit(self.process.stdout.readline().split()[-1]).netloc

    @property
    def token(self) -> str:
        source = self.get("/study/tiny").decode()
        return source.partition('name="token" value="')[2].partition('"')[0]

    def get(self, path: str) -> bytes:
        asked = HTTPConnection(self.place, timeout=60)
        asked.request("GET", path)
        found = asked.getresponse().read()
        asked.close()
        return found

    def twin(self, path: str) -> Any:
        return yaml.safe_load(self.get(path))

    def post(self, path: str, fields: dict[str, str]) -> HTTPConnection:
        """Send a form, without waiting for its answer."""
        headers = {"content-type": "application/x-www-form-urlencoded", "origin": f"http://{self.place}"}
        asked = HTTPConnection(self.place, timeout=60)
        asked.request("POST", path, urlencode(fields), headers)
        return asked

    def send(self, path: str) -> int:
        asked = self.post(path, {"token": self.token})
        status = asked.getresponse().status
        asked.close()
        return status
