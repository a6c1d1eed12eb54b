"""Every sampler that proposes genomes against the laws of `search.testing`, and samplers that each break one law."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

import optuna
import pytest

from search import testing
from search.samplers import registry
from search.samplers.base import Individual, Origin, Proposal
from search.samplers.random_search import RandomSearch
from search.space.space import Space

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.mark.parametrize("law", testing.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", registry.proposing())
def test_law(name: str, law: testing.Law) -> None:
    law(registry.maker(name))


# auto is one of the others
ALONE = {name: registry.maker(name) for name in registry.proposing() if name != "auto"}


class TestOptunas(*testing.optuna_cases(ALONE)):  # type: ignore[misc]
    """All of Optuna's cases for samplers of one objective and of several."""


class Broken(RandomSearch):
    """An even draw; each child class changes it in one way."""

    def __init__(self, space: Space, seed: int = 0, objectives: int = 1) -> None:
        super().__init__(space, seed, objectives)
        self.asked = 0


class Outside(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        foreign = testing.space(testing.SMALL if len(self.space.holes) > 2 else testing.WIDE)
        return Proposal(foreign.sample(random.Random(len(history))), Origin("outside"))


class Stubborn(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        return RandomSearch(self.space, self.seed).propose((), ())


class Counting(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        self.asked += 1
        return RandomSearch(self.space, self.asked).propose(history, avoid)


class Seedless(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        return RandomSearch(self.space, 0).propose(history, avoid)


class Global(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        random.random()
        return super().propose(history, avoid)


class Naive(Broken):
    """Treats every trial as trained with one objective."""

    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        for one in history:
            (_,) = one.costs or ()
        return super().propose(history, avoid)


class Orphan(Broken):
    def propose(self, history: Sequence[Individual], avoid: Collection[str] = ()) -> Proposal:
        return super().propose(history, avoid)._replace(origin=Origin(self.name, (len(history),)))


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        (testing.proposals_lie_in_the_space, Outside),
        (testing.known_networks_are_avoided, Stubborn),
        (testing.digests_to_avoid_are_avoided, Stubborn),
        (testing.the_same_seed_and_history_give_the_same_proposal, Counting),
        (testing.another_seed_gives_other_proposals, Seedless),
        (testing.randomness_is_its_own, Global),
        (testing.a_space_that_is_used_up_stalls_nothing, Stubborn),
        (testing.every_kind_of_trial_is_read, Naive),
        (testing.several_objectives_are_read, Naive),
        (testing.workers_beside_each_other_get_different_networks, Stubborn),
        (testing.origins_tell_where_a_genome_is_from, Orphan),
    ],
    ids=lambda given: given.__name__,
)
def test_a_sampler_that_breaks_a_law_is_found(law: testing.Law, broken: Callable[..., Broken]) -> None:
    law(RandomSearch)
    with pytest.raises((AssertionError, ValueError)):
        law(broken)


def test_check_proposer_checks_every_law() -> None:
    with pytest.raises(AssertionError, match="the state of `random` was changed"):
        testing.check_proposer(Global)
