"""A trial that runs: both kinds write the same, and know what was written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest

from search.storage.record import PLAN, RESULT, Record, record
from search.storage.study import Store, claim, open_to_run
from search.storage.trial import GenomeTrial, LiveTrial, OptunaTrial

PLANNED = {"digest": "d", "params": 7, "macs": 9, "memory_bytes": 11, "depth": 2}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with claim("tiny", tmp_path, None) as claimed:
        yield open_to_run(claimed, ["maximize"], {})


def asked(study: optuna.Study) -> LiveTrial:
    live = OptunaTrial(study.ask())
    live.set_attr(PLAN, PLANNED)
    live.set_constraint("params", 0.5)
    return live


def proposed(study: optuna.Study) -> LiveTrial:
    return GenomeTrial.begin(study, {PLAN: PLANNED}, {"params": 0.5, "macs": -0.2})


@pytest.mark.parametrize("begin", [asked, proposed])
@pytest.mark.parametrize(
    ("state", "values"), [("COMPLETE", [0.75]), ("PRUNED", None), ("FAIL", None), (None, None)]
)
@pytest.mark.parametrize("epochs", [(), (1, 3)])
def test_a_handle_knows_what_is_stored(
    store: Store,
    begin: Callable[[optuna.Study], LiveTrial],
    state: str | None,
    values: list[float] | None,
    epochs: tuple[int, ...],
) -> None:
    begin(store.study)
    live = begin(store.study)
    live.set_constraint("trainable", 1.0)
    for epoch in epochs:
        live.report(epoch, epoch / 10)
    outcome = "paused" if state is None else "done"
    live.set_attr(RESULT, {"outcome": "running"})
    live.set_attr(RESULT, {"outcome": outcome, "metrics": {"accuracy": 0.75}, "seconds": 1.5})
    known = live.read() if state is None else live.end(state, values)
    stored = store.study.get_trials()[1]
    assert known == record(stored) == store.records()[1]
    assert (known.number, known.digest, known.seconds) == (1, "d", 1.5)
    assert known.violation == pytest.approx(1.5)
    assert known.outcome == outcome
    assert stored.intermediate_values == {epoch: epoch / 10 for epoch in epochs}


@pytest.mark.parametrize("state", ["PRUNED", "COMPLETE"])
def test_both_kinds_leave_the_same_trial(store: Store, state: str) -> None:
    def ended(begin: Callable[[optuna.Study], LiveTrial]) -> tuple[Record, optuna.trial.FrozenTrial]:
        live = begin(store.study)
        live.report(2, 0.25)
        known = live.end(state, [0.75] if state == "COMPLETE" else None)
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
