"""What the search learned of its genes: which answers its trials gave, and how good those networks were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from genome.domain import Domain
from search.dashboard.gene_analysis.answer_kinds import labels
from search.dashboard.gene_analysis.importance import Importance
from search.dashboard.studies.snapshot import WHOLE, Snapshot
from search.dashboard.studies.trial_view import TrialView
from search.proposals.screening import evidence, reached
from search.samplers.proxy_vote import correlations, trusted

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

TOP = 4  # the best one of so many trials are the top
SPREAD = (0.1, 0.25, 0.5, 0.75, 0.9)  # quantiles of a box


class Quantiles(NamedTuple):
    """The spread of a number over trials: quantiles of 10, 25, 50, 75 and 90 %."""

    trials: int
    low: float
    lower: float
    median: float
    upper: float
    high: float


class AnswerCount(NamedTuple):
    """One kind of answer: how many trials gave it, how many of the top did, and how good the whole trials were."""

    answer: str
    trials: int
    top: int
    quantiles: Quantiles | None


class GeneStatistics(NamedTuple):
    """A hole of the space. `importance` is its share in what the genes tell, None where that is not known."""

    name: str
    domain: str
    importance: float | None
    asked: int
    asked_top: int
    answers: Sequence[AnswerCount]


class NodeTypeCount(NamedTuple):
    """How many networks have a node type, of all and of the top."""

    op: str
    trials: int
    top: int


class ProxyStatistics(NamedTuple):
    """The rank correlation of a proxy with what training found, and whether it has a vote."""

    name: str
    correlation: float
    votes: bool


def trained(snapshot: Snapshot) -> list[TrialView]:
    """Return the trials that were trained at least to a rung, each network once, the best first."""
    goal = snapshot.goal
    known = [one for one in snapshot.trials if goal.name in one.record.metrics and one.record.reused is None]
    return sorted(known, key=lambda one: (reached(one.record, goal), one.record.number))


def top(trials: Sequence[T]) -> Sequence[T]:
    """Return the best quarter of trials that stand in order, at least one where there are any."""
    return trials[: -(-len(trials) // TOP)]


def node_types(ordered: Sequence[TrialView]) -> list[NodeTypeCount]:
    """Return every node type, first what the top has more often than all have."""
    best = top(ordered)
    every = Counter(op for one in ordered for op in one.ops)
    among = Counter(op for one in best for op in one.ops)
    found = [NodeTypeCount(op, every[op], among[op]) for op in sorted(every)]
    return sorted(found, key=lambda one: one.trials / len(ordered) - one.top / len(best))


def proxies(snapshot: Snapshot) -> list[ProxyStatistics]:
    """Return what each proxy has been worth; nothing where nothing was screened."""
    known = evidence(snapshot.records, snapshot.goal)
    voting = trusted(known)
    return [ProxyStatistics(name, found, name in voting) for name, found in correlations(known).items()]


def genes(
    holes: dict[str, Domain],
    codes: np.ndarray,
    values: np.ndarray,
    is_top: np.ndarray,
    weighed: Importance | None,
) -> list[GeneStatistics]:
    """Return what each hole was answered, the most important first.

    codes: (trials, holes), kinds of answers from 1, 0 where not asked.  values: (trials,), what was learnt, nan for
    trials that were not trained to their end.  is_top: (trials,).
    """
    shares: Sequence[float | None] = weighed.shares if weighed else [None] * len(holes)
    found = [
        _gene(name, domain, share, codes[:, i], values, is_top)
        for i, ((name, domain), share) in enumerate(zip(holes.items(), shares, strict=True))
    ]
    return sorted(found, key=lambda one: -(one.importance or 0.0))


def learnt_values(snapshot: Snapshot, ordered: Sequence[TrialView]) -> list[float]:
    """Return what whole trials learnt, nan for the others."""
    nan = float("nan")
    name = snapshot.goal.name
    return [one.record.metrics[name] if one.outcome in WHOLE else nan for one in ordered]


def quantiles(values: np.ndarray) -> Quantiles | None:
    """Return the spread of what is finite, None where nothing is."""
    import numpy as np

    known = values[np.isfinite(values)]
    if not len(known):
        return None
    return Quantiles(len(known), *(float(at) for at in np.quantile(known, SPREAD)))


def _gene(
    name: str,
    domain: Domain,
    share: float | None,
    codes: np.ndarray,
    values: np.ndarray,
    is_top: np.ndarray,
) -> GeneStatistics:
    answers = []
    for i, answer in enumerate(labels(domain)):
        gave = codes == i + 1
        answers.append(
            AnswerCount(answer, int(gave.sum()), int((gave & is_top).sum()), quantiles(values[gave]))
        )
    asked = codes > 0
    return GeneStatistics(name, str(domain), share, int(asked.sum()), int((asked & is_top).sum()), answers)
