"""PyramidNet: residual units whose width grows a little at every unit (Han, Kim, Kim, CVPR 2017,
arXiv:1610.02915). Order, shortcut and rounding follow the authors' code."""

from __future__ import annotations

from genome.graph import Genome, GenomeError, Node
from genome.motifs.residual import Residual
from genome.motifs.stack import Stack
from genome.op import Shape
from genome.ops.conv import Conv
from genome.ops.exit import Exit
from genome.widths import Widths

LAYERS = {"basic": 2, "bottleneck": 3}  # convolutions of a unit


def pyramidnet(
    depth: int,
    alpha: float,
    rule: str = "add",
    block: str = "basic",
    input: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
) -> Genome:
    """The network for small images: a 3x3 stem of 16 channels and three stages of (depth - 2) / 6 basic or
    (depth - 2) / 9 bottleneck units. `alpha` is what `rule` adds to, or multiplies, 16 channels by.

    Raises:
        GenomeError: a depth that gives no whole number of units, another block.
    """
    if block not in LAYERS:
        raise GenomeError(f"block is {block!r}; it may be {' or '.join(LAYERS)}")
    each = 3 * LAYERS[block]
    units, rest = divmod(depth - 2, each)
    if rest or units < 1:
        raise GenomeError(f"depth is {depth}; with {block} units it is 2 more than a multiple of {each}")
    unit = Residual(unit=block, order="pyramid", fit="pad")
    nodes = [Node("stem", Conv(order="conv-norm"), ("image",), 16)]
    for i, stride in enumerate((1, 2, 2), start=1):
        nodes.append(Node(f"s{i}", Stack(depth=units, stride=stride, body=unit), (nodes[-1].name,)))
    nodes.append(Node("out", Exit(norm="batch", activation="relu"), (nodes[-1].name,)))
    name = f"pyramidnet-{depth}-{rule[0]}{alpha:g}" + ("-bottleneck" if block == "bottleneck" else "")
    return Genome(name, Shape(*input), classes, tuple(nodes), Widths(rule, 16, float(alpha)))
