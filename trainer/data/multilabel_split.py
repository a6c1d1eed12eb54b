"""The split of multi-label data: about the same share of every label on every side.

Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (ECML PKDD 2011): the images of the rarest
label that is left are given to the side that lacks it most, one after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.data.raw import Array, Labels, Part
from trainer.errors import DataError

TRIES = 20  # orders of the images, of which the first that leaves every label on both sides is taken


def divide_labels(part: Part, share: float, seed: int, names: Sequence[str]) -> tuple[Labels, Labels]:
    """Draw about `share` of the images of each label, in whole groups where there are groups; (rest, drawn), sorted.

    Raises DataError where a label would have no image on one side.
    """
    side = label_sides(part, (1 - share, share), seed, names)
    return np.flatnonzero(side == 0), np.flatnonzero(side == 1)


def label_sides(part: Part, shares: Sequence[float], seed: int, names: Sequence[str]) -> Labels:
    """Return the side of each image, 0.., that get about these shares of the images of each label.

    Raises DataError where a label would have no image on one side.
    """
    groups = np.arange(len(part)) if part.groups is None else np.unique(part.groups, return_inverse=True)[1]
    counts = np.zeros((int(groups.max()) + 1, part.y.shape[1] + 1), dtype=np.int64)
    np.add.at(counts, groups, np.column_stack([part.y, np.ones(len(part), dtype=np.int64)]))
    lacking = 0
    for turn in range(TRIES):
        # RandomState, because NumPy guarantees its stream (NEP 19) and the split must never change.
        side = _dealt(counts, shares, np.random.RandomState(seed + 1000 * turn))[groups]
        found = np.stack([counts_of.sum(0) for counts_of in (part.y[side == k] for k in range(len(shares)))])
        if (found > 0).all():
            return side
        lacking = int(found.min(0).argmin())
    kind = "images" if part.groups is None else part.grouped
    raise DataError(
        f"label {names[lacking]} stands in too few {kind} to be in every split; give "
        "splits of your own, or leave the label out"
    )


def _dealt(counts: Array, shares: Sequence[float], stream: np.random.RandomState) -> Labels:
    """Return the side of each group, (M,).

    counts: of the images of each group, those of each label, and in the last column all (M, K + 1).
    """
    whole = counts.sum(0)
    # at least one image of each label on each side, where there are as many
    lack = np.stack([np.maximum(share * whole, np.minimum(1, whole // len(shares))) for share in shares])
    order = stream.permutation(len(counts))
    is_left, side = np.ones(len(counts), dtype=bool), np.zeros(len(counts), dtype=np.int64)
    while is_left.any():
        left = counts[is_left].sum(0)
        label = int(np.where(left[:-1] > 0, left[:-1], left[-1] + 1).argmin()) if left[:-1].any() else -1
        for place in order[is_left[order] & (counts[order, label] > 0)]:
            side[place] = _neediest(lack, label, stream)
            lack[side[place]] -= counts[place]
            is_left[place] = False
    return side


def _neediest(lack: Array, label: int, stream: np.random.RandomState) -> int:
    """Return the side that lacks the label most, of those the one that lacks most images, of those any."""
    found = np.flatnonzero(lack[:, label] == lack[:, label].max())
    found = found[lack[found, -1] == lack[found, -1].max()]
    return int(found[0] if len(found) == 1 else found[stream.randint(len(found))])
