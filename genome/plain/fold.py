"""Folding: norms of a trained network become part of the convolutions and linear layers beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from genome.plain.calls import Value
from genome.plain.graph import Graph
from genome.plain.layers import Layer, Statement, inputs, with_tensors

FOLDS_INTO = ("Conv2d", "Linear")


def folded(statements: Sequence[Statement], exits: Sequence[int]) -> list[Statement]:
    """Return statements without the batch norms that are an exact part of the layer before or behind them.

    A norm folds into the convolution before it, and into the one behind it where that has no padding: zeros beside the
    image are zeros of the norm's output, not of its input. Layers that are called twice keep their norms.
    """
    current = list(statements)
    while (shorter := _once(current, exits)) is not None:
        current = shorter
    return current


def _once(statements: list[Statement], exits: Sequence[int]) -> list[Statement] | None:
    """Fold the first norm that can be; None where none can."""
    graph = Graph.of(statements, exits)
    reads, calls, makers = graph.reads, graph.calls, graph.makers
    readers = {value: i for i, one in enumerate(statements) for value in inputs(one)}
    for i, norm in enumerate(statements):
        if norm.layer is None or norm.layer.kind != "BatchNorm2d":
            continue
        given, made = inputs(norm)[0], norm.call.outs[0]
        before = makers.get(given)
        if before is not None and reads[given] == 1 and _folds(statements[before], calls):
            layer = _behind(statements[before].layer, norm.layer)
            kept = replace(
                statements[before], call=replace(statements[before].call, outs=norm.call.outs), layer=layer
            )
            return [*statements[:before], kept, *statements[before + 1 : i], *statements[i + 1 :]]
        after = readers.get(made)
        if after is not None and reads[made] == 1 and _folds(statements[after], calls, unpadded=True):
            layer = _ahead(statements[after].layer, norm.layer)
            call = replace(statements[after].call, args=(Value(given), *statements[after].call.args[1:]))
            kept = replace(statements[after], call=call, layer=layer)
            return [*statements[:i], *statements[i + 1 : after], kept, *statements[after + 1 :]]
    return None


def _folds(one: Statement, calls: Counter[int], unpadded: bool = False) -> bool:
    layer = one.layer
    if layer is None or layer.kind not in FOLDS_INTO or calls[id(layer)] > 1:
        return False
    padding = next((setting.value for setting in layer.settings if setting.keyword == "padding"), 0)
    return not unpadded or padding == 0


def scale_and_shift(norm: Layer) -> tuple[Tensor, Tensor]:
    """y = scale * x + shift, in float64. (C,), (C,)"""
    tensors = {key: tensor.detach().double() for key, tensor in norm.tensors.items()}
    eps = next(setting.value for setting in norm.settings if setting.keyword == "eps")
    scale = tensors.get("weight", torch.ones(())) / (tensors["running_var"] + eps).sqrt()
    return scale, tensors.get("bias", torch.zeros(())) - tensors["running_mean"] * scale


def _behind(layer: Layer | None, norm: Layer) -> Layer:
    """The layer with a norm of its outputs."""
    assert layer is not None
    scale, shift = scale_and_shift(norm)
    weight, bias = layer.tensors["weight"].detach().double(), layer.tensors.get("bias")
    ones = (-1, *(1,) * (weight.dim() - 1))
    first = torch.zeros(()) if bias is None else bias.detach().double()
    return with_tensors(layer, weight * scale.view(ones), first * scale + shift)


def _ahead(layer: Layer | None, norm: Layer) -> Layer:
    """The layer with a norm of its inputs, which it reads without padding."""
    assert layer is not None
    scale, shift = scale_and_shift(norm)
    weight, bias = layer.tensors["weight"].detach().double(), layer.tensors.get("bias")
    groups = next((setting.value for setting in layer.settings if setting.keyword == "groups"), 1)
    width, channels = weight.shape[:2]
    tail = (1,) * (weight.dim() - 2)
    # the inputs that each group of outputs reads
    scales, shifts = (
        each.view(groups, 1, channels)
        .expand(groups, width // groups, channels)
        .reshape(width, channels, *tail)
        for each in (scale, shift)
    )
    added = (weight * shifts).flatten(1).sum(1)
    first = torch.zeros(()) if bias is None else bias.detach().double()
    return with_tensors(layer, weight * scales, first + added)
