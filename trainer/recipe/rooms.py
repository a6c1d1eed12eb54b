"""The batches in which `muon` makes steps orthogonal, and their memory. Importing this file loads no torch."""

from __future__ import annotations

from collections.abc import Sequence

SMALL = 4096  # elements up to which a matrix is padded: the time of a small one is that of launching its operations


def room(rows: int, columns: int) -> tuple[int, int]:
    """Return the sides of the batch for a matrix, which lies in it on its longer side; a small one is padded."""
    short, long = sorted((rows, columns))
    if rows * columns > SMALL:
        return short, long
    return 1 << (short - 1).bit_length(), 1 << (long - 1).bit_length()


def numbers_of_update(matrices: Sequence[tuple[int, int]]) -> int:
    """Return the peak of the numbers of an update of matrices (rows, columns), beside gradients and momenta."""
    steps = sum(rows * columns for rows, columns in matrices)
    counts: dict[tuple[int, int], list[int]] = {}
    for one in matrices:
        counts.setdefault(room(*one), []).append(one[0] * one[1])
    made = before = peak = 0
    for (short, long), sizes in counts.items():
        padded = len(sizes) * short * long
        # the padded matrices, the orthogonal ones of this round and the next, and two products of each with itself
        peak = max(peak, made + before + 3 * padded + 2 * len(sizes) * short * short)
        made, before = made + sum(sizes), 2 * padded
    return max(steps + peak, 2 * steps)  # at the end every orthogonal step, and the same times the rate
