"""act and dropout: what training drops at random, and nodes that return their input."""

from __future__ import annotations

import pytest
import torch

import genome
from genome.op import IDENTITY, Op, Shape
from genome.ops.act import Act
from genome.ops.dropout import Dropout

IMAGE = Shape(4, 5, 3)
TEXT = """\
genome: g
input: [3, 8, 8]
classes: 4
nodes:
  a: {op: conv, in: [image], width: 4}
  n: NODE
  b: {op: conv, in: [n], width: 4}
  out: {op: exit, in: [b]}
"""


def test_a_share_is_dropped_in_training_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    module = Dropout(rate=0.25).build([IMAGE], IMAGE)
    x = torch.ones(500, *IMAGE)
    out = module(x)
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert (out == 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("op", [Dropout(rate=0.0), Act(activation="none")])
def test_what_does_nothing_does_not_count(op: Op) -> None:
    assert op.placed([IMAGE], IMAGE) == IDENTITY
    x = torch.randn(2, *IMAGE)
    assert torch.equal(op.build([IMAGE], IMAGE)(x), x)
    (gene,) = [f"{g.name}: {vars(op)[g.name]}" for g in op.genes if vars(op)[g.name] != g.default]
    written = TEXT.replace("NODE", f"{{op: {op.word}, in: [a], {gene}}}")
    bare = TEXT.replace("  n: NODE\n", "").replace("[n]", "[a]")
    assert genome.digest(genome.loads(written)) == genome.digest(genome.loads(bare))


def test_the_norm_comes_first() -> None:
    module = Act(norm="batch").build([IMAGE], IMAGE)
    x = torch.randn(6, *IMAGE)
    mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
    normed = (x - mean[:, None, None]) / torch.sqrt(variance + 1e-5)[:, None, None]
    torch.testing.assert_close(module(x), normed.clamp(min=0))
