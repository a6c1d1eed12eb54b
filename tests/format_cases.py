"""Networks that formats of exports are tried on: one-node genomes, hard cases, published networks, draws."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

import genome
from genome import GenomeError, Plan, zoo
from genome.testing import around
from tests.variants import MOTIFS, PLAIN, variants
from tests.widest import widest

PUBLISHED = (
    *(
        "active-plain",
        "branchy-alexnet",
        "branchy-lenet",
        "cliquenet-36-12",
        "densenet-40-12",
        "fractalnet-c3",
    ),
    *("lenet", "mobilenet-v1-cifar10", "nin-cifar10", "pnn-resnet18-nf64", "resnet-20"),
)
HEAD = "genome: {name}\ninput: [3, 11, 9]\nclasses: 4\nnodes:\n"
# what runtimes have computed wrongly, or not at all
HARD = {
    "maps of odd sizes added": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: conv, in: [image], width: 8, stride: 2}
  c: {op: add, in: [a, b]}
  out: {op: exit, in: [c]}
""",
    "maps of odd sizes, mean of more channels": """\
  a: {op: conv, in: [image], width: 5}
  b: {op: conv, in: [a], width: 8, stride: [3, 2]}
  c: {op: mean, in: [a, b]}
  out: {op: exit, in: [c]}
""",
    "maps of odd sizes concatenated": """\
  a: {op: conv, in: [image], width: 5}
  b: {op: separable, in: [a], width: 8, stride: 2}
  c: {op: concat, in: [a, b]}
  out: {op: exit, in: [c]}
""",
    "fewer channels": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: conv, in: [a], width: 5}
  c: {op: add, in: [b, a]}
  d: {op: add, in: [image, c]}
  out: {op: exit, in: [d]}
""",
    "grouped convolution of an odd map": """\
  a: {op: conv, in: [image], width: 8, stride: 2}
  b: {op: conv, in: [a], width: 12, groups: 4, stride: 2}
  out: {op: exit, in: [b]}
""",
    "residual pyramid": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: residual, in: [a], width: 12, order: pyramid, fit: pad, stride: 2, drop_path: 0.2}
  out: {op: exit, in: [b]}
""",
    "residual front": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: residual, in: [a], width: 12, fit: front, stride: 2}
  c: {op: residual, in: [b], width: 12, fit: front, stride: 3}
  out: {op: exit, in: [c]}
""",
    "average pool, padded, ceil": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: pool, in: [a], kind: avg, size: 4, stride: 3, padding: 1, ceil: true}
  out: {op: exit, in: [b]}
""",
    "average pool, padded, ceil, a window dropped": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: pool, in: [a], kind: avg, size: 3, stride: [4, 3], padding: 1, ceil: true}
  c: {op: pool, in: [a], kind: avg, size: 2, stride: [4, 5], padding: 1, ceil: true}
  d: {op: concat, in: [b, c]}
  out: {op: exit, in: [d]}
""",
    "average pool, ceil": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: pool, in: [a], kind: avg, size: 3, stride: 2, ceil: true}
  c: {op: pool, in: [b], kind: avg, size: [2, 3], stride: [2, 1], ceil: true}
  out: {op: exit, in: [c]}
""",
    "average pool, padded": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: pool, in: [a], kind: avg, size: 3, stride: 1, padding: 1}
  c: {op: pool, in: [b], kind: avg, size: [5, 3], stride: 2, padding: 2}
  out: {op: exit, in: [c]}
""",
    "max pool, padded, ceil": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: pool, in: [a], size: 3, stride: 2, padding: 1, ceil: true}
  c: {op: pool, in: [a], size: 2, stride: [4, 5], padding: 1, ceil: true}
  d: {op: concat, in: [b, c]}
  out: {op: exit, in: [d]}
""",
    "deform, groups of offsets": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: deform, in: [a], width: 8, groups: 2, modulation: unit, stride: 2}
  c: {op: deform, in: [b], width: 8, groups: 4, kernel_groups: 2}
  out: {op: exit, in: [c]}
""",
    "lrn of odd and even sizes": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: lrn, in: [a], size: 5}
  c: {op: lrn, in: [b], size: 4}
  out: {op: exit, in: [c]}
""",
    "a loop with norms behind its convolutions": """\
  a: {op: conv, in: [image], width: 8}
  b: {op: conv, in: [a, c], width: 8, order: conv-norm-act}
  c: {op: conv, in: [b], width: 8, order: norm-conv-norm-act, kernel: 1}
  out: {op: exit, in: [c]}
loops:
  l: {order: [b, c], passes: 2}
""",
    "streamed masks": """\
  a: {op: perturb, in: [image], width: 8, order: act-mix, masks: 8}
  b: {op: perturb, in: [a], width: 8, order: mix-norm-act, masks: 4, mix: grouped, shared: true}
  out: {op: exit, in: [b]}
""",
    "norms before padded convolutions": """\
  a: {op: clique, in: [image], width: 6, nodes: 3}
  b: {op: conv, in: [a], width: 8, order: norm-act-conv}
  out: {op: exit, in: [b], norm: batch}
""",
    "a map that two exits read, and group norms": """\
  a: {op: conv, in: [image], width: 8, norm: group}
  early: {op: exit, in: [a]}
  b: {op: squeeze, in: [a]}
  c: {op: active, in: [b], width: 8, stride: 2}
  out: {op: exit, in: [c, a]}
""",
}


def hard() -> Iterator[tuple[str, Plan]]:
    """Yield the hard cases by name."""
    for name, nodes in HARD.items():
        yield name, genome.resolve(genome.loads(HEAD.format(name="g") + nodes))


def of_word(word: str) -> Iterator[tuple[str, Plan]]:
    """Yield the variants of a node type, each with convolutions before and an exit behind it."""
    for number, op in enumerate(dict.fromkeys(variants(word))):
        yield f"{word} {number}", genome.resolve(around(op, 3 if op.many else 1))


def published() -> Iterator[tuple[str, Plan]]:
    """Yield networks of the zoo."""
    for name in PUBLISHED:
        yield name, genome.resolve(zoo.get(name))


def drawn(count: int) -> Iterator[tuple[str, Plan]]:
    """Yield draws of the widest space."""
    space, seed, kept = widest(), 0, 0
    while kept < count:
        seed += 1
        try:
            yield f"draw {seed}", genome.resolve(space.sample(Random(seed)))
            kept += 1
        except GenomeError:
            continue


def families(draws: int, most: int) -> Iterator[tuple[str, Iterator[tuple[str, Plan]]]]:
    """Yield the rows of the table of formats: a name, and the networks of each, at most so many of a node type."""
    for name, plan in hard():
        yield name, iter([(name, plan)])
    yield "zoo", published()
    yield "draws of the widest space", drawn(draws)
    for word in (*PLAIN, *MOTIFS):
        yield word, islice(of_word(word), most)
