"""Nodes that read the image itself: the plan's count against a forward that traces which values are learned."""

from __future__ import annotations

import pytest

import genome
from genome import zoo
from genome.graph import Genome, Node
from genome.op import Op
from genome.testing import label
from genome.testing.variants import INPUT
from tests.variants import PLAIN, variants
from trainer.hardware.flops import Work, counted

SMALL = [name for name in zoo.names() if genome.resolve(zoo.get(name)).macs < 5e8]
OPS = [op for word in PLAIN for op in dict.fromkeys(variants(word)) if not op.expands()]
# without a linear layer the width is the number of classes
BARE = [op for op in OPS if vars(op).get("linear", True)]


def _said(plan: genome.Plan) -> Work:
    module = genome.build(plan)
    return Work(module.macs, module.image_macs)


@pytest.mark.parametrize("name", SMALL)
def test_networks_of_the_zoo(name: str) -> None:
    plan = genome.resolve(zoo.get(name))
    assert counted(genome.build(plan), plan.genome.input) == _said(plan)


def _on_images(op: Op, inputs: int) -> Genome:
    """Return a network whose node `x` is `op` on the image, or on the image and a pool of it."""
    pool, leave = genome.lookup("pool")(), genome.lookup("exit")()
    sources = [Node("p", pool, ("image",))] if inputs > 1 else []
    x = Node("x", op, ("image", "p")[:inputs], 6 if op.takes_width() else None)
    out = [] if op.width == "classes" else [Node("out", leave, ("x",))]
    return Genome("one", INPUT, 5, (*sources, x, *out))


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("op", [pytest.param(op, id=label(op)) for op in BARE])
def test_every_node_type_over_images(op: Op, inputs: int) -> None:
    plan = genome.resolve(_on_images(op, inputs))
    assert counted(genome.build(plan), plan.genome.input) == _said(plan)


def test_of_several_inputs_the_share_of_the_image_is_counted() -> None:
    text = """
genome: two
input: [3, 8, 8]
classes: 10
nodes:
  a: {op: conv, in: [image], width: 4}
  b: {op: conv, in: [image, a], width: 5}
  c: {op: add, in: [image, b], width: 6, fit: project}
  out: {op: exit, in: [image, c]}
"""
    plan = genome.resolve(genome.loads(text))
    assert plan.image_macs == 64 * (9 * 3 * 4 + 9 * 3 * 5 + 3 * 6) + 3 * 10
    assert plan.macs == plan.image_macs + 64 * (9 * 4 * 5 + 5 * 6) + 6 * 10


def test_drop_path_is_counted_in_full() -> None:
    plan = genome.resolve(zoo.get("fractalnet-c2"))
    module = genome.build(plan).train()
    assert module.joins
    assert counted(module, plan.genome.input) == Work(plan.macs, plan.image_macs)
