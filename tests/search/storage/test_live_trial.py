"""A trial in hand: both kinds write the same, and know what was written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

from search.storage.live_trial import Asked, Handle, Proposed
from search.storage.record import PLAN, RESULT, Record, record
from search.storage.store import Store, claim, coordinate

PLANNED = {"digest": "d", "params": 7, "macs": 9, "memory_bytes": 11, "depth": 2}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with claim("tiny", tmp_path, None) as claimed:
        yield coordinate(claimed, ["maximize"], {})


def asked(study: optuna.Study) -> Handle:
    handle = Asked(study.ask())
    handle.keep(PLAN, PLANNED)
    handle.constrain("params", 0.5)
    return handle


def proposed(study: optuna.Study) -> Handle:
    return Proposed.begin(study, {PLAN: PLANNED}, {"params": 0.5, "macs": -0.2})


@pytest.mark.parametrize("begin", [asked, proposed])
@pytest.mark.parametrize(
    ("state", "values"), [("COMPLETE", [0.75]), ("PRUNED", None), ("FAIL", None), (None, None)]
)
@pytest.mark.parametrize("epochs", [(), (1, 3)])
def test_a_handle_knows_what_is_stored(
    store: Store,
    begin: Callable[[optuna.Study], Handle],
    state: str | None,
    values: list[float] | None,
    epochs: tuple[int, ...],
) -> None:
    begin(store.study)
    handle = begin(store.study)
    handle.constrain("trainable", 1.0)
    for epoch in epochs:
        handle.at(epoch, epoch / 10)
    outcome = "paused" if state is None else "done"
    handle.keep(RESULT, {"outcome": "running"})
    handle.keep(RESULT, {"outcome": outcome, "metrics": {"accuracy": 0.75}, "seconds": 1.5})
    known = handle.rest() if state is None else handle.end(state, values)
    stored = store.study.get_trials()[1]
    assert known == record(stored) == store.records()[1]
    assert (known.number, known.digest, known.seconds) == (1, "d", 1.5)
    assert known.violation == pytest.approx(1.5)
    assert known.outcome == outcome
    assert stored.intermediate_values == {epoch: epoch / 10 for epoch in epochs}


@pytest.mark.parametrize("state", ["PRUNED", "COMPLETE"])
def test_both_kinds_leave_the_same_trial(store: Store, state: str) -> None:
    def ended(begin: Callable[[optuna.Study], Handle]) -> tuple[Record, optuna.trial.FrozenTrial]:
        handle = begin(store.study)
        handle.at(2, 0.25)
        known = handle.end(state, [0.75] if state == "COMPLETE" else None)
        return known, store.study.get_trials()[known.number]

    (_, ours), (_, optunas) = ended(proposed), ended(asked)
    assert (ours.state, ours.values, ours.params) == (optunas.state, optunas.values, optunas.params)
    assert ours.user_attrs == optunas.user_attrs
    assert ours.constraints == optunas.constraints
    assert ours.datetime_start is not None
    assert ours.datetime_complete is not None


def test_a_second_study_of_the_same_database_has_numbers_of_its_own(store: Store) -> None:
    other = optuna.create_study(study_name="other", storage=store.study._storage)
    numbers = [(proposed(store.study).number, proposed(other).number) for _ in range(3)]
    assert numbers == [(0, 0), (1, 1), (2, 2)]
