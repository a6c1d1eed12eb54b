"""A table of what every exit says of labelled images, and the order of thresholds by accuracy and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from genome.exits.scores import SCORES, Numbers, scores

Levels: TypeAlias = tuple[
    float, ...
]  # one for each exit but the last: an image leaves whose certainty is above it


class Table(NamedTuple):
    """What each of N exits says of n images."""

    certainty: Numbers  # (N - 1, n): the more certain leave first; -inf where an image may not leave
    hits: NDArray[np.bool_]  # (N, n): whether the exit names the right class
    costs: Numbers  # (N,): what an image costs that leaves at the exit, such as multiply-adds


class Trade(NamedTuple):
    """What levels come to on the images of a table."""

    cost: float  # mean over the images
    hits: int  # images of which the exit that they take names the right class
    levels: Levels


def table_of(
    word: str,
    logits: Sequence[NDArray[Any]],
    labels: NDArray[np.int64],
    costs: Sequence[float],
    temperatures: Sequence[float] = (),
) -> Table:
    """The table of a score. logits: (n, classes) of each exit.  labels: (n,).  costs: of an image by its exit."""
    scales = temperatures or (1.0,) * len(logits)
    certainty = np.stack(
        [SCORES[word].sign * scores(word, *one) for one in zip(logits[:-1], scales, strict=False)]
    )
    certainty[np.isnan(certainty)] = -np.inf
    hits = np.stack([one.argmax(1) == labels for one in logits])
    return Table(certainty, hits, np.array(costs, float))


def midpoints(certainty: Numbers, most: int) -> Numbers:
    """Levels of one exit, in the middle between neighbouring certainties: all, or `most` that divide the images evenly.

    In the middle, so that the rounding of another batch size decides nothing.
    """
    ranked = np.sort(certainty[np.isfinite(certainty)])
    if len(np.unique(ranked)) - 1 <= most:
        ranked = np.unique(ranked)
        return (ranked[1:] + ranked[:-1]) / 2
    places = np.unique(np.linspace(1, len(ranked) - 1, most).round().astype(int))
    return np.unique((ranked[places - 1] + ranked[places]) / 2)


def traded(table: Table, levels: Levels) -> Trade:
    """What levels come to."""
    taken = taken_exits(table, levels)
    hits = table.hits[taken, np.arange(len(taken))]
    return Trade(float(table.costs[taken].mean()), int(np.count_nonzero(hits)), levels)


def taken_exits(table: Table, levels: Levels) -> NDArray[np.int64]:
    """The exit that each image takes. -> (n,)"""
    leaves = table.certainty > np.array(levels)[:, None]
    return np.where(leaves.any(0), leaves.argmax(0), len(levels))


def unbeaten(trades: Sequence[Trade]) -> list[Trade]:
    """The trades that no other beats in cost and hits, the cheapest first."""
    found: list[Trade] = []
    for one in sorted(trades, key=lambda t: (t.cost, -t.hits)):
        if not found or one.hits > found[-1].hits:
            found.append(one)
    return found
