"""A connection to the database server that is lost at any statement: what was asked is done, and done once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from optuna.trial import TrialState

from search.storage import patience
from search.storage.study import Store
from search.storage.transactions import database_storage
from search.storage.trial import GenomeTrial, OptunaTrial
from tests.postgres import Server
from tests.search.dashboard.kept import begin

ATTRS = {"genome": "text", "owner": "here:1"}


@contextmanager
def lost_at(step: int, store: Store, is_after: bool, is_at_commits: bool = False) -> Iterator[list[int]]:
    """Lose the connection at a statement or commit, counted from 0; a commit has arrived where `is_after`.

    is_at_commits: count commits only.
    """
    left = [step]
    engine = database_storage(store.study).engine

    def lose(connection: Any) -> None:
        with suppress(psycopg.OperationalError):
            connection.connection.dbapi_connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def statement(connection: Any, *told: Any) -> None:
        left[0] -= not is_at_commits
        if left[0] == -1 and not is_at_commits:
            lose(connection)

    def commit(connection: Any) -> None:
        left[0] -= 1
        if left[0] == -1:
            if is_after:
                connection.connection.dbapi_connection.commit()
            lose(connection)

    sqlalchemy.event.listen(engine, "before_cursor_execute", statement)
    sqlalchemy.event.listen(engine, "commit", commit)
    try:
        yield left
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", statement)
        sqlalchemy.event.remove(engine, "commit", commit)


@pytest.fixture
def store(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("optuna.storages._rdb.storage.random.random", lambda: 0.0)  # of Optuna's own pauses
    made = begin(tmp_path, url=postgres.fresh())
    yield made
    made.close()


@pytest.mark.parametrize("is_after", [False, True])
def test_a_trial_is_made_and_ended_once(store: Store, is_after: bool) -> None:
    step = 0
    while True:
        with lost_at(step, store, is_after) as left:
            trial = GenomeTrial.begin(store.study, ATTRS, {})
            trial.set_attr("plan", {"digest": "a"})
            trial.end("COMPLETE", [0.5, 1.0], {"result": {"outcome": "done"}})
            store.study.set_user_attr("step", step)
            store.records()
        trials = store.study.get_trials(deepcopy=False)
        assert [one.number for one in trials] == list(range(step + 1)), f"lost at {step}"
        last = trials[-1]
        assert (last.state, last.values) == (TrialState.COMPLETE, [0.5, 1.0])
        assert last.user_attrs == {**ATTRS, "plan": {"digest": "a"}, "result": {"outcome": "done"}}
        assert store.study.user_attrs["step"] == step
        if left[0] >= 0:
            break
        step += 1
    assert step > 15


def test_a_trial_of_optuna_is_made_once(store: Store) -> None:
    step = 0
    while True:
        with lost_at(step, store, is_after=True, is_at_commits=True) as left:
            trial = OptunaTrial(store.study.ask())
            trial.end("COMPLETE", [0.5, 1.0], ATTRS)
        states = [one.state for one in store.study.get_trials(deepcopy=False)]
        assert states == [TrialState.COMPLETE] * (step + 1), f"lost at {step}"
        if left[0] >= 0:
            break
        step += 1


def test_an_error_that_is_no_lost_connection_is_not_repeated(store: Store) -> None:
    with pytest.raises(KeyError):
        database_storage(store.study).get_trial(999)
