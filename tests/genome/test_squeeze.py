"""squeeze against its formula, with the same weights."""

from __future__ import annotations

import pytest
import torch

import genome
from genome.node_info import node_info
from genome.op import Shape
from genome.ops.squeeze import Squeeze

IMAGE = Shape(6, 4, 3)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("ratio", [1, 2, 4, 64])
def test_it_is_the_formula(ratio: int, bias: bool) -> None:
    module = Squeeze(ratio=ratio, bias=bias).build([IMAGE], IMAGE).double()
    weights = dict(module.named_parameters())
    assert len(weights["down.weight"]) == max(1, 6 // ratio)
    x = torch.randn(2, *IMAGE, dtype=torch.float64, requires_grad=True)
    inner = x.mean(dim=3).mean(dim=2) @ weights["down.weight"].T + (weights["down.bias"] if bias else 0)
    outer = inner.clamp(min=0) @ weights["up.weight"].T + (weights["up.bias"] if bias else 0)
    expected = x / (1 + torch.exp(-outer))[:, :, None, None]
    torch.testing.assert_close(module(x), expected)
    grad, wrt = torch.randn_like(x), (x, *weights.values())
    ours, theirs = (torch.autograd.grad(out, wrt, grad) for out in (module(x), expected))
    torch.testing.assert_close(ours, theirs)


def test_params_of_the_attention_of_cliquenets_transitions() -> None:
    """CliqueNet S2 at its second transition: 80 * 5 channels of the block, half as many hidden ones, with biases."""
    cost = Squeeze().cost([Shape(400, 28, 28)], Shape(400, 28, 28))
    assert cost.weights == 400 * 200 + 200 + 200 * 400 + 400
    assert cost.macs == 2 * 400 * 200


def test_ratios_that_come_to_one_hidden_number_are_one_function() -> None:
    marks = [node_info(Squeeze(ratio=r), (IMAGE,), 0, None).mark for r in (2, 4, 6, 64)]
    assert marks[0] != marks[1] == marks[2] == marks[3]


def test_one_value_sees_every_row() -> None:
    text = """\
genome: g
input: [3, 16, 16]
classes: 4
nodes:
  a: {op: conv, in: [image], width: 4}
  s: {op: squeeze, in: [a]}
  out: {op: exit, in: [s]}
"""
    assert genome.resolve(genome.loads(text)).receptive_field == 16 + 2  # and the padding of the convolution
