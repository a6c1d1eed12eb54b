"""A study that is not read yet: the answers meanwhile, and that they wait for nothing else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from search.dashboard.pages.studies import study_summary
from search.dashboard.studies import background as background
from search.dashboard.studies import reader
from search.dashboard.studies.background import BackgroundTask
from search.dashboard.studies.library import Library
from search.space.members import DOUBTFUL, members
from search.storage.lock import hold
from tests.command import PATIENCE_SECONDS
from tests.search.dashboard.kept import Page, add, begin, client

PATIENCE = 0.05


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Another program that keeps every reader of study `slow` waiting; study `quick` lies beside it."""
    monkeypatch.setattr(reader, "LOCK_SECONDS", PATIENCE_SECONDS)
    runs = tmp_path / "runs"
    add(begin(runs, "quick"))
    add(begin(tmp_path / "made", "slow"))
    shutil.copytree(tmp_path / "made" / "slow", runs / "slow")  # nobody has the copy open
    held = sqlite3.connect(runs / "slow" / "study.db", isolation_level=None, check_same_thread=False)
    held.execute("PRAGMA journal_mode=DELETE")  # with a write-ahead log a writer keeps no reader waiting
    held.execute("BEGIN EXCLUSIVE")
    yield held
    held.close()


@pytest.fixture
def web(tmp_path: Path, holder: sqlite3.Connection) -> TestClient:
    return client(tmp_path / "runs", patience=PATIENCE)


def wait_for(web: TestClient, address: str) -> Page:
    """Return the page that follows the pages of a study that is being read."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while (answer := web.get(address)).status_code == 202:
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.05)
    assert answer.status_code == 200
    return Page(answer.text)


@pytest.mark.parametrize("part", ["/activity?trial=99", "/compare?trial=0&trial=99"])
def test_only_the_page_of_a_study_that_may_still_begin_looks_again(web: TestClient, part: str) -> None:
    wait_for(web, "/study/quick")
    missing, unknown = web.get(f"/study/quick{part}"), web.get(f"/study/later{part}")
    assert missing.status_code == unknown.status_code == 404
    assert "study quick has no trial 99" in missing.text and "data-waits" not in missing.text
    assert "there is no study later" in unknown.text and "data-waits" in unknown.text


@pytest.mark.parametrize("address", ["/study/slow", "/study/slow/trial/0"])
def test_a_page_says_that_its_study_is_being_read(
    web: TestClient, holder: sqlite3.Connection, address: str
) -> None:
    answer = web.get(address)
    page = Page(answer.text)
    assert answer.status_code == 202 and "study slow is being read" in page.text and page.is_harmless()
    assert "0.5" not in page.text and "data-waits" in answer.text
    holder.execute("ROLLBACK")
    assert "0.5000" in wait_for(web, address).text


def test_a_program_waits(web: TestClient, holder: sqlite3.Connection) -> None:
    assert web.get("/study/slow").status_code == 202
    holder.execute("ROLLBACK")
    for address in ("/study/slow.json", "/study/slow/trial/0.json", "/study/slow/trial/0/genome.yaml"):
        assert web.get(address).status_code == 200
    assert web.get("/study/slow.json").json()["trials"] == 1


def test_one_study_keeps_no_other_waiting(web: TestClient) -> None:
    wait_for(web, "/study/quick")
    answer = web.get("/")
    page = Page(answer.text)
    assert answer.status_code == 200 and 'data-every="0.5"' in answer.text
    assert "loading .." in page.text and "accuracy 0.5000" in page.text
    assert {"/study/quick", "/study/slow"} <= set(page.all("a", "href"))


def test_a_storage_that_stays_locked_is_said_in_the_end(
    tmp_path: Path, holder: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "LOCK_SECONDS", 0.3)
    web = client(tmp_path / "runs", patience=PATIENCE)
    limit = time.monotonic() + PATIENCE_SECONDS
    while (answer := web.get("/study/slow")).status_code == 202:
        assert time.monotonic() < limit
    assert answer.status_code == 503 and "database is locked" in answer.text


def test_an_error_is_told_once_and_not_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = list[int]()

    def fail() -> None:
        ran.append(len(ran))
        raise ValueError(ran[-1])

    work = BackgroundTask(fail)
    for expected in ("0", "1"):
        with pytest.raises(ValueError, match=expected):
            work.is_done(PATIENCE_SECONDS)
    monkeypatch.setattr(background, "OLD_SECONDS", -1.0)
    old = work._current()
    assert old.ended.wait(PATIENCE_SECONDS)
    with pytest.raises(ValueError, match="3"):
        work.is_done(PATIENCE_SECONDS)


def test_a_missing_study_is_missing_also_for_the_impatient(web: TestClient) -> None:
    for _ in range(3):
        assert web.get("/study/none").status_code == 404


def test_of_a_study_that_rests_a_few_numbers_are_kept(tmp_path: Path) -> None:
    """A study that is being written is read again: two writes may have the same time stamp."""
    store, studies = begin(tmp_path), Library(tmp_path)
    number = add(store)
    assert studies.summary("tiny", study_summary)["trials"] == 1
    add(store, accuracy=0.75)
    assert studies.summary("tiny", study_summary)["best"]["accuracy"] == 0.75
    rest(tmp_path)
    first = studies.summary("tiny", study_summary)
    assert studies.summary("tiny", study_summary) is first and first["trials"] == 2
    assert studies._reader("tiny")._last is None, "its trials are not kept"
    add(store, accuracy=0.875)
    best = studies.summary("tiny", study_summary)["best"]
    assert (best["number"], best["accuracy"], best["score"].value) == (number + 2, 0.875, 0.875)
    assert best["href"] == "/study/tiny/trial/2"


def test_a_study_whose_space_is_used_up_is_finished(tmp_path: Path) -> None:
    nodes = {
        "stem": {"op": "conv", "in": ["image"], "kernel": {"one_of": [3, 5]}, "width": 4},
        "out": {"op": "exit", "in": ["stem"]},
    }
    store, studies = begin(tmp_path, space={"nodes": nodes}, trials=20), Library(tmp_path)
    digests = list(members(studies.snapshot("tiny").config.space) or ())
    assert len(digests) == 2
    add(store, plan={"digest": digests[0]})
    for _ in range(DOUBTFUL):
        add(store, "reused", plan={"digest": digests[0]}, reused=0)
    assert studies.snapshot("tiny").state.word == "stopped", "a network is left"
    add(store, plan={"digest": digests[1]})
    for _ in range(DOUBTFUL):
        add(store, "reused", plan={"digest": digests[1]}, reused=4)
    assert studies.snapshot("tiny").state == ("finished", "every network of the space has a trial")


def test_a_study_that_is_run_again_is_read_again(tmp_path: Path) -> None:
    store, studies = begin(tmp_path), Library(tmp_path)
    add(store)
    rest(tmp_path)
    assert studies.summary("tiny", study_summary)["state"] == "stopped"
    with hold(tmp_path / "tiny" / "study.db.lock", "study tiny"):
        assert studies.summary("tiny", study_summary)["state"] == "running"
    assert studies.summary("tiny", study_summary)["state"] == "stopped"


def test_a_study_whose_page_was_open_stays(tmp_path: Path) -> None:
    add(begin(tmp_path))
    rest(tmp_path)
    studies = Library(tmp_path)
    first = studies.snapshot("tiny")
    studies.summary("tiny", study_summary)
    assert studies.snapshot("tiny") is first


def test_a_study_at_rest_is_read_once_and_again_when_it_was_written(tmp_path: Path) -> None:
    """What stands in its file is not looked at while identity, size and time of the file are those of before."""
    store, studies = begin(tmp_path), Library(tmp_path)
    add(store)
    store.close()
    studies.snapshot("tiny")  # SQLite makes a log
    rest(tmp_path)
    first = studies.snapshot("tiny")
    file = tmp_path / "tiny" / "study.db"
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(bytes(len(content)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert studies.snapshot("tiny") is first
    file.write_bytes(content)
    add(begin(tmp_path))
    assert len(studies.snapshot("tiny").trials) == 2
    with hold(tmp_path / "tiny" / "study.db.lock", "study tiny"):
        assert studies.snapshot("tiny").is_running
    rest(tmp_path)
    assert not studies.snapshot("tiny").is_running


def rest(runs: Path) -> None:
    """Set the files' times an hour back."""
    for file in runs.glob("tiny/study.db*"):
        moment = time.time() - 3600
        os.utime(file, (moment, moment))
