"""The finalists: the networks that the finale retrains, the first of which it cannot do without."""

from __future__ import annotations

from collections.abc import Sequence

from search.objective import Objective, is_perfect
from search.results.choice import size
from search.results.ranking import as_found
from search.run.context import Context
from search.storage.record import Record

APART = 2.0  # least ratio of the params of two finalists in turn that are perfect


def by_results(run: Context, top: int) -> list[Record]:
    """Return the networks of the best results, and the best reference beside them."""
    found = as_found(run.store.records(), run.config.objectives)
    return _beside_a_reference(smallest_of_perfect(found, run.config.objectives) or found, top)


def by_means(run: Context, top: int) -> list[Record]:
    """Return the network of the best result, those of the best mean by a model, and the best reference beside them.

    Nothing is handed out before the network of the best result was retrained. A result is partly luck, and the best of
    many results is mostly luck; so the others are those of the lowest mean cost by a Gaussian process, which weighs the
    result of a network by those of networks like it. Where several networks have a perfect result, they are small ones
    of these: no mean can be better, and the finale finds out whether they are as good with other seeds. Where
    the study has several objectives, or no model can be fitted, they are those of the best results.
    """
    objectives = run.config.objectives
    found = as_found(run.store.records(), objectives)
    if len(objectives) == 1:
        found = smallest_of_perfect(found, objectives) or _by_mean(run, found)
    return _beside_a_reference(found, top)


def smallest_of_perfect(found: Sequence[Record], objectives: Sequence[Objective]) -> list[Record]:
    """Return the networks with the first of them first, the smallest of the perfect ones next; none of fewer than two.

    Of many networks the smallest perfect one is perfect by luck: each next one is `APART` times as large, then come the
    others. found: the best result first.
    """
    perfect = [record for record in found if is_perfect(record.values, objectives)]
    if len(perfect) < 2:
        return []
    apart, near, last = list[Record](), list[Record](), 0.0
    for record in sorted(perfect[1:], key=size):
        params = size(record)[0]
        (apart if params >= APART * last else near).append(record)
        last = apart[-1].params or 0.0
    return [perfect[0], *apart, *near, *found[len(perfect) :]]


def _beside_a_reference(ranked: Sequence[Record], top: int) -> list[Record]:
    best = list(ranked[:top])
    references = [] if any(r.is_reference for r in best) else [r for r in ranked if r.is_reference]
    return best + references[:1]


def _by_mean(run: Context, found: Sequence[Record]) -> list[Record]:
    """Return the networks with the first of them first, the others by the mean of a model, lowest cost first."""
    from search.samplers.surrogate.errors import FitError
    from search.samplers.surrogate.experience import named
    from search.samplers.surrogate.model import Surrogate  # loads SciPy

    try:
        model = Surrogate(run.config.space, run.config.seed, named(run.config.experience))
        means = model.means(run.history.individuals())
    except FitError:
        return list(found)
    last = max(means.values())
    return [*found[:1], *sorted(found[1:], key=lambda r: means.get(r.number, last))]
