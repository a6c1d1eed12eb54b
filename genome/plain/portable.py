"""Portable forms: other calls for those that converters of other runtimes get wrong, or do not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from genome.plain.calls import BATCHES, IMAGE, Call, Value
from genome.plain.layers import Statement, inputs
from genome.plain.portable_pools import PREVIOUS, Shape, Step, average, maximum, pads

# the calls in a row that replace a call, given the shapes of values by number; none where it stays as it is
Form = Callable[[Call, Mapping[int, Shape]], list[Step]]


def in_portable_forms(statements: Sequence[Statement], image: Sequence[int]) -> list[Statement]:
    """Return statements that compute the same. image: its channels, height and width."""
    shapes: dict[int, Shape] = {IMAGE: (BATCHES[0], *image)}
    for one in statements:
        shapes.update(zip(one.call.outs, one.call.shapes, strict=True))
    fresh = count(max(shapes) + 1)
    made = [new for one in statements for new in _replaced(one, shapes, fresh)]
    return [*_unshared(made)]


def _replaced(one: Statement, shapes: Mapping[int, Shape], fresh: Iterator[int]) -> Iterator[Statement]:
    form = FORMS.get(one.call.function.__name__)
    steps = form(one.call, shapes) if form and one.layer is None else []
    if not steps:
        yield one
    previous: Any = None
    for i, (function, args, kwargs, shape) in enumerate(steps):
        number = next(fresh) if i < len(steps) - 1 else one.call.outs[0]
        filled = tuple(previous if each is PREVIOUS else each for each in args)
        yield Statement(Call(function, filled, kwargs, (number,), (shape,), one.call.step))
        previous = Value(number)


def _unshared(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Give each call of a convolution a copy of its own where a norm follows: converters fold norms into weights."""
    normed = {inputs(one)[0] for one in statements if one.layer and one.layer.kind == "BatchNorm2d"}
    seen = Counter[int]()
    for one in statements:
        layer = one.layer
        if layer is not None and layer.kind == "Conv2d" and one.call.outs[0] in normed:
            seen[id(layer)] += 1
            if seen[id(layer)] > 1:
                one = replace(one, layer=replace(layer))
        yield one


def _add(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """A product, then a sum."""
    if call.kwargs.get("alpha", 1) == 1 or not isinstance(call.args[1], Value):
        return []
    first, second = call.args
    return [
        Step(torch.mul, (second, call.kwargs["alpha"]), {}, shapes[second.number]),
        Step(torch.add, (first, PREVIOUS), {}, call.shapes[0]),
    ]


def _strided_slice(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """Every n-th pixel as the maximum of windows of one pixel."""
    given, index = call.args
    if not isinstance(index, tuple) or len(index) != 4 or not all(isinstance(part, slice) for part in index):
        return []
    if any(part != slice(None) for part in index[:2]):
        return []
    steps = tuple(part.step or 1 for part in index[2:])
    if steps == (1, 1) or any((part.start, part.stop) != (None, None) for part in index[2:]):
        return []
    return [Step(F.max_pool2d, (given, 1), {"stride": steps}, call.shapes[0])]


def _split(call: Call, shapes: Mapping[int, Shape]) -> list[Step]:
    """A split into one part is the whole."""
    if len(call.outs) > 1:
        return []
    given = call.args[0]
    index = tuple(slice(0, size) if axis == 1 else slice(None) for axis, size in enumerate(call.shapes[0]))
    return [Step(Tensor.__getitem__, (given, index), {}, call.shapes[0])]


FORMS: Mapping[str, Form] = {
    "pad": pads,
    "add": _add,
    "__getitem__": _strided_slice,
    "split": _split,
    "avg_pool2d": average,
    "max_pool2d": maximum,
}
