"""The arithmetic of element-wise joins: inputs of unequal shape are fitted to one shape, then combined."""

from __future__ import annotations

from collections.abc import Sequence

from genome.domain import OneOf
from genome.op import Cost, Layer, Shape

FIT = OneOf("pad", "front", "project")
FIT_SEARCH = OneOf("pad", "project")


def joined_shape(ins: Sequence[Shape], width: int) -> Shape:
    """The common shape of the inputs: the smallest image, and the stated width, or else that of the widest input."""
    height = min(i.height for i in ins)
    across = min(i.width for i in ins)
    return Shape(width or max(i.channels for i in ins), height, across)


def fit_cost(ins: Sequence[Shape], out: Shape, fit: str) -> Cost:
    """The cost of fitting.

    `pad` average-pools larger images and appends zero channels (PyramidNet). `front` takes every n-th pixel and
    prepends zero channels (BranchyNet's ResNet). `project` is a strided 1x1 convolution with a batch norm for every
    input that does not fit (ResNet).
    """
    weights = norms = saved = 0
    scratch = out.size if len(ins) > 2 else 0
    reads, macs = [], []
    for source in ins:
        fits = source[1:] == out[1:]
        sliced = fit == "front" and strides(source, out) is not None
        reads.append(source != out if fit == "project" else not fits and not sliced)
        if source != out:
            pooled = source.channels * out.height * out.width
            scratch = max(scratch, max(out.size, pooled) + (out.size if len(ins) > 1 else 0))
        projected = source != out and fit == "project"
        macs.append(source.channels * out.size if projected else 0)
        if not projected:
            continue
        weights += source.channels * out.channels
        norms += 2 * out.channels
        saved += out.size  # the norm saves the output of the convolution
        if strides(source, out) is None:
            saved += source.channels * out.height * out.width
    return Cost(
        weights=weights,
        norms=norms,
        macs=sum(macs),
        first_macs=tuple(macs),
        saved=saved,
        scratch=scratch,
        reads=tuple(reads),
        layers=tuple([int(own > 0) for own in macs]),
    )


def fit_layers(source: Shape, out: Shape, fit: str) -> tuple[Layer, ...]:
    """The layers that bring one input to the shape `out`."""
    made: list[Layer] = []
    at, step = source, strides(source, out)
    if source[1:] != out[1:] and (fit == "pad" or step is None):
        at = out.with_channels(source.channels)
        made.append(Layer("shrink", source, at))
    elif source[1:] != out[1:] and fit == "front":
        at = out.with_channels(source.channels)
        made.append(Layer("slice", source, at))
    if source != out and fit == "project":
        made.append(Layer("conv", at, out, source.channels * out.channels))
        made.append(Layer("norm", out, out, 2 * out.channels))
    elif source.channels != out.channels:
        made.append(Layer("pad", at, out))
    return tuple(made)


def strides(source: Shape, out: Shape) -> tuple[int, int] | None:
    """The strides with which a 1x1 window turns the image of `source` into that of `out`, or None if there are none."""
    found = []
    for big, small in ((source.height, out.height), (source.width, out.width)):
        step = -(-big // small)
        if -(-big // step) != small:
            return None
        found.append(step)
    return found[0], found[1]
