"""Integer arithmetic that convolution-like node types share: output sizes, parameters, activation memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from genome.axes import Both, axes, extents
from genome.common_genes import NONE, SAME
from genome.cost import Layer, Shape

SAVES_OUTPUT = frozenset(
    {"relu", "sigmoid"}
)  # autograd saves the output of these, of others the input or nothing
_SAVES_NOTHING = frozenset({"cat", "sum", "pad"})


def norm_params(norm: str, channels: int) -> int:
    """The parameters of a norm: a scale and a shift per channel, unless it is `none` or `plain`."""
    return 0 if norm in (NONE, "plain") else 2 * channels


def padded_numbers(ins: Sequence[Shape], kernel: Both, dilation: Both, padding: int | str) -> int:
    """The numbers in the copies with one more row or column that an even window needs under `same`; 0 if none."""
    return sum(made.size for i in ins if (made := bordered(i, kernel, dilation, padding)))


def output_shape(
    source: Shape, width: int, kernel: Both, stride: Both, dilation: Both, padding: int | str
) -> Shape:
    """The output of a window; its sizes are those of `output_size`."""
    places = zip(source[1:], axes(kernel), axes(stride), axes(dilation), strict=True)
    return Shape(width, *(output_size(*place, padding) for place in places))


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: int | str) -> int:
    """The output pixels along one axis: ceil(size / stride) under `same`; below 1 if the window does not fit."""
    if padding == SAME:
        return -(-size // stride)
    assert isinstance(padding, int)
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


class Chain(NamedTuple):
    """The activation memory of layers in a row.

    A chain changes the image size at most once. Numbers are therefore counted in maps of the input's size
    (before) and maps of the output's size (after).
    """

    before: int  # maps of the input's size that the chain makes and autograd saves
    after: int  # maps of the output's size that autograd saves, without the output itself
    reads: bool  # as `Cost.reads`
    keeps: bool  # as `Cost.keeps`
    pairs: tuple[tuple[int, int], ...]  # (before, after) of every two adjacent maps that are alive together

    def saved(self, size: int, out: int) -> int:
        """The numbers per image that the chain makes and autograd saves."""
        return self.before * size + self.after * out

    def scratch(self, size: int, out: int) -> int:
        """The peak of the numbers per image that are alive beside input and output."""
        return max([0, *(b * size + a * out - out for b, a in self.pairs)])


def in_place(layer: str, previous: str) -> bool:
    """Whether a layer overwrites its input; autograd does not save what convolutions, norms and dropout give."""
    return layer == "relu" and previous in ("conv", "norm", "dropout", "sum")


@cache
def chain(*layers: str) -> Chain:
    """The activation memory of these layers in a row.

    `layers` are `conv`, `norm`, `cat`, `sum`, `pad` or the word of an activation. The image size changes at the
    first `conv`, or at the start if there is none. Autograd saves the input of convolutions, norms and most
    activations, but the output of ReLU and sigmoid. The padded copy that a convolution saves has a size of its own
    and is counted by `padded_numbers`.
    """
    at = layers.index("conv") if "conv" in layers else -1
    late = [i > at for i in range(len(layers) + 1)]  # tensor i stands before layer i; the last is the output
    kept = [False] * (len(layers) + 1)
    for i, layer in enumerate(layers):
        if layer not in _SAVES_NOTHING and "pad" not in layers[i - 1 : i]:
            kept[i + 1 if layer in SAVES_OUTPUT else i] = True
    inner = range(1, len(layers))
    pairs = [
        (int(not late[i]) + int(not late[i + 1]), int(late[i]) + int(late[i + 1]))
        for i in inner
        if not in_place(layers[i], layers[i - 1])
    ]
    if "pad" in layers[1:]:
        pairs.append((2, 1))  # the map before padding, its padded copy and the convolution's output
    before = sum(kept[i] and not late[i] for i in inner)
    after = sum(kept[i] and late[i] for i in inner)
    return Chain(before, after, kept[0], kept[-1], tuple(pairs))


def row(
    kinds: Sequence[str],
    source: Shape,
    out: Shape,
    weights: int,
    norm: str = NONE,
    padded: Shape | None = None,
    groups: int = 1,
) -> tuple[Layer, ...]:
    """The layers of these kinds in a row, of which `conv`, with `weights`, turns the shape of `source` into `out`.

    padded: what the convolution reads where that is a copy with a border.
    """
    made: list[Layer] = []
    at = source
    for kind in kinds:
        if kind == "conv" and padded is not None:
            made.append(Layer("pad", at, padded))
            at = padded
        after = out if kind == "conv" else at
        own = weights if kind == "conv" else norm_params(norm, at.channels) if kind == "norm" else 0
        made.append(Layer(kind, at, after, own, groups if kind == "conv" else 1))
        at = after
    return tuple(made)


def bordered(source: Shape, kernel: Both, dilation: Both, padding: int | str) -> Shape | None:
    """The copy with one more row or column that an even window needs under `same`; None if it needs none."""
    below, beside = (1 - extent % 2 for extent in extents(kernel, dilation))
    if padding != SAME or not (below or beside):
        return None
    return Shape(source.channels, source.height + below, source.width + beside)
