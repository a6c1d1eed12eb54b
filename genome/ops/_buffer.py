"""The size of the buffer of `perturb`: as many rows of masked maps at a time as stay in a core's cache."""

from __future__ import annotations

from genome.op import Shape

BUFFER = 1 << 18  # numbers in a buffer, for each thread: 1 MiB of float32
COLUMNS = 128  # pixels below which a matrix product is not worth a call


def rows_at_once(maps: Shape, numbers: int) -> int:
    """The rows of one image's maps that are made at once in a buffer of `numbers` numbers."""
    line = maps.channels * maps.width
    return min(maps.height, max(numbers // line, -(-COLUMNS // maps.width)))
