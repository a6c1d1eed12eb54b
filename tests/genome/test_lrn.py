"""lrn against torch's own and against the sum by hand: outputs, gradients, and the tensors that it stores."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genome.node_info import node_info
from genome.op import Shape
from genome.ops.lrn import Lrn

IMAGE = Shape(6, 4, 3)


def built(op: Lrn, shape: Shape = IMAGE) -> nn.Module:
    return op.build([shape], shape)


def noise(shape: Shape = IMAGE, dtype: torch.dtype = torch.float64) -> Tensor:
    # the numbers are so large that the sums of their squares matter
    return 20 * torch.randn(3, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 12, 64])
def test_it_is_that_of_torch(size: int, channels: int) -> None:
    op = Lrn(size=size, alpha=0.03, beta=0.6, k=1.5)
    x = noise(IMAGE.with_channels(channels)).requires_grad_()
    ours = built(op, IMAGE.with_channels(channels))(x)
    theirs = nn.LocalResponseNorm(size, 0.03, 0.6, 1.5)(x)
    torch.testing.assert_close(ours, theirs)
    grad = torch.randn_like(x)
    torch.testing.assert_close(torch.autograd.grad(ours, x, grad), torch.autograd.grad(theirs, x, grad))


def test_the_default_is_alexnets_formula() -> None:
    """b_i = a_i / (2 + 1e-4 * sum of a_j^2 over j from i - 2 to i + 2) ** 0.75"""
    a = noise()
    for i in range(6):
        neighbours = a[:, max(0, i - 2) : i + 3]
        expected = a[:, i] / (2 + 1e-4 * (neighbours**2).sum(dim=1)) ** 0.75
        torch.testing.assert_close(built(Lrn())(a)[:, i], expected)


@pytest.mark.parametrize("size", [4, 5])
def test_it_may_be_differentiated_twice(size: int) -> None:
    module = built(Lrn(size=size, alpha=0.1))
    x = torch.randn(2, 6, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradgradcheck(module, (x,))


@pytest.mark.parametrize(("made", "maps"), [(built(Lrn()), 1), (nn.LocalResponseNorm(5), 4)])
def test_it_keeps_its_input_alone(made: nn.Module, maps: int) -> None:
    kept: dict[int, Tensor] = {}
    x = noise().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t), lambda t: t
    ):
        out = made(x)
    assert len(kept) == maps
    del out


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_of_half_precision_are_made_in_float32(dtype: torch.dtype) -> None:
    x = noise(dtype=torch.float32).mul(30).to(dtype).requires_grad_()  # squares overflow a float16
    exact = x.detach().double().requires_grad_()
    ours, theirs = built(Lrn())(x), built(Lrn())(exact)
    assert ours.dtype == dtype
    ours.sum().backward()
    theirs.sum().backward()
    assert x.grad is not None and exact.grad is not None and x.grad.dtype == dtype
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(x.grad.double(), exact.grad, rtol=1e-2, atol=1e-2)


def test_channels_last_stays_and_a_graph_is_whole() -> None:
    x = noise().contiguous(memory_format=torch.channels_last)
    module = built(Lrn())
    assert module(x).is_contiguous(memory_format=torch.channels_last)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    one, two = x.clone().requires_grad_(), x.clone().requires_grad_()
    torch.testing.assert_close(compiled(one), module(two))
    compiled(one).square().sum().backward()
    module(two).square().sum().backward()
    torch.testing.assert_close(one.grad, two.grad)


def test_windows_that_come_to_the_same_are_one_function() -> None:
    def mark(op: Lrn) -> int | None:
        return node_info(op, (Shape(3, 4, 4),), 0, None).mark

    wide = Lrn(size=6, alpha=6.0)
    assert mark(wide) == mark(Lrn(size=7, alpha=7.0)) == mark(Lrn(size=64, alpha=64.0))
    assert mark(wide) != mark(Lrn(size=3, alpha=3.0))
    assert mark(wide) != mark(Lrn(size=7, alpha=6.0))
