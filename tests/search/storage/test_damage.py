"""A database that was changed or is damaged is refused in a sentence."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from random import Random

import pytest

from search.errors import StudyError
from search.results.refs import open_study
from search.storage.study import claim, open_to_run
from tests.search.dashboard.kept import add, begin

SAID = "what is stored of study tiny cannot be read .*: its database was changed or is damaged; put a copy of it back"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The database of a study of three trials, without a write-ahead log."""
    store = begin(tmp_path)
    for _ in range(3):
        add(store, origin={"by": "random"})
    store.close()
    made = tmp_path / "tiny" / "study.db"
    with sqlite3.connect(made) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for log in ("-wal", "-shm"):
        made.with_name(made.name + log).unlink(missing_ok=True)
    return made


@pytest.mark.parametrize("key", ["genome", "plan", "result", "origin"])
@pytest.mark.parametrize(
    "value", [None, [], "x", 7, {"parents": 3, "metrics": 3, "seconds": "x", "moves": 1}]
)
def test_an_attribute_that_was_edited_is_no_traceback(file: Path, key: str, value: object) -> None:
    with sqlite3.connect(file) as connection:
        edit = "UPDATE trial_user_attributes SET value_json = ? WHERE key = ?"
        connection.execute(edit, (json.dumps(value), key))
    connection.close()
    try:
        open_study("tiny", file.parents[1]).store.records()
    except StudyError as error:
        assert str(error).startswith("what is stored of study tiny cannot be read (")


@pytest.mark.parametrize("key", ["genome_study", "genome_format"])
@pytest.mark.parametrize("value", [None, [], 7, "study: ["])
def test_an_identity_that_was_edited_is_a_sentence(file: Path, key: str, value: object) -> None:
    with sqlite3.connect(file) as connection:
        edit = "UPDATE study_user_attributes SET value_json = ? WHERE key = ?"
        connection.execute(edit, (json.dumps(value), key))
    connection.close()
    with pytest.raises(ValueError, match="tiny"):
        open_study("tiny", file.parents[1])


def test_a_file_that_lost_its_last_byte_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StudyError, match=SAID):
        open_study("tiny", file.parents[1])
    with claim("tiny", file.parents[1], None) as claimed, pytest.raises(StudyError, match=SAID):
        open_to_run(claimed, ["maximize", "minimize"], {})


@pytest.mark.parametrize("seed", range(12))
def test_noise_in_the_file_is_no_traceback(file: Path, seed: int) -> None:
    chance, content = Random(seed), bytearray(file.read_bytes())
    place = chance.randrange(len(content) - 500)
    content[place : place + 500] = chance.randbytes(500)
    file.write_bytes(content)
    try:
        open_study("tiny", file.parents[1]).store.records()
    except StudyError as error:
        assert str(error).count("\n") == 0
