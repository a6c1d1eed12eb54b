"""A conformance suite for samplers that propose genomes (`search.samplers.base.Proposer`), yours included.

Each law is a function of what makes the sampler of (space, seed, number of objectives); it raises AssertionError with a
sentence where the law is broken. All of them, in plain Python or as one test each:

    search.testing.check_proposer(MySampler)

    @pytest.mark.parametrize("law", search.testing.LAWS, ids=lambda law: law.__name__)
    def test_law(law):
        law(MySampler)

Optuna's own test cases, for the sampler as one of Optuna's:

    class TestOptunas(*search.testing.optuna_cases({"mine": MySampler})):
        pass
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import genome
from genome import Genome, GenomeError
from genome.op import Shape
from genome.yaml.source import parse
from search.samplers.base import Individual, Proposer
from search.space.parse import space_of
from search.space.space import Space

Makes: TypeAlias = Callable[[Space, int, int], Proposer]  # of a space, a seed and the number of objectives
Law: TypeAlias = Callable[[Makes], None]

WIDE = """\
widths: {rule: add, base: {int: [8, 24, 4]}, alpha: {float: [0, 40]}}
nodes:
  stem: {op: conv, in: [image], kernel: {one_of: [1, 3, 5]}}
  s1: {op: {one_of: [conv, {op: stack, depth: {int: [1, 4]}}, separable]}, in: [stem]}
  (s2): {op: pool, in: [s1], kind: any}
  join: {op: {one_of: [add, concat]}, in: [s2, (stem)]}
  out: {op: exit, in: [join]}
"""
SMALL = """\
widths: {rule: constant, base: 8}
nodes:
  stem: {op: conv, in: [image], kernel: {one_of: [1, 3]}}
  (s1): {op: conv, in: [stem]}
  out: {op: exit, in: [s1]}
"""
SMALL_NETWORKS = 4
TRIALS = 14  # more than samplers begin with before they learn from results
KINDS = 7  # of trials, see `ended`
RUNGS = (0.1, 0.3)  # progress at which a pruned trial was looked at


def space(text: str = WIDE) -> Space:
    """Return a space of tiny networks: one of very many, or of four."""
    return space_of(parse(text, "<space>"), (), "conformance", Shape(1, 8, 8), 10)


def measured(number: int, written: Genome, objectives: int = 1, **known: Any) -> Individual:
    """Return a trial that was trained, by a cost that a sampler can learn: deep networks of some size are good."""
    plan = genome.resolve(written)
    cost = abs(math.log10(plan.macs + 1) - 5.0) - 0.1 * plan.depth
    costs = (cost, float(plan.params), float(plan.macs))[:objectives]
    return Individual(number, written, genome.digest(plan), costs, **{"seconds": 60.0, **known})


def ended(number: int, written: Genome, objectives: int = 1) -> Individual:
    """Return a trial of any kind: measured, pruned, paused, failed, refused, illegal, or still running."""
    try:
        digest = genome.digest(genome.resolve(written))
    except GenomeError:
        return Individual(number, written, "", violation=1.0)
    trained = measured(number, written, objectives)
    assert trained.costs is not None
    climb = tuple((progress, trained.costs[0] + 1.0 - progress) for progress in RUNGS)
    early = (climb[-1][1], *trained.costs[1:])
    return (
        trained,
        measured(number, written, objectives, climb=climb),
        Individual(number, written, digest, early, RUNGS[-1], climb=climb, seconds=18.0),
        Individual(number, written, digest, violation=1.0),  # its training broke
        Individual(number, written, digest, violation=0.25),  # over a limit
        Individual(number, written, digest, (math.nan,) * objectives, seconds=5.0),
        Individual(number, written, digest, is_running=True),
    )[number % KINDS]


def drawn(there: Space, count: int, objectives: int = 1) -> list[Individual]:
    """Return a history of trials of every kind, drawn evenly."""
    return [ended(number, there.sample(random.Random(number)), objectives) for number in range(count)]


def run(
    sampler: Proposer,
    trials: int,
    told: Callable[[int, Genome], Individual],
    history: Sequence[Individual] = (),
) -> list[Individual]:
    """Run a search of so many trials, told what each comes to, and return it with the history it began with."""
    found = list(history)
    for _ in range(trials):
        made = sampler.propose(tuple(found), {one.digest for one in found})
        found.append(told(len(found), made.genome))
    return found


def proposals_lie_in_the_space(make: Makes) -> None:
    """Every proposal is a genome of the space, from the first one on."""
    there = space()
    for one in run(make(there, 0, 1), TRIALS, measured):
        assert one.genome in there, f"proposal {one.number} is no genome of the space"


def known_networks_are_avoided(make: Makes) -> None:
    """In a space of very many networks none is proposed twice."""
    found = run(make(space(), 0, 1), TRIALS, measured)
    assert len({one.digest for one in found}) == TRIALS, "a known network was proposed again"


def digests_to_avoid_are_avoided(make: Makes) -> None:
    """A network that is in no trial, but in `avoid`, is not proposed."""
    there = space()
    history, avoid = drawn(there, 2 * TRIALS), set[str]()
    sampler = make(there, 1, 1)
    for _ in range(4):
        digest = genome.digest(genome.resolve(sampler.propose(history, avoid).genome))
        assert digest not in avoid, "a network to avoid was proposed"
        avoid.add(digest)


def the_same_seed_and_history_give_the_same_proposal(make: Makes) -> None:
    """A proposal depends on seed, history and `avoid` alone, not on what the sampler was asked before."""
    there = space()
    history = drawn(there, 2 * TRIALS)
    used = make(there, 3, 1)
    for length in (0, TRIALS // 2, TRIALS):
        used.propose(history[:length])
    again = used.propose(history)
    assert make(there, 3, 1).propose(history) == make(there, 3, 1).propose(history), "two made alike differ"
    assert again == make(there, 3, 1).propose(history), "what the sampler was asked before changes a proposal"


def another_seed_gives_other_proposals(make: Makes) -> None:
    """Coordinators that begin together are told apart by their seeds."""
    there = space()
    first, other = (run(make(there, seed, 1), 4, measured) for seed in (3, 4))
    assert [one.genome for one in first] != [one.genome for one in other], "the seed changes nothing"


def randomness_is_its_own(make: Makes) -> None:
    """The state of Python's and NumPy's global generators is left as it is."""
    import numpy as np

    there = space()
    history = drawn(there, TRIALS)
    before, numbers = random.getstate(), np.random.get_state(legacy=False)
    make(there, 0, 1).propose(history)
    assert random.getstate() == before, "the state of `random` was changed"
    assert str(np.random.get_state(legacy=False)) == str(numbers), "the state of `numpy.random` was changed"


def a_space_that_is_used_up_stalls_nothing(make: Makes) -> None:
    """Where every network is known, proposals go on, from the space."""
    there = space(SMALL)
    found = run(make(there, 0, 1), 3 * SMALL_NETWORKS, measured)
    assert all(one.genome in there for one in found), "a proposal is no genome of the space"
    assert len({one.digest for one in found}) > SMALL_NETWORKS / 2, "it repeats networks while others are new"


def every_kind_of_trial_is_read(make: Makes) -> None:
    """Pruned, failed, refused, illegal, not finite and running trials are read, also where there is no other kind."""
    there = space()
    history = drawn(there, 2 * TRIALS)
    assert make(there, 0, 1).propose(history).genome in there
    for kind in range(KINDS):
        many = [ended(KINDS * i + kind, one.genome) for i, one in enumerate(history[:TRIALS])]
        assert make(there, 0, 1).propose(many).genome in there


def several_objectives_are_read(make: Makes) -> None:
    """Histories of two and three objectives are read."""
    there = space()
    for objectives in (2, 3):
        history = drawn(there, TRIALS, objectives)
        made = run(make(there, 0, objectives), 2, lambda n, one, k=objectives: ended(n, one, k), history)  # type: ignore[misc]
        assert all(one.genome in there for one in made)


def workers_beside_each_other_get_different_networks(make: Makes) -> None:
    """Proposals that are asked for while earlier ones are running are other networks."""

    def begun(number: int, written: Genome) -> Individual:
        return Individual(number, written, genome.digest(genome.resolve(written)), is_running=True)

    there = space()
    sampler = make(there, 0, 1)
    for history in ([], drawn(there, 2 * TRIALS)):
        running = run(sampler, 4, begun, history)[len(history) :]
        assert len({one.digest for one in running}) == 4, "workers were given the same network"


def origins_tell_where_a_genome_is_from(make: Makes) -> None:
    """An origin has the sampler's name and parents that are trials of the history."""
    there = space()
    sampler, history = make(there, 0, 1), drawn(there, 2 * TRIALS)
    for length in (0, len(history)):
        origin = sampler.propose(history[:length]).origin
        assert isinstance(sampler.name, str) and sampler.name, "the sampler has no name"
        assert set(origin.parents) <= set(range(length)), "a parent is no trial of the history"
        assert type(origin).of_json(origin.to_json()) == origin, "an origin does not survive its storage"


LAWS: tuple[Law, ...] = (
    proposals_lie_in_the_space,
    known_networks_are_avoided,
    digests_to_avoid_are_avoided,
    the_same_seed_and_history_give_the_same_proposal,
    another_seed_gives_other_proposals,
    randomness_is_its_own,
    a_space_that_is_used_up_stalls_nothing,
    every_kind_of_trial_is_read,
    several_objectives_are_read,
    workers_beside_each_other_get_different_networks,
    origins_tell_where_a_genome_is_from,
)


def check_proposer(make: Makes) -> None:
    """Raise AssertionError at the first law that a sampler breaks."""
    for law in LAWS:
        try:
            law(make)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{law.__name__}: the sampler raised {type(error).__name__}: {error}"
            ) from error


def optuna_cases(makes: Mapping[str, Makes]) -> tuple[type, ...]:
    """Return Optuna's test cases for samplers, as bases of a class of tests; they need pytest.

    Each of the given samplers is tested as a sampler of Optuna (`search.GenomeSampler`).
    """
    import pytest
    from optuna.samplers import BaseSampler
    from optuna.testing.pytest_samplers import (
        BasicSamplerTestCase,
        MultiObjectiveSamplerTestCase,
        RelativeSamplerTestCase,
    )

    from search.proposals.optuna_sampler import GenomeSampler

    class Given:
        """Gives the cases their sampler."""

        @pytest.fixture(params=list(makes))
        def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
            make = makes[request.param]
            return lambda: GenomeSampler(space(), make, seed=0)

    return Given, BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase
