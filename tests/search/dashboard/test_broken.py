"""Storages that cannot be read: each has a page that says so, and no byte of the storage changes."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from search.dashboard.studies import reader
from search.errors import StudyError
from search.storage.lock import hold, is_held
from search.storage.study import FORMAT_ATTR
from tests.search.dashboard.kept import Page, add, begin, client, foreign


def empty(file: Path) -> None:
    file.touch()


def text(file: Path) -> None:
    file.write_text("this is no database, it only has its name\n" * 100)


def half(file: Path) -> None:
    whole = begin(file.parent.parent / "other").folder / "study.db"
    file.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def somebody_elses(file: Path) -> None:
    foreign(f"sqlite:///{file}", file.parent.name)


def of_another_name(file: Path) -> None:
    foreign(f"sqlite:///{file}", "another")


def of_another_format(file: Path) -> None:
    foreign(f"sqlite:///{file}", file.parent.name).set_user_attr(FORMAT_ATTR, 99)


def just_begun(file: Path) -> None:
    foreign(f"sqlite:///{file}", file.parent.name).set_user_attr(FORMAT_ATTR, 1)


def of_another_optuna(file: Path) -> None:
    foreign(f"sqlite:///{file}", file.parent.name)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    connection.close()


BROKEN: dict[Callable[[Path], None], str] = {
    empty: "it is empty, or no study was begun in it",
    text: "file is not a database",
    half: "cannot be",
    somebody_elses: "that `genome search` did not make",
    of_another_name: "holds no study broken",
    of_another_format: "stored in format 99 and this version reads format 1",
    just_begun: "has no metadata yet",
    of_another_optuna: "those of another Optuna (v9.9.9",
}


@pytest.mark.parametrize("spoil", BROKEN, ids=lambda spoil: spoil.__name__)
def test_a_broken_storage_says_so(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    runs = tmp_path / "runs"
    add(begin(runs, "whole"))
    (runs / "broken").mkdir()
    file = runs / "broken" / "study.db"
    spoil(file)
    before = file.read_bytes()
    web = client(runs)
    for _ in range(2):
        answer, twin = web.get("/study/broken"), web.get("/study/broken.json")
        assert answer.status_code == twin.status_code == 503
        assert BROKEN[spoil] in twin.json()["error"] and "\n" not in twin.json()["error"]
        assert twin.json()["error"] in Page(answer.text).text
    overview = web.get("/")
    assert overview.status_code == 200 and BROKEN[spoil] in Page(overview.text).text
    assert "/study/whole" in Page(overview.text).all("a", "href")
    assert file.read_bytes() == before


def test_a_locked_storage_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LOCK_SECONDS", 0.1)
    begin(tmp_path / "made")
    shutil.copytree(tmp_path / "made", tmp_path / "runs")  # nobody has the copy open
    file = tmp_path / "runs" / "tiny" / "study.db"
    web = client(tmp_path / "runs")
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")  # with a write-ahead log a writer locks out no reader
    holder.execute("BEGIN EXCLUSIVE")
    answer = web.get("/study/tiny")
    assert answer.status_code == 503 and "database is locked" in answer.text
    holder.execute("ROLLBACK")
    assert web.get("/study/tiny").status_code == 200
    holder.execute("BEGIN EXCLUSIVE")
    assert web.get("/study/tiny").status_code == 503
    holder.close()


def test_a_storage_that_is_not_there_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    answer = client(tmp_path, url).get("/")
    assert answer.status_code == 503 and "there is no storage" in answer.text
    assert not (tmp_path / "none.db").exists()
    assert client(tmp_path, "nonsense://x").get("/").status_code == 503


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    answer = client(tmp_path, "postgresql+psycopg://me:hunter2@127.0.0.1:1/x").get("/")
    assert answer.status_code == 503 and "hunter2" not in answer.text


def test_a_study_that_went_away_while_it_was_shown(tmp_path: Path) -> None:
    folder = begin(tmp_path).folder
    web = client(tmp_path)
    assert web.get("/study/tiny").status_code == 200
    shutil.rmtree(folder)
    assert web.get("/study/tiny").status_code == 404
    add(begin(tmp_path))
    assert web.get("/study/tiny.json").json()["trials"] == 1


def test_a_study_that_was_begun_anew_is_read_anew(tmp_path: Path) -> None:
    store, web = begin(tmp_path), client(tmp_path)
    for _ in range(3):
        add(store)
    assert web.get("/study/tiny.json").json()["trials"] == 3
    store.folder.rename(tmp_path.parent / f"{tmp_path.name}-old")
    add(begin(tmp_path), accuracy=0.125)
    assert web.get("/study/tiny.json").json()["best"]["accuracy"] == 0.125


def test_looking_changes_no_byte(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store)
    file = store.folder / "study.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = hashlib.sha256(file.read_bytes()).digest()
    web = client(tmp_path)
    for address in ("/", "/study/tiny", "/study/tiny/trial/0"):
        assert web.get(address).status_code == 200
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_whether_it_runs_is_read_from_its_lock(tmp_path: Path) -> None:
    file = begin(tmp_path).folder / "study.db.lock"
    web = client(tmp_path)
    assert web.get("/study/tiny.json").json()["state"] == "stopped"
    with hold(file, "study tiny"):
        assert is_held(file)
        assert web.get("/study/tiny.json").json()["state"] == "running"
        assert 'hx-trigger="every 4s"' in web.get("/study/tiny").text
        with pytest.raises(StudyError, match="is being run by process"), hold(file, "study tiny"):
            pass
    assert not is_held(file) and not is_held(tmp_path / "none")
    assert web.get("/study/tiny.json").json()["state"] == "stopped"
