"""auto: which sampler a study gets, and that auto names the sampler once."""

import logging
from random import Random

import pytest

import genome
from search.samplers.auto import LONG_SECONDS, MANY, Auto, chosen
from search.samplers.base import Individual
from search.samplers.bayes import Bayes
from search.samplers.evolve import INITIAL, Evolve
from search.testing import space


def trained(count: int, seconds: float, progress: float = 1.0) -> list[Individual]:
    there, found = space(), []
    for number in range(count):
        drawn = there.sample(Random(number))
        cost = (number * 7 % 11 / 11,)
        found.append(Individual(number, drawn, genome.digest(drawn), cost, progress, seconds=seconds))
    return found


def test_long_trainings_are_worth_a_model_and_short_ones_are_not() -> None:
    assert chosen(trained(INITIAL - 1, 0.1)) == ("bayes", "")
    assert chosen(trained(INITIAL, LONG_SECONDS / 2))[0] == "evolve"
    assert chosen(trained(INITIAL, LONG_SECONDS * 2))[0] == "bayes"
    assert chosen(trained(MANY + 1, 3600.0))[0] == "evolve"
    assert chosen(trained(INITIAL, LONG_SECONDS / 2, progress=0.1))[0] == "bayes", "pruned at a tenth"


def test_the_first_trials_decide_so_a_study_that_is_resumed_chooses_the_same() -> None:
    assert chosen(trained(INITIAL, 0.5))[0] == "evolve"
    assert chosen([*trained(INITIAL, 0.5), *trained(50, 100.0)])[0] == "evolve"


@pytest.mark.parametrize(("seconds", "word"), [(0.5, "evolve"), (60.0, "bayes")])
def test_it_proposes_what_the_chosen_one_would_and_says_so_once(
    seconds: float, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    there, past = space(), trained(INITIAL + 5, seconds)
    sampler = Auto(there, 3)
    with caplog.at_level(logging.INFO, "search"):
        made = [sampler.propose(past), sampler.propose(past)]
    alone = {"evolve": Evolve, "bayes": Bayes}[word](there, 3)
    assert made == [alone.propose(past)] * 2
    assert [line for line in caplog.messages if "sampler auto" in line] == [
        f"sampler auto: using {word} ({chosen(past)[1]})"
    ]
