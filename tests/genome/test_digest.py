"""digest: equal for equal networks in any notation, different for different networks, the same in any process."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch

import genome
from genome.graph import IMAGE, Genome
from genome.node_info import node_info
from genome.op import Shape
from genome.ops.pool import Pool
from genome.testing import around
from genome.text import flow, written_op
from tests.variants import PLAIN, variants
from tests.widest import widest

ROOT = Path(__file__).parents[2]
SPACE = widest()

HEAD = """\
genome: g
input: [3, 8, 8]
classes: 4
widths: {rule: constant, base: 6}
nodes:
"""
BASE = (
    HEAD
    + """\
  stem: {op: conv, in: [image]}
  a: {op: conv, in: [stem], kernel: 3}
  b: {op: conv, in: [stem], kernel: 5}
  j: {op: concat, in: [a, b]}
  p: {op: pool, in: [j], kind: max}
  x: {op: exit, in: [a], weight: 0.5}
  out: {op: exit, in: [p, stem]}
"""
)
LOOPED = (
    HEAD
    + """\
  stem: {op: conv, in: [image]}
  a: {op: conv, in: [stem, c, b]}
  b: {op: conv, in: [a]}
  c: {op: conv, in: [b, stem]}
  out: {op: exit, in: [c]}
loops:
  l: {order: [a, b, c], passes: 1}
"""
)


def name_of(text: str) -> str:
    return genome.digest(genome.loads(text))


def renamed(given: Genome, names: dict[str, str]) -> Genome:
    names = {IMAGE: IMAGE, **names}
    nodes = tuple(n._replace(name=names[n.name], ins=tuple(names[s] for s in n.ins)) for n in given.nodes)
    loops = tuple(
        lp._replace(name=f"z{lp.name}", order=tuple(names[m] for m in lp.order)) for lp in given.loops
    )
    return Genome("another", given.input, given.classes, nodes, given.widths, loops)


def shuffled(given: Genome, rng: Random) -> Genome:
    """Return the same network with nodes in another order (exits keep theirs), and inputs where their order is free."""
    spots = [i for i, n in enumerate(given.nodes) if n.op.width != "classes"]
    taken = iter(rng.sample(spots, len(spots)))
    nodes = [n if n.op.width == "classes" else given.nodes[next(taken)] for n in given.nodes]
    mixed = [n if n.op.in_order() else n._replace(ins=tuple(rng.sample(n.ins, len(n.ins)))) for n in nodes]
    return replace(given, nodes=tuple(mixed))


def stated(given: Genome) -> Genome:
    """Return the expanded network with every width stated, so that blocks and their order no longer count."""
    plan = genome.resolve(given)
    wide = {s.node.name: s.info.out.channels for s in plan.steps}
    nodes = tuple(
        n._replace(width=wide.get(n.name, 1)) if n.op.takes_width() else n for n in plan.genome.nodes
    )
    return replace(plan.genome, nodes=nodes, widths=None)


# --- the same network


def test_a_digest_is_32_hexadecimal_digits_of_a_genome_or_its_plan() -> None:
    whole = genome.loads(BASE)
    found = genome.digest(whole)
    assert len(found) == 32 and int(found, 16) >= 0
    assert genome.digest(genome.resolve(whole)) == found


@pytest.mark.parametrize("seed", range(60))
def test_names_and_listing_do_not_count(seed: int) -> None:
    rng = Random(seed)
    whole = stated(SPACE.sample(rng))
    names = [f"n{i}" for i in range(len(whole.nodes))]
    rng.shuffle(names)
    other = shuffled(renamed(whole, dict(zip([n.name for n in whole.nodes], names, strict=True))), rng)
    assert genome.digest(other) == genome.digest(whole)


@pytest.mark.parametrize("seed", range(40))
def test_a_motif_is_its_expansion_and_a_schedule_its_widths(seed: int) -> None:
    drawn = SPACE.sample(Random(seed))
    assert genome.digest(drawn) == genome.digest(genome.expand(drawn)) == genome.digest(stated(drawn))


def test_genes_without_effect_do_not_count() -> None:
    same = [
        BASE.replace("kernel: 3", "kernel: 3, order: conv-act, norm: group"),
        BASE.replace("kernel: 3", "kernel: 3, order: conv-act"),
    ]
    assert name_of(same[0]) == name_of(same[1]) != name_of(BASE)
    pointwise = BASE.replace("kernel: 3", "kernel: 1")
    assert name_of(pointwise) == name_of(pointwise.replace("kernel: 1", "kernel: 1, dilation: 2"))


def test_nodes_that_no_exit_needs_do_not_count() -> None:
    assert name_of(BASE + "  idle: {op: separable, in: [a, b]}\n") == name_of(BASE)


def test_nodes_that_pass_on_what_they_read_do_not_count() -> None:
    through = BASE.replace("in: [stem], kernel: 3", "in: [i], kernel: 3") + "  i: {op: concat, in: [stem]}\n"
    assert name_of(through) == name_of(BASE)


def test_twins_may_change_places() -> None:
    """Four equal branches have a tail each: how a tie is broken must not make equal listings differ."""
    branches = [
        f"  a{i}: {{op: conv, in: [stem]}}\n  b{i}: {{op: conv, in: [a{i}], kernel: 1}}\n" for i in range(4)
    ]
    last = "  out: {op: exit, in: [b0, b1, b2, b3]}\n"
    texts = {
        HEAD + "  stem: {op: conv, in: [image]}\n" + "".join(order) + last
        for order in (branches, branches[::-1])
    }
    mixed = (
        HEAD
        + "  stem: {op: conv, in: [image]}\n"
        + "".join(branches)
        + last.replace("b0, b1, b2", "b2, b0, b1")
    )
    assert len({name_of(text) for text in [*texts, mixed]}) == 1


# --- another network


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("input: [3, 8, 8]", "input: [3, 9, 9]"),
        ("classes: 4", "classes: 5"),
        ("base: 6", "base: 7"),
        ("a: {op: conv, in: [stem]", "a: {op: conv, in: [image]"),
        ("a: {op: conv, in: [stem]", "a: {op: conv, in: [stem, image]"),
        ("in: [a, b]", "in: [b, a]"),  # a concat's channels are ordered
        ("kind: max", "kind: avg"),
        ("op: concat, in: [a, b]", "op: add, in: [a, b]"),
        ("weight: 0.5", "weight: 0.25"),
        ("kernel: 5", "kernel: 5, width: 3"),
        ("in: [p, stem]", "in: [p]"),
        ("in: [p, stem]", "in: [p, stem], pool: flatten"),
    ],
)
def test_any_change_counts(old: str, new: str) -> None:
    assert old in BASE
    assert name_of(BASE.replace(old, new, 1)) != name_of(BASE)


@pytest.mark.parametrize("word", PLAIN)
def test_every_gene_with_an_effect_counts(word: str) -> None:
    seen: dict[str, str] = {}
    for op in dict.fromkeys(variants(word)):
        if vars(op).get("groups", 1) > 2:
            continue  # the six channels reduce the groups to 2
        text = flow(written_op(op))
        found = genome.digest(around(op, 3))
        assert found not in seen, f"{text} and {seen[found]}"
        seen[found] = text


def test_the_order_of_exits_counts() -> None:
    whole = genome.loads(BASE)
    *nodes, x, out = whole.nodes
    assert genome.digest(replace(whole, nodes=(*nodes, out, x))) != genome.digest(whole)


def test_one_node_read_twice_is_not_two_equal_nodes() -> None:
    tail = "  c: {op: conv, in: [a]}\n  d: {op: conv, in: [B], kernel: 5}\n  o: {op: exit, in: [c, d]}\n"
    one = HEAD + "  a: {op: conv, in: [image]}\n" + tail.replace("B", "a")
    two = HEAD + "  a: {op: conv, in: [image]}\n  b: {op: conv, in: [image]}\n" + tail.replace("B", "b")
    assert name_of(one) != name_of(two)


def test_a_pool_over_several_inputs_has_them_in_order() -> None:
    """The channels of the pool meet those of another node one by one, so that another order is another network."""
    text = (
        HEAD
        + """\
  a: {op: conv, in: [image], width: 2}
  b: {op: separable, in: [image], width: 2}
  p: {op: pool, in: [a, b], size: 1, stride: 1, kind: avg}
  q: {op: concat, in: [a, b]}
  j: {op: add, in: [p, q]}
  o: {op: exit, in: [j]}
"""
    )
    assert name_of(text) != name_of(text.replace("pool, in: [a, b]", "pool, in: [b, a]"))


def test_inputs_of_an_exit_without_linear_are_its_classes() -> None:
    text = (
        HEAD
        + """\
  a: {op: conv, in: [image], width: 2}
  b: {op: separable, in: [image], width: 2}
  o: {op: exit, in: [a, b], linear: false}
"""
    )
    assert name_of(text) != name_of(text.replace("[a, b]", "[b, a]"))
    learned = text.replace("linear: false", "linear: true")
    assert name_of(learned) == name_of(learned.replace("[a, b]", "[b, a]"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("passes: 1", "passes: 2"), ("[a, b, c], p", "[b, c, a], p"), ("in: [b, stem]", "in: [b, stem, c]")],
)
def test_loops_count(old: str, new: str) -> None:
    text = LOOPED.replace("in: [a]}", "in: [a, stem]}")
    assert old in text
    assert name_of(text.replace(old, new)) != name_of(text)
    assert name_of(text.replace("\n  l: ", "\n  other: ")) == name_of(text)


def test_digests_of_drawn_networks_are_as_many_as_the_networks() -> None:
    rng = Random(0)
    plans = [genome.resolve(SPACE.sample(rng)) for _ in range(500)]
    costs = {(p.params, p.macs, p.train_bytes, len(p.steps)) for p in plans}
    assert len({genome.digest(p) for p in plans}) >= len(costs)


# --- other processes

PRINT = """
import pickle, sys
import genome
for g in pickle.load(sys.stdin.buffer):
    known = {node.op: 1 for node in g.nodes}
    assert all(type(op)(**{x.name: getattr(op, x.name) for x in op.genes}) in known for op in known)
    print(genome.digest(g), genome.digest(genome.loads(genome.dump(g))))
"""


@pytest.mark.parametrize("seed", ["0", "12345"])
def test_digests_and_pickled_genomes_are_the_same_in_any_process(seed: str) -> None:
    rng = Random(7)
    drawn = [genome.loads(BASE), genome.loads(LOOPED), *(SPACE.sample(rng) for _ in range(20))]
    expected = [genome.digest(g) for g in drawn]  # by now the ops have cached hashes of words
    done = subprocess.run(
        [sys.executable, "-c", PRINT],
        input=pickle.dumps(drawn),
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == [d for name in expected for d in (name, name)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_pools_of_one_mark_are_one_function(size: int) -> None:
    """Genes that have the same effect at their place: windows larger than the image, ceil without a remainder."""
    shape, image = Shape(2, size, size), torch.randn(2, 2, size, size)
    found: dict[int | None, torch.Tensor] = {None: image}
    genes = [*itertools.product(("max", "avg"), (1, 2, 3, 7), (1, 2, 3), (0, 1), (False, True))]
    for kind, window, stride, padding, ceil in genes:
        pool = Pool(kind=kind, size=window, stride=stride, padding=padding, ceil=ceil)
        info = node_info(pool, (shape,), 0, None)
        out = pool.build((shape,), info.out)(image)
        assert torch.equal(found.setdefault(info.mark, out), out), pool
    assert len(found) < len(genes)  # some genes had the same effect


LOOP = """\
genome: g
input: [3, 8, 8]
classes: 4
nodes:
  x: {{op: conv, in: [image], width: 6}}
  a: {{op: {a}, in: [x, b], width: 12}}
  b: {{op: conv, in: [a], width: 8}}
  out: {{op: exit, in: [b]}}
loops:
  l: {{order: [a, b], passes: 1}}
"""


@pytest.mark.parametrize("genes", [("conv, groups: 2", "conv, groups: 4")])
def test_genes_of_a_loop_count_by_what_later_passes_read_too(genes: tuple[str, str]) -> None:
    """On x, of six channels, both groups become two; on b, of eight channels, they differ."""
    one, two = (genome.resolve(genome.loads(LOOP.format(a=a))) for a in genes)
    assert one.params != two.params
    assert genome.digest(one) != genome.digest(two)
