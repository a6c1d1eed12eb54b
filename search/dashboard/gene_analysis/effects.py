"""The effect of an answer or a node type: how often a network with it is better than one without it.

The probability of superiority, that is the area under the ROC curve of Mann and Whitney, does not depend on the scale
of the score. Its 95 % interval is that of Hanley and McNeil (Radiology 143, 1982). A search tries good answers more
often and together with other good ones: an effect is what was observed, and no proof of a cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from genome.domain import Domain
from search.dashboard.gene_analysis.answer_kinds import labels

if TYPE_CHECKING:
    import numpy as np

LEAST = 5  # fully trained networks with it, and as many without it, for an effect
Z = 1.96  # of a 95 % interval


class Superiority(NamedTuple):
    """The probability that one of some values is above one of others, ties counted half, with its 95 % interval."""

    value: float
    low: float
    high: float


class Share(NamedTuple):
    """A number of trials of all that there are."""

    part: int
    whole: int


class Effect(NamedTuple):
    """The networks with an answer or a node type against those without it."""

    name: str  # of the gene, or "node type"
    answer: str
    trials: int  # fully trained networks with it
    others: int  # and without it
    better: Superiority  # that a network with it is better than one without
    pruned: Share  # of all trained networks with it
    pruned_others: Share  # of those without it

    @property
    def is_clear(self) -> bool:
        """Whether the interval does not hold one half, at which it makes no difference."""
        return not self.better.low <= 0.5 <= self.better.high


def superiority(ones: np.ndarray, others: np.ndarray) -> Superiority:
    """Return how often a value of `ones` (n,) is above one of `others` (m,), both finite and not empty."""
    import numpy as np

    ranks = _ranks(np.concatenate([ones, others]))
    return _of_ranks(float(ranks[: len(ones)].sum()), len(ones), len(others))


def _ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of values from 1, the mean rank for equal ones."""
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (counts.cumsum() - (counts - 1) / 2)[place]
    return ranks


def _of_ranks(ranks: float, n: int, m: int) -> Superiority:
    """The same from the sum of the ranks of the n values among all n + m."""
    area = (ranks - n * (n + 1) / 2) / (n * m)
    # drawn a little to one half, so that a perfect separation of few values has an interval too
    a = (area * n * m + 0.5) / (n * m + 1)
    first, second = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n - 1) * (first - a * a) + (m - 1) * (second - a * a)) / (n * m)
    room = Z * math.sqrt(max(variance, 0.0))
    return Superiority(area, max(min(a - room, area), 0.0), min(max(a + room, area), 1.0))


def effects(
    holes: dict[str, Domain],
    codes: np.ndarray,
    ops: Sequence[frozenset[str]],
    costs: np.ndarray,
    pruned: np.ndarray,
) -> list[Effect]:
    """Return the effect of each answer and node type that enough networks have and lack, the clearest first.

    codes: (trials, holes), kinds of answers from 1, or 0 where a genome does not have the hole.  ops: the node types
    of each trial.  costs: (trials,), the learnt value as a number of which lower is better, nan for trials that were
    not trained to their end.  pruned: (trials,), bool.
    """
    import numpy as np

    whole = np.isfinite(costs)
    ranks = np.zeros(len(costs))
    ranks[whole] = _ranks(-costs[whole])  # once: with and without an answer are all networks
    found, known = list[Effect](), set[bytes]()
    for name, answer, has in (*_answers(holes, codes), *_types(ops)):
        # the same networks say the same: the gene of an answer is told, and not the genes below it
        if (key := has.tobytes()) not in known and (
            effect := _effect(name, answer, has, whole, ranks, pruned)
        ):
            found.append(effect)
        known.add(key)
    return sorted(found, key=_doubt)


def _doubt(effect: Effect) -> tuple[float, float]:
    """How near to one half the interval comes: the clearest effect is first."""
    better = effect.better
    nearest = max(better.low - 0.5, 0.5 - better.high)
    return -nearest, -abs(better.value - 0.5)


def _answers(holes: dict[str, Domain], codes: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Each kind of answer; of two kinds that all networks choose between, one says all."""
    for place, (name, domain) in enumerate(holes.items()):
        column = codes[:, place]
        given = [(i, answer) for i, answer in enumerate(labels(domain), start=1) if (column == i).any()]
        for i, answer in given[:1] if len(given) == 2 and (column > 0).all() else given:
            yield name, answer, column == i


def _types(ops: Sequence[frozenset[str]]) -> Iterator[tuple[str, str, np.ndarray]]:
    import numpy as np

    for op in sorted(frozenset[str]().union(*ops)):
        yield "node type", op, np.array([op in one for one in ops], dtype=bool)


def _effect(
    name: str, answer: str, has: np.ndarray, whole: np.ndarray, ranks: np.ndarray, pruned: np.ndarray
) -> Effect | None:
    with_it = has & whole
    n = int(with_it.sum())
    m = int(whole.sum()) - n
    if min(n, m) < LEAST:
        return None
    return Effect(
        name,
        answer,
        n,
        m,
        _of_ranks(float(ranks[with_it].sum()), n, m),
        Share(int(pruned[has].sum()), int(has.sum())),
        Share(int(pruned[~has].sum()), int((~has).sum())),
    )
