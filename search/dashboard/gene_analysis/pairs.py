"""Pairs of genes as a heat map: what networks reach with each two answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from genome.domain import Domain
from search.dashboard.gene_analysis.answer_kinds import labels

if TYPE_CHECKING:
    import numpy as np

SHADES = 5


class PairCell(NamedTuple):
    """The networks with two answers."""

    trials: int  # fully trained
    pruned: int
    median: float | None  # of the learnt value
    shade: int  # of the median among all cells, from 0 (the worst, or unknown) to SHADES (the best)


class PairMap(NamedTuple):
    """The heat map of two genes."""

    across: str
    up: str
    columns: Sequence[str]  # answers of `across`
    rows: Sequence[tuple[str, Sequence[PairCell]]]  # answers of `up` with the cells of their row


def pair_map(
    holes: dict[str, Domain],
    codes: np.ndarray,
    values: np.ndarray,
    pruned: np.ndarray,
    names: tuple[str, str],
    higher: bool,
) -> PairMap:
    """Return the heat map of two holes. values, pruned: as `effects` takes them; higher: whether more is better."""
    import numpy as np

    places = [list(holes).index(name) for name in names]
    first, second = (codes[:, place] for place in places)
    columns, rows = (
        [(i, word) for i, word in enumerate(labels(holes[name]), start=1) if (codes[:, place] == i).any()]
        for name, place in zip(names, places, strict=True)
    )
    known = np.isfinite(values)

    def cell(i: int, j: int) -> tuple[int, int, float | None]:
        here = (first == i) & (second == j)
        found = values[here & known]
        return len(found), int((here & pruned).sum()), float(np.median(found)) if len(found) else None

    cells = [[cell(i, j) for i, _ in columns] for j, _ in rows]
    order = sorted(
        {median for row in cells for _, _, median in row if median is not None}, reverse=not higher
    )

    def shade(median: float | None) -> int:
        return 0 if median is None else -(-SHADES * (order.index(median) + 1) // len(order))

    return PairMap(
        names[0],
        names[1],
        [word for _, word in columns],
        [
            (word, [PairCell(*one, shade(one[2])) for one in row])
            for (_, word), row in zip(rows, cells, strict=True)
        ],
    )
