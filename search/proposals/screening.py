"""The sieve of a study that screens: candidates in hand, and what its proxies have been worth so far."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from search.config.candidate import Candidate
from search.objective import Objective, learnt
from search.proposals.ask import Drawn
from search.proposals.history import History
from search.samplers.proxy_vote import Evidence, Row, Screen, correlations, kept, trusted
from search.storage.record import Record

log = logging.getLogger("search")

# of candidates, their proxies, and the names of those to go by; see `search.proposal.Judge`
Gains: TypeAlias = Callable[[Sequence[Drawn], Sequence[Row | None], Sequence[str]], Sequence[float] | None]


class Option(NamedTuple):
    """A candidate: what was drawn, and its network."""

    drawn: Drawn
    network: Candidate


class Batch(NamedTuple):
    """Candidates that a child screens, of which one will be trained.

    votes: the proxies that choose.  keep: the share that they do not drop.  by_model: whether they are features of a
    model that chooses, where it can.  share: of a second on its slot that is charged.  began: time.monotonic().
    """

    options: Sequence[Option]
    votes: tuple[str, ...]
    keep: float
    by_model: bool
    share: float
    began: float


class Sifted(NamedTuple):
    """The candidate that was chosen, its proxies as a trial keeps them, and what choosing it costs."""

    drawn: Drawn
    proxies: dict[str, float]
    charged_seconds: float


@dataclass
class Sieve:
    """Of many candidates the one to train.

    propose: draws a further candidate, none of whose digest is given.  gains: what the sampler's model, if it has one,
    expects of candidates with their proxies among its features.
    """

    screen: Screen
    goal: Objective
    past: History
    propose: Callable[[Collection[str]], Drawn]
    gains: Gains = lambda candidates, rows, names: None
    batches: dict[int, Batch] = field(default_factory=dict)
    _drawn: int = 0
    _has_said: bool = False

    def trusted(self) -> tuple[str, ...]:
        """Return the proxies that may vote now."""
        return trusted(evidence(self.past.records(), self.goal))

    @property
    def is_starting(self) -> bool:
        """Whether the next network is one of the first, which proxies choose that nothing here speaks for yet."""
        return self.past.screened + len(self.batches) < self.screen.start

    def digests(self) -> set[str]:
        """Return those of the candidates in hand."""
        return {option.network.digest for batch in self.batches.values() for option in batch.options}

    def gather(self, first: Option, network: Callable[[Drawn], Candidate | None], share: float) -> int:
        """Draw more candidates, where there are proxies to choose by; return the number of the batch.

        `network` gives what is worth training. Without a vote the first is the only one: its proxies will be evidence.
        """
        starting = self.is_starting
        if starting:
            self._say()
        voting = self.screen.proxies if starting else self.trusted()
        keep = 0.0 if starting else self.screen.keep  # the one of the highest vote: no draw comes first yet
        found = {first.network.digest: first}
        for _ in range(self.screen.candidates - 1 if voting else 0):
            drawn = self.propose({*found, *self.digests()})
            made = network(drawn)
            if made is not None:
                found.setdefault(made.digest, Option(drawn, made))
        self._drawn -= 1  # below all numbers of trials
        by_model = self.screen.features and not starting
        self.batches[self._drawn] = Batch(
            tuple(found.values()), voting, keep, by_model, share, time.monotonic()
        )
        return self._drawn

    def _say(self) -> None:
        if not self._has_said:
            proxies, first = ", ".join(self.screen.proxies), self.screen.start
            log.info(
                "screen.start: %s choose the first %d networks, unseen what they are worth", proxies, first
            )
        self._has_said = True

    def chosen(self, number: int, rows: Sequence[Row | None], seconds: float) -> Sifted:
        """Return the candidate of a batch that is to be trained."""
        batch = self.batches.pop(number)
        i = self._best(batch, rows)
        proxies = {name: value for name, value in (rows[i] or {}).items() if math.isfinite(value)}
        return Sifted(batch.options[i].drawn, proxies, seconds * batch.share)

    def _best(self, batch: Batch, rows: Sequence[Row | None]) -> int:
        """The one that the model expects most of, where it is asked; else the first of those that the vote keeps."""
        places = [i for i, row in enumerate(rows) if row is not None]
        if batch.by_model and len(places) > 1:
            found = self.gains([option.drawn for option in batch.options], rows, batch.votes)
            if found:
                return max(places, key=lambda i: (found[i], -i))
        return kept(rows, batch.votes, batch.keep)[0]

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
