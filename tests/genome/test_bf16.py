"""The convolutions that leave bf16 on a CPU, where float32 is many times faster."""

import pytest
import torch

from genome.op import Shape
from genome.ops._kernels import Kernels, Window


def made(window: Window, depthwise: bool = True) -> Kernels:
    torch.manual_seed(0)
    return Kernels([Shape(8, 9, 9)], 8, [1], window, depthwise=depthwise)


@pytest.mark.parametrize(
    ("window", "depthwise", "exact"),
    [
        (Window(3), True, False),
        (Window(3, stride=2), True, True),
        (Window(5), True, True),
        (Window(3, dilation=2), True, True),
        (Window(3, stride=2), False, False),
    ],
)
def test_slow_filters_are_computed_in_float32(window: Window, depthwise: bool, exact: bool) -> None:
    kernels = made(window, depthwise)
    x = torch.randn(2, 8, 9, 9).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        ours = kernels(x)
    assert ours.dtype == torch.bfloat16
    same = ours.equal(kernels(x.float()).bfloat16())  # rounded once, at the end
    assert same == exact
    ours.float().square().sum().backward()
    assert x.grad is not None and x.grad.dtype == torch.bfloat16
    assert kernels.weight.grad is not None and kernels.weight.grad.dtype == torch.float32


def test_without_autocast_the_format_is_the_input_s() -> None:
    kernels = made(Window(3, stride=2))
    assert kernels(torch.randn(2, 8, 9, 9)).dtype == torch.float32
    assert kernels.double()(torch.randn(2, 8, 9, 9).double()).dtype == torch.float64
