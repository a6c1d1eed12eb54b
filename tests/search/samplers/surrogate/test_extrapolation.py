"""The expected final costs of trials that ended early."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import genome
from genome.zoo import lenet
from search.objective import Objective
from search.proposals.history import History
from search.samplers.base import Individual
from search.samplers.surrogate.extrapolation import sights
from search.storage.record import Record

WRITTEN = lenet()
EPOCHS = 6


def trial(number: int, *curve: tuple[int, float], violation: float = 0.0) -> Individual:
    """Return an individual that had these costs after these epochs; the last pair is where the training ended."""
    climb = tuple((epoch / EPOCHS, cost) for epoch, cost in curve)
    last, cost = climb[-1]
    return Individual(number, WRITTEN, str(number), (cost,), progress=last, climb=climb, violation=violation)


def levelled(measured: Sequence[Individual]) -> np.ndarray:
    """Return the final or expected final costs of all trials, (n, objectives)."""
    return np.array([one.costs for one in sights(measured)[: len(measured)]])


def test_a_line_through_those_that_went_further_says_what_the_others_would_have_come_to() -> None:
    whole = [trial(i, (1, x), (EPOCHS, 0.1 + 0.4 * x)) for i, x in enumerate(np.linspace(0.3, 0.5, 400))]
    pruned = [trial(400, (1, 0.6)), trial(401, (1, 0.9))]
    found = levelled([*whole, *pruned])[:, 0]
    assert found[:400].tolist() == [one.costs[0] for one in whole if one.costs]
    assert found[400:] == pytest.approx([0.34, 0.46], abs=0.02)


def test_the_last_rung_comes_first() -> None:
    """The expected costs of a trial of the second rung help to estimate those of a trial of the first."""
    whole = [trial(i, (1, x), (2, x - 0.1), (EPOCHS, x - 0.2)) for i, x in enumerate((0.3, 0.35, 0.4))]
    second = [trial(3 + i, (1, x), (2, x - 0.1)) for i, x in enumerate((0.45, 0.5, 0.55))]
    first = [trial(6, (1, 0.7))]
    assert levelled([*whole, *second, *first])[:, 0] == pytest.approx([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.5])


def test_where_nobody_went_further_costs_stay() -> None:
    alone = [trial(0, (1, 0.7)), trial(1, (1, 0.4)), trial(2, (EPOCHS, 0.2))]
    assert levelled(alone)[:, 0].tolist() == [0.7, 0.4, 0.2]


def test_a_trial_that_was_cut_keeps_what_it_was_measured_at() -> None:
    whole = [trial(i, (1, x), (EPOCHS, x / 2)) for i, x in enumerate((0.3, 0.4, 0.5))]
    cut = Individual(3, WRITTEN, "3", (0.33,), progress=0.8, climb=((1 / EPOCHS, 0.9),))
    assert levelled([*whole, cut])[3, 0] == 0.33


def test_who_went_further_is_seen_on_the_way_too() -> None:
    """At an earlier rung a longer trial counts by the line through all trials, as the ended ones do."""
    whole = [
        trial(i, (1, x), (2, x), (EPOCHS, y)) for i, (x, y) in enumerate([(0.3, 0.1), (0.4, 0.3), (0.5, 0.2)])
    ]
    seen = sights([*whole, trial(3, (1, 0.6))])
    assert [one.trial for one in seen] == [0, 1, 2, 3, 0, 1, 2]
    assert [one.is_brief for one in seen] == [False] * 3 + [True] * 4
    assert [one.progress for one in seen] == [1.0] * 3 + [1 / EPOCHS] * 4
    ahead, middle, behind = (float(one.costs[0]) for one in seen[4:])
    assert middle == pytest.approx(0.2)
    assert 0.1 < ahead < middle < behind < float(seen[3].costs[0])


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12), st.lists(st.floats(0.0, 1.0), max_size=8))
def test_who_is_ahead_at_a_rung_stays_ahead(early: list[float], late: list[float]) -> None:
    whole = [trial(i, (1, x), (EPOCHS, y)) for i, (x, y) in enumerate(zip(early, late, strict=False))]
    pruned = [trial(len(whole) + i, (1, x)) for i, x in enumerate(sorted(early))]
    found = levelled([*whole, *pruned])[len(whole) :, 0]
    assert np.isfinite(found).all()
    assert (np.diff(found) >= -1e-12).all()


def test_only_the_cost_that_falls_in_training_is_foreseen() -> None:
    past = History([Objective("params", "minimize"), Objective("accuracy", "maximize")], EPOCHS)
    text, digest = genome.dump(WRITTEN), genome.digest(WRITTEN)
    for number, (rung, final) in enumerate([(0.5, 0.8), (0.6, 0.9), (0.7, 1.0), (0.4, None)]):
        done = final is not None
        past.add(
            Record(
                number,
                "done" if done else "pruned",
                values=(100.0, final) if final is not None else None,
                genome=text,
                digest=f"{digest}{number}",
                params=100 + number,
                epochs=EPOCHS if done else 1,
                planned_epochs=EPOCHS,
                rungs={1: rung, EPOCHS: final} if final is not None else {1: rung},
            )
        )
    found = levelled(past.individuals())
    assert found[:, 0].tolist() == [100.0, 100.0, 100.0, 103.0]
    assert found[:3, 1].tolist() == [-0.8, -0.9, -1.0]
    assert found[3, 1] == pytest.approx(-0.7)
