"""What convolution-like node types share: their common genes, integer shapes, and the cost of a chain of parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from genome.domain import Either, Float, Int, OneOf
from genome.op import Shape

SAME = "same"
PADDING = Either(OneOf(SAME), Int(0, 64))
NORM = OneOf("batch", "plain", "group")  # plain: batch norm without scale and shift, as Caffe's
NORM_TRIED = OneOf("batch", "group")
EPS = Float(1e-9, 0.1)  # what a norm adds to the variance
EPS_TRIED = OneOf(1e-5)
RATE = Float(0.0, 0.95)  # of dropout and drop-path: the share that is dropped
RATE_TRIED = OneOf(0.0, 0.15)
ACTIVATION = OneOf("relu", "relu6", "leaky-relu", "silu", "gelu")
NONE = "none"
NORM_OR_NONE = OneOf(NONE, *NORM.choices)
NORM_OR_NONE_TRIED = OneOf(NONE, *NORM_TRIED.choices)
ACTIVATION_OR_NONE = OneOf(NONE, *ACTIVATION.choices)

_KEEPS_RESULT = frozenset({"relu"})  # torch keeps what relu gives; the others keep what they take
_KEEPS_NOTHING = frozenset({"cat", "sum", "pad"})


def scales(norm: str, channels: int) -> int:
    """Learned numbers of a norm: a scale and a shift per channel, where it has them."""
    return 0 if norm in (NONE, "plain") else 2 * channels


def bordered(ins: Sequence[Shape], kernel: int, dilation: int, padding: int | str) -> int:
    """Numbers in the copies with a border of one pixel that `same` needs for an even window; 0 without."""
    if padding != SAME or dilation * (kernel - 1) % 2 == 0:
        return 0
    return sum(i.channels * (i.height + 1) * (i.width + 1) for i in ins)


def window(size: int, kernel: int, stride: int, dilation: int, padding: int | str) -> int:
    """Output pixels along one axis; `same` gives ceil(size / stride). Below 1: the window does not fit."""
    if padding == SAME:
        return -(-size // stride)
    assert isinstance(padding, int)
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


class Chain(NamedTuple):
    """What a chain of parts keeps in memory; see `Cost` for the fields. A chain changes size once, so numbers
    are counted in images of its input's size (`before`) and of its output's size (`after`)."""

    before: int  # images of the input's size, made in the chain, that backward keeps
    after: int  # images of the output's size, the output itself apart
    reads: bool
    keeps: bool
    pairs: tuple[tuple[int, int], ...]  # (before, after) of every two neighbours that are alive together

    def saved(self, size: int, out: int) -> int:
        """Numbers per image made in the chain and kept for backward."""
        return self.before * size + self.after * out

    def scratch(self, size: int, out: int) -> int:
        """Numbers per image that live beside input and output, at most."""
        return max([0, *(b * size + a * out - out for b, a in self.pairs)])


def in_place(part: str, before: str) -> bool:
    """Whether a part overwrites what the one before it made: what a convolution or a norm gives, nothing keeps."""
    return part == "relu" and before in ("conv", "norm", "dropout")


@cache
def chain(*parts: str) -> Chain:
    """Follow one image through a chain of parts and count what backward keeps.

    `parts` are `conv`, `norm`, `cat`, `sum`, `pad` or the name of an activation; the size changes at the first `conv`
    (from the start where there is none). Convolutions, norms and most activations keep what they take; ReLU
    keeps what it gives; the padded copy that a convolution keeps has a size of its own (see `bordered`).
    """
    at = parts.index("conv") if "conv" in parts else -1
    late = [i > at for i in range(len(parts) + 1)]  # tensor i stands before part i; the last is the output
    kept = [False] * (len(parts) + 1)
    for i, part in enumerate(parts):
        if part not in _KEEPS_NOTHING and "pad" not in parts[i - 1 : i]:
            kept[i + 1 if part in _KEEPS_RESULT else i] = True
    inner = range(1, len(parts))
    pairs = [
        (int(not late[i]) + int(not late[i + 1]), int(late[i]) + int(late[i + 1]))
        for i in inner
        if not in_place(parts[i], parts[i - 1])
    ]
    if "pad" in parts[1:]:
        pairs.append((2, 1))  # what was padded, its copy and the convolution's output
    before = sum(kept[i] and not late[i] for i in inner)
    after = sum(kept[i] and late[i] for i in inner)
    return Chain(before, after, kept[0], kept[-1], tuple(pairs))
