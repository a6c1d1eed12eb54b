"""deform where taps are exactly on pixels: outputs and gradients are those of torchvision's kernel.

There the derivative of bilinear sampling by the position is one-sided; torchvision's kernel has the right-sided one.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import genome
from genome.op import Shape
from genome.ops._deform import Deform
from tests.pairwise import pairs

deform_conv2d = pytest.importorskip("torchvision.ops").deform_conv2d

CHANNELS, WIDTH = 4, 6
SIDES = (7, 14, 28, 33)
PLACES = [
    {},
    {"stride": 2},
    {"dilation": 2, "groups": 2},
    {"kernel": 5, "stride": 3, "dilation": 3, "groups": 4},
    {"kernel": 1},
    {"groups": 4, "kernel_groups": 2},
    {"kernel": (1, 3)},
    {"kernel": (5, 3), "stride": (1, 2), "dilation": (2, 3), "groups": 2},
]


def made(height: int, width: int, **genes: Any) -> Deform:
    op = genome.lookup("deform")(order="conv", bias=True, **genes)
    torch.manual_seed(0)
    shape = Shape(CHANNELS, height, width)
    module = op.build([shape], op.shape([shape], WIDTH)).double()
    assert isinstance(module, Deform)
    return module


def moved(module: Deform, offsets: str) -> None:
    """Set the offset convolution, which reads whole numbers: no offsets, whole ones, or fractional ones."""
    with torch.no_grad():
        if (
            offsets == "whole"
        ):  # each offset is a whole number times the pixel below the tap's centre, plus one
            rows, columns = module.kernel
            centre = module.offset.weight[:, :, rows // 2, columns // 2]
            centre.copy_(torch.randint(-1, 2, centre.shape))
            module.offset.bias.copy_(torch.randint(-9, 10, module.offset.bias.shape))  # type: ignore[union-attr]
        elif offsets == "fractional":
            for p in module.offset.parameters():
                p.normal_(0.0, 0.1)


def torchvisions(x: Tensor, module: Deform) -> Tensor:
    place = {"stride": module.stride, "padding": module.padding, "dilation": module.dilation}
    given = F.conv2d(x, module.offset.weight, module.offset.bias, **place)  # type: ignore[arg-type]
    mask = None if module.modulation == "none" else 2 * given[:, module.offsets :].sigmoid()
    offset = given[:, : module.offsets]
    out: Tensor = deform_conv2d(x, offset, module.weight, module.bias, mask=mask, **place)
    return out


def gradients(out: Tensor, x: Tensor, module: Deform) -> dict[str, Tensor]:
    """The gradients of the input and of every parameter, by name."""
    named = {"input": x, **dict(module.named_parameters())}
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    made = torch.autograd.grad(out, [*named.values()], weights.to(out.dtype))
    return dict(zip(named, made, strict=True))


def image(height: int, width: int) -> Tensor:
    """Two images of whole numbers."""
    drawn = torch.randint(-3, 4, (2, CHANNELS, height, width), generator=torch.Generator().manual_seed(1))
    return drawn.double().requires_grad_()


@pytest.mark.parametrize(
    ("side", "genes", "modulation", "offsets"),
    pairs(SIDES, PLACES, ["none", "unit"], ["none", "whole", "fractional"]),
)
def test_outputs_and_all_gradients_are_torchvisions(
    side: int, genes: dict[str, Any], modulation: str, offsets: str
) -> None:
    module = made(side, side, modulation=modulation, **genes)
    moved(module, offsets)
    x = image(side, side)
    out, expected = module(x), torchvisions(x, module)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    theirs = gradients(expected, x, module)
    for name, ours in gradients(out, x, module).items():
        torch.testing.assert_close(
            ours, theirs[name], rtol=1e-10, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("offsets", ["none", "whole"])
@pytest.mark.parametrize("genes", PLACES, ids=str)
def test_the_first_step_in_float32_for_every_size(genes: dict[str, Any], offsets: str) -> None:
    """A derivative of the other side would differ by as much as neighbouring pixels do."""
    for side in [*range(1, 41), 55, 56, 97, 111, 128, 223, 224]:
        module = made(3, side, **genes)
        moved(module, offsets)
        x = image(3, side)
        theirs = gradients(torchvisions(x, module), x, module)
        module.float()
        x32 = x.detach().float().requires_grad_()
        for name, ours in gradients(module(x32), x32, module).items():
            scale = float(theirs[name].abs().amax())
            torch.testing.assert_close(ours.double(), theirs[name], rtol=0, atol=2e-4 * scale + 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("genes", [{"kernel": 1}, {"kernel": 7, "dilation": 16}], ids=str)
def test_every_tap_reads_to_the_right_of_every_pixel(genes: dict[str, Any], dtype: torch.dtype) -> None:
    """On an image of squares each derivative tells between which pixels it was taken."""
    for side in [*range(1, 65), 111, 224]:
        module = made(1, side, **genes)
        squares = torch.arange(side, dtype=dtype) ** 2
        derivatives = torch.cat((squares[1:] - squares[:-1], -squares[-1:]))  # outside the image is zero
        kernel = module.kernel[0]
        taps = torch.arange(kernel).repeat(kernel) * module.dilation[0] - module.padding[0]
        base = torch.arange(side) + taps[:, None]  # (taps, side)
        pixels = torch.arange(side)[:, None, None]
        offset = torch.zeros(side, module.taps, 2, 1, side, dtype=dtype)  # image n reads pixel n everywhere
        offset[:, :, 1, 0] = (pixels - base).to(dtype)
        offset[:, :, 0, 0] = -taps.view(kernel, -1).t().reshape(-1, 1)  # back to the only row
        offset = offset.flatten(1, 2).requires_grad_()
        read = module._columns(squares.expand(side, CHANNELS, 1, side), offset, None)
        (found,) = torch.autograd.grad(read[:, : module.taps].sum(), offset)
        expected = derivatives[:, None, None].expand(side, module.taps, side)
        torch.testing.assert_close(found[:, 1::2, 0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("modulation", ["none", "unit"])
def test_every_precision_runs(dtype: torch.dtype, modulation: str) -> None:
    """Under autocast, and with the whole layer in the lower precision."""
    module, x = made(14, 14, modulation=modulation), image(14, 14).detach().float()
    moved(module, "fractional")
    exact = module.float()(x).detach()
    with torch.autocast("cpu", dtype=dtype):
        rough = module(x.requires_grad_())
    rough.float().sum().backward()
    assert rough.dtype == dtype and x.grad is not None
    low = module.to(dtype)(x.to(dtype))
    assert low.dtype == dtype
    for found in (rough, low):
        torch.testing.assert_close(found.float(), exact, rtol=0.05, atol=0.05 * float(exact.abs().amax()))
