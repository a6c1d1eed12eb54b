"""The sieve of a study that screens: candidates in hand, and what its proxies have been worth so far."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from search.config.candidate import Candidate
from search.objective import Objective, learnt
from search.proposals.ask import Drawn
from search.proposals.history import History
from search.samplers.proxy_vote import Evidence, Row, Screen, correlations, kept, trusted
from search.storage.record import Record


class Option(NamedTuple):
    """A candidate: what was drawn, and its network."""

    drawn: Drawn
    network: Candidate


class Batch(NamedTuple):
    """Candidates that a child process screens, of which one will be trained."""

    options: Sequence[Option]
    # the proxies that choose
    votes: tuple[str, ...]
    # share of a second on its slot that is charged
    share: float
    # time.monotonic() when it was drawn
    began: float


class Sifted(NamedTuple):
    """The candidate that was chosen, its proxies as a trial keeps them, and what choosing it costs."""

    drawn: Drawn
    proxies: dict[str, float]
    charged_seconds: float


@dataclass
class Sieve:
    """Of many candidates the one to train."""

    screen: Screen
    goal: Objective
    history: History
    # proposes a further candidate whose digest is none of those given
    propose: Callable[[Collection[str]], Drawn]
    batches: dict[int, Batch] = field(default_factory=dict)
    _drawn: int = 0

    def trusted(self) -> tuple[str, ...]:
        """Return the proxies that may vote now."""
        return trusted(evidence(self.history.records(), self.goal))

    def digests(self) -> set[str]:
        """Return those of the candidates in hand."""
        return {option.network.digest for batch in self.batches.values() for option in batch.options}

    def gather(self, first: Option, network: Callable[[Drawn], Candidate | None], share: float) -> int:
        """Draw more candidates, where there are proxies to choose by; return the number of the batch.

        `network` gives what is worth training. Without a vote the first is the only one: its proxies will be evidence.
        """
        voting = self.trusted()
        found = {first.network.digest: first}
        for _ in range(self.screen.candidates - 1 if voting else 0):
            drawn = self.propose({*found, *self.digests()})
            made = network(drawn)
            if made is not None:
                found.setdefault(made.digest, Option(drawn, made))
        self._drawn -= 1  # below all numbers of trials
        self.batches[self._drawn] = Batch(tuple(found.values()), voting, share, time.monotonic())
        return self._drawn

    def chosen(self, number: int, rows: Sequence[Row | None], seconds: float) -> Sifted:
        """Return the candidate of a batch that is to be trained."""
        batch = self.batches.pop(number)
        i = kept(rows, batch.votes, self.screen.keep)[0]
        proxies = {name: value for name, value in (rows[i] or {}).items() if math.isfinite(value)}
        return Sifted(batch.options[i].drawn, proxies, seconds * batch.share)

    def lost(self, number: int) -> tuple[list[None], float]:
        """Return the rows of a batch whose child died, none, and the seconds since it was given."""
        batch = self.batches[number]
        return [None] * len(batch.options), time.monotonic() - batch.began


def is_evidence(record: Record, goal: Objective) -> bool:
    """Whether a trial says what its proxies were worth: it was screened, and trained at least to a rung."""
    return record.proxies is not None and goal.name in record.metrics and record.reused is None


def evidence(records: Iterable[Record], goal: Objective) -> list[Evidence]:
    """Return what trials found, as places: of pruned and paused ones those that came further stand before others."""
    known = [(record.proxies or {}, reached(record, goal)) for record in records if is_evidence(record, goal)]
    places = {cost: place for place, cost in enumerate(sorted({cost for _, cost in known}))}
    return [Evidence(row, float(places[cost])) for row, cost in known]


def reached(record: Record, goal: Objective) -> tuple[float, float]:
    """Return how far a trained network came, lower is better: whole trials first, then by epochs, then by goal."""
    is_whole = record.outcome in ("done", "cut")
    return (-math.inf if is_whole else -float(record.epochs or 0), goal.cost(record.metrics[goal.name]))


def summary(records: Sequence[Record], objectives: Sequence[Objective]) -> str | None:
    """Return in one line what each proxy has been worth, or None where nothing was screened."""
    goal = learnt(objectives)
    known = evidence(records, goal)
    if not known:
        return None
    voting = trusted(known)
    said = ", ".join(
        f"{name} {found:+.2f}" + ("" if name in voting else " (no vote)")
        for name, found in correlations(known).items()
    )
    return f"rank correlation of proxies with {goal.name} over {len(known)} trials: {said}"
