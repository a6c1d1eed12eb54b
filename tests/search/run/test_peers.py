"""What a coordinator on a shared storage knows of the others: which networks they train, and what they spend."""

import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.config.read import parse_study
from search.run.budget import Budget
from search.run.ownership import owner
from search.run.peers import peer_trials
from search.run.recovery import recover
from search.storage.record import OWNER, PLAN, SHARE
from search.storage.study import Store
from tests.search.conftest import study_of
from tests.search.dashboard.kept import add, begin, text_of

HERE = socket.gethostname()
ALIVE, DEAD = f"{HERE}:{os.getppid()}", f"{HERE}:999999999"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return replace(begin(tmp_path), shared=True)


def has(store: Store, whose: str, digest: str | None = None, **attrs: Any) -> int:
    """Let another coordinator begin a trial; return its number."""
    trial = store.study.ask()
    kept = {OWNER: whose, **({PLAN: {"digest": digest}} if digest else {}), **attrs}
    for name, value in kept.items():
        trial.set_user_attr(name, value)
    return trial.number


def test_of_two_that_begin_the_same_network_the_first_has_it(store: Store) -> None:
    theirs = has(store, ALIVE, "a")
    found = peer_trials(store)
    assert found.numbers == {theirs} and found.before(theirs + 1) == 1 and found.before(theirs) == 0
    assert found.have("a", theirs + 1) and not found.have("b", theirs + 1)
    later = has(store, ALIVE, "b")
    assert not peer_trials(store).have("b", later - 1), "ours was there first"
    has(store, ALIVE, "c", **{SHARE: 1.0})
    assert peer_trials(store).have("c", 0), "it is being trained"


def test_what_is_ours_or_over_is_not_theirs(store: Store) -> None:
    has(store, owner(), "a", **{SHARE: 1.0})
    add(store)
    assert peer_trials(store).numbers == frozenset() and peer_trials(store).devices == 0
    has(store, ALIVE, "c")
    assert peer_trials(replace(store, shared=False)).numbers == frozenset()


def test_what_one_that_is_gone_had_keeps_its_place_until_it_is_taken_up(store: Store) -> None:
    number = has(store, DEAD, "b", **{SHARE: 1.0})
    found = peer_trials(store)
    assert found.numbers == found.abandoned == {number} and found.before(number + 1) == 1
    assert found.devices == 0 and not found.trained and not found.have("b", number + 1)
    assert found.without({number}).abandoned == frozenset()
    recover(store, parse_study(yaml.safe_dump(study_of()), "<test>"))
    assert peer_trials(store).numbers == frozenset()


def test_what_is_left_is_shared_with_those_that_spend_it_too(store: Store) -> None:
    budget = Budget(store, 12.0, ["cpu", "cpu"])
    assert budget.trial_seconds() == 12.0
    has(store, ALIVE, "a", **{SHARE: 0.5})
    budget.other_devices = peer_trials(store).devices
    assert budget.trial_seconds() == 6.0, "one device, though only one of its slots is busy"
    for digest in "bc":
        has(store, ALIVE, digest, **{SHARE: 1.0})
    budget.other_devices = peer_trials(store).devices
    assert budget.trial_seconds() == pytest.approx(12.0 / 3.5)


def test_what_is_abandoned_is_recovered_by_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    study = parse_study(yaml.safe_dump(study_of()), "<test>")
    number = has(store, DEAD, "a", genome=text_of())
    kept = has(store, ALIVE, "b", genome=text_of())

    def another_claims_it(seconds: float) -> None:
        store.study._storage.set_trial_user_attr(store.study.trials[number]._trial_id, OWNER, ALIVE)

    with monkeypatch.context() as patch:
        patch.setattr("search.run.recovery.time.sleep", another_claims_it)
        assert recover(store, study).again == ()
    trial = store.study.trials[number]
    store.study._storage.set_trial_user_attr(trial._trial_id, OWNER, DEAD)
    assert recover(store, study).again == (number,)
    assert recover(store, study).again == ()
    outcomes = [record.outcome for record in store.records()]
    assert outcomes == ["interrupted", "running", "waiting"] and kept == 1
