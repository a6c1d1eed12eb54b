"""The smallest of the networks that the finale cannot tell apart is handed out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

import genome
from genome import zoo
from search.objective import Objective, is_perfect
from search.proposals.history import History
from search.results.ranking import finale_choice, front
from search.results.reference_text import choice_text, reference_lines
from search.run.finalists import smallest_of_perfect
from search.samplers.base import REFERENCE, Origin
from search.storage.record import Record
from search.storage.seed_results import SeedResult, SeedResults

ACCURACY, MACS = Objective("accuracy", "maximize"), Objective("macs", "minimize")
Scores = Sequence[tuple[float, float]]  # accuracy and loss of the search, and of each seed of the finale

BEST: Scores = [(0.98, 0.10), (0.94, 0.10), (0.96, 0.10)]  # a mean of 0.96 with a standard error of 0.0115


def trained(
    number: int, scores: Scores, params: int | None, macs: int = 1, reference: str | None = None
) -> Record:
    first, *others = (SeedResult("done", 1, accuracy=accuracy, loss=loss) for accuracy, loss in scores)
    accuracy, loss = scores[0]
    return Record(
        number,
        "done",
        (accuracy,),
        metrics={"accuracy": accuracy, "loss": loss},
        finale=SeedResults(dict(enumerate(others)), first),
        digest=str(number),
        params=params,
        macs=macs,
        origin=Origin(REFERENCE, moves=(reference,)) if reference else None,
    )


@pytest.mark.parametrize(
    ("accuracy", "params", "handed_out"),
    [
        (0.95, 10, 1),  # 0.01 behind
        (0.945, 10, 0),  # 0.015 behind
        (0.95, 501, 0),  # not smaller
        (0.95, None, 0),  # an earlier version stored no params
    ],
)
def test_the_smallest_within_one_standard_error_is_handed_out(
    accuracy: float, params: int | None, handed_out: int
) -> None:
    records = [trained(0, BEST, 500), trained(1, [(accuracy, 0.2)] * 3, params)]
    assert [r.number for r in front(records, [ACCURACY])] == [handed_out]
    assert bool(choice_text(records, [ACCURACY])) == (handed_out == 1)


def test_a_lower_loss_does_not_make_up_for_size_where_every_image_is_right() -> None:
    records = [
        trained(0, [(1.0, 0.05)] * 3, 500),
        trained(1, [(1.0, 0.07)] * 3, 100),
        trained(2, [(1.0, 0.07), (1.0, 0.07), (0.99, 0.07)], 10),  # no error of the mean excuses one
    ]
    assert front(records, [ACCURACY])[0].number == 1
    assert choice_text(records, [ACCURACY]) == (
        "of 2 networks within one standard error of the best mean, trial 1 is the smallest: "
        "accuracy 1.0000 ± 0.0000 (3) with 100 params, where trial 0 has accuracy 1.0000 ± 0.0000 (3) with 500 params"
    )


def test_the_finale_retrains_the_smallest_of_those_that_had_every_image_right() -> None:
    sizes = {0: 500, 1: 90, 2: 40, 3: 60, 4: 5}
    found = [trained(n, [(0.99 if n == 4 else 1.0, 0.1)], params) for n, params in sizes.items()]
    assert [r.number for r in smallest_of_perfect(found, [ACCURACY])] == [0, 2, 1, 3, 4], (
        "the second is 40, not 60"
    )
    assert smallest_of_perfect(found[3:], [ACCURACY]) == [], (
        "one perfect result may be luck, and says nothing of size"
    )


def test_equally_many_params_go_by_multiply_adds() -> None:
    same = [trained(n, BEST, 500, macs) for n, macs in enumerate((9, 3, 5))]
    assert front(same, [ACCURACY])[0].number == 1


def test_a_front_begins_with_the_best_mean_since_it_holds_the_smaller_ones() -> None:
    records = [trained(0, BEST, 500), trained(1, [(0.95, 0.1)] * 3, 10)]
    both = [Record(**{**vars(r), "values": (r.values[0], 5.0 - r.number)}) for r in records if r.values]
    assert [r.number for r in front(both, [ACCURACY, MACS])] == [0, 1]
    assert finale_choice(both, [ACCURACY, MACS]) is None


def test_a_reference_is_not_called_worse_where_it_is_only_larger() -> None:
    records = [trained(0, BEST, 500, reference="resnet-20"), trained(1, [(0.95, 0.1)] * 3, 10)]
    said = reference_lines(records, front(records, [ACCURACY]), [ACCURACY])
    assert said[-1] == "trial 1, which the search found, is as good as the reference resnet-20, and smaller"


def test_samplers_are_told_the_params_of_perfect_networks() -> None:
    """Perfect is a network that has its best possible value, which one of several objectives never is alone."""
    written = genome.dump(zoo.get("lenet"))
    found = [
        replace(trained(n, [(score, 0.1)], 50 + n), genome=written) for n, score in enumerate((1.0, 0.99))
    ]
    history = History([ACCURACY], 1)
    for one in found:
        history.add(one)
    assert [one.perfect_params for one in history.individuals()] == [50, None]
    assert not is_perfect((1.0, 3.0), [ACCURACY, MACS]) and not is_perfect(None, [ACCURACY])
    assert is_perfect((0.0,), [Objective("loss", "minimize")])
