"""A network as a file of plain PyTorch: readable source, and the tensors that it loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from genome.network import Network
from genome.plain.blocks import Block, Kind, Place, kinds, numbers_of
from genome.plain.body import STEP, Forward, Names, buffers, constructor, named, reads
from genome.plain.calls import IMAGE, Recording, recorded, with_texts
from genome.plain.expressions import Expression, identifier
from genome.plain.fold import folded
from genome.plain.layers import Layer, Statement, constants, statements
from genome.plain.layout import laid_out
from genome.plain.merge import merged
from genome.plain.quick import quick
from genome.plan import Plan

# lines of imports, and what shows that they are needed
HEAD = (
    ("import torch", "torch."),
    ("import torch.nn.functional as F", "F."),
    ("from torch import Tensor, nn", "nn."),
)


class Source(NamedTuple):
    """A network without this package."""

    # the classes of blocks and `class Network(nn.Module)`, without imports
    body: str
    # the state dict of `Network`
    tensors: Mapping[str, Tensor]

    @property
    def text(self) -> str:
        """The classes with the imports that they need."""
        return "\n".join(line for line, word in HEAD if word in self.body) + "\n\n\n" + self.body


def source(network: Network, plan: Plan, fold: bool = False) -> Source:
    """Return a network as source of plain PyTorch, which computes what the network does in eval mode in float32.

    The class gives one tensor of logits, or a tuple with one for each exit.
    fold: with the norms in the convolutions, and parallel convolutions in one, where that is exact.

    Raises:
        PlainError: a node type of another package that torch's own functions cannot say.
    """
    recording = recorded(network, plan)
    made = statements(recording)
    if fold:
        made = quick(merged(folded(made, recording.exits), recording.exits), plan.genome.input)
    nodes = [step.node.name for step in plan.steps]
    found = kinds(made, nodes, recording.exits)
    return _Writer(recording, made, nodes, found).source()


class _Writer:
    """Writes one file."""

    def __init__(
        self,
        recording: Recording,
        made: Sequence[Statement],
        nodes: Sequence[str],
        found: Sequence[Kind],
    ) -> None:
        self.exits, self.made, self.nodes = recording.exits, made, nodes
        self.known = {id(tensor): name for name, tensor in recording.tensors.items()}
        self.kinds = found
        self.of_block = {id(block): kind for kind in found for block in kind.blocks}
        self.block_at = {id(block.statements[0]): block for kind in found for block in kind.blocks}
        self.inside = {id(one) for kind in found for block in kind.blocks for one in block.statements}
        self.classes = {
            id(kind): f"Block{i or ''}" for i, kind in enumerate(found, 1 if len(found) > 1 else 0)
        }
        self.tensors: dict[str, Tensor] = {}

    def source(self) -> Source:
        classes = [self._class_of(kind) for kind in self.kinds]
        return Source("\n\n".join([*classes, self._network()]), self.tensors)

    def _class_of(self, kind: Kind) -> str:
        """The class of blocks; its names are those of the first."""
        first = kind.blocks[0]
        local, names = self._local(first)
        terms, places = kind.varying()
        parameters = _parameters(first, places)
        settings = {place: term.text(parameters[term.parameter]) for place, term in terms.items()}
        typed = (f"{name}: {_type(first, place)}" for name, place in zip(parameters, places, strict=True))
        given = ", ".join(["self", *typed])
        forward = Forward(
            names,
            f"{_inputs(first)[0]}.shape[0]",
            reads(first.statements, [first.out]),
            {value: Expression(name) for value, name in zip(first.inputs, _inputs(first), strict=True)},
            set(_inputs(first)),
        )
        held = {
            text: f"self.{names.take(identifier(text.split()[0]))}"
            for text in dict.fromkeys(text for place, text in settings.items() if place.kind == "call")
        }
        for i, (one, node) in enumerate(zip(first.statements, local, strict=True)):
            texts = {place.which: held[text] for place, text in settings.items() if place[:2] == ("call", i)}
            forward.add(replace(one, call=with_texts(one.call, texts)), node, comments=_is_same(kind, i))
        arguments = ", ".join(f"{name}: Tensor" for name in _inputs(first))
        return "\n".join(
            [
                f"class {self.classes[id(kind)]}(nn.Module):",
                *laid_out(f'"""{_told([block.name for block in kind.blocks])}"""', 4),
                "",
                *laid_out(f"def __init__({given})", 4, end=" -> None:"),
                " " * STEP + "super().__init__()",
                *constructor(names.layers, first.layers(), settings),
                *buffers(first.statements, names),
                *(f"{' ' * STEP}{attribute} = {text}" for text, attribute in held.items()),
                "",
                *laid_out(f"def forward(self, {arguments})", 4, end=" -> Tensor:"),
                *forward.ended([first.out]),
                "",
            ]
        )

    def _network(self) -> str:
        outer = [one for one in self.made if id(one) not in self.inside]
        names = named(outer, [self.nodes[one.call.step] for one in outer], self.known)
        blocks = self.block_at
        attributes = {id(block): names.take(identifier(block.name)) for block in blocks.values()}
        init, seen = list[str](), set[int]()
        forward = Forward(
            names,
            "x.shape[0]",
            reads(outer, self.exits, blocks.values()),
            {IMAGE: Expression("x")},
        )
        for one in self.made:
            block = blocks.get(id(one))
            if block is not None:
                attribute = attributes[id(block)]
                init += laid_out(f"self.{attribute} = {self._made(block)}", STEP)
                self._store_block(block, attribute)
                forward.call(block, attribute)
            elif id(one) not in self.inside:
                init += self._init_of(one, names, seen)
                forward.add(one, self.nodes[one.call.step], comments=True)
        several = len(self.exits) > 1
        given = f"tuple[{', '.join(['Tensor'] * len(self.exits))}]" if several else "Tensor"
        return "\n".join(
            [
                "class Network(nn.Module):",
                "    def __init__(self) -> None:",
                " " * STEP + "super().__init__()",
                *init,
                "",
                f"    def forward(self, x: Tensor) -> {given}:",
                *forward.ended(self.exits),
                "",
            ]
        )

    def _init_of(self, one: Statement, names: Names, seen: set[int]) -> list[str]:
        if one.layer is None:
            new = [tensor for tensor in constants(one.call) if id(tensor) not in seen]
            seen.update(map(id, new))
            for tensor in new:
                self.tensors[names.buffers[id(tensor)]] = tensor
            return buffers([one], names) if new else []
        if id(one.layer) in seen:
            return []
        seen.add(id(one.layer))
        self._store(one.layer, names.layers[id(one.layer)])
        return constructor(names.layers, [one.layer], {})

    def _store(self, layer: Layer, name: str) -> None:
        for key, tensor in layer.tensors.items():
            self.tensors[f"{name}.{key}"] = tensor.detach()
        if layer.kind == "BatchNorm2d":
            self.tensors[f"{name}.num_batches_tracked"] = torch.zeros((), dtype=torch.long)

    def _store_block(self, block: Block, attribute: str) -> None:
        """The tensors of a block, under the names of the first block of its class."""
        first = self.of_block[id(block)].blocks[0]
        _, names = self._local(first)
        for layer, own in zip(first.layers(), block.layers(), strict=True):
            self._store(own, f"{attribute}.{names.layers[id(layer)]}")
        for theirs, mine in zip(first.statements, block.statements, strict=True):
            if mine.layer is None:
                for a, b in zip(constants(theirs.call), constants(mine.call), strict=True):
                    self.tensors[f"{attribute}.{names.buffers[id(a)]}"] = b

    def _made(self, block: Block) -> str:
        kind = self.of_block[id(block)]
        numbers = dict(numbers_of(block))
        values = ", ".join(str(numbers[place]) for place in kind.varying()[1])
        return f"{self.classes[id(kind)]}({values})"

    def _local(self, block: Block) -> tuple[list[str], Names]:
        """The names of the nodes of a block without what they have in common, and those of its layers."""
        start = len(block.name) + 1
        local = [self.nodes[one.call.step][start:] or "out" for one in block.statements]
        return local, named(block.statements, local, self.known)


def _inputs(block: Block) -> list[str]:
    return ["x", *(f"x{i}" for i in range(2, len(block.inputs) + 1))]


def _parameters(block: Block, places: Sequence[Place]) -> list[str]:
    """The names of the parameters of a class, after what each sets first."""
    names = list[str]()
    for place in places:
        role = block.layers()[place.at].settings[place.which].role if place.kind == "layer" else "size"
        same = sum(name.rstrip("0123456789") == role for name in names)
        names.append(f"{role}{same + 1 if same else ''}")
    return names


def _type(block: Block, place: Place) -> str:
    return type(dict(numbers_of(block))[place]).__name__


def _is_same(kind: Kind, at: int) -> bool:
    """Whether a statement gives the same shape in all blocks."""
    return len({block.statements[at].call.shapes for block in kind.blocks}) == 1


def _told(names: Sequence[str], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names) + "."
    return f"{', '.join(names[: most - 1])}, and {len(names) - most + 1} more."
