"""What the element-wise joins share: how inputs of unequal shape are fitted before they are combined."""

from __future__ import annotations

from collections.abc import Sequence

from genome.domain import OneOf
from genome.op import Cost, Shape

FIT = OneOf("pad", "front", "project")
FIT_SEARCH = OneOf("pad", "project")


def joined_shape(ins: Sequence[Shape], width: int) -> Shape:
    """The shape in which the inputs meet: the smallest image, and the stated width or else the widest."""
    height = min(i.height for i in ins)
    across = min(i.width for i in ins)
    return Shape(width or max(i.channels for i in ins), height, across)


def fit_cost(ins: Sequence[Shape], out: Shape, fit: str) -> Cost:
    """What fitting costs. `pad` has no weights: larger images are average-pooled, zero channels appended
    (PyramidNet); `front` takes every n-th pixel and puts the zero channels first (BranchyNet's ResNet);
    `project` is a 1x1 convolution with that stride and a batch norm (ResNet) on every input that does not fit."""
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
        saved += out.size  # the norm keeps the convolution's output
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


def strides(source: Shape, out: Shape) -> tuple[int, int] | None:
    """The strides by which a 1x1 window takes the image of `source` to that of `out`, where there are any."""
    found = []
    for big, small in ((source.height, out.height), (source.width, out.width)):
        step = -(-big // small)
        if -(-big // step) != small:
            return None
        found.append(step)
    return found[0], found[1]
