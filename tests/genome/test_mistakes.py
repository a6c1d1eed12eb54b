"""All mistakes of a genome are told at once, and none that follows from another one."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from random import Random

import pytest

import genome
from genome.graph import IMAGE, Node
from tests.genome.test_text import HEAD, SPACE, refusal

WRONG = """\
genome: wrong
input: [3, 8]
clases: 0
widths: {rule: linear, bass: 0, alpha: -1}
nodes:
  a: {op: conv, in: [imag, image], kernel: 40, colour: red, width: -1}
  b: {op: residual, in: [a], unit: body, body: {op: conv, kernel: 99, strid: 2}}
  c: {op: cnov, in: [], width: q}
  d: 3
  image: {op: exit}
loops:
  l: {order: [a, zz], passes: 99}
  k: {passes: 1}
"""


def test_all_mistakes_of_a_text_are_told() -> None:
    found = [line.removeprefix("g.yaml:").partition(";")[0] for line in refusal(WRONG).split("\n")]
    assert found == [
        "2  input is [3, 8]",
        "3  clases is not known (classes?)",  # and is not missing
        "4  widths.bass is not known (base?)",
        "4  widths.rule is linear",
        "4  widths.alpha is -1.0",
        "6  a.colour is no gene of conv",
        "6  a.conv.kernel is 40",
        "6  a.in names imag, which is no node (image?)",
        "6  a.width is -1",
        "7  b.residual.body.strid is no gene of conv (stride?)",
        "7  b.residual.body.conv.kernel is 99",
        "8  c.op is cnov (conv?)",
        "8  c.in is []",
        "8  c.width is q",
        "9  nodes.d is 3",
        "10  nodes: 'image' is the name of the input",
        "10  image.in is missing",
        "12  loops.l.order names zz, which is no node",
        "12  loops.l.passes is 99",
        "13  loops.k.order is missing",
    ]


UNRESOLVED = """\
genome: unresolved
input: [3, 32, 32]
classes: 10
nodes:
  a: {op: conv, in: [image]}
  p: {op: pool, in: [image], width: 3}
  b: {op: conv, in: [image], padding: 0, kernel: 31, width: 4}
  c: {op: conv, in: [b], padding: 0, kernel: 31, width: 4}
  c2: {op: conv, in: [c], padding: 0, kernel: 31, width: 4}
  d: {op: conv, in: [image, image], width: 4}
  e: {op: exit, in: [a], width: 4}
  f: {op: exit, in: [c2, p, d, loop1]}
  small: {op: pool, in: [image], size: 31, padding: 0}
  gone: {op: conv, in: [small], kernel: 9, padding: 0, width: 4}
  g: {op: exit, in: [gone]}
  loop1: {op: conv, in: [image, loop2], width: 4}
  loop2: {op: conv, in: [loop1], width: 4, stride: 2}
  last: {op: exit, in: [image], weight: 0}
loops:
  l: {order: [loop1, loop2]}
"""


def test_all_mistakes_of_a_genome_that_does_not_resolve_are_told() -> None:
    """Those that follow from another one are not: `c2` reads `c`, which has no map."""
    found = [line.removeprefix("g.yaml:").partition(";")[0] for line in refusal(UNRESOLVED).split("\n")]
    assert found == [
        "5  a has no width",
        "6  p.width is 3",
        "8  c (conv) shrinks its 2x2 image below 1x1",
        "10  d.in names an input twice: image, image",
        "11  e.width is 4",
        "14  gone (conv) shrinks its 1x1 image below 1x1",
        "16  loop1 gives 4x32x32 in one pass of its loop and 4x16x16 in the next",
        "18  last.weight is 0 and last is the last exit, whose accuracy is that of the network",
    ]


def test_no_mistake_is_told_that_is_none() -> None:
    """One node of a drawn genome gets a kernel that no image has room for: that alone is wrong."""
    large = genome.lookup("conv")(kernel=31, padding=0)
    for seed in range(20):
        whole = SPACE.sample(Random(seed))
        x, y = Node("x", large, (IMAGE,), 4), Node("y", genome.lookup("exit")(), ("x",))
        text = genome.dump(replace(whole, nodes=(x, y, *whole.nodes)))
        assert [line.partition("  ")[2][:8] for line in refusal(text).split("\n")] == ["x (conv)"]


def test_a_thousand_mistakes_are_all_named_and_take_no_minutes() -> None:
    chain = "".join(f"  n{i}: {{op: conv, in: [{f'n{i - 1}' if i else 'image'}]}}\n" for i in range(1000))
    begun = time.process_time()
    with pytest.raises(genome.SourceError) as told:
        genome.loads(HEAD.partition("widths")[0] + "nodes:\n" + chain + "  out: {op: exit, in: [n999]}\n")
    assert time.process_time() - begun < 10, "the time grew with the cube of the mistakes"
    assert len(re.findall(r"n\d+ has no width", str(told.value))) == 1000
