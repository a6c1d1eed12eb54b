"""resolve: expand -> order -> widths -> shapes -> costs = Plan. Integer arithmetic; no tensors, no weights."""

from __future__ import annotations

from collections.abc import Collection

from genome.expand import expand
from genome.graph import IMAGE, Genome, GenomeError, Node, Times
from genome.node_info import NodeInfo, Size, node_info
from genome.op import Shape
from genome.order import Visit, visits
from genome.plan import Plan, loop_weights
from genome.step import SOURCE, Step
from genome.zeros import without_zeros


def resolve(genome: Genome) -> Plan:
    """The plan of a genome, with motifs expanded and loops unrolled.

    Raises:
        GenomeError: as `expand` and `genome.order.visits`; a node without a width; an image below 1x1; a loop whose
            members change their shape from pass to pass; a last exit that the loss leaves out.
    """
    whole = expand(genome)
    walk = visits(whole)
    width_of = _widths(whole, walk)
    floors = _Floors(whole, walk)
    steps: list[Step] = []
    newest: dict[str | None, int | None] = {IMAGE: SOURCE, None: None}
    shapes: dict[str | None, Shape | None] = {IMAGE: genome.input, None: None}
    for node, turn, reads in walk:
        name = node.name
        ins = tuple([shapes[r] for r in reads])
        floor = floors.of(node, shapes) if floors.loop_of else None
        before = shapes[name] if turn else None
        info = _info_at(node, ins, before.channels if before else width_of[name], floor)
        if before and info.out != before:
            raise _unstable(node, before, info.out)
        steps.append(Step(node, turn, tuple([newest[r] for r in reads]), ins, info))
        newest[name] = len(steps) - 1
        shapes[name] = info.out
    if any(node.op.zeros == "always" for node in whole.nodes):
        steps = without_zeros(steps, floors.loop_of)
    exits = [i for i, s in enumerate(steps) if s.node.is_exit]
    if len(exits) > 1:  # the order of evaluation may differ from the written order
        written = {node.name: i for i, node in enumerate(whole.nodes)}
        exits.sort(key=lambda i: written[steps[i].node.name])
    check_last(steps[exits[-1]].node)
    return Plan(
        whole,
        tuple(steps),
        tuple(exits),
        _params(steps, floors.loop_of),
        sum(s.info.cost.macs for s in steps),
    )


def check_last(node: Node) -> None:
    """The scores of a network are those of its last exit: what the loss leaves out there is never trained."""
    if vars(node.op).get("weight") == 0:
        raise GenomeError(
            f"{node.name}.weight is 0 and {node.name} is the last exit, whose accuracy is that of the network;"
            " give it a weight above 0",
            node.name,
        )


def _params(steps: list[Step], looped: Collection[str]) -> int:
    """The number of parameters: the weights of a loop's members count once, their norms once per pass."""
    params = sum([s.info.cost.norms + s.info.cost.weights for s in steps if s.node.name not in looped])
    if looped:
        inside = [step for step in steps if step.node.name in looped]
        params += loop_weights(inside) + sum(step.info.cost.norms for step in inside)
    return params


class _Floors:
    """The image size of each loop: the smallest of the inputs from outside, to which all of them are pooled."""

    def __init__(self, genome: Genome, walk: list[Visit]) -> None:
        self.by_name = genome.by_name
        live = {visit.node.name for visit in walk} if genome.loops else set()
        self.loop_of = {m: loop for loop in genome.loops for m in loop.order if m in live}
        self.known: dict[str, Size] = {}

    def of(self, node: Node, shapes: dict[str | None, Shape | None]) -> Size | None:
        loop = self.loop_of.get(node.name)
        if loop is None:
            return None
        if loop.name not in self.known:
            members = [m for m in loop.order if m in self.loop_of]
            entering = {s for m in members for s in self.by_name[m].ins if s not in loop.order}
            entered = [shape for s in entering if (shape := shapes[s])]
            self.known[loop.name] = (min(e.height for e in entered), min(e.width for e in entered))
        return self.known[loop.name]


def _info_at(node: Node, ins: tuple[Shape | None, ...], width: int, floor: Size | None) -> NodeInfo:
    read = tuple([i for i in ins if i is not None]) if None in ins else ins
    try:
        return node_info(node.op, read, width, floor)
    except ValueError as error:
        raise GenomeError(f"{node.name} ({node.op.word}) {error}", node.name) from None


def _unstable(node: Node, before: Shape, after: Shape) -> GenomeError:
    return GenomeError(
        f"{node.name} gives {before} in one pass of its loop and {after} in the next; members of a loop must keep"
        " the image size (stride 1)",
        node.name,
    )


def _widths(genome: Genome, walk: list[Visit]) -> dict[str, int]:
    """The width of each node in channels, or 0 if its type takes none."""
    blocks: dict[str, int] = {}
    live = {visit.node.name for visit in walk} if len(walk) != len(genome.nodes) or genome.loops else None
    for node in genome.nodes:
        if (
            node.op.width == "schedule"
            and not isinstance(node.width, int)
            and (live is None or node.name in live)
        ):
            blocks.setdefault(node.block, len(blocks) + 1)
    found: dict[str, int] = {}
    for node, turn, _ in walk:
        if turn == 0:
            found[node.name] = width(genome, node, blocks)
    return found


def width(genome: Genome, node: Node, blocks: dict[str, int]) -> int:
    """The width of a node in channels, or 0 if its type takes none. `blocks` numbers the blocks of the schedule.

    Raises:
        GenomeError: a width that is missing, or that the node takes none.
    """
    takes = node.op.width
    if takes == "classes":
        if node.width is not None:
            raise GenomeError(
                f"{node.name}.width is {node.width}; an exit has one output per class and takes no width",
                node.name,
            )
        return genome.classes
    if isinstance(node.width, int):
        if takes == "never":
            raise GenomeError(
                f"{node.name}.width is {node.width}; a {node.op.word} has the width of its inputs and takes none",
                node.name,
            )
        return node.width
    if takes != "schedule":
        if node.width is not None:
            raise GenomeError(
                f"{node.name}.width is {node.width}; only a scheduled width may be a multiple",
                node.name,
            )
        return 0
    if genome.widths is None:
        raise GenomeError(
            f"{node.name} has no width; state `width:` or give the genome a `widths:` schedule", node.name
        )
    scheduled = genome.widths.at(blocks[node.block], len(blocks))
    return scheduled * node.width.factor if isinstance(node.width, Times) else scheduled
