"""A network as a module of torch's own layers, for exporters: its calls in order, with its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genome.network import Network
from genome.plain.body import named
from genome.plain.calls import IMAGE, Batch, Constant, Value, recorded
from genome.plain.fold import folded
from genome.plain.layers import Layer, Statement, constants, inputs, statements
from genome.plan import Plan


class PlainNetwork(nn.Module):
    """The calls of a network in eval mode. (B, C, H, W) -> one tensor of logits (B, classes) for each exit."""

    def __init__(
        self,
        made: Sequence[Statement],
        exits: Sequence[int],
        nodes: Sequence[str],
        tensors: Mapping[int, str],
    ) -> None:
        super().__init__()
        names = named(made, nodes, tensors, reserved=("_lines", "_buffers_of", "_exits", "_drops"))
        for one in made:
            if one.layer is not None:
                self.add_module(names.layers[id(one.layer)], layer_module(one.layer))
            for tensor in constants(one.call) if one.layer is None else ():
                self.register_buffer(names.buffers[id(tensor)], tensor)
        self._lines = [(one.call, names.layers[id(one.layer)] if one.layer else None) for one in made]
        self._buffers_of = dict(names.buffers)
        self._exits = tuple(exits)
        last = {value: i for i, one in enumerate(made) for value in inputs(one)}
        self._drops = [[v for v, at in last.items() if at == i and v not in exits] for i in range(len(made))]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Make the calls."""
        values: dict[int, Tensor] = {IMAGE: x}
        for (call, layer), drops in zip(self._lines, self._drops, strict=True):
            if layer is not None:
                found = self.get_submodule(layer)(values[call.args[0].number])
            else:
                found = call.function(
                    *self._filled(call.args, values, x), **self._filled(dict(call.kwargs), values, x)
                )
            values.update(zip(call.outs, found if call.is_tuple else (found,), strict=True))
            for value in drops:
                values.pop(value, None)
        return tuple(values[value] for value in self._exits)

    def _filled(self, given: Any, values: Mapping[int, Tensor], x: Tensor) -> Any:
        if isinstance(given, Value):
            return values[given.number]
        if isinstance(given, Constant):
            return getattr(self, self._buffers_of[id(given.tensor)])
        if isinstance(given, Batch):
            return given.times * x.shape[0]
        if isinstance(given, dict):
            return {key: self._filled(value, values, x) for key, value in given.items()}
        if type(given) in (tuple, list):
            return type(given)([self._filled(value, values, x) for value in given])
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


def plain_module(network: Network, plan: Plan, fold: bool = False) -> PlainNetwork:
    """Return a network as a module of torch's own layers and functions, in eval mode.

    fold: with the norms in the convolutions, where that is exact.

    Raises:
        PlainError: as `genome.plain.source.source`.
    """
    recording = recorded(network, plan)
    made = statements(recording)
    made = folded(made, recording.exits) if fold else made
    tensors = {id(tensor): name for name, tensor in recording.tensors.items()}
    nodes = [plan.steps[one.call.step].node.name for one in made]
    return PlainNetwork(made, recording.exits, nodes, tensors).eval()
