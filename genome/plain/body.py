"""The bodies of a class: what its constructor makes, and what its forward computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from genome.plain.blocks import Block, Place
from genome.plain.calls import BATCHES
from genome.plain.expressions import Expression, expression, identifier, literal
from genome.plain.layers import Layer, Statement, constant_places, constants, inputs
from genome.plain.layout import WIDTH, laid_out

NUMBER = 3  # characters that a name may get at its end
STEP = 8  # spaces before a line of a method


@dataclass
class Names:
    """The attributes of one class: layers, buffers and blocks, each with the tensors that the state dict has."""

    used: set[str] = field(default_factory=lambda: set(dir(nn.Module())))
    layers: dict[int, str] = field(default_factory=dict)  # by id
    buffers: dict[int, str] = field(default_factory=dict)  # by id of the tensor

    def take(self, wanted: str) -> str:
        """Return a name that is not used yet, and use it."""
        return taken(wanted, self.used)


def taken(wanted: str, used: set[str]) -> str:
    """Return a name that is not in `used`, and add it there."""
    name, number = wanted, 2
    while name in used:
        name, number = f"{wanted}_{number}", number + 1
    used.add(name)
    return name


def named(
    statements: Sequence[Statement],
    nodes: Sequence[str],
    tensors: Mapping[int, str],
    reserved: Iterable[str] = (),
) -> Names:
    """Name the layers and buffers of statements after their nodes.

    nodes: the name of the node of each statement.  tensors: the names that the network has for tensors, by id.
    """
    names, roles = Names(), _roles(statements, nodes)
    names.used.update(reserved)
    for one, node in zip(statements, nodes, strict=True):
        base = identifier(node)
        if one.layer is None:
            for tensor, role in constant_places(one.call):
                if id(tensor) not in names.buffers:
                    role = role or tensors.get(id(tensor), "").rpartition(".")[2] or "constant"
                    names.buffers[id(tensor)] = names.take(f"{base}_{role}")
        elif id(one.layer) not in names.layers:
            role = _role(one.layer)
            alone = roles[node] == 1 or role in ("", "conv")
            names.layers[id(one.layer)] = names.take(base if alone else f"{base}_{role}")
    return names


def _roles(statements: Sequence[Statement], nodes: Sequence[str]) -> Counter[str]:
    """How many layers each node has."""
    pairs = {
        (node, id(one.layer)) for one, node in zip(statements, nodes, strict=True) if one.layer is not None
    }
    return Counter(node for node, _ in pairs)


def _role(layer: Layer) -> str:
    """What the network calls a layer within its node."""
    parts = [
        part for part in layer.path.split(".")[1:] if part not in ("node", "edges") and not part.isdigit()
    ]
    return identifier("_".join(parts)) if parts else layer.kind.lower().rstrip("2d")


def constructor(layers: Mapping[int, str], made: Sequence[Layer], settings: Mapping[Place, str]) -> list[str]:
    """Return a line for each layer. settings: the parameters of the class by their places."""
    return [
        line
        for i, layer in enumerate(made)
        for line in laid_out(
            f"self.{layers[id(layer)]} = nn.{layer.kind}({_arguments(layer, i, settings)})", STEP
        )
    ]


def _arguments(layer: Layer, at: int, settings: Mapping[Place, str]) -> str:
    told = []
    for j, setting in enumerate(layer.settings):
        place = Place("layer", at, j)
        if place not in settings and setting.is_default:
            continue
        text = settings.get(place) or literal(setting.value).text
        told.append(f"{setting.keyword}={text}" if setting.keyword else text)
    return ", ".join(told)


def buffers(statements: Iterable[Statement], names: Names) -> list[str]:
    """Return a line for each constant tensor."""
    found: dict[int, Tensor] = {
        id(tensor): tensor for one in statements if one.layer is None for tensor in constants(one.call)
    }
    lines = []
    for at, tensor in found.items():
        shape = ", ".join(map(str, tensor.shape)) or "()"
        kind = "" if str(tensor.dtype) == "torch.float32" else f", dtype={tensor.dtype}"
        lines += laid_out(f'self.register_buffer("{names.buffers[at]}", torch.zeros({shape}{kind}))', STEP)
    return lines


@dataclass
class Forward:
    """Writes the body of a forward, line by line; a value that the next line alone reads is written into it."""

    names: Names
    batch: str
    # how often each value is read, the return included
    reads: Mapping[int, int]
    values: dict[int, Expression]
    variables: set[str] = field(default_factory=lambda: {"x"})
    lines: list[str] = field(default_factory=list)
    # a value that stands in no line yet, its name and its shape
    _pending: tuple[int, str, tuple[int, ...]] | None = None

    def add(self, one: Statement, node: str, comments: bool) -> None:
        """Write a statement of a node. comments: whether its shape is told."""
        self._write_unless_read_here(one, node)
        made = self._text(one)
        shapes = one.call.shapes if comments else tuple(() for _ in one.call.shapes)
        if one.call.is_tuple:
            self.flush()
            given = [self._name(node) for _ in one.call.outs]
            for value, name in zip(one.call.outs, given, strict=True):
                self.values[value] = Expression(name)
            to = ", ".join(given) if len(given) > 1 else f"({given[0]},)"
            self._write(f"{to} = {made.text}", ())
            return
        self.flush()
        self.values[one.call.outs[0]] = made
        self._pending = one.call.outs[0], node, shapes[0]

    def call(self, block: Block, attribute: str) -> None:
        """Write the call of a block, in a line of its own."""
        self.flush()
        given = ", ".join(self.values[value].text for value in block.inputs)
        self.values[block.out] = Expression(f"self.{attribute}({given})")
        self._pending = block.out, block.name, block.statements[-1].call.shapes[0]

    def _write_unless_read_here(self, one: Statement, node: str) -> None:
        """Write the pending value, unless it becomes part of the next line of its node."""
        if self._pending is None:
            return
        value, its_node, _ = self._pending
        length = STEP + len(identifier(node)) + len(" = ") + len(self._text(one).text) + NUMBER
        if its_node == node and inputs(one).count(value) == self.reads[value] == 1 and length <= WIDTH:
            self._pending = None
        else:
            self.flush()

    def _text(self, one: Statement) -> Expression:
        if one.layer is None:
            return expression(one.call, self.values, self._buffers(), self.batch)
        given = self.values[one.call.args[0].number].text
        return Expression(f"self.{self.names.layers[id(one.layer)]}({given})")

    def _buffers(self) -> dict[int, str]:
        return {at: f"self.{name}" for at, name in self.names.buffers.items()}

    def flush(self) -> None:
        """Write the pending value in a line of its own."""
        if self._pending is None:
            return
        value, node, shape = self._pending
        name = self._name(node)
        self._write(f"{name} = {self.values[value].text}", shape)
        self.values[value] = Expression(name)
        self._pending = None

    def ended(self, outs: Sequence[int]) -> list[str]:
        """Return the lines, with the return of these values."""
        shape: tuple[int, ...] = ()
        if self._pending and list(outs) == [self._pending[0]]:
            shape = self._pending[2]
        else:
            self.flush()
        self._write(f"return {', '.join(self.values[value].text for value in outs)}", shape)
        return self.lines

    def _name(self, node: str) -> str:
        return taken(identifier(node), self.variables)

    def _write(self, text: str, shape: tuple[int, ...]) -> None:
        self.lines += laid_out(text, STEP, told(shape))


def told(shape: Sequence[int]) -> str:
    """Return a shape in words: the batch, then numbers."""
    if not shape:
        return ""
    first = "B" if shape[0] == BATCHES[0] else f"{shape[0] // BATCHES[0]} * B"
    return f"({', '.join([first, *map(str, shape[1:])])})"


def reads(statements: Iterable[Statement], outs: Iterable[int], blocks: Iterable[Block] = ()) -> Counter[int]:
    """Return how often each value is read by statements, as an input of blocks, and as what a forward returns."""
    return Counter([*_read(statements), *(value for block in blocks for value in block.inputs), *outs])


def _read(statements: Iterable[Statement]) -> Iterator[int]:
    for one in statements:
        yield from inputs(one)
