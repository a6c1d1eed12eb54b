"""Statistics of the genes over the trials of a study: the answers at each hole and how good their networks were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from genome.domain import Domain
from search.dashboard.gene_analysis.answer_kinds import labels
from search.dashboard.gene_analysis.importance import Importance
from search.dashboard.studies.snapshot import Snapshot
from search.dashboard.studies.trained_points import WHOLE
from search.dashboard.studies.trial_view import TrialView
from search.proposals.screening import evidence, reached
from search.samplers.proxy_vote import correlations, trusted

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

TOP = 4  # the best quarter of the trials are the top
SPREAD = (0.1, 0.25, 0.5, 0.75, 0.9)  # shares of the quantiles


class Quantiles(NamedTuple):
    """The distribution of a value over trials."""

    trials: int
    low: float  # 10 %
    lower: float  # 25 %
    median: float
    upper: float  # 75 %
    high: float  # 90 %


class AnswerCount(NamedTuple):
    """The trials that gave one kind of answer."""

    answer: str  # name of the kind
    trials: int
    top: int  # trials among the best
    box: Quantiles | None  # of the learnt value, over the trials that were trained to their end


class GeneStatistics(NamedTuple):
    """The answers to one hole of the space."""

    name: str
    domain: str  # the possible values, in words
    importance: float | None  # share in the importance of all genes; None where it is unknown
    asked: int  # trials whose genome has the hole
    asked_top: int  # of the best trials
    answers: Sequence[AnswerCount]


class NodeTypeCount(NamedTuple):
    """The number of networks that have a node type."""

    op: str
    trials: int
    top: int  # among the best


class ProxyStatistics(NamedTuple):
    """A proxy and its rank correlation with the trained result."""

    name: str
    correlation: float
    votes: bool  # whether the proxy takes part in the choice of networks


def trained(snapshot: Snapshot) -> list[TrialView]:
    """Return the trials that were trained at least to the first rung, each network once, the best first."""
    goal = snapshot.goal
    known = [
        trial
        for trial in snapshot.trials
        if goal.name in trial.record.metrics and trial.record.reused is None
    ]
    return sorted(known, key=lambda trial: (reached(trial.record, goal), trial.record.number))


def top(trials: Sequence[T]) -> Sequence[T]:
    """Return the best quarter of ordered trials, at least one where there are any."""
    return trials[: -(-len(trials) // TOP)]


def node_types(ordered: Sequence[TrialView]) -> list[NodeTypeCount]:
    """Return every node type; those that the best networks have more often than all networks come first."""
    best = top(ordered)
    every = Counter(op for trial in ordered for op in trial.ops)
    among = Counter(op for trial in best for op in trial.ops)
    found = [NodeTypeCount(op, every[op], among[op]) for op in sorted(every)]
    return sorted(found, key=lambda one: one.trials / len(ordered) - one.top / len(best))


def proxies(snapshot: Snapshot) -> list[ProxyStatistics]:
    """Return the rank correlation of each proxy; empty in a study without screening."""
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
    """Return the answers to each hole, the most important hole first.

    `codes` is (trials, holes): kinds of answers from 1, or 0 where the genome does not have the hole. `values` is
    (trials,): the learnt value, nan for trials that were not trained to their end. `is_top` is (trials,).
    """
    shares: Sequence[float | None] = weighed.shares if weighed else [None] * len(holes)
    found = [
        _gene(name, domain, share, codes[:, i], values, is_top)
        for i, ((name, domain), share) in enumerate(zip(holes.items(), shares, strict=True))
    ]
    return sorted(found, key=lambda gene: -(gene.importance or 0.0))


def learnt_values(snapshot: Snapshot, ordered: Sequence[TrialView]) -> list[float]:
    """Return the learnt values of the trials that were trained to their end, nan for the others."""
    nan = float("nan")
    name = snapshot.goal.name
    return [trial.record.metrics[name] if trial.outcome in WHOLE else nan for trial in ordered]


def quantiles(values: np.ndarray) -> Quantiles | None:
    """Return the quantiles of the finite values, None where there are none."""
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
