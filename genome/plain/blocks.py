"""Blocks: the parts of a network that are written once as a class and used several times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

from genome.plain.calls import Batch, Constant, Value, numbers
from genome.plain.layers import Layer, Statement, inputs

FEWEST = 2  # instances of a class


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive statements with inputs from outside and one value that is read outside."""

    # the part of the names of their nodes that is common
    name: str
    statements: tuple[Statement, ...]
    inputs: tuple[int, ...]
    out: int

    def layers(self) -> list[Layer]:
        """Return its layers, each once, in the order of their first call."""
        return list(dict.fromkeys(one.layer for one in self.statements if one.layer is not None))


class Place(NamedTuple):
    """Where a number stands: in a setting of a layer, or in a call."""

    kind: Literal["layer", "call"]
    # which layer, or which statement
    at: int
    # which setting, or which of the whole numbers of the call
    which: int


class Term(NamedTuple):
    """A number as a parameter of a class, times or plus another number."""

    # the number of the parameter
    parameter: int
    times: int = 1
    more: int = 0

    def text(self, name: str) -> str:
        """Return it as Python."""
        if self.times > 1:
            return f"{self.times} * {name}"
        return f"{name} {'+' if self.more > 0 else '-'} {abs(self.more)}" if self.more else name


class Kind(NamedTuple):
    """Blocks that are alike but for numbers of their layers."""

    blocks: tuple[Block, ...]

    def varying(self) -> tuple[dict[Place, Term], list[Place]]:
        """Return what each number that differs between the blocks is made of, and where each parameter stands first.

        A number that is in every block that of a parameter, more by the same, or a multiple of it, needs none of its
        own.
        """
        tables = [dict(numbers_of(block)) for block in self.blocks]
        terms: dict[Place, Term] = {}
        columns, first = list[tuple[Any, ...]](), list[Place]()
        for place in tables[0]:
            values = tuple(table[place] for table in tables)
            if len(set(values)) == 1:
                continue
            terms[place] = term = _term(values, columns)
            if term.parameter == len(columns):
                columns.append(values)
                first.append(place)
        return terms, first


def _term(values: tuple[Any, ...], columns: Sequence[tuple[Any, ...]]) -> Term:
    """Return values by a column, or as the next one."""
    for i, column in enumerate(columns):
        if column == values:
            return Term(i)
    for i, column in enumerate(columns):
        if all(type(one) is int for one in (*values, *column)):
            more = {a - b for a, b in zip(values, column, strict=True)}
            times = {a // b if b > 0 and a % b == 0 else 0 for a, b in zip(values, column, strict=True)}
            if len(more) == 1:
                return Term(i, more=more.pop())
            if len(times) == 1 and min(times) > 1:
                return Term(i, times=times.pop())
    return Term(len(columns))


def numbers_of(block: Block) -> Iterator[tuple[Place, Any]]:
    """Yield what may differ between blocks of a class, with its place."""
    for i, layer in enumerate(block.layers()):
        for j, setting in enumerate(layer.settings):
            yield Place("layer", i, j), setting.value
    for i, one in enumerate(block.statements):
        if one.layer is None:
            for j, number in enumerate(numbers(one.call)):
                yield Place("call", i, j), number


def kinds(statements: Sequence[Statement], names: Sequence[str], exits: Sequence[int]) -> list[Kind]:
    """Return the blocks of a network that occur twice or more, the largest that do.

    names: of the node of each step.
    """
    readers = defaultdict[int, set[int]](set)
    for i, one in enumerate(statements):
        for value in inputs(one):
            readers[value].add(i)
    for value in exits:
        readers[value].add(len(statements))
    users = Counter(id(one.layer) for one in statements if one.layer is not None)
    return [*_kinds(range(len(statements)), 0, statements, names, readers, users)]


def _kinds(
    among: Sequence[int],
    depth: int,
    statements: Sequence[Statement],
    names: Sequence[str],
    readers: dict[int, set[int]],
    users: Counter[int],
) -> Iterator[Kind]:
    """Find blocks among consecutive statements whose names have `depth` parts in common."""

    def prefix(i: int) -> str:
        return "/".join(names[statements[i].call.step].split("/")[: depth + 1])

    groups = [(name, list(run)) for name, run in groupby(among, prefix)]
    is_deeper = {name: any(names[statements[i].call.step] != name for i in run) for name, run in groups}
    alike = defaultdict[Any, list[Block]](list)
    for name, run in groups:
        block = _block(name, run, statements, readers, users) if is_deeper[name] and len(run) > 1 else None
        if block is not None:
            alike[_signature(block)].append(block)
    taken = set[str]()
    for blocks in alike.values():
        if len(blocks) >= FEWEST:
            taken.update(block.name for block in blocks)
            yield Kind(tuple(blocks))
    for name, run in groups:
        if is_deeper[name] and name not in taken:
            yield from _kinds(run, depth + 1, statements, names, readers, users)


def _block(
    name: str,
    run: Sequence[int],
    statements: Sequence[Statement],
    readers: dict[int, set[int]],
    users: Counter[int],
) -> Block | None:
    """Return statements as a block, None where a layer or more than one value of theirs is used outside."""
    inside = set(run)
    own = [statements[i] for i in run]
    made = [value for one in own for value in one.call.outs]
    outside = [value for value in made if readers[value] - inside]
    mine = Counter(id(one.layer) for one in own if one.layer is not None)
    if len(outside) != 1 or any(users[layer] > count for layer, count in mine.items()):
        return None
    read = dict.fromkeys(value for one in own for value in inputs(one) if value not in made)
    return Block(name, tuple(own), tuple(read), outside[0])


def _signature(block: Block) -> Any:
    """What blocks of one class have in common: all but the numbers in the settings of layers, and tensors."""
    places: dict[int, Any] = {value: ("in", i) for i, value in enumerate(block.inputs)}
    for i, one in enumerate(block.statements):
        places.update({value: ("made", i, j) for j, value in enumerate(one.call.outs)})
    layers = {id(layer): i for i, layer in enumerate(block.layers())}
    lines = list[Any]()
    for one in block.statements:
        call = one.call
        if one.layer is not None:
            keywords = tuple(setting.keyword for setting in one.layer.settings)
            kinds = tuple(type(setting.value) for setting in one.layer.settings)
            lines.append(
                (layers[id(one.layer)], one.layer.kind, keywords, kinds, places[call.args[0].number])
            )
        else:
            lines.append((call.function, _frozen((call.args, call.kwargs), places, bool(numbers(call)))))
    return tuple(lines), places[block.out]


def _frozen(given: Any, places: dict[int, Any], vary: bool) -> Any:
    """Arguments as a value that can be compared. vary: whether whole numbers may differ."""
    if isinstance(given, dict):
        return tuple((key, _frozen(value, places, vary)) for key, value in sorted(given.items()))
    if isinstance(given, Value):
        return places[given.number]
    if isinstance(given, Constant):
        return ("constant", tuple(given.tensor.shape), str(given.tensor.dtype))
    if isinstance(given, Batch):
        return ("batch", given.times)
    if isinstance(given, slice):
        return ("slice", given.start, given.stop, given.step)
    if type(given) in (tuple, list):
        return (type(given).__name__, *(_frozen(value, places, vary) for value in given))
    return "number" if vary and type(given) is int else given
