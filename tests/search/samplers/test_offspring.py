"""Offspring: what is bred by experience alone is better than what is drawn, and begins with what others found."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

import genome
from genome.op import Shape
from genome.yaml.source import parse
from search.samplers.base import Origin, Proposal
from search.samplers.offspring import TAKEN, offspring
from search.samplers.surrogate.experience import Experience, Trained
from search.samplers.surrogate.model import Candidate, Surrogate
from search.space.parse import space_of
from search.space.point import digest_of
from search.space.space import Space
from tests.search.samplers.spaces import TEXT

HERE, THERE = (
    space_of(parse(TEXT, "s.yaml"), ("space",), "s", Shape(3, side, side), classes)
    for side, classes in ((8, 4), (16, 10))
)


def goodness(network: genome.Genome) -> float:
    """Deep networks of few params are good."""
    plan = genome.resolve(network)
    return 0.5 + 0.05 * plan.depth - plan.params / 1e6


@pytest.fixture(scope="module")
def elsewhere() -> Experience:
    rng = Random(5)
    drawn = [THERE.draw(rng).genome for _ in range(50)]
    return Experience(
        [
            Trained(
                "there",
                *Surrogate(THERE, 0).units,
                tuple(map(genome.dump, drawn)),
                tuple(map(goodness, drawn)),
                (True,) * len(drawn),
            )
        ]
    )


def drawn(space: Space, count: int, rng: Random) -> list[Proposal]:
    return [Proposal.of(space.draw(rng), Origin("random")) for _ in range(count)]


def bred(
    model: Surrogate, seed: int, known: frozenset[str] = frozenset(), draws: int = 20
) -> list[Candidate]:
    rng = Random(seed)
    return offspring(HERE, model, drawn(HERE, draws, rng), known, lambda made, _: made, rng)


def foretold(model: Surrogate, candidates: list[Candidate]) -> list[float]:
    return model.foretold([genome.resolve(one.proposal.genome) for one in candidates])


def test_it_is_better_than_as_many_draws_and_lies_in_the_space(elsewhere: Experience) -> None:
    model = Surrogate(HERE, 0, elsewhere)
    for seed in range(3):
        found = bred(model, seed)
        many = model.distinct(drawn(HERE, 220, Random(f"{seed}/many")), ())
        assert min(foretold(model, found)) < min(foretold(model, many))
        assert all(one.proposal.genome in HERE and not one.proposal.origin.parents for one in found)
        ends = foretold(model, found)
        assert ends == sorted(ends)
        assert np.mean([goodness(one.proposal.genome) for one in found[:5]]) > np.mean(
            [goodness(one.proposal.genome) for one in many]
        )


def test_it_begins_with_the_best_networks_of_other_images(
    elsewhere: Experience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.samplers.offspring.GENERATIONS", 0)
    found = bred(Surrogate(HERE, 0, elsewhere), 0, draws=0)
    taken = [one.proposal.genome for one in found if one.proposal.origin == TAKEN]
    assert len(taken) == len(found) > 3
    best = {genome.dump(one).split("nodes:")[1] for one in elsewhere.best}
    assert all(genome.dump(one).split("nodes:")[1] in best for one in taken)
    assert all(one.input == HERE.input and one.classes == HERE.classes for one in taken)


def test_what_is_known_is_not_proposed_and_a_seed_gives_the_same(elsewhere: Experience) -> None:
    model = Surrogate(HERE, 0, elsewhere)
    first = bred(model, 1)
    known = frozenset(digest_of(genome.digest(one.proposal.genome), {}) for one in first)
    assert not known & {digest_of(genome.digest(one.proposal.genome), {}) for one in bred(model, 1, known)}
    again = bred(Surrogate(HERE, 0, elsewhere), 1)
    assert [one.proposal for one in again] == [one.proposal for one in first]


def test_nothing_is_bred_of_nothing() -> None:
    assert bred(Surrogate(HERE, 0), 0, draws=0) == []
