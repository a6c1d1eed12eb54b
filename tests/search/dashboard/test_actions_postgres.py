"""The dashboard of a study on a real PostgreSQL server: it shows a running search, and acts on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.dashboard.studies import trial_view as trial_view
from search.run.ownership import owner
from search.storage.record import OWNER
from search.storage.seed_results import SeedResult
from search.storage.study import Store, open_to_read
from tests.command import PATIENCE_SECONDS, Command, commands
from tests.postgres import PASSWORD, Server
from tests.search.conftest import study_of
from tests.search.dashboard.kept import Page, add, begin, client
from tests.search.dashboard.test_actions import FITS, send
from tests.search.dashboard.test_actions_live import ATTENTIVE, LONG, until_trial


@pytest.fixture
def search(tmp_path: Path, postgres: Server) -> Iterator[tuple[Command, str]]:
    """A long search that runs, and the URL of its storage."""
    path, url = tmp_path / "tiny.yaml", postgres.fresh()
    path.write_text(yaml.safe_dump(study_of(**LONG, storage=url), sort_keys=False))
    with commands(False) as start:
        process = start("search", path, "--runs", tmp_path / "runs", code=ATTENTIVE, stderr=None)
        until_trial(process)
        yield process, url


def until(is_so: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.3)


def test_a_search_is_shown_fed_stopped_and_resumed(
    search: tuple[Command, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_view, "BETWEEN_SECONDS", 0.5)  # a search silent for longer has stopped
    process, url = search
    web = client(tmp_path / "runs", url)

    def twin(address: str = "/study/tiny") -> Any:
        answer = web.get(f"{address}.json")
        assert answer.status_code == 200 and PASSWORD not in answer.text
        return answer.json()

    def ask_to_stop() -> bool:
        """Ask until it works: between two trials no process seems to run the study, and the request is refused."""
        return bool(send(web, "stop").status_code == 303)

    def listed() -> tuple[str, str]:
        (one,) = web.get("/.json").json()["studies"]
        return one["name"], one["state"]

    until(lambda: listed() == ("tiny", "running"))
    page = web.get("/study/tiny")
    assert page.status_code == 200 and Page(page.text).is_harmless() and PASSWORD not in page.text
    send(web, "trial/0/star", starred="yes")
    send(web, "trial/0/note", note="the first")
    shown = twin("/study/tiny/trial/0")
    assert shown["starred"] is True and shown["note"] == "the first"
    made = send(web, "enqueue", text=FITS).headers["location"]
    until(lambda: twin(made)["outcome"] in ("done", "reused"))
    assert twin(made)["by"] == "enqueued" and twin(made)["metrics"]["params"] == twin(made)["params"]
    assert process.poll() is None
    until(ask_to_stop)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130 and "stopped by hand" in said and PASSWORD not in said
    until(lambda: bool(twin()["state"] == "stopped"))
    before = twin()["trials"]
    assert twin()["controls"]["resume"]["possible"] and send(web, "resume").status_code == 303
    until(lambda: twin()["trials"] > before + 1)
    until(ask_to_stop)
    log = tmp_path / "runs" / "tiny" / "search.log"
    until(lambda: "stopped by hand" in log.read_text())
    until(lambda: bool(twin()["state"] == "stopped"))
    # the process of the search has ended
    until(lambda: not twin()["controls"]["resume"]["starting"])
    assert PASSWORD not in log.read_text()
    records = open_to_read("tiny", tmp_path, url).records()
    assert "running" not in [record.outcome for record in records]


@pytest.fixture
def kept(postgres: Server, tmp_path: Path) -> Iterator[tuple[Store, str]]:
    url = postgres.fresh()
    store = begin(tmp_path, url=url)
    add(store)
    yield store, url
    store.close()


def state(tmp_path: Path, url: str) -> str:
    return str(client(tmp_path, url).get("/study/tiny.json").json()["state"])


def test_a_search_in_its_finale_runs(kept: tuple[Store, str], tmp_path: Path) -> None:
    store, url = kept
    assert state(tmp_path, url) == "stopped"
    store.store_seed(0, 1, SeedResult("running", 1, owner=owner(), seen_at=time.time()))
    assert state(tmp_path, url) == "running"
    store.store_seed(0, 1, SeedResult("running", 1, owner="elsewhere:1", seen_at=time.time() - 1000))
    assert state(tmp_path, url) == "stopped"


def test_a_search_that_was_killed_here_runs_no_more(kept: tuple[Store, str], tmp_path: Path) -> None:
    store, url = kept
    trial = store.study.ask()
    trial.set_user_attr(OWNER, owner())
    assert state(tmp_path, url) == "running"
    trial.set_user_attr(OWNER, f"{owner().partition(':')[0]}:999999999")
    assert state(tmp_path, url) == "stopped"
