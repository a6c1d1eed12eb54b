"""Siblings: convolutions of one value that run as one give the results that they give one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import genome
from genome.network import Network
from genome.op import Shape
from genome.ops._horizontal_fusion import pays, run_together
from genome.siblings import siblings
from tests.by_hand import EXACT, Convolutions, image, network

HEAD = "genome: g\ninput: [3, 8, 8]\nclasses: 5\nnodes:\n  stem: {op: conv, in: [image], width: 4}\n"


def text(genes: str, source: str = "stem") -> str:
    """Return three convolutions of one value, of unequal widths."""
    return HEAD + (
        "".join(
            f"  {n}: {{op: conv, in: [{source}], width: {w}, {genes}}}\n"
            for n, w in (("a", 2), ("b", 5), ("c", 3))
        )
        + "  out: {op: exit, in: [a, b, c]}\n"
    )


def one_by_one(net: Network) -> Network:
    """Return a copy that runs its siblings one by one."""
    other = copy.deepcopy(net)
    other._siblings = {}
    return other


def count(net: Network, size: int = 8) -> int:
    with Convolutions() as convolutions:
        net(image(size=size))
    return convolutions.count


GENES = [
    "order: conv-norm-act",
    "order: conv-norm-act, bias: true, eps: 0.01",
    "order: conv-norm-act, norm: plain, kernel: 5, dilation: 2",
    "order: conv-norm, norm: plain, bias: true",
    "order: conv-norm, kernel: 1",
    "order: conv-act, activation: silu, bias: true",
    "order: conv-act, padding: 2",
    "order: conv, bias: true",
    "order: conv, padding: 1, kernel: 2",
    "order: conv",
]


@pytest.mark.parametrize("genes", GENES)
def test_run_together_they_are_what_they_are_one_by_one(genes: str) -> None:
    net = network(text(genes))
    assert set(net._siblings.values()) == {(1, 2, 3)}
    other = one_by_one(net)
    assert (count(net), count(other)) == (2, 4)
    x = image().requires_grad_(), image().requires_grad_()
    for _ in range(2):  # statistics accumulate
        (ours,), (theirs,) = net(x[0]), other(x[1])
        torch.testing.assert_close(ours, theirs, **EXACT)
        for out in (ours, theirs):
            out.square().sum().backward()
    torch.testing.assert_close(x[0].grad, x[1].grad, **EXACT)
    for mine, their in zip(net.parameters(), other.parameters(), strict=True):
        assert mine.grad is not None
        torch.testing.assert_close(mine.grad, their.grad, **EXACT)
    state = other.state_dict()
    for name, tensor in net.state_dict().items():  # running statistics, num_batches_tracked
        torch.testing.assert_close(tensor, state[name], **EXACT)


def test_the_columns_of_a_fractal_that_begin_together_are_one_convolution() -> None:
    net = network(HEAD + "  f: {op: fractal, in: [stem], width: 4, columns: 4, drop_path: 0, whole: 0}\n"
                  "  out: {op: exit, in: [f]}\n")  # fmt: skip
    # eight steps of the deepest column, one convolution each, and the stem
    assert (count(net), count(one_by_one(net))) == (9, 16)


def test_of_siblings_that_a_mini_batch_needs_only_those_run() -> None:
    net = network(HEAD + "  f: {op: fractal, in: [stem], width: 4, columns: 4, drop_path: 0.4}\n"
                  "  out: {op: exit, in: [f]}\n")  # fmt: skip
    other = one_by_one(net)
    for seed in range(10):
        torch.manual_seed(seed)
        (ours,) = net(image())
        torch.manual_seed(seed)
        torch.testing.assert_close(ours, other(image())[0], **EXACT)
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], **EXACT)


def test_dropout_drops_its_share_of_every_one() -> None:
    ins, outs = [Shape(3, 16, 16)], [Shape(w, 16, 16) for w in (40, 60)]
    op = genome.lookup("conv")(order="conv-act", dropout=0.3)
    torch.manual_seed(0)
    modules = [op.build(ins, out).double() for out in outs]
    x = image(size=16, batch=8)
    for out, module in zip(run_together(modules, x), modules, strict=True):
        whole = module.eval()(x)  # the results without dropped numbers
        kept = out != 0
        torch.testing.assert_close(out[kept], (whole / 0.7)[kept], **EXACT)
        assert ((~kept & (whole > 0)).sum() / (whole > 0).sum()).item() == pytest.approx(0.3, abs=0.01)


def test_without_training_they_run_one_by_one() -> None:
    assert count(network(text("order: conv"), training=False)) == 4


@pytest.mark.parametrize("part", ["a", "b.conv", "c.norm"])
def test_with_a_hook_on_one_of_them_they_run_one_by_one(part: str) -> None:
    net = network(text("kernel: 3"))
    met = []
    handle = net.nodes.get_submodule(part).register_forward_hook(lambda *_: met.append(part))
    assert count(net) == 4 and met == [part]
    handle.remove()
    assert count(net) == 2


def test_much_work_on_a_cpu_runs_one_by_one() -> None:
    net = network(text("order: conv"))
    modules: list[nn.Module] = [net.node(n) for n in "abc"]
    few, many = torch.zeros(4, 4, 16, 16), torch.zeros(64, 4, 16, 16)
    assert pays(modules, few) and not pays(modules, many)


@pytest.mark.parametrize(
    "genes",
    [
        "groups: 2",
        "norm: group",
        "kernel: 2",
        "kernel: 4, dilation: 3",
        "order: norm-act-conv",
        "order: norm-conv-norm-act",
        "order: act-conv-norm",
        "stride: 2",  # 4x4: small images
    ],
)
def test_some_are_no_siblings(genes: str) -> None:
    assert not siblings(genome.resolve(genome.loads(text(genes))).steps)


def test_other_genes_or_other_sources_are_no_siblings() -> None:
    written = text("order: conv").replace("width: 5, order: conv", "width: 5, order: conv-act")
    assert set(siblings(genome.resolve(genome.loads(written)).steps).values()) == {(1, 3)}
    written = written.replace("c: {op: conv, in: [stem]", "c: {op: conv, in: [stem, image]")
    assert not siblings(genome.resolve(genome.loads(written)).steps)


def test_members_of_loops_are_no_siblings() -> None:
    written = HEAD + (
        "  a: {op: conv, in: [j], width: 4}\n  b: {op: conv, in: [j], width: 4}\n"
        "  j: {op: add, in: [stem, a, b]}\n  out: {op: exit, in: [a, b]}\n"
        "loops:\n  l: {order: [j, a, b]}\n"
    )
    assert not siblings(genome.resolve(genome.loads(written)).steps)
