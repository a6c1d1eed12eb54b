"""Merging: parallel convolutions of the same input become one, where that is exact and no more work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genome.plain.calls import Call, Value
from genome.plain.graph import Graph
from genome.plain.layers import Layer, Statement, inputs, with_tensors

ADDS = (torch.add, Tensor.add, Tensor.__add__)
CATS = (torch.cat, torch.concat)
ACTIVATIONS = (F.relu, F.relu6, F.silu, F.hardswish, F.leaky_relu, F.elu, torch.relu, torch.sigmoid)


class Kernel(NamedTuple):
    """A convolution without its numbers; each pair is of height and width."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def merged(statements: Sequence[Statement], exits: Sequence[int]) -> list[Statement]:
    """Return statements in which one convolution takes the place of several of the same input.

    A sum of two convolutions, or of one and the input itself, is a convolution whose kernel is the sum, where the
    smaller kernel lies in the middle of the larger one. Convolutions of the same kind that are concatenated, directly
    or behind the same activation, are one with all their outputs.
    """
    current = list(statements)
    while (shorter := _once(Graph.of(current, exits))) is not None:
        current = shorter
    return current


def _once(graph: Graph) -> list[Statement] | None:
    for i, one in enumerate(graph.made):
        made = _sum(graph, one) or _concatenation(graph, one)
        if made is not None:
            gone, new = made
            before = [kept for at, kept in enumerate(graph.made[:i]) if at not in gone]
            return [*before, *new, *graph.made[i + 1 :]]
    return None


def _convolution(graph: Graph, value: int) -> Layer | None:
    """Return the convolution that makes a value which one statement reads."""
    at = graph.makers.get(value)
    layer = None if at is None or graph.reads[value] != 1 else graph.made[at].layer
    if layer is None or layer.kind != "Conv2d" or graph.calls[id(layer)] > 1 or kernel(layer) is None:
        return None
    return layer


_Made = tuple[set[int], list[Statement]]  # places that are left out, and what stands in place of the join


def _sum(graph: Graph, one: Statement) -> _Made | None:
    if one.call.function not in ADDS or one.call.kwargs or len(one.call.args) != 2:
        return None
    values = [part.number for part in one.call.args if isinstance(part, Value)]
    if len(values) != 2 or values[0] == values[1]:
        return None
    layers = [_convolution(graph, value) for value in values]
    sources = [
        value if layer is None else inputs(graph.maker(value))[0]
        for value, layer in zip(values, layers, strict=True)
    ]
    if sources[0] != sources[1] or layers == [None, None]:
        return None
    found = _added(layers)
    if found is None:
        return None
    gone = {graph.makers[value] for value, layer in zip(values, layers, strict=True) if layer is not None}
    return gone, [_conv_statement(one.call, sources[0], found)]


def _concatenation(graph: Graph, one: Statement) -> _Made | None:
    if one.call.function not in CATS or not _is_of_channels(one.call):
        return None
    values = [part.number for part in one.call.args[0]]
    outer = [graph.maker(value) if value in graph.makers else None for value in values]
    acts = [each for each in outer if each is not None and each.call.function in ACTIVATIONS]
    if acts and (len(acts) < len(values) or len({_act_key(each.call) for each in acts}) > 1):
        return None
    if any(graph.reads[value] != 1 for value in values):
        return None
    inner = [inputs(each)[0] for each in acts] if acts else values
    layers = [layer for layer in (_convolution(graph, value) for value in inner) if layer is not None]
    if len(layers) < len(values) or len({kernel(layer) for layer in layers}) > 1 or len(layers) < 2:
        return None
    shape = kernel(layers[0])
    sources = {inputs(graph.maker(value))[0] for value in inner}
    if shape is None or shape.groups > 1 or len(sources) > 1:
        return None
    wide = _side_by_side(layers)
    gone = {graph.makers[value] for value in (*inner, *(values if acts else ()))}
    if not acts:
        return gone, [_conv_statement(one.call, sources.pop(), wide)]
    conv = _conv_statement(replace(one.call, outs=(inner[0],)), sources.pop(), wide)
    act = acts[0].call
    given = (Value(inner[0]), *act.args[1:])
    return gone, [conv, Statement(replace(one.call, function=act.function, args=given, kwargs=act.kwargs))]


def _is_of_channels(call: Call) -> bool:
    dim = call.args[1] if len(call.args) > 1 else call.kwargs.get("dim", 0)
    parts = call.args[0] if call.args else ()
    return dim in (1, -3) and all(isinstance(part, Value) for part in parts)


def _act_key(call: Call) -> Any:
    return call.function, repr(call.args[1:]), repr(sorted(call.kwargs.items()))


def _conv_statement(call: Call, source: int, layer: Layer) -> Statement:
    return Statement(replace(call, function=F.conv2d, args=(Value(source),), kwargs={}), layer)


def kernel(layer: Layer) -> Kernel | None:
    """Return the settings of a Conv2d; None where its padding is a word."""
    named = {setting.keyword: setting.value for setting in layer.settings if setting.keyword}
    if isinstance(named["padding"], str):
        return None
    height, width = layer.tensors["weight"].shape[2:]
    stride, padding, dilation = (_pair(named[key]) for key in ("stride", "padding", "dilation"))
    return Kernel((height, width), stride, padding, dilation, named["groups"])


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _added(layers: Sequence[Layer | None]) -> Layer | None:
    """One convolution that gives the sum of two; None stands for the input itself."""
    known = [layer for layer in layers if layer is not None]
    big = max(known, key=lambda layer: layer.tensors["weight"].shape[2:].numel())
    small = next((layer for layer in layers if layer is not big), None)
    shape = kernel(big)
    assert shape is not None
    weight = _identity(big, shape) if small is None else _embedded(small, shape)
    if weight is None:
        return None
    biases = [layer.tensors["bias"].detach().double() for layer in known if "bias" in layer.tensors]
    bias = torch.stack(biases).sum(0) if biases else None
    return with_tensors(big, big.tensors["weight"].detach().double() + weight, bias)


def _identity(layer: Layer, shape: Kernel) -> Tensor | None:
    """The kernel that gives the input, in the box of a convolution."""
    width, channels = layer.tensors["weight"].shape[:2]
    if width != channels * shape.groups or shape.stride != (1, 1):
        return None
    if any(2 * pad != step * (size - 1) or size % 2 == 0 for size, pad, step in _axes(shape)):
        return None
    found = torch.zeros(layer.tensors["weight"].shape, dtype=torch.float64)
    own = torch.arange(width)
    found[own, own % channels, shape.size[0] // 2, shape.size[1] // 2] = 1
    return found


def _embedded(layer: Layer, box: Kernel) -> Tensor | None:
    """The kernel of a convolution in the middle of a larger one's box."""
    own = kernel(layer)
    if own is None or own.groups != box.groups or own.stride != box.stride:
        return None
    sides = list[int]()
    for (size, pad, step), (whole, room, other) in zip(_axes(own), _axes(box), strict=True):
        if size > whole or (size > 1 and step != other) or (whole - size) % 2:
            return None
        side = (whole - size) // 2
        if room - pad != other * side:
            return None
        sides.append(side)
    height, width = sides
    return F.pad(layer.tensors["weight"].detach().double(), (width, width, height, height))


def _axes(shape: Kernel) -> list[tuple[int, int, int]]:
    return list(zip(shape.size, shape.padding, shape.dilation, strict=True))


def _side_by_side(layers: Sequence[Layer]) -> Layer:
    """One convolution with the outputs of several."""
    weight = torch.cat([layer.tensors["weight"].detach().double() for layer in layers])
    zeros = [torch.zeros(len(layer.tensors["weight"]), dtype=torch.float64) for layer in layers]
    biases = [layer.tensors.get("bias", zero) for layer, zero in zip(layers, zeros, strict=True)]
    has_bias = any("bias" in layer.tensors for layer in layers)
    return with_tensors(
        layers[0], weight, torch.cat([bias.detach().double() for bias in biases]) if has_bias else None
    )
