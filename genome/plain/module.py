"""A network as a module of torch's own layers, for exporters: its calls in order, with its tensors."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from genome.network import Network
from genome.plain.body import Names, named
from genome.plain.calls import IMAGE, Batch, Constant, Value, recorded
from genome.plain.fold import folded
from genome.plain.layers import Layer, Statement, constants, statements
from genome.plain.merge import merged
from genome.plain.portable import in_portable_forms
from genome.plain.program import Program
from genome.plain.quick import quick
from genome.plan import Plan


def plain_module(network: Network, plan: Plan, fold: bool = False) -> fx.GraphModule:
    """Return a network as a module of torch's own layers and functions, in eval mode.

    (B, C, H, W) -> one tensor of logits (B, classes) for each exit, as a tuple.
    fold: with the norms in the convolutions, and parallel convolutions in one, where that is exact, and in the layout
    that is faster on a CPU, channels last.

    Raises:
        PlainError: as `genome.plain.source.source`.
    """
    made = module_of(program(network, plan, fold))
    return made.to(memory_format=torch.channels_last) if fold else made


def program(network: Network, plan: Plan, fold: bool = False, portable: bool = False) -> Program:
    """Return the statements of a network.

    fold: as for `plain_module`.  portable: in forms that the converters of other runtimes convert rightly.
    """
    recording = recorded(network, plan, portable)
    exits, made = recording.exits, statements(recording)
    made = in_portable_forms(made, plan.genome.input) if portable else made
    made = merged(folded(made, exits), exits) if fold else made
    made = quick(made, plan.genome.input) if fold and not portable else made
    tensors = {id(tensor): name for name, tensor in recording.tensors.items()}
    nodes = [plan.steps[one.call.step].node.name for one in made]
    return Program(made, exits, nodes, named(made, nodes, tensors, reserved=dir(fx.GraphModule)))


def module_of(given: Program) -> fx.GraphModule:
    """Return a program as a module in eval mode. (B, C, H, W) -> a tuple of what it gives"""
    graph = _graph(given.made, given.exits, given.names)
    return fx.GraphModule(_root(given.made, given.names), graph).eval()


def _root(made: Sequence[Statement], names: Names) -> nn.Module:
    """The layers and constant tensors of a network by name."""
    root = nn.Module()
    for one in made:
        if one.layer is not None:
            root.add_module(names.layers[id(one.layer)], layer_module(one.layer))
        for tensor in constants(one.call) if one.layer is None else ():
            root.register_buffer(names.buffers[id(tensor)], tensor)
    return root


def _graph(made: Sequence[Statement], exits: Sequence[int], names: Names) -> fx.Graph:
    """The calls of a network, on the names of `_root`."""
    graph = fx.Graph()
    values: dict[int, fx.Node] = {IMAGE: graph.placeholder("x")}
    filled = _Filled(graph, values, names)
    for one in made:
        call = one.call
        if one.layer is not None:
            found = graph.call_module(names.layers[id(one.layer)], (values[call.args[0].number],))
        else:
            found = _called(graph, call.function, filled(call.args), filled(dict(call.kwargs)))
        parts = (
            [graph.call_function(operator.getitem, (found, i)) for i in range(len(call.outs))]
            if call.is_tuple
            else [found]
        )
        values.update(zip(call.outs, parts, strict=True))
    graph.output(tuple(values[value] for value in exits))
    return graph


def _called(graph: fx.Graph, function: Any, args: Any, kwargs: dict[str, Any]) -> fx.Node:
    """A call of a function; of a method where torch wraps that in a function without a place, as `**` of tensors."""
    if getattr(function, "__module__", "") == "torch._tensor":
        return graph.call_method(function.__name__, args, kwargs)
    return graph.call_function(function, args, kwargs)


class _Filled:
    """Returns arguments with nodes of the graph in the places of values, constants and the number of images."""

    def __init__(self, graph: fx.Graph, values: Mapping[int, fx.Node], names: Names) -> None:
        self.graph, self.values, self.names = graph, values, names

    def __call__(self, given: Any) -> Any:
        if isinstance(given, Value):
            return self.values[given.number]
        if isinstance(given, Constant):
            return self.graph.get_attr(self.names.buffers[id(given.tensor)])
        if isinstance(given, Batch):
            images = self.graph.call_method("size", (self.values[IMAGE], 0))
            return self.graph.call_function(operator.mul, (images, given.times))
        if isinstance(given, dict):
            return {key: self(value) for key, value in given.items()}
        if type(given) in (tuple, list):
            return type(given)([self(value) for value in given])
        return given


def layer_module(layer: Layer) -> nn.Module:
    """Return a layer as torch's module."""
    given = [setting.value for setting in layer.settings if not setting.keyword]
    named_ones = {setting.keyword: setting.value for setting in layer.settings if setting.keyword}
    made: nn.Module = getattr(nn, layer.kind)(*given, **named_ones, device="meta").to_empty(device="cpu")
    state = {key: tensor.detach() for key, tensor in layer.tensors.items()}
    if layer.kind == "BatchNorm2d":
        state["num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    made.load_state_dict(state)
    return made.eval()
