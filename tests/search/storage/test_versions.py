"""The tables of a storage have a version of Optuna's: another one is refused, and finding that out is cheap."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from search.errors import StudyError
from search.storage.study import open_to_read
from tests.search.dashboard.kept import begin


def test_tables_of_another_optuna_are_refused_beside_those_of_this_one(tmp_path: Path) -> None:
    begin(tmp_path).close()
    open_to_read("tiny", tmp_path).close()
    with sqlite3.connect(tmp_path / "tiny" / "study.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    connection.close()
    with pytest.raises(StudyError, match=r"cannot be read by this Optuna \(The runtime optuna version"):
        open_to_read("tiny", tmp_path)


def test_the_migrations_of_optuna_run_once_for_many_storages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path).close()
    open_to_read("tiny", tmp_path).close()
    asked, load = [0], ScriptDirectory._load_revisions

    def counted(scripts: ScriptDirectory) -> object:
        asked[0] += 1
        return load(scripts)

    monkeypatch.setattr(ScriptDirectory, "_load_revisions", counted)
    open_to_read("tiny", tmp_path).close()
    assert asked == [0]
