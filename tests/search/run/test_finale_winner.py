"""Which network wins the finale, and which of its weights are handed out."""

from dataclasses import replace
from typing import Any

import pytest

from search.objective import Objective
from search.results.ranking import front
from search.storage.record import Record
from search.storage.seed_results import SeedResult, SeedResults
from tests.search.run.retrained import seeds_of, trial

ACCURACY, MACS = Objective("accuracy", "maximize"), Objective("macs", "minimize")


@pytest.mark.parametrize(
    ("overs", "winner"),
    [
        ([None, None, None], 0),
        # the best mean, not the best of the search
        (
            [{1: 0.5, 2: 0.5}, {1: 0.4, 2: 0.9}, {1: 0.5, 2: 0.4}],
            1,
        ),
        # the training of the search counts: 1.9 of the first are more than 1.8 of the second
        ([{1: 0.5, 2: 0.5}, {1: 0.5, 2: 0.5}, None], 0),
        # two have a second seed, and one has not: the first seed decides
        (
            [{1: 0.5, 2: 0.5}, {1: 0.4, 2: 0.9}, {1: 0.8}],
            2,
        ),
        ([{1: 0.5}, {1: None}, None], 0),
        ([{1: None}, {1: 0.3}, {1: 0.2, 2: None}], 1),  # a failed network cannot win
        ([{1: None}, {1: None}, {1: None}], 0),  # unless all failed
        # a later search found a better network, which the finale has not trained yet
        (
            [None, {1: 0.9}, {1: 0.8}],
            0,
        ),
        ([{}, {1: 0.9}, None], 0),  # the finale is training it
    ],
)
def test_the_winner_has_the_best_mean_over_the_seeds_that_all_were_trained_with(
    overs: list[Any], winner: int
) -> None:
    records = [trial(i, 0.9 - i / 10, over) for i, over in enumerate(overs)]
    assert [record.number for record in front(records, [ACCURACY])] == [winner]


def test_a_front_stays_the_same_and_begins_with_the_winner() -> None:
    def on_front(number: int, over: dict[int, float | None] | None) -> Record:
        value = 0.9 - number / 10
        return Record(
            number,
            "done",
            (value, 9.0 - number),
            metrics={"accuracy": value, "loss": 1.0},
            finale=None if over is None else seeds_of(over, searched=value),
        )

    records = [on_front(0, {1: 0.5}), on_front(1, {1: 0.8}), on_front(2, None), Record(3, "done", (0.1, 9.0))]
    assert [record.number for record in front(records, [ACCURACY, MACS])] == [1, 0, 2]


def test_the_best_seed_is_by_the_objective_then_by_the_loss() -> None:
    found = SeedResults(
        {
            1: SeedResult("done", 1, accuracy=0.5, loss=0.1),
            2: SeedResult("done", 1, accuracy=0.6, loss=0.3),
            3: SeedResult("cut", 1, accuracy=0.6, loss=0.2),
            4: SeedResult("running", 1),
        }
    )
    assert found.best(ACCURACY) == 3
    assert found.best(Objective("loss", "minimize")) == 1
    assert str(found.spread("accuracy")) == "0.5667 ± 0.0577 (3)"
    assert str(found.spread("accuracy", [1])) == "0.5000 (one seed)"
    assert SeedResults({4: found.seeds[4]}).best(ACCURACY) is None


def test_one_training_of_each_decides_nothing() -> None:
    """Seen: of two trainings that the finale could pay, the better was handed out, far below the search."""
    alone = [Record(n, "done", (0.9 - n / 10,), finale=seeds_of({1: 0.4 + n}), digest=str(n)) for n in (0, 1)]
    assert front(alone, [ACCURACY])[0].number == 0


def test_the_best_weights_may_be_those_of_the_search() -> None:
    found = seeds_of({1: 0.5, 2: 0.6}, searched=0.7)
    assert found.best(ACCURACY) is None and found.best_of_finale(ACCURACY) == 2
    assert str(found.spread("accuracy")) == "0.6000 ± 0.1000 (3)"
    assert len(found.measured) == 2, "the finale trained two"
    longer = replace(found, search=SeedResult("done", 5, accuracy=0.7, loss=1.0))
    assert str(longer.spread("accuracy")) == "0.5500 ± 0.0707 (2)", "trained for another number of epochs"
