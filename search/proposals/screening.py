"""Screening in a study: batches of candidates whose proxies are measured, and how well the proxies have predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from search.config.candidate import Candidate
from search.objective import Objective, learnt
from search.proposals.ask import Suggestion
from search.proposals.history import History
from search.samplers.proxy_vote import Evidence, Row, Screen, correlations, kept, trusted
from search.storage.record import Record
from trainer.hardware.clock import running_seconds


class ScreeningCandidate(NamedTuple):
    """A suggestion and its network."""

    suggestion: Suggestion
    network: Candidate


class ScreeningBatch(NamedTuple):
    """Candidates that a worker screens, of which one will be trained."""

    candidates: Sequence[ScreeningCandidate]
    # the proxies that choose
    votes: tuple[str, ...]
    # device seconds that one second on the slot costs
    share: float
    # running_seconds() when the batch was made
    began: float


class ScreenedSuggestion(NamedTuple):
    """The suggestion that was chosen."""

    suggestion: Suggestion
    # finite values of its proxies, as its trial stores them
    proxies: dict[str, float]
    # device seconds of screening the batch
    charged_seconds: float


@dataclass
class Screener:
    """Screens candidates and chooses those to train."""

    screen: Screen
    goal: Objective
    history: History
    # proposes a further network whose digest is none of those given
    propose: Callable[[Collection[str]], Suggestion]
    batches: dict[int, ScreeningBatch] = field(default_factory=dict)
    _last_number: int = 0

    def trusted(self) -> tuple[str, ...]:
        """Return the proxies that may vote now."""
        return trusted(evidence(self.history.records(), self.goal))

    def digests(self) -> set[str]:
        """Return the digests of the candidates that are being screened."""
        return {candidate.network.digest for batch in self.batches.values() for candidate in batch.candidates}

    def add_batch(
        self, first: ScreeningCandidate, network: Callable[[Suggestion], Candidate | None], share: float
    ) -> int:
        """Make a batch of `first` and, where proxies may vote, more candidates; return the number of the batch.

        Where no proxy may vote, `first` is alone: its proxies become evidence.
        network: returns the candidate of a suggestion, None where training it would be useless.
        """
        voting = self.trusted()
        found = {first.network.digest: first}
        for _ in range(self.screen.candidates - 1 if voting else 0):
            suggestion = self.propose({*found, *self.digests()})
            made = network(suggestion)
            if made is not None:
                found.setdefault(made.digest, ScreeningCandidate(suggestion, made))
        self._last_number -= 1  # negative: trials have the numbers from 0
        batch = ScreeningBatch(tuple(found.values()), voting, share, running_seconds())
        self.batches[self._last_number] = batch
        return self._last_number

    def choose(self, number: int, rows: Sequence[Row | None], seconds: float) -> ScreenedSuggestion:
        """Remove a batch and return its candidate that is to be trained, given the proxies of all its candidates."""
        batch = self.batches.pop(number)
        i = kept(rows, batch.votes, self.screen.keep)[0]
        proxies = {name: value for name, value in (rows[i] or {}).items() if math.isfinite(value)}
        return ScreenedSuggestion(batch.candidates[i].suggestion, proxies, seconds * batch.share)

    def unmeasured(self, number: int) -> tuple[list[None], float]:
        """Return what is known of a batch whose worker died: no proxies, and the seconds since the batch was made."""
        batch = self.batches[number]
        return [None] * len(batch.candidates), running_seconds() - batch.began


def is_evidence(record: Record, goal: Objective) -> bool:
    """Whether a trial shows how well its proxies predicted: it was screened, and trained at least to a rung."""
    return record.proxies is not None and goal.name in record.metrics and record.reused is None


def evidence(records: Iterable[Record], goal: Objective) -> list[Evidence]:
    """Return the proxies of trained networks with their ranks; a trial that was trained further ranks better."""
    known = [(record.proxies or {}, reached(record, goal)) for record in records if is_evidence(record, goal)]
    places = {cost: place for place, cost in enumerate(sorted({cost for _, cost in known}))}
    return [Evidence(row, float(places[cost])) for row, cost in known]


def reached(record: Record, goal: Objective) -> tuple[float, float]:
    """Return a sort key of a trained network, lower is better: whole trials first, then by epochs, then by goal."""
    is_whole = record.outcome in ("done", "cut")
    return (-math.inf if is_whole else -float(record.epochs or 0), goal.cost(record.metrics[goal.name]))


def summary(records: Sequence[Record], objectives: Sequence[Objective]) -> str | None:
    """Return one line with the rank correlation of each proxy, None where nothing was screened."""
    goal = learnt(objectives)
    known = evidence(records, goal)
    if not known:
        return None
    voting = trusted(known)
    listed = ", ".join(
        f"{name} {found:+.2f}" + ("" if name in voting else " (no vote)")
        for name, found in correlations(known).items()
    )
    return f"rank correlation of proxies with {goal.name} over {len(known)} trials: {listed}"
