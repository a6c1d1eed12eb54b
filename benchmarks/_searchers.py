"""Searchers of a benchmark: plain ones on rows of a table, Optuna's samplers on a space, ours on genomes."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import NamedTuple, Protocol

import optuna

from benchmarks._tables import Code, Table
from genome import Genome
from search.samplers.base import Individual, Proposer
from search.samplers.registry import optuna_sampler, proposer, proposing
from search.space.distributions import asker
from search.space.space import Space


class Told(NamedTuple):
    """The result of one network, as its searcher is told."""

    digest: str
    valid: float  # accuracy in percent; 0 where the network was refused
    violation: float = 0.0  # distance from the limits; above 0 the network was refused
    seconds: float = 0.0  # of the training, where known


class Searcher(Protocol):
    """Proposes one network after another, and is told the result of each."""

    def ask(self) -> Genome: ...

    def tell(self, told: Told) -> None: ...


class Uniform:
    """Random search: every row of the table is equally likely."""

    def __init__(self, table: Table, seed: int) -> None:
        self.table, self.codes, self.rng = table, list(table.rows), Random(seed)

    def ask(self) -> Genome:
        return self.table.genome(self.rng.choice(self.codes))

    def tell(self, told: Told) -> None:
        pass


class Regularised:
    """Regularised evolution (Real et al., AAAI 2019, arXiv:1802.01548) on codes.

    The best of a sample has one of its places changed, and the oldest member is removed.
    """

    POPULATION, SAMPLE = 30, 10

    def __init__(self, table: Table, seed: int) -> None:
        self.table, self.options = table, [len(ops) for ops in table.options.values()]
        self.rng = Random(seed)
        self.alive: deque[tuple[float, Code]] = deque(maxlen=self.POPULATION)
        self.asked: Code = ()

    def ask(self) -> Genome:
        if len(self.alive) < self.POPULATION:
            self.asked = tuple([self.rng.randrange(n) for n in self.options])
        else:
            sample = self.rng.sample(list(self.alive), self.SAMPLE)
            self.asked = self._mutated(max(sample, key=lambda one: one[0])[1])
        return self.table.genome(self.asked)

    def _mutated(self, parent: Code) -> Code:
        at = self.rng.randrange(len(parent))
        other = self.rng.choice([i for i in range(self.options[at]) if i != parent[at]])
        return (*parent[:at], other, *parent[at + 1 :])

    def tell(self, told: Told) -> None:
        self.alive.append((told.valid, self.asked))


class Asked:
    """A sampler of Optuna that answers the holes of the space, one parameter a hole.

    A refused network is told as in a study: pruned, with its constraint.
    """

    def __init__(self, name: str, space: Space, seed: int) -> None:
        self.space = space
        self.study = optuna.create_study(sampler=optuna_sampler(name, seed), direction="maximize")

    def ask(self) -> Genome:
        self.trial = self.study.ask()
        return self.space.decode(asker(self.trial))

    def tell(self, told: Told) -> None:
        if told.violation > 0:
            self.trial.set_constraint("limits", told.violation)
            self.study.tell(self.trial, state=optuna.trial.TrialState.PRUNED)
        else:
            self.study.tell(self.trial, told.valid)


class Proposed:
    """A sampler of this project."""

    def __init__(self, proposer: Proposer) -> None:
        self.proposer = proposer
        self.past: list[Individual] = []
        self.met: set[str] = set()

    def ask(self) -> Genome:
        self.proposal = self.proposer.propose(self.past, self.met)
        return self.proposal.genome

    def tell(self, told: Told) -> None:
        costs = None if told.violation > 0 else (-told.valid / 100,)
        self.met.add(told.digest)
        self.past.append(
            Individual(
                len(self.past),
                self.proposal.genome,
                told.digest,
                costs,
                violation=told.violation,
                origin=self.proposal.origin,
                seconds=told.seconds,
            )
        )


def searcher(word: str, table: Table, seed: int) -> Searcher:
    """Return the searcher of that word on a table: uniform, regularised, or a sampler of studies."""
    if word == "uniform":
        return Uniform(table, seed)
    if word == "regularised":
        return Regularised(table, seed)
    return of_study(word, table.space, seed)


def of_study(word: str, space: Space, seed: int) -> Searcher:
    """Return a sampler of studies, ours or Optuna's, by its word."""
    if word in proposing():
        # of the data set of a table it must know nothing
        return Proposed(proposer(word, space, seed, 1, experience="none"))
    return Asked(word, space, seed)
