"""What convolution-like node types share: their common genes, integer shapes, and the cost of a chain of parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from genome.domain import Either, Int, OneOf

SAME = "same"
PADDING = Either(OneOf(SAME), Int(0, 64))
NORM = OneOf("batch", "group")
ACTIVATION = OneOf("relu", "relu6", "leaky-relu", "silu", "gelu")
NONE = "none"
NORM_OR_NONE = OneOf(NONE, *NORM.choices)
ACTIVATION_OR_NONE = OneOf(NONE, *ACTIVATION.choices)

_KEEPS_RESULT = frozenset({"relu"})  # torch keeps what relu gives; the others keep what they take


def window(size: int, kernel: int, stride: int, dilation: int, padding: int | str) -> int:
    """Output pixels along one axis; `same` gives ceil(size / stride). Below 1: the window does not fit."""
    if padding == SAME:
        return -(-size // stride)
    assert isinstance(padding, int)
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


class Chain(NamedTuple):
    """What a chain of parts keeps in memory, in numbers per image; see `Cost` for the fields."""

    saved: int
    scratch: int
    reads: bool
    keeps: bool


def chain(parts: Iterable[tuple[str, int]], size: int) -> Chain:
    """Follow one image through a chain of parts and count what backward keeps.

    `parts` are (kind, numbers in its output) with kind `conv`, `norm`, `pool` or the name of an activation;
    `size` is how many numbers the chain's input holds. A convolution, a norm and a pool keep what they take.
    """
    sizes, kept = [size], [False]
    for kind, out in parts:
        if kind in _KEEPS_RESULT:
            sizes.append(out)
            kept.append(True)
        else:
            kept[-1] = True
            sizes.append(out)
            kept.append(False)
    if len(sizes) == 1:
        return Chain(0, 0, False, False)
    inner = sum(n for n, k in zip(sizes[1:-1], kept[1:-1], strict=True) if k)
    pairs = [a + b for a, b in itertools.pairwise(sizes)]
    return Chain(inner, max(0, max(pairs, default=0) - sizes[-1]), kept[0], kept[-1])
