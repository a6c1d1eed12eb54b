"""Quick forms: calls that compute the same as those of a folded network, in less time on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import torch
from torch import Tensor

from genome.op import Shape
from genome.plain.calls import IMAGE, Constant, Value
from genome.plain.fold import scale_and_shift
from genome.plain.layers import Layer, Setting, Statement, inputs

_UNSQUEEZED = (slice(None), slice(None), None, None)


def quick(statements: Sequence[Statement], image: Shape) -> list[Statement]:
    """Return statements in which norms are a product and a sum, and convolutions over a whole map are linear layers.

    A norm makes its factors of its statistics at each call: for one image it takes twice the time of the product. A
    convolution rearranges its kernel at each call. Files of other runtimes keep both: runtimes do this when they load.
    """
    shapes = {IMAGE: (1, *image)} | {
        value: shape
        for one in statements
        for value, shape in zip(one.call.outs, one.call.shapes, strict=True)
    }
    new = count(1 + max(shapes))
    made: list[Statement] = []
    for one in statements:
        if one.layer is not None and one.layer.kind == "BatchNorm2d":
            made.append(_product(one, one.layer))
        elif one.layer is not None and _is_whole(one.layer, shapes[inputs(one)[0]]):
            made += _linear(one, one.layer, new)
        else:
            made.append(one)
    return made


def _product(one: Statement, norm: Layer) -> Statement:
    scale, shift = (each.float().view(1, -1, 1, 1) for each in scale_and_shift(norm))
    args = (Constant(shift, "shift"), one.call.args[0], Constant(scale, "scale"))
    return Statement(replace(one.call, function=torch.addcmul, args=args, kwargs={}))


def _is_whole(layer: Layer, given: Sequence[int]) -> bool:
    """Whether a layer is a convolution with one window, of several pixels, that is the whole map."""
    if layer.kind != "Conv2d":
        return False
    named = {setting.keyword: setting.value for setting in layer.settings}
    size = tuple(layer.tensors["weight"].shape[2:])
    plain = named["padding"] == 0 and named["dilation"] == named["groups"] == 1
    return plain and size == tuple(given[2:]) and size != (1, 1)


def _linear(one: Statement, conv: Layer, new: Iterator[int]) -> list[Statement]:
    """The numbers of the map, a linear layer, and its outputs as maps of one pixel."""
    weight: Tensor = conv.tensors["weight"].detach().flatten(1)
    flat, made = next(new), next(new)
    (images, width, *_), call = one.call.shapes[0], one.call
    settings = (
        Setting("", weight.shape[1], "features"),
        Setting("", width, "width"),
        Setting("bias", "bias" in conv.tensors, "bias", True),
    )
    layer = Layer("Linear", settings, {**conv.tensors, "weight": weight}, conv.path)
    flatten = replace(
        call, function=Tensor.flatten, args=(call.args[0], 1), kwargs={}, outs=(flat,),
        shapes=((images, weight.shape[1]),),
    )  # fmt: skip
    linear = replace(call, args=(Value(flat),), kwargs={}, outs=(made,), shapes=((images, width),))
    back = replace(call, function=Tensor.__getitem__, args=(Value(made), _UNSQUEEZED), kwargs={})
    return [Statement(flatten), Statement(linear, layer), Statement(back)]
