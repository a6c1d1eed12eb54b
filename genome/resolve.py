"""resolve: expand -> order -> widths -> shapes -> costs = Plan. Integer arithmetic; no tensors, no weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

from genome.expand import expand
from genome.graph import IMAGE, Genome, GenomeError, Node, Times
from genome.op import FLOAT_BYTES, Cost, Op, Shape
from genome.order import Visit, visits

Size: TypeAlias = tuple[int, int]  # height and width of an image

SOURCE = -1  # the index under which steps read the image


class Cell(NamedTuple):
    """One node type at one place: the inputs as it sees them, its output, what it costs."""

    seen: tuple[Shape, ...]  # after sizes were made equal and, for one-input types, channels concatenated
    out: Shape
    cost: Cost
    shrunk: tuple[bool, ...]  # per input read: whether it is pooled to the size of a smaller one
    keeps: tuple[bool, ...]  # per input read: whether backward keeps it as it is
    extra: int  # numbers that fitting the inputs adds to what backward keeps


class Step(NamedTuple):
    """One evaluation of one node. `sources` and `ins` have one entry per declared input, None where a pass of
    a loop does not read it; a source is the index of an earlier step, or -1 for the image."""

    node: Node
    turn: int
    sources: tuple[int | None, ...]
    ins: tuple[Shape | None, ...]
    cell: Cell


@dataclass(frozen=True)
class Plan:
    """A resolved genome: every evaluation in order, with widths, shapes and costs. Sizes are for one image.

    `params` counts learned numbers, `macs` multiply-adds of one forward; both are exact.
    """

    genome: Genome  # expanded
    steps: tuple[Step, ...]
    exits: tuple[int, ...]  # step indices, in written order
    params: int
    macs: int

    @cached_property
    def last(self) -> dict[str, int]:
        """The step that makes each node's final value."""
        return {step.node.name: i for i, step in enumerate(self.steps)}

    @cached_property
    def widths(self) -> dict[tuple[str, str], int]:
        """Channels on every edge (from, to)."""
        return {
            (source, step.node.name): shape.channels
            for step in self.steps
            for source, shape in zip(step.node.ins, step.ins, strict=True)
            if shape is not None
        }

    @cached_property
    def train_bytes(self) -> int:
        """Activations that the backward pass keeps, in float32 bytes per image (statistics of norms apart).

        What comes before any weight has no gradient, so pools there keep nothing.
        """
        kept: set[int] = set()
        learned: set[int] = set()
        numbers = 0
        for i, step in enumerate(self.steps):
            cell, read = step.cell, [s for s in step.sources if s is not None]
            weights = cell.cost.weights or cell.cost.norms
            if not weights and learned.isdisjoint(read):
                continue
            learned.add(i)
            numbers += cell.cost.saved + cell.extra
            if cell.cost.keeps:
                kept.add(i)
            for source, small, keep in zip(read, cell.shrunk, cell.keeps, strict=True):
                if keep or (small and source in learned):
                    kept.add(source)
        numbers += sum(self.genome.input.size if i == SOURCE else self.steps[i].cell.out.size for i in kept)
        return FLOAT_BYTES * numbers

    @cached_property
    def infer_bytes(self) -> int:
        """Most activations alive at once in a forward without gradients, in float32 bytes per image; the caller
        keeps the image all the while."""
        last_use = {i: i for i in range(SOURCE, len(self.steps))}
        for i, step in enumerate(self.steps):
            for source in step.sources:
                if source is not None:
                    last_use[source] = i
        for i in (SOURCE, *self.exits):
            last_use[i] = len(self.steps)
        alive = {SOURCE: self.genome.input.size}
        peak = 0
        for i, step in enumerate(self.steps):
            made = step.cell.out.size + step.cell.cost.scratch + _fitted(step)
            peak = max(peak, sum(alive.values()) + made)
            alive[i] = step.cell.out.size
            alive = {k: v for k, v in alive.items() if last_use[k] > i}
        return FLOAT_BYTES * peak

    @cached_property
    def depth(self) -> int:
        """Layers with weights on the longest path from the image to an exit."""
        deep = {SOURCE: 0}
        for i, step in enumerate(self.steps):
            deep[i] = step.cell.cost.layers + max(deep[s] for s in step.sources if s is not None)
        return max(deep[i] for i in self.exits)

    @cached_property
    def receptive_field(self) -> int:
        """Rows of the image that one value before an exit's pooling can see, padding included."""
        field = {SOURCE: (1, 1)}  # reach and jump, in pixels of the image
        for i, step in enumerate(self.steps):
            edges = [_shrunk(field[s], shape, step) for s, shape in _reads(step)]
            reach, jump = max(r for r, _ in edges), max(j for _, j in edges)
            cost = step.cell.cost
            field[i] = (reach + (cost.extent - 1) * jump, jump * cost.stride)
        return max(field[i][0] for i in self.exits)


def _reads(step: Step) -> list[tuple[int, Shape]]:
    pairs = zip(step.sources, step.ins, strict=True)
    return [(s, shape) for s, shape in pairs if s is not None and shape is not None]


def _shrunk(at: tuple[int, int], source: Shape, step: Step) -> tuple[int, int]:
    """The field of an input after its image was made as small as the smallest one (exits pool each apart)."""
    if step.node.op.width == "classes":
        return at
    ratio = -(-source.height // min(shape.height for _, shape in _reads(step)))
    return at[0] + (ratio - 1) * at[1], at[1] * ratio


def _fitted(step: Step) -> int:
    """Numbers in the maps that are made of the inputs before the node runs: pooled ones, a concatenation."""
    ins, seen, shrunk = [i for i in step.ins if i is not None], step.cell.seen, step.cell.shrunk
    if len(ins) == len(seen):
        return sum(s.size for s, small in zip(seen, shrunk, strict=True) if small)
    whole = seen[0]
    pooled = (whole.with_channels(i.channels).size for i, small in zip(ins, shrunk, strict=True) if small)
    return whole.size + sum(pooled)


def resolve(genome: Genome) -> Plan:
    """The plan of a genome, motifs expanded and loops unrolled.

    Raises:
        GenomeError: what `expand` and `genome.order.visits` refuse; a node without a width; an image shrunk
            below 1x1; a loop whose members change shape from pass to pass.
    """
    whole = expand(genome)
    walk = visits(whole)
    width_of = _widths(whole, walk)
    floors = _Floors(whole, walk)
    steps: list[Step] = []
    newest: dict[str | None, int | None] = {IMAGE: SOURCE, None: None}
    shapes: dict[str | None, Shape | None] = {IMAGE: genome.input, None: None}
    weights = norms = macs = 0
    for node, turn, reads in walk:
        name = node.name
        ins = tuple([shapes[r] for r in reads])
        floor = floors.of(node, shapes) if floors.loop_of else None
        before = shapes[name] if turn else None
        cell = _cell_at(node, ins, before.channels if before else width_of[name], floor)
        if before and cell.out != before:
            raise _unstable(node, before, cell.out)
        cost = cell.cost
        weights += cost.weights if floor is None else 0
        norms += cost.norms
        macs += cost.macs
        steps.append(Step(node, turn, tuple([newest[r] for r in reads]), ins, cell))
        newest[name] = len(steps) - 1
        shapes[name] = cell.out
    exits = [i for i, s in enumerate(steps) if s.node.op.width == "classes"]
    if len(exits) > 1:  # loops and nodes that name later ones may be evaluated in another order
        written = {node.name: i for i, node in enumerate(whole.nodes)}
        exits.sort(key=lambda i: written[steps[i].node.name])
    if floors.loop_of:
        weights += _loop_weights([step for step in steps if step.node.name in floors.loop_of])
    return Plan(whole, tuple(steps), tuple(exits), weights + norms, macs)


class _Floors:
    """The image size of each loop: the smallest that enters it. All that enters is pooled to that size, so
    that a loop of stride 1 keeps its size whatever it reads."""

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


def _cell_at(node: Node, ins: tuple[Shape | None, ...], width: int, floor: Size | None) -> Cell:
    read = tuple([i for i in ins if i is not None]) if None in ins else ins
    try:
        return _cell(node.op, read, width, floor)
    except ValueError as error:
        raise GenomeError(f"{node.name} ({node.op.word}) {error}", node.name) from None


@lru_cache(maxsize=1 << 16)
def _cell(op: Op, ins: tuple[Shape, ...], width: int, floor: Size | None) -> Cell:
    """Shape and cost of one node type at one place. A search meets the same place many times."""
    seen = _fit(op, ins, floor)
    out = op.shape(seen, width)
    if out.height < 1 or out.width < 1:
        size = f"{seen[0].height}x{seen[0].width}"
        raise ValueError(
            f"shrinks its {size} image below 1x1; use padding: same, a smaller kernel or stride, or fewer pools"
        )
    cost = op.cost(seen, out)
    return Cell(seen, out, cost, *_kept(ins, seen, cost))


def _fit(op: Op, ins: tuple[Shape, ...], floor: Size | None) -> tuple[Shape, ...]:
    """The inputs as the node sees them: images made equal in size, one concatenation for a one-input type."""
    if floor is not None:
        ins = tuple([Shape(i.channels, min(i.height, floor[0]), min(i.width, floor[1])) for i in ins])
    if len(ins) == 1 or not op.aligns:
        return ins
    height = min(i.height for i in ins)
    across = min(i.width for i in ins)
    if op.many:
        return tuple([Shape(i.channels, height, across) for i in ins])
    return (Shape(sum(i.channels for i in ins), height, across),)


def _kept(
    ins: tuple[Shape, ...], seen: tuple[Shape, ...], cost: Cost
) -> tuple[tuple[bool, ...], tuple[bool, ...], int]:
    """Which inputs are pooled to a smaller image, which are kept as they are, and what fitting adds to that."""
    if len(seen) != len(ins):  # concatenated
        return (
            tuple([i[1:] != seen[0][1:] for i in ins]),
            (False,) * len(ins),
            seen[0].size if cost.reads else 0,
        )
    reads = cost.reads if isinstance(cost.reads, tuple) else (cost.reads,) * len(ins)
    if ins == seen:
        return (False,) * len(ins), reads, 0
    shrunk = tuple([i != s for i, s in zip(ins, seen, strict=True)])
    extra = sum(s.size for s, small, read in zip(seen, shrunk, reads, strict=True) if small and read)
    return shrunk, tuple([r and not s for r, s in zip(reads, shrunk, strict=True)]), extra


def _unstable(node: Node, before: Shape, after: Shape) -> GenomeError:
    return GenomeError(
        f"{node.name} gives {before} in one pass of its loop and {after} in the next; members of a loop keep"
        " their size (stride 1)",
        node.name,
    )


def _loop_weights(steps: list[Step]) -> int:
    """Weights of the members of loops: one kernel per input that any pass reads, for all passes."""
    read: dict[str, dict[int, Shape]] = {}
    for step in steps:
        places = [i for i, shape in enumerate(step.ins) if shape is not None]
        read.setdefault(step.node.name, {}).update(zip(places, step.cell.seen, strict=True))
    made = {step.node.name: step for step in steps}
    return sum(
        made[name].node.op.cost([*seen.values()], made[name].cell.out).weights for name, seen in read.items()
    )


def _widths(genome: Genome, walk: list[Visit]) -> dict[str, int]:
    """The width each node is asked for, in channels; 0 where its type does not take one."""
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
            found[node.name] = _width(genome, node, blocks)
    return found


def _width(genome: Genome, node: Node, blocks: dict[str, int]) -> int:
    takes = node.op.width
    if takes == "classes":
        return genome.classes
    if isinstance(node.width, int):
        if takes == "never":
            raise GenomeError(
                f"{node.name}.width is {node.width}; a {node.op.word} has the width of what it reads",
                node.name,
            )
        return node.width
    if takes != "schedule":
        if node.width is not None:
            raise GenomeError(
                f"{node.name}.width is {node.width}; only a scheduled width has multiples", node.name
            )
        return 0
    if genome.widths is None:
        raise GenomeError(
            f"{node.name} has no width; state `width:` or give the genome a `widths:` schedule", node.name
        )
    width = genome.widths.at(blocks[node.block], len(blocks))
    return width * node.width.factor if isinstance(node.width, Times) else width
