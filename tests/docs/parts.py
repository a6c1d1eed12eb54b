"""The table of the parts of nodes in docs/weights.md: each node type is built, and its tensors are listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

import genome
from genome.network import NORMS

# numbers that occur once, so that a length of an axis tells what it is
C, D, WIDTH, N, H, W, K, M, A, B = 12, 14, 30, 11, 7, 13, 3, 5, 20, 25
LENGTHS = {
    C: "C", D: "D", C + D: "C + D", WIDTH: "O", N: "N", H: "H", W: "W", K: "k", 2: "2", 1: "1", M: "M", A: "A", B: "B",
    C * M: "C M", C // 2: "C / 2", C * H * W: "C H W", 2 * K * K: "2 k k", 3 * K * K: "3 k k",
    2 * (K * K - 1): "2 (k k - 1)",
}  # fmt: skip


class Row(NamedTuple):
    """A node type with genes, over one or two inputs."""

    word: str
    genes: str = ""
    inputs: int = 1


ROWS = (
    Row("conv"),
    Row("conv", "order: conv"),
    Row("conv", "bias: true, order: conv-act"),
    Row("conv", "order: norm-act-conv"),
    Row("conv", "order: norm-conv-norm-act"),
    Row("conv", "kernel: 2"),
    Row("conv", inputs=2),
    Row("separable"),
    Row("separable", inputs=2),
    Row("mlpconv", f"first: {A}, second: {B}"),
    Row("mlpconv", "norm: batch, bias: false"),
    Row("perturb"),
    Row("perturb", f"masks: {M}"),
    Row("perturb", "shared: true, order: act-mix-norm-act"),
    Row("perturb", "noise: off"),
    Row("active"),
    Row("active", "kernel: 1, order: conv"),
    Row("active", "order: norm-act-conv"),
    Row("deform"),
    Row("deform", "modulation: unit, order: conv"),
    Row("squeeze"),
    Row("act", "norm: batch"),
    Row("act", "norm: batch, activation: none"),
    Row("add", "fit: project", 2),
    Row("mean", "fit: project", 2),
    Row("exit"),
    Row("exit", "pool: flatten"),
    Row("exit", "norm: batch, activation: relu", 2),
    Row("exit", "linear: false"),
    Row("concat", inputs=2),
    Row("dropout"),
    Row("lrn"),
    Row("pool"),
    Row("zero"),
)


def table() -> str:
    """The table, in Markdown."""
    rows = [f"| `{row.word}` | {_written(row)} | {'; '.join(tensors(row)) or 'none'} |" for row in ROWS]
    return "\n".join(["| node | with | tensors of `net.node(name)` in order |", "| --- | --- | --- |", *rows])


def _written(row: Row) -> str:
    inputs = ["two inputs"] if row.inputs == 2 else []
    genes = [f"`{gene}`" for gene in row.genes.split(", ") if gene]
    named = [g.replace(f" {A}`", " A`").replace(f" {B}`", " B`").replace(f" {M}`", " M`") for g in genes]
    return ", ".join([*inputs, *named])


def built(row: Row) -> nn.Module:
    """The module of the node, with C channels in its first input and D in its second."""
    reads = "[x, y]" if row.inputs == 2 else "[x]"
    is_exit = row.word == "exit"
    width = f", width: {WIDTH}" if genome.lookup(row.word).width == "schedule" else ""
    genes = f", {row.genes}" if row.genes else ""
    lines = [
        f"genome: g\ninput: [3, {H}, {W}]\nclasses: {C if 'linear: false' in row.genes else N}\nnodes:",
        f"  x: {{op: conv, in: [image], width: {C}}}",
        f"  y: {{op: conv, in: [image], width: {D}}}",
        f"  node: {{op: {row.word}, in: {reads}{width}{genes}}}",
        *([] if is_exit else ["  out: {op: exit, in: [node]}"]),
    ]
    return genome.build(genome.loads("\n".join(lines))).node("node")


def tensors(row: Row) -> Iterator[str]:
    """The tensors of the node with their shapes, a norm as one entry."""
    module = built(row)
    parts = dict(module.named_modules())
    for name, tensor in module.state_dict().items():
        owner, _, last = name.rpartition(".")
        shape = ", ".join(LENGTHS.get(length, str(length)) for length in tensor.shape)
        if last in ("steps", "num_batches_tracked"):
            continue
        if not isinstance(parts[owner], NORMS):
            yield f"`{name}` ({shape})"
        elif last == "weight":
            yield f"norm {f'`{owner}`' if owner else 'itself'} ({shape})"
