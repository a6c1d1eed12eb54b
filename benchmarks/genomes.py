"""Genomes per second: draw + decode + resolve + digest, against the same with plain networkx; build; meta forward.

The benchmark runs on one core and uses a space whose genomes have 30 nodes. The kinds of work are timed in turn, each
several times; the medians and their ratios are printed.

`plain` does the same work with networkx's own functions, as a first version would: it draws by the same walk, checks
for cycles, sorts, infers shapes and costs node by node without any cache, and takes networkx's Weisfeiler-Lehman hash.
The hash runs twice. With as many rounds as the longest path, it distinguishes the networks that our digest
distinguishes; a coarser digest would reuse the wrong report. With networkx's default of three rounds, it sees only
three edges far.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import networkx as nx

import genome
from genome.graph import IMAGE, Genome
from genome.op import Shape
from genome.yaml.source import parse
from search.space.parse import space_of
from search.space.space import Space

NODES, ROUNDS, GENOMES = 30, 7, 300
SHAPE, CLASSES = Shape(3, 32, 32), 10


def space(skips: bool = True) -> Space:
    """Return a space of a stem, 28 places with four holes each, an optional skip on every other edge, and an exit."""
    lines = [
        "space:",
        "  widths: {rule: {one_of: [constant, add]}, base: {int: [8, 32, 8]}, alpha: {int: [1, 32]}}",
    ]
    lines += ["  nodes:", "    stem: {op: conv, in: [image], kernel: {one_of: [3, 5]}}"]
    before = ["stem"]
    for i in range(1, NODES - 1):
        skip = f", ({before[-2]})" if skips and i > 1 else ""
        ops = "[add, concat, mean]" if i % 5 == 0 else "[conv, separable]"
        genes = "" if i % 5 == 0 else ", kernel: {one_of: [1, 3, 5]}, activation: {one_of: [relu, silu]}"
        stride = ", stride: 2" if i in (11, 21) else ""
        lines.append(f"    n{i}: {{op: {{one_of: {ops}}}, in: [{before[-1]}{skip}]{genes}{stride}}}")
        before.append(f"n{i}")
    lines.append(f"    out: {{op: exit, in: [{before[-1]}]}}")
    return space_of(parse("\n".join(lines)), ("space",), "bench", SHAPE, CLASSES)


def ours(where: Space, rng: Random) -> str:
    """Draw a genome through the walk, resolve it, and compute its digest."""
    plan = genome.resolve(where.sample(rng))
    assert plan.params and plan.macs
    return genome.digest(plan)


def plain(where: Space, rng: Random, rounds: int | None = None) -> str:
    """Do the same with a networkx graph whose nodes hold everything; `rounds` of None: as deep as the graph."""
    drawn = where.sample(rng)
    graph: Any = nx.DiGraph()
    graph.add_node(IMAGE, shape=drawn.input, label=IMAGE)
    for node in drawn.nodes:
        graph.add_node(node.name, op=node.op, word=node.op.word, node=node)
        graph.add_edges_from((source, node.name) for source in node.ins)
    assert nx.is_directed_acyclic_graph(graph)
    alive = set().union(*(nx.ancestors(graph, n.name) | {n.name} for n in drawn.nodes if n.op.word == "exit"))
    graph = graph.subgraph(alive).copy()
    blocks = [n.block for n in drawn.nodes if n.op.width == "schedule" and n.name in alive]
    params = macs = 0
    for name in nx.topological_sort(graph):
        if name != IMAGE:
            params, macs = _visit(graph, drawn, blocks, name, params, macs)
    rounds = rounds or nx.dag_longest_path_length(graph)
    return str(nx.weisfeiler_lehman_graph_hash(graph, node_attr="label", iterations=rounds))


def plain_near(where: Space, rng: Random) -> str:
    """Call `plain` with networkx's default of three rounds."""
    return plain(where, rng, rounds=3)


def _visit(
    graph: Any, drawn: Genome, blocks: list[str], name: str, params: int, macs: int
) -> tuple[int, int]:
    """Return width, shape and cost of one node."""
    node = graph.nodes[name]["node"]
    ins = tuple(graph.nodes[source]["shape"] for source in node.ins)
    assert drawn.widths is not None
    width = 0
    if node.op.width == "schedule":
        step = list(dict.fromkeys(blocks)).index(node.block) + 1
        width = drawn.widths.at(step, len(set(blocks)))
    if node.op.width == "classes":
        width = drawn.classes
    if node.op.aligns:
        size = min(i.height for i in ins), min(i.width for i in ins)
        ins = tuple(Shape(i.channels, *size) for i in ins)
    out = node.op.shape(ins, width)
    cost = node.op.cost(ins, out)
    graph.nodes[name]["shape"] = out
    graph.nodes[name]["label"] = repr((node.op.described(), out))
    return params + cost.weights + cost.norms, macs + cost.macs


class Built(NamedTuple):
    """Seconds of process time to make one network."""

    build: float  # by `genome.build`
    constructors: float  # by torch's own constructors alone


def built(where: Space, rng: Random) -> Built:
    """Build a genome, then make the same convolutions, norms and activations without any code of this project.

    The second time is the least that building can take.
    """
    from torch import nn

    plan = genome.resolve(where.sample(rng))
    parts = list(genome.build(plan).modules())
    kernels = [tuple(w.shape) for m in parts for w in m.parameters(recurse=False) if w.ndim == 4]
    norms = [m.num_features for m in parts if isinstance(m, nn.BatchNorm2d)]
    acts = [type(m) for m in parts if isinstance(m, nn.ReLU | nn.SiLU)]
    start = time.process_time()
    genome.build(plan)
    middle = time.process_time()
    _ = (
        [nn.Conv2d(c, o, k, bias=False) for o, c, *k in kernels],
        [nn.BatchNorm2d(n) for n in norms],
        [a() for a in acts],
    )
    return Built(middle - start, time.process_time() - middle)


def _medians(rows: list[Built]) -> Built:
    return Built(*(statistics.median(column) for column in zip(*rows, strict=True)))


def meta_seconds(where: Space) -> list[float]:
    """Return the seconds of the alternative to our shape arithmetic: a counted torch forward on the meta device."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    rng, taken = Random(5), []
    for i in range(8):
        module = genome.build(where.sample(rng), seed=i).to("meta").eval()
        image = torch.empty(1, *SHAPE, device="meta")
        start = time.process_time()
        with torch.no_grad(), FlopCounterMode(display=False):
            module(image)
        taken.append(time.process_time() - start)
    return taken[2:]


def _rate(work: Callable[[Space, Random], str], where: Space, seed: int, count: int) -> float:
    rng = Random(seed)
    start = time.process_time()
    for _ in range(count):
        work(where, rng)
    return count / (time.process_time() - start)


def main() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="The hashes produced for directed graphs")
    where = space()
    sizes = [len(where.sample(Random(i)).nodes) for i in range(20)]
    assert set(sizes) == {NODES}
    mine, deep, near = [], [], []
    for round_ in range(ROUNDS):
        mine.append(_rate(ours, where, round_, GENOMES))
        deep.append(_rate(plain, where, round_, GENOMES // 10))
        near.append(_rate(plain_near, where, round_, GENOMES // 5))
    fast, slow, short = statistics.median(mine), statistics.median(deep), statistics.median(near)
    print(f"{NODES} nodes, {len(where.holes)} holes, 1 core, medians of {ROUNDS} alternating rounds")
    print(
        f"draw + decode + resolve + digest  {fast:8,.0f} genomes/s   (first round, caches cold: {mine[0]:,.0f})"
    )
    print(f"the same with plain networkx      {slow:8,.0f} genomes/s   ratio {fast / slow:.1f}x")
    print(f"  hashed three edges far          {short:8,.0f} genomes/s   ratio {fast / short:.1f}x")
    rng, single = Random(5), space(skips=False)
    rows = [(built(where, rng), built(single, rng)) for _ in range(60)]
    full, chain = _medians([a for a, _ in rows]), _medians([b for _, b in rows])
    meta, resolve = statistics.median(meta_seconds(where)), statistics.median(_resolve_seconds(where))
    for name, found in (("build, skips everywhere", full), ("build, no skips", chain)):
        ratio = found.build / found.constructors
        print(f"{name:34}{1e3 * found.build:8.2f} ms        {ratio:.2f}x of torch's constructors alone")
    print(f"resolve                           {1e3 * resolve:8.2f} ms")
    print(
        f"counted forward on meta           {1e3 * meta:8.2f} ms        ratio {meta / resolve:.0f}x of resolve"
    )


def _resolve_seconds(where: Space) -> list[float]:
    rng, taken = Random(6), []
    for _ in range(200):
        drawn = where.sample(rng)
        start = time.process_time()
        genome.resolve(drawn)
        taken.append(time.process_time() - start)
    return taken


if __name__ == "__main__":
    main()
