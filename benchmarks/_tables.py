"""NAS-Bench-201 (Dong and Yang, ICLR 2020, arXiv:2001.00326) and NAS-Bench-Macro (Su et al., CVPR 2021,
arXiv:2103.11922) as spaces of genomes whose accuracies stand in a table."""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

import genome
from genome.graph import Genome
from genome.op import Op, Shape
from genome.text import flow, written_op
from genome.yaml.source import parse
from search.space.holes import Hole
from search.space.parse import space_of
from search.space.space import Space

Code: TypeAlias = tuple[int, ...]  # the index of the chosen option at each place


class Row(NamedTuple):
    """Accuracies of one network, in percent."""

    valid: float  # the accuracy that a search maximizes
    test: float  # the accuracy of the final network


class MissingTable(Exception):
    """The table's file does not exist."""


@dataclass(frozen=True, eq=False)
class Table:
    """A space with the accuracies of all its genomes."""

    name: str
    space: Space
    options: dict[str, tuple[Op, ...]]  # the ops that each place may take
    rows: dict[Code, Row]

    @cached_property
    def best(self) -> float:
        """The highest accuracy that a search can find."""
        return max(row.valid for row in self.rows.values())

    def code(self, found: Genome) -> Code:
        """Return the place in the table of a genome of the space."""
        return tuple([ops.index(found.by_name[place].op) for place, ops in self.options.items()])

    def genome(self, code: Code) -> Genome:
        """Return the genome at that place."""
        nodes = {node.name: node for node in self._any.nodes}
        for (place, ops), i in zip(self.options.items(), code, strict=True):
            width = self.space.by_name[place].width if ops[i].takes_width() else None
            assert not isinstance(width, Hole)
            nodes[place] = nodes[place]._replace(op=ops[i], width=width)
        return replace(self._any, nodes=tuple(nodes.values()))

    def digest(self, code: Code) -> str:
        """Return the digest of the genome at that place."""
        if code not in self._digests:
            self._digests[code] = genome.digest(self.genome(code))
        return self._digests[code]

    @cached_property
    def _any(self) -> Genome:
        return self.space.sample(Random(0))

    @cached_property
    def _digests(self) -> dict[Code, str]:
        return {}


def _op(word: str, **genes: object) -> Op:
    return genome.lookup(word)(**genes)


def _again(op: Op, stride: int = 1) -> Op:
    """Return the op as a stack of depth one.

    A choice has each type once, and here all options must be equally likely.
    """
    return _op("stack", depth=1, stride=stride, body=op)


def _choice(ops: tuple[Op, ...]) -> str:
    return flow({"one_of": [written_op(op) for op in ops]})


NOTHING = _op("act", norm="none", activation="none")


# --- NAS-Bench-201: a cell of four maps and six edges; one cell stands for the fifteen equal cells

EDGES = ("e01", "e02", "e12", "e03", "e13", "e23")  # in the order of the table's cell strings
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELL = """\
space:
  widths: {rule: constant, base: 16}
  nodes:
    e01: {op: EDGE, in: [image]}
    e02: {op: EDGE, in: [image]}
    e12: {op: EDGE, in: [e01]}
    e03: {op: EDGE, in: [image]}
    e13: {op: EDGE, in: [e01]}
    n2: {op: add, in: [e02, e12]}
    e23: {op: EDGE, in: [n2]}
    n3: {op: add, in: [e03, e13, e23]}
    out: {op: exit, in: [n3]}
"""


def nb201(folder: Path) -> Table:
    """NAS-Bench-201 on CIFAR-10. Raises MissingTable where the folder does not hold the table."""
    conv = _op("conv", kernel=1, order="act-conv-norm")
    ops = (
        _op("zero"),
        NOTHING,
        conv,
        _again(conv.having(kernel=3)),
        _op("pool", kind="avg", size=3, stride=1, padding=1),
    )
    space = space_of(parse(CELL.replace("EDGE", _choice(ops))), ("space",), "nb201", Shape(16, 8, 8), 10)
    rows = {
        cell_code(line["arch_str"]): Row(float(line["cifar10_valid_acc"]), float(line["cifar10_test_acc"]))
        for line in _lines(folder / "nb201.csv.gz")
    }
    return Table("NAS-Bench-201, CIFAR-10", space, dict.fromkeys(EDGES, ops), rows)


def cell_code(text: str) -> Code:
    """Return the options of a cell string such as |none~0|+|none~0|none~1|+|none~0|none~1|none~2|, by edge."""
    return tuple([OPERATIONS.index(word) for word in re.findall(r"(\w+)~\d", text)])


# --- NAS-Bench-Macro: a chain of eight layers

STRIDED = ("l1", "l3", "l6")  # the first layers of the stages; each halves the image and doubles the width


def macro(folder: Path) -> Table:
    """NAS-Bench-Macro. A search maximizes the accuracy of the first training.

    The final accuracy is the mean of the other two trainings. Raises MissingTable where the folder does not hold
    the table.
    """
    options = {f"l{i}": _layer(stride=2 if f"l{i}" in STRIDED else 1) for i in range(1, 9)}
    text, before, width = ["space:", "  nodes:", "    stem: {op: conv, in: [image], width: 32}"], "stem", 32
    for name, ops in options.items():
        width *= 2 if name in STRIDED else 1
        text.append(f"    {name}: {{op: {_choice(ops)}, in: [{before}], width: {width}}}")
        before = name
    text.append(f"    out: {{op: exit, in: [{before}]}}")
    space = space_of(parse("\n".join(text)), ("space",), "macro", Shape(3, 32, 32), 10)
    rows = {
        tuple(map(int, line["arch"])): Row(
            float(line["test_acc_run1"]), (float(line["test_acc_run2"]) + float(line["test_acc_run3"])) / 2
        )
        for line in _lines(folder / "nasbench_macro.csv.gz")
    }
    return Table("NAS-Bench-Macro, CIFAR-10", space, options, rows)


def _layer(stride: int) -> tuple[Op, ...]:
    """Return the options of a layer: identity, and two residual units with depthwise kernels of 3 and 5.

    A 1x1 convolution takes the place of the identity where the shape changes.
    """
    small, large = (_op("residual", unit="body", body=_op("separable", kernel=k)) for k in (3, 5))
    return (
        NOTHING if stride == 1 else _op("conv", kernel=1, stride=2, order="conv-norm"),
        small.having(stride=stride),
        _again(large, stride=stride),
    )


TABLES = {"nb201": nb201, "macro": macro}


def _lines(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise MissingTable(f"{path} does not exist; give the folder of the tables by --data")
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))
