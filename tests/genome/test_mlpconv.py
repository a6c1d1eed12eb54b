"""mlpconv against torch by hand, and the networks of the paper to the last parameter."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import genome
from genome.axes import Both, axes
from genome.op import Shape
from genome.ops.mlpconv import Mlpconv

IMAGE = Shape(4, 7, 6)
NIN = """\
genome: nin-cifar10
input: [3, 32, 32]
classes: 10
nodes:
  m1: {op: mlpconv, in: [image], kernel: 5, first: 192, second: 160, width: 96}
  p1: {op: pool, in: [m1], size: 3, stride: 2, ceil: true}
  d1: {op: dropout, in: [p1]}
  m2: {op: mlpconv, in: [d1], kernel: 5, width: 192}
  p2: {op: pool, in: [m2], size: 3, stride: 2, ceil: true}
  d2: {op: dropout, in: [p2]}
  m3: {op: mlpconv, in: [d2], kernel: 3, first: 192, second: 192, width: 10}
  out: {op: exit, in: [m3], linear: false}
"""


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), ((1, 3), 1), ((5, 3), (1, 2))])
def test_it_is_three_convolutions(kernel: Both, stride: Both, norm: str) -> None:
    op = Mlpconv(kernel=kernel, stride=stride, first=8, second=3, norm=norm)
    module = op.build([IMAGE], op.shape([IMAGE], 5)).double()
    weights = dict(module.named_parameters())
    x = torch.randn(3, *IMAGE, dtype=torch.float64, requires_grad=True)
    expected = x
    around = [size // 2 for size in axes(kernel)]
    for i, (step, pad) in enumerate([(stride, around), (1, 0), (1, 0)], start=1):
        expected = F.conv2d(expected, weights[f"conv{i}.weight"], weights[f"conv{i}.bias"], step, pad)
        if norm == "batch":
            mean = expected.mean(dim=(0, 2, 3), keepdim=True)
            variance = (expected - mean).square().mean(dim=(0, 2, 3), keepdim=True)
            expected = (expected - mean) / torch.sqrt(variance + 1e-5)
        expected = expected.clamp(min=0)
    found = module(x)
    torch.testing.assert_close(found, expected)
    wrt, grad = [x, *(w for n, w in weights.items() if n.startswith("conv"))], torch.randn_like(found)
    ours, theirs = (torch.autograd.grad(out, wrt, grad) for out in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_the_network_of_the_paper_has_its_parameters_and_shapes() -> None:
    plan = genome.resolve(genome.loads(NIN))
    assert plan.params == 966_986  # mavenlin/cuda-convnet, NIN/cifar-10_def
    outs = {step.node.name: step.info.out for step in plan.steps}
    assert (outs["m1"], outs["p1"], outs["p2"]) == ((96, 32, 32), (96, 16, 16), (192, 8, 8))


def test_the_first_layer_for_imagenet() -> None:
    """11 x 11 over every fourth pixel, without padding: 224 -> 54."""
    op = Mlpconv(kernel=11, stride=4, padding=0)
    image = Shape(3, 224, 224)
    out = op.shape([image], 96)
    assert out == (96, 54, 54)
    assert op.cost([image], out).weights == (11 * 11 * 3 + 1) * 96 + 2 * (96 + 1) * 96


def test_zero_inner_channels_are_the_width() -> None:
    digests = {
        genome.digest(genome.loads(NIN.replace("kernel: 5, width: 192", f"kernel: 5, {inner}width: 192")))
        for inner in ("", "first: 192, ", "second: 192, ", "first: 192, second: 0, ")
    }
    assert len(digests) == 1
