"""The maps that each kind of layer makes, saves and frees, forward and backward."""

from __future__ import annotations

from typing import NamedTuple

from genome.cost import Layer
from genome.layer_costs import SAVES_OUTPUT, in_place
from genome.memory.kernels import Kernels
from genome.memory.tape import Map, Tape

SAVES_INPUT = frozenset(
    {"conv", "linear", "norm", "own", "shrink", "max", "relu6", "leaky-relu", "silu", "gelu"}
)
INDEX = 2  # an int64 index counts as two float32 numbers


class Done(NamedTuple):
    """A layer that ran, with what its backward pass needs."""

    layer: Layer
    learned: bool  # whether its input has a gradient
    saved: tuple[Map, ...]


class Runs:
    """Runs layers on a tape. trains: whether anything is saved and dropout drops."""

    def __init__(self, tape: Tape, kernels: Kernels, trains: bool) -> None:
        self._tape, self._kernels, self._trains = tape, kernels, trains

    def forward(self, layers: tuple[Layer, ...], x: Map, learned: bool) -> tuple[Map, list[Done], bool]:
        """Run layers over a held map, which is dropped.

        Returns what they give, held, what ran, and whether the output has a gradient.
        """
        done: list[Done] = []
        before = ""
        for layer in layers:
            y = self._made(layer, x, before)
            has_gradient = learned or layer.weights > 0 or layer.kind == "norm"
            if has_gradient and self._trains:
                done.append(Done(layer, learned, self._saved(layer, x, y)))
            x.drop()
            x, learned, before = y, has_gradient, layer.kind
        return x, done, learned

    def backward(self, done: list[Done], grad: Map) -> Map | None:
        """The gradient of the input of layers, held, from that of their output, which is dropped."""
        found: Map | None = grad
        for layer, learned, saved in reversed(done):
            assert found is not None
            found = self._gradient(layer, learned, saved, found)
        return found

    def _made(self, layer: Layer, x: Map, before: str) -> Map:
        if layer.kind in ("slice", "divide", "sum") or (layer.kind == "relu" and in_place("relu", before)):
            return x.hold()
        if layer.kind == "dropout" and not self._trains:
            return x.hold()
        if layer.kind == "conv":
            for each, fixed in self._kernels.forward(layer):
                self._tape.note(each, fixed)
        if layer.kind == "own":
            inside = max(layer.forward, layer.saved) if self._trains else layer.forward
            self._tape.note(inside + layer.after.size, 2 * layer.weights)
        return self._tape.make(layer.after.size)

    def _saved(self, layer: Layer, x: Map, y: Map) -> tuple[Map, ...]:
        found = [x.hold()] if layer.kind in SAVES_INPUT else []
        found += [y.hold()] if layer.kind in SAVES_OUTPUT else []
        found += [self._tape.make(layer.saved)] if layer.saved else []
        found += [self._tape.make(INDEX * layer.after.size)] if layer.kind == "max" else []
        return (*found, *([self._tape.make(layer.after.size)] if layer.kind == "dropout" else []))

    def _gradient(self, layer: Layer, learned: bool, saved: tuple[Map, ...], grad: Map) -> Map | None:
        tape = self._tape
        if layer.kind == "sum":
            return grad
        if layer.kind == "conv":
            for each, fixed in self._kernels.backward(layer, learned):
                tape.note(each, fixed)
        if layer.kind == "own":
            tape.note(layer.backward + (layer.before.size if learned else 0), 3 * layer.weights)
        if layer.kind == "norm":  # with a copy of the gradient
            tape.note(layer.before.size + layer.after.size)
        if (
            layer.kind == "max" and learned
        ):  # with copies of the gradient and the indices in the layout of the input
            tape.note(2 * layer.before.size + INDEX * layer.after.size)
        made = tape.make(layer.before.size) if learned or layer.kind == "norm" else None
        tape.fixed += layer.weights
        tape.note()
        for one in (*saved, grad):
            one.drop()
        return made
