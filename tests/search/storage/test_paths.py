"""A study can be stored below a folder of any name: what a URL or a template reads as something else is a letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.dashboard.optuna_server import storage_of
from search.storage.connect import sqlite_file, sqlite_url, storage_to_write, uri_url
from search.storage.sql_reader import open_tables, study_ids
from search.storage.study import claim, open_to_read, open_to_run, open_to_write

NAMES = ["a b", "a%20b", "50%", "a?b=c", "a#b", "a{x}b", "{}", "ü ñ 网", "a@b:c", "it's", "a+b&c", "%(here)s"]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_the_url_of_a_file_names_the_file(name: str) -> None:
    path = Path("/runs", name)
    assert sqlite_file(sqlite_url(path)) == sqlite_file(uri_url(path, "mode=ro")) == path


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_in_the_folder_that_was_named(tmp_path: Path, name: str) -> None:
    runs = tmp_path / name
    with claim("tiny", runs, None) as claimed:
        open_to_run(claimed, ["maximize"], {}).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]
    open_to_read("tiny", runs).close()
    with open_to_write("tiny", runs) as store:
        store.study.set_user_attr("a", 1)
    url = sqlite_url(runs / "tiny" / "study.db")
    with open_tables(url, 1.0) as ask:
        assert set(study_ids(ask)) == {"tiny"}
    storage_to_write(storage_of(runs, None, "/"), 1.0).engine.dispose()


def test_the_storage_of_a_study_file_may_be_quoted(tmp_path: Path) -> None:
    with claim("tiny", tmp_path, f"sqlite:///{tmp_path}/all%20of%3F.db") as claimed:
        open_to_run(claimed, ["maximize"], {}).close()
    assert (tmp_path / "all of?.db").is_file() and (tmp_path / "all of?.db.tiny.lock").is_file()
