"""Evolution: the parents, the moves that are tried, and the result."""

from collections import Counter
from random import Random

import numpy as np
import pytest

import genome
from search.pareto import order
from search.samplers.base import Individual, Origin
from search.samplers.evolve import INITIAL, Evolve
from search.samplers.operator_credit import chances
from search.samplers.random_search import RandomSearch
from search.samplers.selection import BEST, YOUNG, pick, pool, standing
from search.space import mutations
from search.space.space import Space
from search.testing import SMALL, space


def individual(number: int, there: Space, *costs: float, **more: object) -> Individual:
    drawn = there.sample(Random(number))
    return Individual(number, drawn, genome.digest(drawn), tuple(costs) or None, **more)  # type: ignore[arg-type]


def test_a_standing_is_limits_then_training_then_cost() -> None:
    there = space()
    inside, dearer = individual(0, there, 0.1), individual(1, there, 0.2)
    short = individual(2, there, 0.01, progress=0.3)
    broken, worse = individual(3, there, violation=0.5), individual(4, there, violation=2.0)
    untold = individual(5, there)
    best_first = [inside, dearer, short, untold, broken, worse]
    assert sorted([worse, short, untold, broken, dearer, inside], key=standing) == best_first


def test_of_perfect_networks_the_smallest_stands_first() -> None:
    there = space()
    large, small = (individual(i, there, -1.0, perfect_params=p) for i, p in enumerate((900, 90)))
    worse = individual(2, there, -0.99)
    assert sorted([worse, large, small], key=standing) == [small, large, worse]


def test_one_objective_breeds_from_the_young_and_the_old_die() -> None:
    there = space()
    past = [individual(i, there, float(i)) for i in range(YOUNG + 10)]
    parents = pool(past, 1)
    assert {one.number for one in parents} == set(range(10, YOUNG + 10))
    assert parents[0].number == 10


def test_several_objectives_breed_from_the_best_of_all_times() -> None:
    there = space()
    front = [individual(i, there, float(i), float(10 - i)) for i in range(10)]
    beaten = [individual(10 + i, there, 20.0 + i, 20.0 + i) for i in range(100)]
    parents = pool([*front, *beaten], 2)
    assert len(parents) == BEST
    assert {one.number for one in parents[:10]} == set(range(10))


def test_where_nothing_is_inside_the_limits_the_least_over_breed() -> None:
    there = space()
    past = [individual(i, there, violation=1.0 + i) for i in range(50)]
    assert [one.number for one in pool(past, 1)] == list(range(BEST))


def test_the_ends_of_a_front_and_its_empty_places_come_first() -> None:
    front = [(0.0, 10.0), (1.0, 9.0), (1.1, 8.9), (5.0, 5.0), (10.0, 0.0)]
    places = order(np.array([*front, (11.0, 11.0)]))
    assert set(places[:2]) == {0, 4}
    assert places[2] == 3
    assert places[-1] == 5


def test_tournaments_prefer_the_first() -> None:
    there, rng = space(), Random(0)
    parents = [individual(i, there, float(i)) for i in range(20)]
    counts = Counter(pick(parents, 1, rng).number for _ in range(500))
    assert counts[0] > counts[10]


def test_moves_that_paid_off_are_tried_more_and_none_is_forgotten() -> None:
    there = space()
    past = [individual(0, there, 1.0)]
    for i in range(1, 101):
        word, cost = ("gene", 0.5) if i % 2 else ("edge", 2.0)
        past.append(individual(i, there, cost, origin=Origin("evolve", (0,), (f"{word} x -> y",))))
    found = dict(zip(mutations.MOVES, chances(past, mutations.MOVES, 1), strict=True))
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["gene"] > found["type"] > found["edge"] > 0.01


def test_no_network_is_proposed_twice_until_the_space_is_used_up() -> None:
    there, met, past = space(SMALL), set[str](), list[Individual]()
    sampler = Evolve(there, 0)
    for number in range(12):
        made = sampler.propose(past, met)
        digest = genome.digest(made.genome)
        assert (digest in met) == (number >= 4)  # a space of four networks
        met.add(digest)
        past.append(Individual(number, made.genome, digest, (float(number),), origin=made.origin))


def test_children_name_their_parents_and_moves() -> None:
    there = space()
    past = [individual(i, there, float(i % 7)) for i in range(INITIAL + 20)]
    bred = [Evolve(there, seed).propose(past).origin for seed in range(40)]
    assert sum(bool(origin.parents) for origin in bred) > 30
    for origin in bred:
        words = [told.partition(" ")[0] for told in origin.moves]
        assert set(words) <= set(mutations.MOVES)
        assert (len(origin.parents) == 2) == bool(set(words) & set(mutations.MATED))


def test_evolution_beats_even_draws_on_a_known_target() -> None:
    there = space()
    target = genome.resolve(there.sample(Random(99)))

    def best(sampler: Evolve | RandomSearch) -> float:
        past: list[Individual] = []
        for number in range(80):
            made = sampler.propose(past, {one.digest for one in past})
            plan = genome.resolve(made.genome)
            cost = abs(plan.params / target.params - 1) + abs(plan.depth - target.depth)
            past.append(Individual(number, made.genome, genome.digest(plan), (cost,), origin=made.origin))
        return min(one.costs[0] for one in past if one.costs)

    assert sum(best(Evolve(there, s)) for s in range(5)) < sum(best(RandomSearch(there, s)) for s in range(5))
