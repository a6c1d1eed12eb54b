"""A trial begins and ends by one transaction each, whole or not at all, and Optuna reads what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from search.storage.study import Store, claim, open_to_run
from search.storage.transactions import database_storage
from search.storage.trial import GenomeTrial

ATTRS = {"one": "nodes: {} # ü", "plan": {"params": 7, "macs": None}, "many": [1.5, True, "", "'"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with claim("tiny", tmp_path, None) as claimed:
        yield open_to_run(claimed, ["maximize"], {})


@contextmanager
def heard(store: Store) -> Iterator[list[str]]:
    """Collect the statements that the database gets: the first word of each, and COMMIT."""
    words: list[str] = []
    engine = database_storage(store.study).engine

    def say(*given: object) -> None:
        words.append(str(given[2]).split()[0])

    def commit(_: object) -> None:
        words.append("COMMIT")

    sqlalchemy.event.listen(engine, "before_cursor_execute", say)
    sqlalchemy.event.listen(engine, "commit", commit)
    yield words
    sqlalchemy.event.remove(engine, "before_cursor_execute", say)
    sqlalchemy.event.remove(engine, "commit", commit)


def test_a_trial_begins_by_one_transaction_and_its_attributes_by_one_statement(store: Store) -> None:
    with heard(store) as words:
        trial = GenomeTrial.begin(store.study, ATTRS, {})
    assert words.count("COMMIT") == 1
    assert words.count("INSERT") == 2  # the trial, and all its attributes
    (stored,) = store.study.get_trials()
    assert (stored.user_attrs, stored.number, stored.state) == (ATTRS, trial.number, TrialState.RUNNING)


def test_a_trial_ends_by_one_transaction(store: Store) -> None:
    trial = GenomeTrial.begin(store.study, ATTRS, {})
    with heard(store) as words:
        trial.end("COMPLETE", [0.5], {"result": {"outcome": "done"}, "one": 8})
    assert words.count("COMMIT") == 1
    (stored,) = store.study.get_trials()
    assert (stored.state, stored.values) == (TrialState.COMPLETE, [0.5])
    assert stored.user_attrs == {**ATTRS, "one": 8, "result": {"outcome": "done"}}


def test_an_end_that_fails_leaves_nothing(store: Store) -> None:
    trial = GenomeTrial.begin(store.study, ATTRS, {})
    with database_storage(store.study).engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON trials BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    with pytest.raises(StorageInternalError, match="refused the end of the trial with id 1"):
        trial.end("COMPLETE", [0.5], {"result": {"outcome": "done"}})
    (stored,) = store.study.get_trials()
    assert (stored.state, stored.values, stored.user_attrs) == (TrialState.RUNNING, None, ATTRS)
    assert trial.attrs == ATTRS
    with database_storage(store.study).engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    trial.end("COMPLETE", [0.5], {"result": {"outcome": "done"}})
    assert store.study.get_trials()[0].user_attrs == {**ATTRS, "result": {"outcome": "done"}}
