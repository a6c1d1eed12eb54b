"""How much of an image's masked maps is made at once, so that it stays in a core's cache."""

from __future__ import annotations

from genome.op import Shape

ROOM = 1 << 18  # numbers in a buffer, for each thread: 1 MiB of float32
COLUMNS = 128  # pixels that make a matrix product worth its call


def rows_at_once(maps: Shape, room: int) -> int:
    """How many rows of one image's maps are made at once, where `room` numbers are to be had."""
    line = maps.channels * maps.width
    return min(maps.height, max(room // line, -(-COLUMNS // maps.width)))
