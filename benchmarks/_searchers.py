"""Searchers of a tabular benchmark: plain ones on codes, Optuna's samplers on the space, and ours on genomes."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Protocol

import optuna

from benchmarks._tables import Code, Row, Table
from search.ask import asker
from search.proposal import Individual, Proposer
from search.samplers import OURS, proposer, sampler


class Searcher(Protocol):
    """Asks for one network after the other and is told what each came to."""

    def ask(self) -> Code: ...

    def tell(self, row: Row) -> None: ...


class Uniform:
    """Random search: every row of the table is as likely."""

    def __init__(self, table: Table, seed: int) -> None:
        self.codes, self.rng = list(table.rows), Random(seed)

    def ask(self) -> Code:
        return self.rng.choice(self.codes)

    def tell(self, row: Row) -> None:
        pass


class Regularised:
    """Regularised evolution (Real et al., AAAI 2019, arXiv:1802.01548) on codes: the best of a sample has one of
    its places changed; the oldest dies."""

    POPULATION, SAMPLE = 30, 10

    def __init__(self, table: Table, seed: int) -> None:
        self.options = [len(ops) for ops in table.options.values()]
        self.rng = Random(seed)
        self.alive: deque[tuple[float, Code]] = deque(maxlen=self.POPULATION)
        self.asked: Code = ()

    def ask(self) -> Code:
        if len(self.alive) < self.POPULATION:
            self.asked = tuple([self.rng.randrange(n) for n in self.options])
        else:
            sample = self.rng.sample(list(self.alive), self.SAMPLE)
            self.asked = self._mutated(max(sample, key=lambda one: one[0])[1])
        return self.asked

    def _mutated(self, parent: Code) -> Code:
        at = self.rng.randrange(len(parent))
        other = self.rng.choice([i for i in range(self.options[at]) if i != parent[at]])
        return (*parent[:at], other, *parent[at + 1 :])

    def tell(self, row: Row) -> None:
        self.alive.append((row.valid, self.asked))


class Asked:
    """A sampler of Optuna that answers the holes of the space, one parameter each."""

    def __init__(self, name: str, table: Table, seed: int) -> None:
        self.table = table
        self.study = optuna.create_study(sampler=sampler(name, seed), direction="maximize")

    def ask(self) -> Code:
        self.trial = self.study.ask()
        return self.table.code(self.table.space.decode(asker(self.trial)))

    def tell(self, row: Row) -> None:
        self.study.tell(self.trial, row.valid)


class Proposed:
    """A sampler of ours."""

    def __init__(self, proposer: Proposer, table: Table) -> None:
        self.proposer, self.table = proposer, table
        self.past: list[Individual] = []
        self.met: set[str] = set()

    def ask(self) -> Code:
        self.proposal = self.proposer.propose(self.past, self.met)
        return self.table.code(self.proposal.genome)

    def tell(self, row: Row) -> None:
        genome, origin = self.proposal
        digest = self.table.digest(self.table.code(genome))
        self.met.add(digest)
        self.past.append(Individual(len(self.past), genome, digest, costs=(-row.valid / 100,), origin=origin))


def searcher(word: str, table: Table, seed: int) -> Searcher:
    """The searcher of that word: uniform, regularised, or a sampler of studies."""
    if word == "uniform":
        return Uniform(table, seed)
    if word == "regularised":
        return Regularised(table, seed)
    if word in OURS:
        return Proposed(proposer(word, table.space, seed, objectives=1), table)
    return Asked(word, table, seed)
