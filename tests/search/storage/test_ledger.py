"""The ledger: rows are reserved, metered and settled, by several coordinators, and beside those of earlier versions."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from search.config.read import parse_study
from search.results.statement import Statement, statement
from search.run.budget import Budget
from search.storage.ledger import EARLIER, FINALE, SEARCH, Entry, Key, Ledger, Line, Sums
from search.storage.ledger_table import TABLE
from search.storage.record import CHARGED, RESULT
from search.storage.study import Store, open_to_read, open_to_write
from tests.postgres import Server
from tests.search.conftest import study_of
from tests.search.dashboard.kept import add, begin

KINDS = ["sqlite", "postgres"]


class Trains(NamedTuple):
    """A running training of a trial."""

    number: int
    seed: int | None = None

    @property
    def key(self) -> Key:
        return (self.number, self.seed)

    @property
    def phase(self) -> str:
        return SEARCH if self.seed is None else FINALE


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A study of each kind of storage, which several coordinators may share."""
    url = request.getfixturevalue("postgres").fresh() if request.param == "postgres" else None
    made = begin(tmp_path, url=url)
    yield replace(made, shared=True)
    made.close()


def entry(number: int, **changes: Any) -> Entry:
    return Entry(f"row{number}", number, None, SEARCH, "here:1:0", "cpu")._replace(**changes)


def test_a_charge_is_reserved_metered_and_settled(store: Store) -> None:
    ledger, before = store.ledger, time.time()
    ledger.add([entry(0, reserved=5.0), entry(1), entry(0, reserved=9.0)])
    assert [(one.trial, one.reserved) for one in ledger.entries()] == [(0, 5.0), (1, 0.0)], (
        "one row is stored once"
    )
    spending = ledger.meter({"row0": (2.0, 3.0), "row1": (1.0, 0.0)}, "there:2:0", is_read=True)
    assert spending is not None and (spending.seconds, spending.shares) == (3.0, 2.0)
    ledger.settle({(0, None): 2.5, (1, None): None})
    assert ledger.meter({"row0": (9.0, 9.0)}, "there:2:0", is_read=False) is None, (
        "a settled row stays as it is"
    )
    assert [(one.seconds, one.reserved, one.is_open) for one in ledger.entries()] == [
        (2.5, 0, 0),
        (1.0, 0, 0),
    ]
    assert ledger.charges() == {(0, None): 2.5, (1, None): 1.0}
    assert abs(ledger.heartbeats()["here:1:0"] - before) < 60 and abs(ledger.now() - before) < 60


def test_a_row_holds_the_largest_seed_and_a_node_with_a_long_name(store: Store) -> None:
    row = entry(0, seed=2**63 - 1, phase=FINALE, device=f"GPU 0 of {'n' * 253}")
    store.ledger.add([row])
    assert [one[:6] for one in store.ledger.entries()] == [row[:6]]


def test_a_trial_of_several_trainings_sums_up_to_what_it_was_charged(store: Store) -> None:
    budget = Budget(store, 100.0, ["cpu"])
    budget.start(Trains(0), 0.0, "cpu", 10.0)
    budget.meter(Trains(0), 3.0)
    budget.settle((0, None))
    budget.start(Trains(0), 3.0, "cpu", 10.0)
    budget.charge((0, None), 4.5)
    budget.settle((0, None))
    assert sorted(one.seconds for one in store.ledger.entries()) == [1.5, 3.0]
    assert not [one for one in store.ledger.entries() if one.is_open]


def test_what_an_earlier_version_charged_is_carried_on(store: Store) -> None:
    trial = store.study.ask()
    trial.set_user_attr(CHARGED, 4.0)
    trial.set_user_attr(RESULT, {"outcome": "paused"})
    assert store.spent_seconds() == 4.0
    budget = Budget(store, 100.0, ["cpu"])
    budget.refresh()
    budget.start(Trains(trial.number), 4.0, "cpu", 10.0)
    budget.meter(Trains(trial.number), 6.0)
    budget.store_charges()
    assert store.spent_seconds() == budget.spent_seconds() == 6.0
    found = {(one.worker == EARLIER, one.seconds) for one in store.ledger.entries()}
    assert found == {(True, 4.0), (False, 2.0)}


def test_a_study_without_a_ledger_is_read(tmp_path: Path) -> None:
    store = begin(tmp_path)
    add(store, seconds=7.0)
    store.close()
    with sqlite3.connect(tmp_path / "tiny" / "study.db") as file:
        file.execute(f"DROP TABLE {TABLE}")
    file.close()
    read = open_to_read("tiny", tmp_path)
    assert read.spent_seconds() == 7.0 and read.ledger.sums().lines == ()


def test_two_that_spend_at_once_see_each_other_at_the_next_metering(store: Store) -> None:
    one, other = (Budget(store, 20.0, ["cpu"], stored_at=-1.0) for _ in range(2))
    one.start(Trains(0), 0.0, "cpu", None)
    assert store.ledger.entries()[0].reserved == 20.0, "alone, it may take everything"
    other.other_shares = 1.0
    other.start(Trains(1), 0.0, "cpu", None)
    store.ledger.storage.transact(
        lambda connection: connection.exec_driver_sql(
            f"UPDATE {TABLE} SET worker = 'there:2:0' WHERE trial = 1"
        )
    )
    for seconds in (4.0, 8.0, 8.0, 8.0):
        for budget, trial in ((one, Trains(0)), (other, Trains(1))):
            budget.meter(trial, seconds)
            budget.stored_at = -1.0
            budget.store_charges()
    assert one.left_seconds() == other.left_seconds() == pytest.approx(4.0)
    assert one.other_shares == 1.0 and not one.is_overdrawn()
    reserved = [row.reserved for row in store.ledger.entries()]
    assert sum(reserved) == pytest.approx(4.0), "together no more than was left"
    one.meter(Trains(0), 11.8)
    assert one.is_overdrawn(), "it would take all that it was promised before the other joined"


def test_a_training_that_ends_by_itself_in_time_is_not_stopped(store: Store) -> None:
    budget = Budget(store, 10.0, ["cpu"], stored_at=-1.0)
    budget.start(Trains(0), 0.0, "cpu", 10.0)
    for seconds in (9.0, 9.9, 10.2):
        budget.meter(Trains(0), seconds)
        assert not budget.is_overdrawn()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_what_was_metered_survives_a_kill(tmp_path: Path) -> None:
    begin(tmp_path).close()
    child = os.fork()
    if child == 0:
        with open_to_write("tiny", tmp_path) as store:
            store.ledger.add([entry(0)])
            store.ledger.meter({"row0": (3.0, 1.0)}, "here:1:0", is_read=False)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert open_to_read("tiny", tmp_path).ledger.charges() == {(0, None): 3.0}


def test_ten_thousand_rows_are_metered_quickly(tmp_path: Path) -> None:
    ledger: Ledger = begin(tmp_path).ledger
    ledger.add(entry(number, seconds=1.0, is_open=0) for number in range(10_000))
    ledger.add([entry(10_000)])
    took = []
    for seconds in range(5):
        began = time.perf_counter()
        ledger.meter({"row10000": (float(seconds), 0.0)}, "here:1:0", is_read=True)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.1
    assert sum(ledger.charges().values()) == 10_004


def test_two_servers_have_one_clock(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = begin(tmp_path, url=postgres.fresh())
    before = store.ledger.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= store.ledger.now() - before < 60
    store.close()


def test_without_a_limit_of_a_training_all_that_is_left_is_said_to_be_reserved_for_those_that_run() -> None:
    line = Line("search", "here", "cpu", 1, 20.0, 40.0, 0.0)
    said = Statement(60.0, 0.0, (line,), is_per_trial=False).sentence()
    assert said.endswith(
        "40.0 s reserved by trainings that run: without budget.per_trial each may take all that is left, 0.0 s left"
    )
    assert Statement(60.0, 0.0, (line,)).sentence().endswith("40.0 s reserved, 0.0 s left")


@pytest.mark.parametrize(("spent", "aside"), [(50.0, 20.0), (97.0, 3.0), (200.0, 0.0)])
def test_no_more_is_set_aside_for_the_finale_than_is_left(spent: float, aside: float) -> None:
    budget = {"device_time": "100s", "per_trial": "10s"}
    written = study_of(trials=None, budget=budget, finale={"share": 0.2, "top": 1, "seeds": 1})
    config = parse_study(yaml.safe_dump(written, sort_keys=False), "<test>")
    line = Line(SEARCH, "here", "cpu", 1, spent, 0.0, 0.0)
    assert statement(config, [], Sums({}, (line,))).finale_seconds == aside
